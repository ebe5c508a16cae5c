package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aviary-host/aviary/host/hosttest"
)

// versionModule is the guest plugins/testdata/faults/version.wat in the version of that number, 1
// to 9, and one of its builds.
func versionModule(t testing.TB, version, build int) []byte {
	t.Helper()
	wasm, err := os.ReadFile(filepath.Join(faults, "version.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	for old, changed := range map[string]string{
		`"v1:`:           fmt.Sprintf(`"v%d:`, version),
		"build 00000000": fmt.Sprintf("build %08d", build),
	} {
		if bytes.Count(wasm, []byte(old)) != 1 {
			t.Fatalf("version.wasm does not have %s once", old)
		}
		wasm = bytes.Replace(wasm, []byte(old), []byte(changed), 1)
	}
	return wasm
}

// aviary is a server of one plugin, count, that is replaced.
type aviary struct {
	*App
	log *log
	url string
}

// startCount starts a server with version 1, unless the plugin has a module.
func startCount(t *testing.T, p Plugin, cfg Config) *aviary {
	t.Helper()
	p.Name, p.Topics = "count", Topics{"*"}
	if p.Wasm == nil && p.Path == "" {
		p.Wasm = versionModule(t, 1, 0)
	}
	cfg.HTTP = HTTP{Addr: "127.0.0.1:0"}
	cfg.Plugins = []Plugin{p}
	cfg.LoadTimeout = 10 * time.Minute
	a := &aviary{log: &log{}}
	var err error
	if a.App, err = Start(t.Context(), &cfg, slog.New(slog.NewTextHandler(a.log, nil))); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	a.url = "ws://" + a.PublicAddr() + "/socket/websocket?vsn=2.0.0"
	return a
}

// deploy deploys a module that has to be taken.
func (a *aviary) deploy(t *testing.T, wasm []byte) Deployed {
	t.Helper()
	d, err := a.Deploy(t.Context(), Deployment{Plugin: "count", Wasm: wasm, From: Origin{Source: "the test"}})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// counted is the frame of the reply to an event.
func counted(joinRef, ref, topic string, version, count int) string {
	return fmt.Sprintf(`[%q,%q,%q,"phx_reply",{"status":"ok","response":"v%d:%08x"}]`, joinRef, ref, topic, version, count)
}

// generations is one line for each: number, state, channels, moved, failed.
func (a *aviary) generations() string {
	var parts []string
	for _, g := range a.lines["count"].stats().Generations {
		parts = append(parts, fmt.Sprintf("%d %s %d,%d,%d", g.Generation, g.State, g.Channels, g.Moved, g.Declined))
	}
	return strings.Join(parts, "; ")
}

func (a *aviary) expectGenerations(t *testing.T, want string) {
	t.Helper()
	if got := a.generations(); got != want {
		t.Errorf("generations (number, state: channels, moved, failed) are %s, want %s", got, want)
	}
}

// TestDeploy: a channel goes on with its state in the next version, and back.
func TestDeploy(t *testing.T) {
	a := startCount(t, Plugin{}, Config{})
	c := hosttest.Dial(t, a.url, hosttest.Options{})
	j, stays := c.Join("t", `{}`), c.Join("stays!", `{}`)
	c.Push("t", "go", `{}`)
	c.Expect(counted(j, "3", "t", 1, 1))
	if d := a.deploy(t, versionModule(t, 2, 0)); d.Generation != 2 || d.Channels != 2 || d.Unchanged || len(d.Module) != 64 || d.Took <= 0 {
		t.Errorf("deployed %+v", d)
	}
	a.expectGenerations(t, "1 old 2,0,0; 2 current 0,0,0")
	c.Push("t", "go", `{}`)
	c.Expect(counted(j, "4", "t", 2, 2))
	c.Push("stays!", "go", `{}`)
	c.Expect(counted(stays, "5", "stays!", 1, 1))
	a.expectGenerations(t, "1 old 1,0,0; 2 current 1,1,1")
	if d := a.deploy(t, versionModule(t, 2, 0)); d.Generation != 2 || !d.Unchanged {
		t.Errorf("deployed again %+v", d)
	}
	a.deploy(t, versionModule(t, 1, 0)) // which stays has never left
	c.Push("stays!", "go", `{}`)
	c.Expect(counted(stays, "6", "stays!", 1, 2))
	c.Push("t", "go", `{}`)
	c.Expect(counted(j, "7", "t", 1, 3))
	a.retiring.Wait()
	a.expectGenerations(t, "3 current 2,2,0")
	text := a.log.String()
	for _, want := range []string{
		`msg="plugin deployed" plugin=count generation=2 sha=`,
		`source="the test"`,
		`code=CODE_CHANGE_FAILED`,
		`msg="generation closed: nobody uses it any more" plugin=count generation=1`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the log does not say %s:\n%s", want, text)
		}
	}
}

// TestDeployRefuses: what could not serve is refused with the reason, and the plugin is as it
// was.
func TestDeployRefuses(t *testing.T) {
	a := startCount(t, Plugin{}, Config{})
	c := hosttest.Dial(t, a.url, hosttest.Options{})
	j := c.Join("t", `{}`)
	for i, tt := range []struct {
		name string
		wasm []byte
		want string
	}{
		{"no module", []byte("#!/bin/sh"), "count"},
		{"cut off", versionModule(t, 2, 0)[:200], "count"},
		{"wrong version", read(t, faults, "abi_v2"), "this host speaks version 1"},
		{"unknown import", read(t, faults, "import_table"), "import"},
		{"endless initialisation", read(t, corpus, "initialize_loop"), "_initialize"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := a.Deploy(t.Context(), Deployment{Plugin: "count", Wasm: tt.wasm})
			if !errors.Is(err, ErrPlugin) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one that says %q", err, tt.want)
			}
			c.Push("t", "go", `{}`)
			c.Expect(counted(j, fmt.Sprint(i+2), "t", 1, i+1))
			a.expectGenerations(t, "1 current 1,0,0")
		})
	}
	if _, err := a.Deploy(t.Context(), Deployment{Plugin: "nobody"}); !errors.Is(err, ErrNoPlugin) {
		t.Errorf("error %v, want %v", err, ErrNoPlugin)
	}
	if _, err := a.Reload(t.Context(), "nobody"); !errors.Is(err, ErrNoPlugin) {
		t.Errorf("error %v, want %v", err, ErrNoPlugin)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Deploy(ctx, Deployment{Plugin: "count", Wasm: versionModule(t, 2, 0)}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
	if err := a.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := a.Deploy(t.Context(), Deployment{Plugin: "count"}); !errors.Is(err, ErrClosing) {
		t.Errorf("error %v, want %v", err, ErrClosing)
	}
}

func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	wasm, err := os.ReadFile(filepath.Join(dir, name+".wasm"))
	if err != nil {
		t.Fatal(err)
	}
	return wasm
}

// TestDeployKeepsTheDoor: a module without the connect callback that a mount names would let
// everybody in.
func TestDeployKeepsTheDoor(t *testing.T) {
	a, err := Start(t.Context(), &Config{
		HTTP:    HTTP{Addr: "127.0.0.1:0"},
		Plugins: []Plugin{{Name: "door", Wasm: hooks(t), Topics: Topics{"*"}}},
		Mounts:  []Mount{{Connect: "door"}},
	}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.Deploy(t.Context(), Deployment{Plugin: "door", Wasm: module(t)})
	if want := `connect names plugin "door", which has no connect callback`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want one that says %s", err, want)
	}
	if err := a.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestWatch: a file that changes is deployed, one that is broken is not, and the next one is.
func TestWatch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "count.wasm")
	replace(t, path, versionModule(t, 1, 0))
	a := startCount(t, Plugin{Path: path, Watch: true}, Config{})
	c := hosttest.Dial(t, a.url, hosttest.Options{})
	j := c.Join("t", `{}`)
	replace(t, path, versionModule(t, 2, 0))
	a.log.await(t, `msg="plugin deployed" plugin=count generation=2`)
	c.Push("t", "go", `{}`)
	c.Expect(counted(j, "2", "t", 2, 1))
	replace(t, path, []byte("#!/bin/sh"))
	a.log.await(t, "DEPLOY_REFUSED")
	c.Push("t", "go", `{}`)
	c.Expect(counted(j, "3", "t", 2, 2))
	replace(t, path, versionModule(t, 3, 0))
	a.log.await(t, `msg="plugin deployed" plugin=count generation=3`)
	c.Push("t", "go", `{}`)
	c.Expect(counted(j, "4", "t", 3, 3))
}

// replace writes a file beside the old one and puts it in its place.
func replace(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path+".next", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".next", path); err != nil {
		t.Fatal(err)
	}
}
