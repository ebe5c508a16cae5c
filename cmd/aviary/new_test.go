package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// runs runs a command and returns what it printed, on either side.
func runs(t *testing.T, code int, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if got := run(t.Context(), args, &stdout, &stderr); got != code {
		t.Fatalf("aviary %s: exit %d, want %d\n%s%s", strings.Join(args, " "), got, code, &stdout, &stderr)
	}
	return stdout.String() + stderr.String()
}

func mustContain(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is missing in\n%s", part, text)
		}
	}
}

// TestNewBuildCheck: what a new user types first. A build that fails shows what the
// compiler says.
func TestNewBuildCheck(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a module")
	}
	t.Chdir(t.TempDir())
	mustContain(t, runs(t, 0, "new", "my-room"), "my-room is a project in Go", "cd my-room", "aviary test")
	mustContain(t, runs(t, exitFailure, "new", "my-room"), "my-room is there already")
	t.Chdir("my-room")
	mustContain(t, runs(t, 0, "build"), "my-room.wasm: 2")
	mustContain(t, runs(t, 0, "check", "--join", `{"name":"Ada"}`), "callbacks     join, handle_in, handle_info", "handle_in: over the request buffer", "it keeps to abi/SPEC.md")
	var report struct{ Notes, Callbacks []string }
	if err := json.Unmarshal([]byte(runs(t, 0, "check", "--json")), &report); err != nil {
		t.Fatal(err)
	}
	if len(report.Notes) != 1 || !strings.Contains(report.Notes[0], "a name has to have 1 to 40 characters") {
		t.Errorf("notes are %q", report.Notes)
	}
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("main.go", append(source, "func broken() { return 1 }\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	mustContain(t, runs(t, exitFailure, "build"), "main.go:", "too many return values", "exit status 1")
	mustContain(t, runs(t, 0, "build", "-C", elsewhere(t)), "x.wasm: 1 KiB")
}

// elsewhere is a project in another directory that any system can build.
func elsewhere(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	text := `{"name":"x","language":"none","tools":[],"setup":[],"setup_done":"","build":[["sh","-c","echo x > x.wasm"]],"output":"x.wasm","watch":["*"]}`
	if err := os.WriteFile(filepath.Join(dir, "aviary.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestABI: every callback, result and effect has its number.
func TestABI(t *testing.T) {
	var c contract
	if err := json.Unmarshal([]byte(runs(t, 0, "abi")), &c); err != nil {
		t.Fatal(err)
	}
	if len(c.Callbacks) != 7 || len(c.Results) != 6 || len(c.Effects) != 20 || len(c.Reasons) != 9 || c.Effects["intercept"] != 20 || c.Limits["state"] != 65536 {
		t.Errorf("the contract is %+v", c)
	}
}
