#!/bin/sh
# Compiles the guests that are not in Go into the .wasm beside their source. Those are committed, so that tests and
# benchmarks need no compiler but Go's. From Debian: clang-19 lld-19, and rustc lld-14 libstd-rust-dev-wasm32.
set -eu
cd "$(dirname "$0")"

clang-19 --target=wasm32 -O2 -mbulk-memory -nostdlib -Wl,--no-entry -Wl,--strip-debug -o echo_c/echo.wasm echo_c/echo.c

# A stack of 1 MiB, the default, would make the memory of 17 pages for a function that needs a few hundred bytes. The
# stack is in front of the data: 2 KiB less than 64 KiB, and where it begins is in the page of the first of them.
/usr/bin/rustc --edition 2021 --target wasm32-unknown-unknown --crate-type cdylib -C opt-level=3 -C panic=abort \
	-C target-feature=+bulk-memory -C linker=wasm-ld-14 -C link-arg=-zstack-size=63488 -C strip=debuginfo --remap-path-prefix "$PWD=" \
	-o echo_rust/echo.wasm echo_rust/echo.rs
