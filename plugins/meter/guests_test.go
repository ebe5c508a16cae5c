package meter_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/aviary-host/aviary/plugins/meter"
	"github.com/aviary-host/aviary/plugins/module"
)

// guests reads the fault guests, and those examples that are built.
func guests(t testing.TB) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	for _, pattern := range []string{"../testdata/faults/*.wasm", "../testdata/guests/*/*.wasm", "../../examples/*/*/*.wasm"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			wasm, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			found[filepath.Base(file)] = wasm
		}
	}
	if len(found) < 40 {
		t.Fatalf("found only %d guests", len(found))
	}
	return found
}

// BenchmarkInstrument takes the largest guest that is built. The size is that of
// what comes out, as a ratio.
func BenchmarkInstrument(b *testing.B) {
	var wasm []byte
	for _, w := range guests(b) {
		if len(w) > len(wasm) {
			wasm = w
		}
	}
	m, err := module.Decode(wasm, module.DefaultCaps())
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(wasm)))
	var out *module.Module
	for b.Loop() {
		if out, err = meter.Instrument(m, meter.Config{Stack: testStack}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(out.Encode()))/float64(len(wasm)), "size")
}
