package app

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aviary-host/aviary/host"
	"github.com/aviary-host/aviary/host/hosttest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if role := os.Getenv(playerRole); role != "" { // this is no test, but a process of one
		if err := play(role, os.Getenv(playerPart)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m,
		// See host's TestMain: both end by themselves or belong to the process.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"))
}

var quiet = slog.New(slog.DiscardHandler)

// module reads a small guest that echoes.
func module(t *testing.T) []byte {
	t.Helper()
	wasm, err := os.ReadFile("../../../plugins/testdata/faults/echo.wasm")
	if err != nil {
		t.Fatal(err)
	}
	return wasm
}

func TestStartServesAndCloses(t *testing.T) {
	cfg := &Config{
		HTTP:     HTTP{Addr: "127.0.0.1:0"},
		Internal: Internal{Addr: "127.0.0.1:0"},
		Plugins:  []Plugin{{Name: "echo", Wasm: module(t), Topics: []string{"room:*"}, Settings: map[string]any{"a": 1}}},
		Mounts:   []Mount{{}},
	}
	a, err := Start(t.Context(), cfg, quiet)
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + a.InternalAddr() + "/readyz")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("readyz: %v, %v", resp, err)
	}
	if err == nil {
		_ = resp.Body.Close() // nothing was read from it
	}
	if resp, err = client.Get("http://" + a.InternalAddr() + "/api/v1/plugins"); err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close() // it was read to its end
	if want := `{"plugins":[{"name":"echo","state":"ready","module":"`; err != nil || !strings.HasPrefix(string(body), want) {
		t.Errorf("plugins are %s, %v", body, err)
	}
	if a.Server().Info().Sockets != 0 || a.PublicAddr() == a.InternalAddr() {
		t.Errorf("info %+v, ports %s and %s", a.Server().Info(), a.PublicAddr(), a.InternalAddr())
	}
	for range 2 {
		if err := a.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if _, err := net.Dial("tcp", a.PublicAddr()); err == nil {
		t.Error("the port still answers after Close")
	}
}

// TestStartRefuses: every reason not to start is named, is of the right kind,
// and leaves nothing running (goleak).
func TestStartRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() }) // the test is over
	echo := Plugin{Name: "echo", Wasm: module(t), Topics: []string{"room:*"}}
	one := []Plugin{echo}
	bad := []Plugin{{Name: "x", Path: "/nowhere/x.wasm", Topics: echo.Topics}} // not looked at: the ports come first
	for _, tt := range []struct {
		name string
		cfg  Config
		kind error
		want string
	}{
		{"missing module", Config{Plugins: []Plugin{{Name: "x", Path: "/nowhere/x.wasm", Topics: echo.Topics}}}, ErrPlugin, "x.wasm"},
		{"not a module", Config{Plugins: []Plugin{{Name: "x", Wasm: []byte("#!/bin/sh"), Topics: echo.Topics}}}, ErrPlugin, "x"},
		{"bad pattern", Config{Plugins: []Plugin{{Name: "echo", Wasm: echo.Wasm, Topics: []string{""}}}}, host.ErrInvalidPattern, "it is empty"},
		{"pattern twice", Config{Plugins: []Plugin{echo, {Name: "b", Wasm: echo.Wasm, Topics: echo.Topics}}}, host.ErrPatternRegistered, "room:*"},
		{"bad mount", Config{Plugins: one, Mounts: []Mount{{Path: "socket"}}}, ErrConfig, `"socket" does not begin with /`},
		{"no plugin", Config{}, ErrConfig, "no plugin is declared"},
		{
			"connect names nobody",
			Config{Plugins: one, Mounts: []Mount{{Connect: "ehco"}}},
			ErrConfig,
			`mount /socket: connect names plugin "ehco", which is not declared`,
		},
		{
			"connect without a callback",
			Config{Plugins: one, Mounts: []Mount{{Connect: "echo"}}},
			ErrConfig,
			`mount /socket: connect names plugin "echo", which has no connect callback`,
		},
		{"port taken", Config{HTTP: HTTP{Addr: taken.Addr().String()}, Plugins: bad}, nil, "http.addr"},
		{"internal port taken", Config{HTTP: HTTP{Addr: "127.0.0.1:0"}, Internal: Internal{Addr: taken.Addr().String()}, Plugins: bad}, nil, "internal.addr"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.cfg.HTTP.Addr == "" {
				tt.cfg.HTTP.Addr = "127.0.0.1:0"
			}
			a, err := Start(t.Context(), &tt.cfg, quiet)
			if a != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error %v, want one that says %q", err, tt.want)
			}
			if tt.kind != nil && !errors.Is(err, tt.kind) {
				t.Errorf("error %v is not %v", err, tt.kind)
			}
		})
	}
}

// hooks reads a guest whose connect accepts everybody and whose join logs
// "hello". In the text format:
//
//	(module
//	  (import "aviary" "log" (func $log (param i32 i32 i32)))
//	  (memory (export "memory") 2)
//	  (data (i32.const 16) "\40\00\01")
//	  (data (i32.const 96) "hello")
//	  (func (export "aviary_abi_v1") (result i64) (i64.const 0))
//	  (func (export "aviary_alloc") (param i32) (result i32) (i32.const 65536))
//	  (func (export "connect") (param i32 i32) (result i64) (i64.const 0x0000001000000040))
//	  (func (export "join") (param i32 i32) (result i64)
//	    (call $log (i32.const 1) (i32.const 96) (i32.const 5))
//	    (i64.const 0x0000001000000040)))
func hooks(t *testing.T) []byte {
	t.Helper()
	wasm, err := base64.StdEncoding.DecodeString(
		"AGFzbQEAAAABFgRgA39/fwBgAAF+YAF/AX9gAn9/AX4CDgEGYXZpYXJ5A2xvZwAAAwUEAQIDAwUDAQACBzoFBm1lbW9yeQIADWF2" +
			"aWFyeV9hYmlfdjEAAQxhdmlhcnlfYWxsb2MAAgdjb25uZWN0AAMEam9pbgAECioEBABCAAsGAEGAgAQLCQBCwICAgIACCxIAQQFB" +
			"4ABBBRAAQsCAgICAAgsLFAIAQRALA0AAAQBB4AALBWhlbGxv")
	if err != nil {
		t.Fatal(err)
	}
	return wasm
}

// TestUnusedConnect: a connect callback that no mount names is worth a word.
func TestUnusedConnect(t *testing.T) {
	const warning = `plugin x has a connect callback, but no mount names it (mount.connect = \"x\"): everybody may connect`
	for _, tt := range []struct {
		name   string
		mounts []Mount
		warned bool
	}{
		{"default mount", nil, true},
		{"mount without connect", []Mount{{}}, true},
		{"one of two mounts", []Mount{{}, {Path: "/b", Connect: "x"}}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := &log{}
			a, err := Start(t.Context(), &Config{
				HTTP: HTTP{Addr: "127.0.0.1:0"}, Mounts: tt.mounts,
				Plugins: []Plugin{{Name: "x", Wasm: hooks(t), Topics: []string{"*"}}},
			}, slog.New(slog.NewTextHandler(l, nil)))
			if err != nil {
				t.Fatal(err)
			}
			if err := a.Close(t.Context()); err != nil {
				t.Error(err)
			}
			if got := strings.Contains(l.String(), warning) && strings.Contains(l.String(), "code=CONNECT_UNUSED"); got != tt.warned {
				t.Errorf("warned: %v, want %v:\n%s", got, tt.warned, l)
			}
		})
	}
}

// TestStartInterrupted: the end of ctx is not taken for a bad plugin.
func TestStartInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("signal: interrupt")
	cancel(cause)
	_, err := Start(ctx, &Config{HTTP: HTTP{Addr: "127.0.0.1:0"}, Plugins: []Plugin{
		{Name: "x", Wasm: hooks(t), Topics: []string{"*"}},
	}}, quiet)
	if !errors.Is(err, cause) || errors.Is(err, ErrPlugin) || !strings.Contains(err.Error(), "interrupted while loading plugin x") {
		t.Errorf("error %v", err)
	}
}

func TestClientURLs(t *testing.T) {
	for _, tt := range []struct {
		ip     string
		mounts []Mount
		want   string
	}{
		{"127.0.0.1", nil, "ws://127.0.0.1:4000/socket/websocket"},
		{"::", []Mount{{Path: "/"}}, "ws://localhost:4000/websocket"},
		{"::1", []Mount{{Path: "/a/"}, {}}, "ws://[::1]:4000/a/websocket ws://[::1]:4000/socket/websocket"},
	} {
		addr := &net.TCPAddr{IP: net.ParseIP(tt.ip), Port: 4000}
		if got := strings.Join(clientURLs(addr, tt.mounts), " "); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.ip, got, tt.want)
		}
	}
}

// doorstop is a log that holds a callback up: its guest's line is not written
// until it is released.
type doorstop struct {
	slog.Handler
	entered, released chan struct{}
}

func (d *doorstop) Enabled(context.Context, slog.Level) bool { return true }
func (d *doorstop) WithAttrs([]slog.Attr) slog.Handler       { return d }

func (d *doorstop) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "hello" {
		close(d.entered)
		<-d.released
	}
	return nil
}

// TestCloseDoesNotWaitForStuckCallbacks: when the time is over and a callback
// still runs, Close says so and returns, without its plugin.
func TestCloseDoesNotWaitForStuckCallbacks(t *testing.T) {
	d := &doorstop{slog.DiscardHandler, make(chan struct{}), make(chan struct{})}
	a, err := Start(t.Context(), &Config{
		HTTP:    HTTP{Addr: "127.0.0.1:0"},
		Plugins: []Plugin{{Name: "x", Wasm: hooks(t), Topics: []string{"*"}}},
	}, slog.New(d))
	if err != nil {
		t.Fatal(err)
	}
	c := hosttest.Dial(t, "ws://"+a.PublicAddr()+"/socket/websocket?vsn=2.0.0", hosttest.Options{})
	c.Send(`["1","1","room","phx_join",{}]`)
	<-d.entered
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := a.Close(ctx); !errors.Is(err, host.ErrStuck) {
		t.Errorf("error %v, want %v", err, host.ErrStuck)
	}
	close(d.released)
	for _, l := range a.lines { // what Close has left
		if err := l.close(); err != nil {
			t.Error(err)
		}
	}
}
