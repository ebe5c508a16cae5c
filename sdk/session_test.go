package sdk_test

import (
	"os"
	"testing"

	"github.com/aviary-host/aviary/abi/tck"

	"github.com/aviary-host/aviary/sdk"
	"github.com/aviary-host/aviary/sdk/sdktest"
)

// TestSession: the template of every language is the same program. What two clients see of
// it is the same, byte for byte, and it keeps to the ABI.
func TestSession(t *testing.T) {
	if testing.Short() {
		t.Skip("builds modules")
	}
	languages, err := sdk.Languages()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range languages {
		t.Run(l.Name, func(t *testing.T) {
			module := sdktest.Build(t, l.Name)
			sdktest.Play(t, module, "testdata/session.txt")
			checkModule(t, module)
		})
	}
}

// checkModule holds a module of the template to the ABI.
func checkModule(t *testing.T, module string) {
	t.Helper()
	wasm, err := os.ReadFile(module)
	if err != nil {
		t.Fatal(err)
	}
	r, err := tck.Check(t.Context(), wasm, tck.Options{Join: `{"name":"Ada"}`})
	if err != nil || !r.OK() || len(r.Notes) > 0 {
		t.Errorf("found %v, noted %q, %v", r.Findings, r.Notes, err)
	}
}
