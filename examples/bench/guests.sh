#!/bin/sh
# Compiles the guests that are not in Go into the .wasm beside their source. Those are committed, so that the benchmark
# needs no compiler but Go's. From Debian: clang-19 lld-19, and rustc lld-14 libstd-rust-dev-wasm32.
set -eu
cd "$(dirname "$0")"

clang-19 --target=wasm32 -Wall -Wextra -Werror -O2 -mbulk-memory -nostdlib -Wl,--no-entry -Wl,--strip-debug -o guest_c/bench.wasm guest_c/bench.c

# A stack of 1 MiB, the default, would make the memory of 17 pages for a function that needs a few hundred bytes.
/usr/bin/rustc --edition 2021 --target wasm32-unknown-unknown --crate-type cdylib -C opt-level=3 -C panic=abort \
	-C target-feature=+bulk-memory -C linker=wasm-ld-14 -C link-arg=-zstack-size=65536 -C strip=debuginfo --remap-path-prefix "$PWD=" \
	-o guest_rust/bench.wasm guest_rust/bench.rs
