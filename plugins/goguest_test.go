package plugins_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/plugins"
)

// goGuest builds testdata/guests/name, once for all tests.
func goGuest(t testing.TB, name string) []byte {
	t.Helper()
	return goBuild(t, name, "c-shared")
}

func goBuild(t testing.TB, name, mode string) []byte {
	t.Helper()
	if testing.Short() {
		t.Skip("builds a Go guest")
	}
	out := filepath.Join(builds, name+"-"+mode+".wasm")
	if wasm, err := os.ReadFile(out); err == nil {
		return wasm
	}
	cmd := exec.Command("go", "build", "-buildmode="+mode, "-ldflags=-s -w", "-o", out, "./testdata/guests/"+name)
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=-mod=readonly", "GOPROXY=off")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	wasm, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return wasm
}

func TestPlainGoGuest(t *testing.T) {
	p := load(t, goGuest(t, "plain"), plugins.Config{Instances: 1})
	if got := mustHandle(t, p, abi.CallbackJoin, `{"a":1}`); got != `{"a":1}` {
		t.Errorf("echo is %s", got)
	}
	long := strings.Repeat("x", 200<<10)
	if got := mustHandle(t, p, abi.CallbackHandleIn, long); got != long {
		t.Errorf("echo of a long request has %d bytes", len(got))
	}
	var resp abi.Response
	_, err := p.Handle(&abi.Request{Callback: abi.CallbackHandleIn, Event: []byte("boom")}, nil, &resp)
	var call *plugins.CallError
	if !errors.As(err, &call) || !strings.Contains(call.Message, "panic: runtime error: index out of range [140] with length 0") {
		t.Errorf("error is %v", err)
	}
	t.Log(err)
	mustHandle(t, p, abi.CallbackHandleIn, "{}")
}

func TestGoProgramIsRefused(t *testing.T) {
	checkRefusal(t, goBuild(t, "plain", "exe"), refusals["start_only"])
}

// TestUndeclaredChannelsAreRefused: the Go SDK refuses where no join, or none of
// a channel, could succeed.
func TestUndeclaredChannelsAreRefused(t *testing.T) {
	for name, want := range map[string]string{
		"late":     "no channel is declared: call aviary.Channel in an init function, main is never run",
		"joinless": "channel poll:* has no Join handler",
	} {
		checkRefusal(t, goGuest(t, name), "aviary_abi_v1 failed: panic: "+want)
	}
}

// TestGoRunTimeGivesUp: of the dump of Go's run-time, the log shows the beginning.
func TestGoRunTimeGivesUp(t *testing.T) {
	logger, out := newLogger()
	p := load(t, goGuest(t, "plain"), plugins.Config{
		Instances: 1, Logger: logger,
		Fuel: 10_000_000_000, Deadline: time.Minute, Stack: 32 << 20, // memory is to be what runs out
	})
	const want = "handle_in: trap: fatal error: out of memory; the module may have at most 16 MiB (plugin.memory); unreachable"
	for _, event := range []string{"recurse", "hoard"} {
		var resp abi.Response
		_, err := p.Handle(&abi.Request{Callback: abi.CallbackHandleIn, Event: []byte(event)}, nil, &resp)
		var call *plugins.CallError
		if !errors.As(err, &call) || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %s", err, want)
		}
		warned := 0
		lines := out.lines()
		for _, line := range lines {
			if strings.HasPrefix(line, "level=WARN") {
				warned++
			}
		}
		if warned != 10 || len(lines) < 20 || strings.Count(call.Stderr, "\n") != 15 {
			t.Errorf("%s: %d of %d lines are warnings:\n%s", event, warned, len(lines), strings.Join(lines, "\n"))
		}
	}
}

func TestStandardLibraryGoGuest(t *testing.T) {
	if raceEnabled {
		t.Skip("under the race detector wazero compiles 3.5 MB for a minute; the plain guest stands in")
	}
	logger, out := newLogger()
	p := load(t, goGuest(t, "stdlib"), plugins.Config{
		Instances: 1, Logger: logger, Settings: []byte(`{"s":1}`), Secrets: map[string]string{"k": "not sent"},
		Fuel: 10_000_000_000, Deadline: time.Minute, // to sleep is to look at the clock for ever
	})
	if got := out.lines(); len(got) != 1 || got[0] != `level=INFO msg="init was here" plugin=chat src=guest callback=_initialize` {
		t.Errorf("initialisation logged %q", got)
	}
	if p.Implements(abi.CallbackHandleOut) || !p.Implements(abi.CallbackHandleIn) {
		t.Error("the marker's mask was not heeded")
	}
	if got := mustHandle(t, p, abi.CallbackJoin, `{"n":41,"tags":["x"]}`); got != `{"do":"","n":42,"tags":["x"]}` {
		t.Errorf("answer is %s", got)
	}
	mustHandle(t, p, abi.CallbackHandleIn, `{"do":"print"}`)
	if got := out.lines(); len(got) != 2 || !strings.HasPrefix(got[0], `level=INFO msg="to stdout"`) ||
		!strings.HasPrefix(got[1], "level=WARN msg=") || !strings.Contains(got[1], "to stderr") {
		t.Errorf("logged %q", got)
	}
	if got := mustHandle(t, p, abi.CallbackJoin, `{"do":"config"}`); got != `{"do":"config","n":1,"tags":["{\"s\":1}"]}` {
		t.Errorf("the settings of a join are %s", got)
	}
	if got := mustHandle(t, p, abi.CallbackHandleIn, `{"do":"config"}`); got != `{"do":"config","n":1,"tags":[""]}` {
		t.Errorf("the settings of a handle_in are %s", got)
	}
	t.Run("sandbox", func(t *testing.T) { checkSandbox(t, p) })
	t.Run("last words", func(t *testing.T) { checkLastWords(t, p) })
}

// checkLastWords makes the guest give up in several ways.
func checkLastWords(t *testing.T, p *plugins.Plugin) {
	t.Helper()
	for payload, want := range map[string]string{
		`{"do":"panic","n":3}`: "panic: told to, 3 times",
		`{"do":"exit","n":7}`:  "exit: proc_exit(7)",
		`nonsense`:             "panic: payload: invalid character 'o' in literal null",
	} {
		_, err := handle(p, abi.CallbackHandleIn, payload)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v, want %s", payload, err, want)
		}
		t.Log(err)
		mustHandle(t, p, abi.CallbackHandleIn, `{}`)
	}
}

// checkSandbox asks the guest what it sees of the world.
func checkSandbox(t *testing.T, p *plugins.Plugin) {
	t.Helper()
	var seen [2]struct{ Tags []string }
	for i := range seen {
		text := mustHandle(t, p, abi.CallbackHandleIn, `{"do":"look"}`)
		if err := json.Unmarshal([]byte(text), &seen[i]); err != nil {
			t.Fatal(err)
		}
		if tags := seen[i].Tags; len(tags) != 3 || tags[0] != "0 0 EOF" || tags[1] != "true true 0" {
			t.Fatalf("saw %q", tags)
		}
	}
	if seen[0].Tags[2] == seen[1].Tags[2] {
		t.Errorf("random numbers repeat: %s", seen[0].Tags[2])
	}
}
