package host_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/host"
	"github.com/aviary-host/aviary/host/hosttest"
	"github.com/aviary-host/aviary/host/limit"
)

// tenants are the mounts of two tenants and the default one, all on one path.
func tenants(acme host.TenantLimits) host.Config {
	return host.Config{
		Tenants: []host.TenantConfig{{Name: "acme", Limits: acme}, {Name: "umbrella"}},
		Mounts: []host.Mount{
			{Path: "/socket", LongPoll: true},
			{Path: "/socket", LongPoll: true, Tenant: "acme", Hosts: []string{"acme.example.com"}},
			{Path: "/socket", LongPoll: true, Tenant: "umbrella", Hosts: []string{"*.umbrella.example.com"}},
		},
	}
}

// The names by which clients reach a tenant.
const (
	acme     = "acme.example.com"
	umbrella = "eu.umbrella.example.com"
	nobody   = ""
)

// at connects a client to the tenant of a host.
func (s *server) at(t *testing.T, host string) *hosttest.Client {
	t.Helper()
	return hosttest.Dial(t, s.url, hosttest.Options{Host: host})
}

// intruder does what its client tells it, and tries to reach another tenant with
// it: all its sockets have one id topic, and all its channels the same topics.
func intruder() *script {
	text := func(req *abi.Request) []byte {
		var s string
		if err := json.Unmarshal(req.Payload, &s); err != nil {
			panic(err)
		}
		return []byte(s)
	}
	news := func(kind abi.EffectKind) abi.Effect {
		return abi.Effect{Kind: kind, Topic: []byte("t"), Event: []byte("news")}
	}
	return &script{
		connect: func(_ *abi.Request, resp *abi.Response) error {
			resp.Result, resp.IDTopic = abi.ResultReply, []byte("users:ada")
			return nil
		},
		in: steps{
			"id": func(req *abi.Request, resp *abi.Response) error {
				resp.Result, resp.Payload = abi.ResultReply, quote(string(req.SocketID))
				return nil
			},
			"echo":           echo,
			"broadcast":      replyWith(news(abi.EffectBroadcast)),
			"broadcast_from": replyWith(news(abi.EffectBroadcastFrom)),
			"subscribe":      replyWith(abi.Effect{Kind: abi.EffectSubscribe, Topic: []byte("other")}),
			"to_other":       replyWith(abi.Effect{Kind: abi.EffectBroadcast, Topic: []byte("other"), Event: []byte("news")}),
			"disconnect":     replyWith(abi.Effect{Kind: abi.EffectDisconnect, Key: []byte("users:ada")}),
			"track":          replyWith(abi.Effect{Kind: abi.EffectPresenceTrack, Key: []byte("ada")}),
			"presences":      replyWith(abi.Effect{Kind: abi.EffectPresencePush}),
			"send_info": func(req *abi.Request, resp *abi.Response) error {
				return replyWith(abi.Effect{Kind: abi.EffectSendInfo, Key: text(req), Topic: []byte("t"), Event: []byte("hello")})(req, resp)
			},
		},
		info: infoToPush,
	}
}

// TestNothingCrossesTenants: with the same module, topics and id topics, what one
// tenant does is seen by its own sockets and by no other's.
func TestNothingCrossesTenants(t *testing.T) {
	const (
		news = `[null,null,"t","news",{}]`
		diff = `[null,null,"t","presence_diff",{"joins":{"ada":{"metas":[{"phx_ref":"<any>"}]}},"leaves":{}}]`
		info = `["11",null,"t","info",{"kind":"%s","event":"%s","source":"%s","payload":{}}]`
	)
	for _, tt := range []struct {
		name, event string
		first, peer string // what the one that does it sees beside the reply, and another of its tenant
	}{
		{"broadcast", "broadcast", news, news},
		{"broadcast_from", "broadcast_from", "", news},
		{"presence_track", "track", diff, diff},
		{"subscribe", "to_other", fmt.Sprintf(info, "broadcast", "news", "other"), fmt.Sprintf(info, "broadcast", "news", "other")},
		{"send_info", "send_info", "", fmt.Sprintf(info, "message", "hello", "")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := startConfig(t, intruder(), tenants(host.TenantLimits{}))
			first, peer := s.at(t, acme), s.at(t, acme)
			strangers := map[string]*hosttest.Client{}
			for _, name := range []string{umbrella, nobody} {
				strangers[name] = s.at(t, name)
			}
			for _, c := range []*hosttest.Client{first, peer, strangers[umbrella], strangers[nobody]} {
				c.Join("t", "")
				ref := c.Push("t", "subscribe", "")
				c.Expect(reply("11", ref, "t", `{}`))
			}
			payloads := []string{"{}"}
			if tt.event == "send_info" {
				payloads = nil
				for _, c := range []*hosttest.Client{peer, strangers[umbrella], strangers[nobody]} {
					payloads = append(payloads, string(quote(socketID(c))))
				}
			}
			for _, payload := range payloads {
				ref := first.Push("t", tt.event, payload)
				goldens := []string{reply("11", ref, "t", `{}`)}
				if tt.first != "" {
					goldens = append(goldens, tt.first)
				}
				first.ExpectAnyOrder(goldens...)
			}
			peer.Expect(tt.peer)
			for _, c := range strangers {
				c.ExpectSilence()
				ref := c.Push("t", "echo", "") // behind whatever a mailbox may hold
				c.Expect(reply("11", ref, "t", `{}`))
			}
		})
	}
}

func TestDisconnectDoesNotCrossTenants(t *testing.T) {
	s := startConfig(t, intruder(), tenants(host.TenantLimits{}))
	a, u, n := s.at(t, acme), s.at(t, umbrella), s.at(t, nobody)
	for _, c := range []*hosttest.Client{a, u, n} {
		c.Join("t", "")
	}
	u.Push("t", "disconnect", "")
	u.ExpectClose(1001)
	a.ExpectSilence()
	n.ExpectSilence()
	if err := s.Disconnect("users:ada"); err != nil {
		t.Error(err)
	}
	n.ExpectClose(1001)
	a.ExpectSilence()
}

// TestPresencesDoNotCrossTenants: neither in the list that a channel pushes nor
// in the one that a module reads.
func TestPresencesDoNotCrossTenants(t *testing.T) {
	s := startConfig(t, intruder(), tenants(host.TenantLimits{}))
	a, u := s.at(t, acme), s.at(t, umbrella)
	for _, c := range []*hosttest.Client{a, u} {
		c.Join("t", "")
	}
	ref := a.Push("t", "track", "")
	a.Expect(`[null,null,"t","presence_diff",{"joins":{"ada":{"metas":[{"phx_ref":"<ref>"}]}},"leaves":{}}]`)
	a.Expect(reply("11", ref, "t", `{}`))
	for c, want := range map[*hosttest.Client]string{a: `{"ada":{"metas":[{"phx_ref":"<ref>"}]}}`, u: `{}`} {
		ref := c.Push("t", "presences", "")
		c.Expect(`["11",null,"t","presence_state",` + want + `]`)
		c.Expect(reply("11", ref, "t", `{}`))
	}
	for name, want := range map[string]bool{"acme": true, "umbrella": false, "": false} {
		if list := string(s.tenant(t, name).AppendPresences(nil, "t")); strings.Contains(list, "ada") != want {
			t.Errorf("the presences of %q are %s", name, list)
		}
	}
	if list := string(s.AppendPresences(nil, "t")); list != "{}" {
		t.Errorf("the presences of the default tenant are %s", list)
	}
}

func (s *server) tenant(t *testing.T, name string) *host.Tenant {
	t.Helper()
	tenant, ok := s.Tenant(name)
	if !ok || tenant.Name() != name {
		t.Fatalf("no tenant %q", name)
	}
	return tenant
}

// socketID asks the channel t of a client, whose join_ref is 11.
func socketID(c *hosttest.Client) string {
	ref := c.Push("t", "id", "")
	c.Expect(fmt.Sprintf(`["11",%q,"t","phx_reply",{"status":"ok","response":"<id>"}]`, ref))
	return c.Bound("id").(string)
}

// TestCallsReachOneTenant: the API in Go and over HTTP.
func TestCallsReachOneTenant(t *testing.T) {
	s := startConfig(t, intruder(), tenants(host.TenantLimits{}))
	clients := map[string]*hosttest.Client{"acme": s.at(t, acme), "umbrella": s.at(t, umbrella), "": s.at(t, nobody)}
	ids := map[string]string{}
	for name, c := range clients {
		c.Join("t", "")
		ids[name] = socketID(c)
	}
	silence := func() {
		t.Helper()
		for _, c := range clients {
			ref := c.Push("t", "echo", "")
			c.Expect(reply("11", ref, "t", `{}`))
		}
	}
	for mine, c := range clients {
		tenant := s.tenant(t, mine)
		for theirs, id := range ids {
			var want error
			if theirs != mine {
				want = host.ErrNotFound
			}
			if err := tenant.Push(id, "t", "news", nil); !errors.Is(err, want) {
				t.Errorf("%q pushes to %q: %v", mine, theirs, err)
			}
			if err := tenant.SendInfo(id, "t", "hello", nil); !errors.Is(err, want) {
				t.Errorf("%q sends info to %q: %v", mine, theirs, err)
			}
			if err := tenant.BroadcastFrom(id, "t", "from", nil); err != nil {
				t.Errorf("%q broadcasts: %v", mine, err)
			}
		}
		c.ExpectAnyOrder(`["11",null,"t","news",{}]`, `["11",null,"t","info",{"kind":"message","event":"hello","source":"","payload":{}}]`,
			`[null,null,"t","from",{}]`, `[null,null,"t","from",{}]`) // of three, not the one that is from itself
		silence()
		status, body := call(t, "POST", s.internal+"/api/v1/broadcast", `{"tenant":"`+mine+`","topic":"t","event":"http"}`, "")
		if status != http.StatusOK || body != "{}\n" {
			t.Errorf("broadcast to %q: %d %s", mine, status, body)
		}
		c.Expect(`[null,null,"t","http",{}]`)
		silence()
	}
	for _, name := range []string{"broadcast", "push", "send_info", "disconnect", "suspend", "resume"} {
		body := `{"tenant":"acne","topic":"t","event":"e","socket_id":"x","id_topic":"t"}`
		if status, answer := call(t, "POST", s.internal+"/api/v1/"+name, body, ""); status != http.StatusNotFound ||
			answer != `{"error":{"code":"NO_SUCH_TENANT","message":"no such tenant is declared: \"acne\""}}`+"\n" {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
	if n := s.tenant(t, "acme").KillTopic("t"); n != 1 {
		t.Errorf("%d channels killed", n)
	}
	clients["acme"].Expect(`["11","11","t","phx_error",{"reason":"channel_crash"}]`)
	delete(clients, "acme")
	silence()
	if err := s.tenant(t, "umbrella").Disconnect("users:ada"); err != nil {
		t.Error(err)
	}
	clients["umbrella"].ExpectClose(1001)
	delete(clients, "umbrella")
	silence()
}

// TestConnectEffectsStayInTheTenant: connect has no channel, and its effects no
// other tenant's topics, sockets or id topics.
func TestConnectEffectsStayInTheTenant(t *testing.T) {
	for _, tt := range []struct {
		name   string
		effect abi.Effect
		seen   func(*hosttest.Client)
	}{
		{"broadcast", abi.Effect{Kind: abi.EffectBroadcast, Topic: []byte("t"), Event: []byte("news")}, func(c *hosttest.Client) {
			c.Expect(`[null,null,"t","news",{}]`)
		}},
		{"send_info", abi.Effect{Kind: abi.EffectSendInfo, Topic: []byte("t"), Event: []byte("hello")}, func(c *hosttest.Client) {
			c.Expect(`["11",null,"t","info",{"kind":"message","event":"hello","source":"","payload":{}}]`)
		}},
		{"disconnect", abi.Effect{Kind: abi.EffectDisconnect, Key: []byte("users:ada")}, func(c *hosttest.Client) { c.ExpectClose(1001) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var does atomic.Pointer[abi.Effect]
			h := intruder()
			plain := h.connect
			h.connect = func(req *abi.Request, resp *abi.Response) error {
				if e := does.Load(); e != nil {
					resp.Effects = append(resp.Effects, *e)
				}
				return plain(req, resp)
			}
			s := startConfig(t, h, tenants(host.TenantLimits{}))
			a := s.at(t, acme)
			a.Join("t", "")
			if id := socketID(a); tt.name == "send_info" {
				tt.effect.Key = []byte(id)
			}
			does.Store(&tt.effect)
			s.at(t, umbrella).ExpectSilence()
			s.at(t, nobody).ExpectSilence()
			ref := a.Push("t", "echo", "")
			a.Expect(reply("11", ref, "t", `{}`))
			s.at(t, acme).ExpectSilence()
			tt.seen(a)
		})
	}
}

// TestSessionsBelongToTheirTenant: a token of one tenant opens no session of
// another.
func TestSessionsBelongToTheirTenant(t *testing.T) {
	s := startConfig(t, intruder(), tenants(host.TenantLimits{}))
	p := s.poller(t) // of the default tenant
	p.join("t")
	for host, want := range map[string]int{acme: http.StatusGone, nobody: http.StatusOK} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url, strings.NewReader(`["11","2","t","echo",{}]`))
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		req.Header.Set("X-Phoenix-Longpoll-Token", p.token)
		a, err := hosttest.Poll(&p.http, req)
		if err != nil || a.Status != want {
			t.Errorf("host %q: %+v, %v, want status %d", host, a, err, want)
		}
	}
	p.expect(`["11","2","t","phx_reply",{"status":"ok","response":{}}]`)
}

// TestRoutesOfTenants: each has its own, and one registered later too.
func TestRoutesOfTenants(t *testing.T) {
	cfg := tenants(host.TenantLimits{})
	name := func(name string) *script {
		return &script{join: func(_ *abi.Request, resp *abi.Response) error {
			resp.Result, resp.Payload = abi.ResultReply, []byte(`{"by":"`+name+`"}`)
			return nil
		}}
	}
	s := startConfig(t, name("script"), cfg) // for all topics
	fresh, err := host.New(host.Config{
		Tenants: []host.TenantConfig{{Name: "acme"}},
		Routes:  []host.Route{{Pattern: "a", Handler: name("default")}, {Tenant: "acme", Pattern: "a", Handler: name("acme")}},
	})
	if err != nil {
		t.Fatal(err) // the same pattern twice is for each tenant to judge
	}
	tenant, _ := fresh.Tenant("acme")
	if err := tenant.Register("a", name("again")); !errors.Is(err, host.ErrPatternRegistered) {
		t.Errorf("registered twice: %v", err)
	}
	if err := fresh.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.tenant(t, "acme").Register("late", name("late")); err != nil {
		t.Error(err)
	}
	c := s.at(t, acme)
	_, ref := c.SendJoin("late", "")
	c.Expect(reply("11", ref, "late", `{"by":"script"}`)) // registered before
}

func TestTenantsThatMakeNoSense(t *testing.T) {
	h := &script{}
	acme := []host.TenantConfig{{Name: "acme"}}
	for want, cfg := range map[string]host.Config{
		`tenant "": a name is 1 to 63 of`:                {Tenants: []host.TenantConfig{{}}},
		`tenant "Acme": a name is`:                       {Tenants: []host.TenantConfig{{Name: "Acme"}}},
		`tenant "-a": a name is`:                         {Tenants: []host.TenantConfig{{Name: "-a"}}},
		`tenant "a\nb": a name is`:                       {Tenants: []host.TenantConfig{{Name: "a\nb"}}},
		`tenant "acme" is declared twice`:                {Tenants: append(acme, acme...)},
		`mount /a: tenant "acne" is not declared`:        {Tenants: acme, Mounts: []host.Mount{{Path: "/a", Tenant: "acne"}}},
		`pattern "x:*": tenant "acne" is not declared`:   {Tenants: acme, Routes: []host.Route{{Pattern: "x:*", Tenant: "acne", Handler: h}}},
		`tenant "acme": log_only: "sockets" is none of`:  {Tenants: []host.TenantConfig{{Name: "acme", Limits: host.TenantLimits{LogOnly: []string{"sockets"}}}}},
		`tenant "acme": messages: invalid rate`:          {Tenants: []host.TenantConfig{{Name: "acme", Limits: host.TenantLimits{Messages: limit.Rate{Count: 1 << 40}}}}},
		`mount path "/a" is given twice for host "b.c"`:  {Mounts: []host.Mount{{Path: "/a", Hosts: []string{"b.c"}}, {Path: "/a", Hosts: []string{"x", "B.C."}}}},
		`mount path "/a" is given twice; mounts on one`:  {Mounts: []host.Mount{{Path: "/a"}, {Path: "/a/"}}},
		`mount /a: hosts: "b.c:4000" has a port`:         {Mounts: []host.Mount{{Path: "/a", Hosts: []string{"b.c:4000"}}}},
		`mount /a: hosts: "https://b.c" has a port or a`: {Mounts: []host.Mount{{Path: "/a", Hosts: []string{"https://b.c"}}}},
		`mount /a: hosts: "a*.b.c" has a * that is not`:  {Mounts: []host.Mount{{Path: "/a", Hosts: []string{"a*.b.c"}}}},
		`mount /a: hosts: "bücher.de" is no name of`:     {Mounts: []host.Mount{{Path: "/a", Hosts: []string{"bücher.de"}}}},
		`mount /a: hosts: "" is no name of a host`:       {Mounts: []host.Mount{{Path: "/a", Hosts: []string{""}}}},
	} {
		_, err := host.New(cfg)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
