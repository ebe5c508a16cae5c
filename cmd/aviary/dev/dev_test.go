package dev_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/aviary-host/aviary/cmd/aviary/dev"
	"github.com/aviary-host/aviary/cmd/aviary/project"
	"github.com/aviary-host/aviary/host/hosttest"
)

const patience = time.Minute

// developed is a project that dev.Run follows. What it builds is a copy of the fault guest
// that its file which names.
type developed struct {
	t     *testing.T
	dir   string
	url   string // of the page
	lines chan string
	done  chan error
	stop  context.CancelFunc
}

func (d *developed) write(name, text string) {
	d.t.Helper()
	at := filepath.Join(d.dir, name)
	if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(at+".new", []byte(text), 0o600); err != nil { // as editors do it
		d.t.Fatal(err)
	}
	if err := os.Rename(at+".new", at); err != nil {
		d.t.Fatal(err)
	}
}

func newProject(t *testing.T, which string) *developed {
	t.Helper()
	faults, err := filepath.Abs("../../../plugins/testdata/faults")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	d := &developed{t: t, dir: t.TempDir(), lines: make(chan string, 1000), done: make(chan error, 1)}
	file, err := json.Marshal(map[string]any{
		"name": "room", "output": "room.wasm", "watch": []string{"which"},
		"build": [][]string{{"sh", "-c", `cp "$0/$(cat which).wasm" room.wasm`, faults}},
	})
	if err != nil {
		t.Fatal(err)
	}
	d.write("aviary.json", string(file))
	d.write("which", which)
	return d
}

// run begins to follow the project.
func (d *developed) run() {
	out, in := io.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	d.stop = cancel
	go func() {
		defer close(d.lines)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			d.lines <- scanner.Text()
		}
	}()
	go func() {
		err := dev.Run(ctx, dev.Config{
			Dir: d.dir, Addr: "127.0.0.1:0", Look: 5 * time.Millisecond, Out: in, Log: slog.DiscardHandler,
			Client: fstest.MapFS{"vendor/phoenix.mjs": {Data: []byte("// the client")}},
		})
		_ = in.Close() // never fails
		d.done <- err
	}()
	d.t.Cleanup(d.end)
}

func (d *developed) end() {
	d.stop()
	if err := <-d.done; err != nil {
		d.t.Errorf("Run: %v", err)
	}
	d.done <- nil
}

// says waits for a line with a text, and returns it.
func (d *developed) says(text string) string {
	d.t.Helper()
	var said []string
	for deadline := time.After(patience); ; {
		select {
		case line, ok := <-d.lines:
			if !ok {
				d.t.Fatalf("it ended without %q, having said\n%s", text, strings.Join(said, "\n"))
			}
			if said = append(said, line); strings.Contains(line, text) {
				return line
			}
		case <-deadline:
			d.t.Fatalf("it does not say %q, but\n%s", text, strings.Join(said, "\n"))
		}
	}
}

// live waits until the project is served.
func (d *developed) live() {
	d.t.Helper()
	d.says("room is live: generation 1")
	line := d.says("  page ")
	d.url = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "page"))
}

// get gets a file of the page.
func (d *developed) get(path string) (status int, body string) {
	d.t.Helper()
	resp, err := http.Get(d.url + path)
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // read to its end
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// state is what the tests look at of playground/state.json.
type state struct {
	Failed     string
	Generation int
	Topics     []string
	Events     []dev.Event
}

func (d *developed) state() (s state) {
	d.t.Helper()
	if _, text := d.get("playground/state.json"); json.Unmarshal([]byte(text), &s) != nil {
		d.t.Fatalf("the state is %s", text)
	}
	return s
}

// TestFollows: what is saved is live while a client stays; what cannot be built, or is
// refused, leaves what was.
func TestFollows(t *testing.T) {
	d := newProject(t, "echo")
	d.run()
	d.live()
	c := hosttest.Dial(t, "ws"+strings.TrimPrefix(d.url, "http")+"socket/websocket?vsn=2.0.0", hosttest.Options{})
	c.Join("room:1", "")
	pushes := func(want string) {
		t.Helper()
		ref := c.Push("room:1", "e", `{"a":1}`)
		c.Expect(`["11","` + ref + `","room:1",` + want + `]`)
	}
	const echoes = `"phx_reply",{"status":"ok","response":{"a":1}}`
	pushes(echoes)

	d.write("which", "no_such_file")
	d.says("the build failed; what was live goes on")
	d.says("no_such_file.wasm")
	if s := d.state(); s.Generation != 1 || !strings.Contains(s.Failed, "no_such_file.wasm") {
		t.Errorf("the state is %+v", s)
	}
	pushes(echoes)

	d.write("which", "join_missing")
	d.says("the module was refused; what was live goes on")
	d.says("module exports no function join")
	pushes(echoes)

	d.write("which", "counter")
	line := d.says("generation 2 (sha ")
	if !strings.HasSuffix(line, "1 channels moved, 0 sockets dropped") {
		t.Error(line)
	}
	pushes(`"phx_reply",{"status":"ok","response":1}`)
	if s := d.state(); s.Generation != 2 || s.Failed != "" {
		t.Errorf("the state is %+v", s)
	}
	d.write("which", "counter")
	d.says("the module is the one that is live")
	c.ExpectSilence()
}

// TestFirstBuild: a project that does not build yet is waited for.
func TestFirstBuild(t *testing.T) {
	d := newProject(t, "no_such_file")
	d.run()
	d.says("the build failed")
	d.says("waiting for a change")
	d.write("which", "echo")
	d.live()
}

// TestPages: the playground, beside a page of the project's own if it has one.
func TestPages(t *testing.T) {
	d := newProject(t, "panic_import")
	d.run()
	d.live()
	for path, want := range map[string]string{
		"": "<title>Aviary playground", "playground/": "<title>Aviary playground", "playground/app.js": "phoenix.mjs",
		"playground/vendor/phoenix.mjs": "// the client", "playground/style.css": ":root",
	} {
		if status, body := d.get(path); status != 200 || !strings.Contains(body, want) {
			t.Errorf("%q: %d %.200s", path, status, body)
		}
	}
	for _, path := range []string{"none.html", "playground/none", "aviary.json", "playground/../aviary.json"} {
		if status, _ := d.get(path); status != 404 {
			t.Errorf("%q: %d", path, status)
		}
	}
	own := newProject(t, "echo")
	own.write("page/index.html", "<title>of my own")
	own.run()
	own.live()
	if !strings.HasSuffix(own.url, "/playground/") {
		t.Errorf("the page is %s", own.url)
	}
	own.url = strings.TrimSuffix(own.url, "playground/")
	for path, want := range map[string]string{"": "of my own", "playground/": "Aviary playground"} {
		if status, body := own.get(path); status != 200 || !strings.Contains(body, want) {
			t.Errorf("%q: %d %.200s", path, status, body)
		}
	}
}

// TestFailuresAreShown: what an author needs of a callback that failed is in the events,
// and the record of it can be run again.
func TestFailuresAreShown(t *testing.T) {
	d := newProject(t, "panic_import")
	d.run()
	d.live()
	c := hosttest.Dial(t, "ws"+strings.TrimPrefix(d.url, "http")+"socket/websocket?vsn=2.0.0", hosttest.Options{})
	c.Join("room:1", "")
	c.Push("room:1", "pour", `{"ml":500}`)
	c.Expect(`["11","11","room:1","phx_error",{"reason":"channel_crash"}]`)
	d.says("handle_in pour failed: plugin room: handle_in: panic: the cup is too full (src/cup.c:42)")
	d.says(`    payload {"ml":500}`)
	d.says("    at ")
	d.says("aviary replay .aviary/traps/")
	found := false
	for _, ev := range d.state().Events {
		text, err := json.Marshal(ev)
		if err != nil {
			t.Fatal(err)
		}
		found = found || strings.Contains(string(text), "the cup is too full (src/cup.c:42)") && strings.Contains(string(text), `{\"ml\":500}`)
	}
	if !found {
		t.Errorf("the events are %+v", d.state().Events)
	}
	records, err := filepath.Glob(filepath.Join(d.dir, ".aviary", "traps", "*.json"))
	if err != nil || len(records) != 1 {
		t.Fatalf("records %q, %v", records, err)
	}
	text, err := os.ReadFile(records[0])
	if err != nil || !strings.Contains(string(text), `"replayable": true`) {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestRunRefuses(t *testing.T) {
	run := func(dir string) error {
		return dev.Run(t.Context(), dev.Config{Dir: dir, Addr: "127.0.0.1:0", Out: io.Discard, Log: slog.DiscardHandler})
	}
	if err := run(t.TempDir()); !errors.Is(err, project.ErrProject) {
		t.Errorf("no project: %v", err)
	}
	d := newProject(t, "echo")
	d.write("aviary.toml", "[[plugin]]\nname = \"other\"\npath = \"other.wasm\"\ntopics = [\"a\"]\n")
	if err := run(d.dir); err == nil || !strings.Contains(err.Error(), `no plugin has the path "room.wasm"`) {
		t.Errorf("another module: %v", err)
	}
	d.write("aviary.json", `{"name":"room","output":"room.wasm","build":[["true"]],"tools":[{"command":"no-such-tool","install":"ask"}]}`)
	var missing *project.ToolError
	if err := run(d.dir); !errors.As(err, &missing) {
		t.Errorf("a tool: %v", err)
	}
}
