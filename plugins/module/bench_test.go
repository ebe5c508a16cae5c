package module_test

import (
	"testing"

	"github.com/aviary-host/aviary/plugins/module"
)

// largest returns the largest guest that is built.
func largest(b *testing.B) []byte {
	b.Helper()
	var found []byte
	for _, wasm := range guests(b) {
		if len(wasm) > len(found) {
			found = wasm
		}
	}
	if len(found) < 1<<20 {
		b.Skip("no Go guest is built: make guests")
	}
	return found
}

func BenchmarkDecode(b *testing.B) {
	wasm := largest(b)
	b.SetBytes(int64(len(wasm)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := module.Decode(wasm, module.DefaultCaps()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	m, err := module.Decode(largest(b), module.DefaultCaps())
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(m.Encode())))
	b.ReportAllocs()
	for b.Loop() {
		m.Encode()
	}
}
