package main

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/aviary-host/aviary/cmd/aviary/app"
	"github.com/aviary-host/aviary/host/hosttest"
)

// TestTenantsWithAModule: two tenants with this module each, on one path. What the
// module reads of presences, and whatever it sends, is its own tenant's.
func TestTenantsWithAModule(t *testing.T) {
	if *clientKind != "v2" {
		t.Skip("tenants are the same for all clients")
	}
	cfg := &app.Config{HTTP: app.HTTP{Addr: "127.0.0.1:0"}, LoadTimeout: 5 * time.Minute, CacheDir: *cacheDir}
	for _, name := range []string{"acme", "umbrella"} {
		cfg.Tenants = append(cfg.Tenants, app.Tenant{Name: name})
		cfg.Plugins = append(cfg.Plugins, app.Plugin{
			Name: name, Tenant: name, Path: "guest/conformance.wasm", Topics: []string{"room:*", "pres:*"}, Instances: 1, Deadline: app.Duration{Duration: 10 * time.Second},
		})
		cfg.Mounts = append(cfg.Mounts, app.Mount{Tenant: name, Connect: name, Hosts: []string{name + ".example.com"}})
	}
	a, err := app.Start(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	a.Loaded()
	t.Cleanup(func() {
		if err := a.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	dial := func(name string) *hosttest.Client {
		return hosttest.Dial(t, fmt.Sprintf("ws://%s/socket/websocket?vsn=2.0.0", a.PublicAddr()), hosttest.Options{Host: name + ".example.com"})
	}
	mine, other := dial("acme"), dial("umbrella")
	join := func(c *hosttest.Client, name, presences string) {
		t.Helper()
		joinRef, ref := c.SendJoin("pres:1", fmt.Sprintf(`{"name":%q,"meta":{}}`, name))
		c.Expect(reply(joinRef, ref, "pres:1", "ok", `{}`))
		c.ExpectAnyOrder(
			fmt.Sprintf(`[null,null,"pres:1","presence_diff",{"joins":{%q:{"metas":[{"phx_ref":"<ref>"}]}},"leaves":{}}]`, name),
			fmt.Sprintf(`[%q,null,"pres:1","presence_state",%s]`, joinRef, presences))
		ref = c.Push("pres:1", "list", "")
		c.Expect(reply(joinRef, ref, "pres:1", "ok", presences))
	}
	join(mine, "ada", `{"ada":{"metas":[{"phx_ref":"<ref>"}]}}`)
	join(other, "bob", `{"bob":{"metas":[{"phx_ref":"<ref>"}]}}`)
	mine.ExpectSilence() // bob's diff is not for it
	if list := string(a.Server().AppendPresences(nil, "pres:1")); list != "{}" {
		t.Errorf("the default tenant has %s", list)
	}

	for _, c := range []*hosttest.Client{mine, other} {
		c.Join("room:1", "")
		c.ExpectAnyOrder(`["12",null,"room:1","joined","<any>"]`, `[null,null,"room:1","user_entered",{"user":null}]`)
	}
	mine.ExpectSilence() // nobody else has entered
	ref := mine.Push("room:1", "ext", `{"topic":"room:1"}`)
	mine.ExpectAnyOrder(`[null,null,"room:1","ext",{"topic":"room:1"}]`, reply("12", ref, "room:1", "ok", `{}`))
	other.ExpectSilence()
}
