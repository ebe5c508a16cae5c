package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/aviary-host/aviary/host/hosttest/tools"
)

// TestTheClientIsTheOfficialOne compares the page's phoenix.js, to the byte,
// with the file in the npm package of the version that the conformance tests
// use.
func TestTheClientIsTheOfficialOne(t *testing.T) {
	modules := tools.NodeModules(t, "../../conformance/js/package.json")
	want, err := os.ReadFile(filepath.Join(modules, "phoenix", "priv", "static", "phoenix.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../page/vendor/phoenix.mjs")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("page/vendor/phoenix.mjs has %d bytes and differs from npm's, which has %d", len(got), len(want))
	}
}
