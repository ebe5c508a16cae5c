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

func TestCheckWheelsWantsExactVersions(t *testing.T) {
	dir := t.TempDir()
	const list = "# dependencies\nphoenix-client==0.4.1\n"
	if checkWheels(dir, list) == nil {
		t.Error("a missing package passed")
	}
	write(t, filepath.Join(dir, "lib", "python3.11", "site-packages", "phoenix_client-0.4.1.dist-info", "METADATA"), "")
	if err := checkWheels(dir, list); err != nil {
		t.Error(err)
	}
	for _, other := range []string{"phoenix-client==0.4.2", "phoenix-client>=0.4.1"} {
		if checkWheels(dir, other) == nil {
			t.Errorf("%s passed", other)
		}
	}
}

func TestCheckJarsWantsExactVersions(t *testing.T) {
	dir := t.TempDir()
	pom := func(version string) []byte {
		return []byte("<project><dependencies><dependency><artifactId>Client</artifactId><version>" + version + "</version></dependency></dependencies></project>")
	}
	if checkJars(dir, pom("1.3.1")) == nil {
		t.Error("a missing jar passed")
	}
	write(t, filepath.Join(dir, "Client-1.3.1.jar"), "")
	if err := checkJars(dir, pom("1.3.1")); err != nil {
		t.Error(err)
	}
	if checkJars(dir, pom("1.3.2")) == nil {
		t.Error("another version passed")
	}
}

// TestKitIsInstalledOnce: what is in the cache and whole is not installed again,
// and a failed installation leaves nothing behind.
func TestKitIsInstalledOnce(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	t.Setenv("HOME", cache) // where there is no XDG
	fills := 0
	k := kit{
		name: "test",
		spec: "one",
		fill: func(dir string) error {
			fills++
			return os.WriteFile(filepath.Join(dir, "whole"), nil, 0o644)
		},
		check: func(dir string) error {
			_, err := os.Stat(filepath.Join(dir, "whole"))
			return err
		},
	}
	if first, second := k.home(t), k.home(t); first != second || fills != 1 {
		t.Errorf("installed %d times, in %s and %s", fills, first, second)
	}
	other := k
	other.spec = "two"
	if k.home(t) == other.home(t) {
		t.Error("two specs have one home")
	}
	broken := k
	broken.spec, broken.fill = "three", func(string) error { return os.ErrPermission }
	home := filepath.Join(filepath.Dir(k.home(t)), "broken")
	if err := broken.install(home); err == nil {
		t.Error("a failed installation passed")
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(home), "install-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
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
