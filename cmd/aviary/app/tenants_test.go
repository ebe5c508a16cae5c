package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aviary-host/aviary/host/hosttest"
)

// tenantsConfig is two tenants on one path, with the same module.
func tenantsConfig(t *testing.T, dataDir string) *Config {
	t.Helper()
	echo := func(tenant string) Plugin {
		return Plugin{Name: "echo-" + tenant, Tenant: tenant, Wasm: module(t), Topics: []string{"room:*"}}
	}
	return &Config{
		DataDir:  dataDir,
		HTTP:     HTTP{Addr: "127.0.0.1:0"},
		Internal: Internal{Addr: "127.0.0.1:0"},
		Tenants:  []Tenant{{Name: "acme"}, {Name: "umbrella"}},
		Plugins:  []Plugin{echo("acme"), echo("umbrella")},
		Mounts: []Mount{
			{Tenant: "acme", Hosts: []string{"acme.example.com"}, LongPoll: true},
			{Tenant: "umbrella", Hosts: []string{"*.umbrella.example.com"}},
		},
	}
}

// running is an app that a test started.
type running struct {
	*App
	t   *testing.T
	log *log
}

func startTenants(t *testing.T, cfg *Config) *running {
	t.Helper()
	r := &running{t: t, log: &log{}}
	var err error
	if r.App, err = Start(t.Context(), cfg, slog.New(slog.NewTextHandler(r.log, nil))); err != nil {
		t.Fatal(err)
	}
	r.Loaded()
	t.Cleanup(r.stop)
	return r
}

func (r *running) stop() {
	if err := r.Close(context.WithoutCancel(r.t.Context())); err != nil {
		r.t.Error(err)
	}
}

func (r *running) url() string {
	return "ws://" + r.PublicAddr() + "/socket/websocket?vsn=2.0.0"
}

// post calls the API.
func (r *running) post(call, body string) (answer string) {
	r.t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Post("http://"+r.InternalAddr()+"/api/v1/"+call, "application/json", strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		r.t.Fatal(err)
	}
	return fmt.Sprint(resp.StatusCode, " ", strings.TrimSpace(string(text)))
}

const (
	acmeHost     = "acme.example.com"
	umbrellaHost = "eu.umbrella.example.com"
)

// TestSuspensionOutlastsARestart: with a data directory, and only then.
func TestSuspensionOutlastsARestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	for _, tt := range []struct{ dir, answer string }{
		{dir, `200 {"tenant":"acme","suspended":true,"closed":1,"kept":true}`},
		{"", `200 {"tenant":"acme","suspended":true,"closed":1,"kept":false,"note":"data_dir is not set: a restart resumes all tenants"}`},
	} {
		t.Run(tt.dir, func(t *testing.T) {
			a := startTenants(t, tenantsConfig(t, tt.dir))
			c := hosttest.Dial(t, a.url(), hosttest.Options{Host: acmeHost})
			c.Join("room:1", "")
			if got := a.post("suspend", `{"tenant":"acme","reason":"abuse"}`); got != tt.answer {
				t.Errorf("got %s, want %s", got, tt.answer)
			}
			c.ExpectClose(1013)
			a.stop()

			a = startTenants(t, tenantsConfig(t, tt.dir))
			other := hosttest.Dial(t, a.url(), hosttest.Options{Host: umbrellaHost})
			other.ExpectSilence()
			if tt.dir == "" {
				hosttest.Dial(t, a.url(), hosttest.Options{Host: acmeHost}).ExpectSilence()
				return
			}
			r := hosttest.DialRefused(t, a.url(), hosttest.Options{Host: acmeHost})
			if r.Status != 503 || !strings.Contains(r.Body, `"TENANT_SUSPENDED"`) {
				t.Errorf("refused with %d %s", r.Status, r.Body)
			}
			if !strings.Contains(a.log.String(), "code=TENANT_SUSPENDED tenant=acme reason=abuse") {
				t.Errorf("the log does not say that acme is suspended:\n%s", a.log)
			}
			if got := a.post("resume", `{"tenant":"acme"}`); got != `200 {"tenant":"acme","suspended":false,"closed":0,"kept":true}` {
				t.Error(got)
			}
			c = hosttest.Dial(t, a.url(), hosttest.Options{Host: acmeHost})
			c.ExpectSilence()
			c.Drop() // else stop waits for their answers
			other.Drop()
			a.stop()

			a = startTenants(t, tenantsConfig(t, tt.dir))
			hosttest.Dial(t, a.url(), hosttest.Options{Host: acmeHost}).ExpectSilence()
		})
	}
}

// TestStartRefusesABrokenDataDir: naming it, before anything else is done.
func TestStartRefusesABrokenDataDir(t *testing.T) {
	const kept = `{"version":1,"suspended":[{"tenant":"acme","reason":"","since":"2026-01-02T03:04:05Z"}]}`
	for name, tt := range map[string]struct {
		text string
		mode os.FileMode // of the directory
		want string
	}{
		"torn":        {kept[:40], 0o700, "tenants.json: it is not whole: "},
		"empty":       {"", 0o700, "tenants.json: it is not whole: EOF; put it right, or remove it if no tenant is to be suspended"},
		"too long":    {kept + "{}", 0o700, "tenants.json: 2 bytes follow the JSON object"},
		"open to all": {kept, 0o755, "has mode 0755, which lets others in; chmod 700 it"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "tenants.json")
			if err := errors.Join(os.WriteFile(path, []byte(tt.text), 0o600), os.Chmod(dir, tt.mode)); err != nil {
				t.Fatal(err)
			}
			cfg := tenantsConfig(t, dir)
			cfg.Plugins[0].Wasm = []byte("#!/bin/sh") // is not got to
			_, err := Start(t.Context(), cfg, quiet)
			if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), dir) {
				t.Errorf("error %v, want one that says %q", err, tt.want)
			}
		})
	}
	cfg := tenantsConfig(t, filepath.Join(os.Args[0], "below")) // of a file
	if _, err := Start(t.Context(), cfg, quiet); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "data_dir: ") {
		t.Errorf("error %v", err)
	}
}

// TestTenantConfiguration: every key of a tenant comes to the host, and a path in
// the file is relative to it.
func TestTenantConfiguration(t *testing.T) {
	path := write(t, `
data_dir = "state"
[[tenant]]
name = "acme"
connections = 1
channels = -1
messages = "5/s burst 6"
groups = 11
group_topics = 12
state = "7KiB"
timers = 8
presences = 9
subscriptions = 10
log_only = ["timers"]
[[plugin]]
name = "x"
path = "x"
tenant = "acme"
[[mount]]
tenant = "acme"
hosts = ["acme.example.com", "*.acme.example.com"]
connect = "x"
`)
	cfg, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	tenant := cfg.Tenants[0].host()
	if got := fmt.Sprintf("%+v", tenant); got != "{Name:acme Limits:{Connections:1 Channels:-1 Messages:5/s burst 6 Groups:11 GroupTopics:12 State:7168 Timers:8 Presences:9 Subscriptions:10 LogOnly:[timers]}}" {
		t.Errorf("got %s", got)
	}
	m := cfg.Mounts[0]
	if cfg.DataDir != filepath.Join(filepath.Dir(path), "state") || cfg.Plugins[0].Tenant != "acme" || m.Tenant != "acme" || len(m.Hosts) != 2 {
		t.Errorf("%q, %+v, %+v", cfg.DataDir, cfg.Plugins[0], m)
	}
	for want, m := range map[string]Mount{
		"ws://acme.example.com:4000/socket/websocket": {Hosts: []string{"*.example.com", acmeHost}},
		"ws://*.example.com:4000/socket/websocket":    {Hosts: []string{"*.example.com"}},
		"ws://[::1]:4000/socket/websocket":            {Hosts: []string{"[::1]"}},
		"ws://here:4000/socket/websocket":             {},
	} {
		if got := "ws://" + m.authority("here:4000") + m.at() + "/websocket"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestTenantConfigurationRefuses(t *testing.T) {
	const acme = "[[tenant]]\nname = \"acme\"\n"
	for _, tt := range []struct{ name, text, want string }{
		{"no name", plugin + "[[tenant]]\nstate = \"1MB\"\n", "tenant 1: name is missing"},
		{"twice", plugin + acme + acme, `tenant "acme" is declared twice`},
		{"a key that is none", plugin + acme + "chanels = 3\n", "chanels"},
		{"a number under -1", plugin + acme + "timers = -2\n", `tenant "acme": timers = -2 is negative; -1 is no limit`},
		{"groups under -1", plugin + acme + "group_topics = -2\n", `tenant "acme": group_topics = -2 is negative; -1 is no limit`},
		{"a rate", plugin + acme + "messages = \"0/s\"\n", "line 7: messages: "},
		{"plugin of none", plugin + "tenant = \"acne\"\n" + acme, `plugin "x": tenant names "acne", which is not declared: write a [[tenant]] table`},
		{"mount of none", plugin + "[[mount]]\ntenant = \"acne\"\n" + acme, `mount /socket: tenant names "acne", which is not declared: write a [[tenant]] table`},
		{
			"connect of another", plugin + acme + "[[mount]]\ntenant = \"acme\"\nconnect = \"x\"\n",
			`mount /socket of tenant "acme": connect names plugin "x", which is of the default tenant`,
		},
		{
			"connect of the other way round", plugin + "tenant = \"acme\"\n" + acme + "[[mount]]\nconnect = \"x\"\n",
			`mount /socket of the default tenant: connect names plugin "x", which is of tenant "acme"`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Load(write(t, tt.text)); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one that says %q", err, tt.want)
			}
		})
	}
}
