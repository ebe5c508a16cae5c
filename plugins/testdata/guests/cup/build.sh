#!/bin/sh
# Compiles src/ into cup.wasm, with debug information and without the path of this
# machine. With --check it writes nothing and fails if the committed cup.wasm is not
# what comes out.
set -eu
cd "$(dirname "$0")"

if ! command -v clang-19 >/dev/null || ! command -v wasm-ld-19 >/dev/null; then
	echo "build.sh: clang-19 or wasm-ld-19 is missing; see README.md" >&2
	exit 1
fi

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
for c in src/*.c; do
	clang-19 --target=wasm32 -std=c11 -Wall -Wextra -Werror -g -O2 -mbulk-memory \
		-fdebug-compilation-dir=. -c "$c" -o "$tmp/$(basename "$c" .c).o"
done
wasm-ld-19 --no-entry -zstack-size=16384 "$tmp"/cup.o "$tmp"/pot.o -o "$tmp/cup.wasm"

if [ "${1:-}" != --check ]; then
	cp "$tmp/cup.wasm" cup.wasm
elif ! cmp -s "$tmp/cup.wasm" cup.wasm; then
	echo "build.sh: cup.wasm is not what src gives" >&2
	exit 1
fi
