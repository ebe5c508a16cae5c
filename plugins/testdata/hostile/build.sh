#!/bin/sh
# Assembles every .wat of this folder into the .wasm beside it, with guest/guest.wat
# behind it unless it is a whole module. With --check it writes nothing and fails if
# a committed .wasm is not what its .wat gives.
set -eu
cd "$(dirname "$0")"

if ! command -v wat2wasm >/dev/null; then
	echo "build.sh: wat2wasm is missing; see ../faults/README.md" >&2
	exit 1
fi

temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
out=.
if [ "${1:-}" = --check ]; then
	out=$temp
fi

bad=0
for wat in *.wat; do
	wasm=${wat%.wat}.wasm
	source=$wat
	if ! grep -q '^(module' "$wat"; then
		source=$temp/$wat
		cat "$wat" guest/guest.wat >"$source"
	fi
	wat2wasm --debug-names "$source" -o "$out/$wasm"
	if [ "$out" != . ] && ! cmp -s "$out/$wasm" "$wasm"; then
		echo "build.sh: $wasm is not what $wat gives" >&2
		bad=1
	fi
done
for wasm in *.wasm; do
	if [ ! -f "${wasm%.wasm}.wat" ]; then
		echo "build.sh: $wasm has no .wat" >&2
		bad=1
	fi
done
exit $bad
