package module_test

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

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

func TestGuestsRoundTrip(t *testing.T) {
	for name, wasm := range guests(t) {
		first, err := module.Decode(wasm, module.DefaultCaps())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		again, err := module.Decode(first.Encode(), module.DefaultCaps())
		if err != nil {
			t.Errorf("%s, encoded: %v", name, err)
			continue
		}
		if again.Custom, again.Debug = first.Custom, first.Debug; !reflect.DeepEqual(again, first) {
			t.Errorf("%s: the encoded module is another one", name)
		}
	}
}
