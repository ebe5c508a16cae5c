package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/cmd/aviary/play"
	"github.com/aviary-host/aviary/plugins"
	"github.com/aviary-host/aviary/plugins/traps"
)

// faultFile returns the path of a fault guest, for tests that go elsewhere.
func faultFile(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("../../plugins/testdata/faults", name+".wasm"))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// handmade makes the working directory a project whose module is copied from a file, with
// a budget and settings in its aviary.toml.
func handmade(t *testing.T, module string) {
	t.Helper()
	t.Chdir(t.TempDir())
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	file := map[string]any{"name": "x", "build": [][]string{{"cp", module, "x.wasm"}}, "output": "x.wasm"}
	text, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, "aviary.json", string(text))
	writeFile(t, "aviary.toml", "[[plugin]]\nname = \"x\"\npath = \"x.wasm\"\ntopics = [\"room:*\"]\nfuel = 200000\n[plugin.settings]\ngreeting = \"hello\"\n")
}

// TestTest: cases are found, played and counted; the quota is that of aviary.toml.
func TestTest(t *testing.T) {
	echo, joinless := faultFile(t, "echo"), faultFile(t, "join_missing")
	handmade(t, echo)
	mustContain(t, runs(t, exitFailure, "test"), "there are no cases in ", "see docs/testing.md")
	const good = `{"steps":[{"callback":"join","payload":{"a":1},"expect":{"result":"reply","payload":{"a":1}}}]}`
	writeFile(t, "tests/a.json", good)
	writeFile(t, "tests/b.json", strings.Replace(good, `{"steps"`, `{"settings":{"greeting":"hi"},"steps"`, 1))
	mustContain(t, runs(t, 0, "test"), "ok    a.json", "ok    b.json", "2 cases, 2 steps: all pass; the dearest is join with", "of 200000 fuel")
	writeFile(t, "tests/c.json", strings.Replace(good, `"payload":{"a":1}`, `"payload":{"a":2}`, 1))
	mustContain(t, runs(t, exitFailure, "test"), "FAIL  c.json", `- reply ok {"a":1}`, `+ reply ok {"a":2}`, "3 cases, 3 steps: 1 fail", "x.wasm: 1 of 3 cases fail")
	mustContain(t, runs(t, 0, "test", "tests/a.json"), "1 cases")
	mustContain(t, runs(t, 0, "test", "-m", echo, "tests/a.json"), "of 10000000 fuel")
	writeFile(t, "tests/d.json", "{")
	mustContain(t, runs(t, exitFailure, "test"), "d.json: no case: unexpected EOF")
	mustContain(t, runs(t, exitPlugin, "test", "-m", joinless, "tests/a.json"), "module exports no function join")
	mustContain(t, runs(t, exitFailure, "test", "-m", "none.wasm", "tests/a.json"), "none.wasm")
	if err := os.Remove("x.wasm"); err != nil {
		t.Fatal(err)
	}
	mustContain(t, runs(t, exitFailure, "test", "--no-build", "tests/a.json"), "x.wasm: no such file")
}

func TestCall(t *testing.T) {
	panics := faultFile(t, "panic_import")
	handmade(t, faultFile(t, "echo"))
	mustContain(t, runs(t, 0, "call", "join", `{"a":"<b>"}`), `reply ok {"a":"<b>"}`, `state "\x01\x00\x00\x00"`, "fuel ", " of 200000, ")
	mustContain(t, runs(t, 0, "call", "handle_in", "[1]", "-e", "any", "--join", "{}"), "reply ok [1]", `state "\x02`)
	var got struct {
		Answer play.Answer
		Error  string
		Fuel   int64
	}
	if err := json.Unmarshal([]byte(runs(t, 0, "call", "join", "--json")), &got); err != nil || got.Answer.Result != "reply" || got.Fuel == 0 || got.Error != "" {
		t.Errorf("%+v, %v", got, err)
	}
	mustContain(t, runs(t, exitFailure, "call", "handle_in", "-e", "e", "-m", panics),
		"failed: plugin module: handle_in: panic: the cup is too full (src/cup.c:42)", "handle_in: the callback fails")
	mustContain(t, runs(t, exitUsage, "call", "jion"), "must be one of")
	mustContain(t, runs(t, exitFailure, "call", "join", "{"), "payload { is not JSON")
	mustContain(t, runs(t, exitFailure, "call", "handle_in"), "handle_in without an event")
	mustContain(t, runs(t, exitFailure, "call", "terminate"), "the module has no callback terminate")
}

// failure writes the record of a callback that failed, and returns its path.
func failure(t *testing.T, payloads bool) string {
	t.Helper()
	store, err := traps.Open(traps.Config{Dir: filepath.Join(t.TempDir(), "traps")})
	if err != nil {
		t.Fatal(err)
	}
	wasm, err := os.ReadFile(faultFile(t, "panic_import"))
	if err != nil {
		t.Fatal(err)
	}
	var file string
	keep := store.Keeper(payloads)
	m, err := play.Load(t.Context(), wasm, plugins.Config{Name: "cup", OnTrap: func(trap *plugins.Trap) {
		keep(trap)
		file = trap.File
	}})
	if err != nil {
		t.Fatal(err)
	}
	m.Run(&abi.Request{Callback: abi.CallbackHandleIn, Topic: []byte("room:1"), Event: []byte("pour"), Payload: []byte(`{"ml":500}`)})
	if err := m.Close(); err != nil || file == "" {
		t.Fatal("no record", err)
	}
	return file
}

// TestReplay: the callback fails again, becomes a case, and passes with another module.
func TestReplay(t *testing.T) {
	panics, echo, record := faultFile(t, "panic_import"), faultFile(t, "echo"), failure(t, true)
	hidden := failure(t, false)
	handmade(t, panics)
	mustContain(t, runs(t, exitFailure, "replay", record, "--save"),
		"the same module", "handle_in of plugin cup failed: panic: the cup is too full (src/cup.c:42)", `event pour, payload {"ml":500}`,
		"now:\nfailed: plugin cup: handle_in: panic: the cup is too full", "it fails again", "saved as ")
	mustContain(t, runs(t, exitFailure, "test"), "FAIL  ", `handle_in pour {"ml":500}:`, "too full")
	mustContain(t, runs(t, 0, "replay", record, "-m", echo, "--save"), ", this is ", `now:`, `reply ok {"ml":500}`)
	mustContain(t, runs(t, 0, "test", "-m", echo), "1 cases, 1 steps: all pass")
	mustContain(t, runs(t, exitFailure, "replay", hidden), "it cannot be run again: ", "plugin.trap_payloads")
	mustContain(t, runs(t, exitFailure, "replay", "aviary.toml"), "aviary.toml: ")
	mustContain(t, runs(t, exitUsage, "replay", "none.json"), "none.json")
}
