package app

import (
	"errors"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/aviary-host/aviary/host/hosttest"
)

// TestRefusedPluginOfATenant: a tenant whose plugin is broken, or opens no door that it
// should, keeps nobody else from being served, and fails closed itself.
func TestRefusedPluginOfATenant(t *testing.T) {
	echo := filepath.Join(faults, "echo.wasm")
	a := startTenants(t, &Config{
		HTTP:     HTTP{Addr: "127.0.0.1:0"},
		Internal: Internal{Addr: "127.0.0.1:0"},
		Tenants:  []Tenant{{Name: "good"}, {Name: "bad"}, {Name: "open"}},
		Plugins: []Plugin{
			{Name: "good", Tenant: "good", Path: echo, Topics: []string{"room:*"}},
			{Name: "bad", Tenant: "bad", Path: filepath.Join(faults, "join_missing.wasm"), Topics: []string{"room:*"}},
			{Name: "open", Tenant: "open", Path: echo, Topics: []string{"room:*"}},
		},
		Mounts: []Mount{
			{Path: "/good", Tenant: "good"},
			{Path: "/bad", Tenant: "bad"},
			{Path: "/open", Tenant: "open", Connect: "open"}, // of which it has none
		},
	})
	at := func(path string) string { return "ws://" + a.PublicAddr() + path + "/websocket?vsn=2.0.0" }
	good := hosttest.Dial(t, at("/good"), hosttest.Options{})
	good.Join("room:1", "")
	bad := hosttest.Dial(t, at("/bad"), hosttest.Options{})
	joinRef, ref := bad.SendJoin("room:1", "{}")
	bad.Expect(`["` + joinRef + `","` + ref + `","room:1","phx_reply",{"status":"error","response":{"reason":"plugin_unavailable","retry_after_ms":1000}}]`)
	if r := hosttest.DialRefused(t, at("/open"), hosttest.Options{}); r.Status != 503 {
		t.Errorf("a door that was not built is open: %d", r.Status)
	}
	for _, want := range []string{
		`level=ERROR msg="a plugin is not loaded, and nobody can join its topics" code=PLUGIN_REFUSED plugin=bad tenant=bad err="cannot load: plugin bad: module exports no function join`,
		`code=PLUGIN_REFUSED plugin=open tenant=open err="configuration: mount /open: connect names plugin \"open\", which has no connect callback"`,
	} {
		if !strings.Contains(a.log.String(), want) {
			t.Errorf("the log does not say %s:\n%s", want, a.log)
		}
	}
	var states []string
	for _, s := range a.pluginStats().([]pluginStats) {
		states = append(states, s.Name+" "+s.State)
	}
	if got := strings.Join(states, ", "); got != "good ready, bad refused, open refused" {
		t.Errorf("plugins are %s", got)
	}
}

// TestRefusedPluginOfTheOperator: without it the server does not start.
func TestRefusedPluginOfTheOperator(t *testing.T) {
	_, err := Start(t.Context(), &Config{
		HTTP:    HTTP{Addr: "127.0.0.1:0"},
		Plugins: []Plugin{{Name: "bad", Path: filepath.Join(faults, "join_missing.wasm"), Topics: []string{"room:*"}}},
	}, quiet)
	if !errors.Is(err, ErrPlugin) {
		t.Errorf("error %v", err)
	}
}

// TestCloseWhileLoading: plugins whose turn to be loaded has not come are left alone when
// the server ends. Each of these would take all the fuel of its initialisation.
func TestCloseWhileLoading(t *testing.T) {
	const all = 12
	cfg := &Config{HTTP: HTTP{Addr: "127.0.0.1:0"}, Tenants: []Tenant{{Name: "slow"}}}
	for i := range all {
		name := "slow" + strconv.Itoa(i)
		cfg.Plugins = append(cfg.Plugins, Plugin{
			Name: name, Tenant: "slow", Path: filepath.Join("..", "..", "..", "plugins", "testdata", "hostile", "initialize_loop.wasm"), Topics: []string{name + ":*"},
		})
	}
	out := &log{}
	a, err := Start(t.Context(), cfg, slog.New(slog.NewTextHandler(out, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if n := strings.Count(out.String(), `msg="loading plugin"`); n == all {
		t.Error("all were loaded")
	}
}
