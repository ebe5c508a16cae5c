package tools

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckModulesWantsExactVersions(t *testing.T) {
	dir := t.TempDir()
	text := []byte(`{"dependencies":{"phoenix":"1.8.16"}}`)
	if checkModules(dir, text) == nil {
		t.Error("a missing package passed")
	}
	for version, ok := range map[string]bool{"1.8.16": true, "1.8.12": false} {
		write(t, filepath.Join(dir, "phoenix", "package.json"), `{"version":"`+version+`"}`)
		if err := checkModules(dir, text); (err == nil) != ok {
			t.Errorf("version %s: %v", version, err)
		}
	}
}

// verdict is a testing.TB that writes down what it is told instead of ending.
type verdict struct {
	testing.TB
	said string
}

func (v *verdict) Helper()               {}
func (v *verdict) Skipf(string, ...any)  { v.said += "skip" }
func (v *verdict) Fatalf(string, ...any) { v.said += "fail" }

// TestMissingToolsFailInCI: a test that is skipped for want of a tool must not
// vanish where all tools are meant to be.
func TestMissingToolsFailInCI(t *testing.T) {
	for ci, want := range map[string]string{"": "skip", "true": "fail", "1": "fail"} {
		t.Setenv("CI", ci)
		v := &verdict{TB: t}
		missing(v, "no tool")
		if !strings.HasPrefix(v.said, want) { // the real ones do not return
			t.Errorf("with CI=%q a missing tool gives %q, want %q", ci, v.said, want)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
