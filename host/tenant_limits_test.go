package host_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/host"
	"github.com/aviary-host/aviary/host/hosttest"
)

// keeper keeps what its client tells it to: state, timers and so on.
func keeper() *script {
	return &script{
		connect: func(req *abi.Request, resp *abi.Response) error {
			resp.Result = abi.ResultReply
			switch p := string(req.Params); {
			case strings.Contains(p, `"no"`):
				resp.Result = abi.ResultReplyError
			case strings.Contains(p, `"seed"`):
				resp.HasState, resp.State = true, []byte(strings.Repeat("s", 60))
			}
			return nil
		},
		in: steps{
			"echo": echo,
			"state": func(req *abi.Request, resp *abi.Response) error {
				resp.Result, resp.HasState, resp.State = abi.ResultReply, true, req.Payload
				return nil
			},
			"timer":     keyed(abi.Effect{Kind: abi.EffectSendAfter, Event: []byte("e"), Value: 3_600_000}),
			"soon":      keyed(abi.Effect{Kind: abi.EffectSendAfter, Event: []byte("e")}),
			"cancel":    keyed(abi.Effect{Kind: abi.EffectCancel}),
			"track":     keyed(abi.Effect{Kind: abi.EffectPresenceTrack}),
			"untrack":   keyed(abi.Effect{Kind: abi.EffectPresenceUntrack}),
			"subscribe": keyed(abi.Effect{Kind: abi.EffectSubscribe}),
			"leave":     keyed(abi.Effect{Kind: abi.EffectUnsubscribe}),
		},
	}
}

// keyed answers with an effect whose key, or topic, the client says: k, the
// number that is the payload.
func keyed(e abi.Effect) func(*abi.Request, *abi.Response) error {
	return func(req *abi.Request, resp *abi.Response) error {
		name := []byte("k" + string(req.Payload))
		if e := e; e.Kind == abi.EffectSubscribe || e.Kind == abi.EffectUnsubscribe {
			e.Topic = name
			return replyWith(e)(req, resp)
		}
		e := e
		e.Key = name
		return replyWith(e)(req, resp)
	}
}

// tenantLimited is the reply to what a limit of the tenant refused.
func tenantLimited(joinRef, ref, topic, limit, key string) string {
	return fmt.Sprintf(`[%q,%q,%q,"phx_reply",{"status":"error","response":{"reason":"tenant_limit","limit":%s,"key":%q}}]`, joinRef, ref, topic, limit, key)
}

func wantRefused(t *testing.T, s *server, want map[string]int64) {
	t.Helper()
	if got := s.tenant(t, "acme").Info().Refused; !maps.Equal(got, want) {
		t.Errorf("refused %v, want %v", got, want)
	}
	if got := s.tenant(t, "umbrella").Info().Refused; len(got) > 0 {
		t.Errorf("the other tenant was refused %v", got)
	}
}

func TestConnectionsOfATenant(t *testing.T) {
	s := startConfig(t, keeper(), tenants(host.TenantLimits{Connections: 2}))
	for range 5 { // whom connect refuses does not count
		hosttest.DialRefused(t, s.url+"&no=1", hosttest.Options{Host: acme})
	}
	first := s.at(t, acme)
	hosttest.Dial(t, s.url, hosttest.Options{Host: acme, LongPoll: true}).ExpectSilence()
	for range 2 {
		r := hosttest.DialRefused(t, s.url, hosttest.Options{Host: acme})
		if r.Status != 503 || r.Body != "no more connections are taken: over 2 (tenant.connections)" || r.Header.Get("Retry-After") != "5" {
			t.Errorf("refused with %d %q %v", r.Status, r.Body, r.Header)
		}
	}
	p := &session{t: t, url: strings.Replace(strings.Replace(s.url, "ws://", "http://", 1), "/websocket", "/longpoll", 1)}
	if a := p.askAs(acme); a.HTTPStatus != http.StatusServiceUnavailable || a.Status != 0 || a.Header.Get("Retry-After") != "5" {
		t.Errorf("a client that polls is refused with %+v", a)
	}
	for range 5 {
		s.at(t, umbrella).ExpectSilence()
		s.at(t, nobody).ExpectSilence()
	}
	wantRefused(t, s, map[string]int64{"connections": 3})
	first.SendClose(1000)
	eventually(t, "the place is given back", func() bool { return s.tenant(t, "acme").Info().Sockets == 1 })
	s.at(t, acme).ExpectSilence()
}

// askAs asks for a session of the tenant of a host.
func (p *session) askAs(host string) *hosttest.PollAnswer {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.url, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Host = host
	a, err := hosttest.Poll(&p.http, req)
	if err != nil {
		p.t.Fatal(err)
	}
	p.http.CloseIdleConnections()
	return a
}

func TestChannelsOfATenant(t *testing.T) {
	s := startConfig(t, keeper(), tenants(host.TenantLimits{Channels: 2}))
	a, b := s.at(t, acme), s.at(t, acme)
	a.Join("t", "")
	b.Join("t", "")
	join, ref := b.SendJoin("u", "")
	b.Expect(tenantLimited(join, ref, "u", "2", "tenant.channels"))
	u := s.at(t, umbrella)
	for i := range 4 {
		u.Join(fmt.Sprint("t", i), "")
	}
	join, ref = a.SendJoin("t", "") // in the place of the one that it has
	a.Expect(reply(join, ref, "t", `{}`))
	a.Expect(`["11","11","t","phx_close",{}]`)
	b.Leave("t")
	b.Join("u", "")
	_, ref = b.SendJoin("v", "")
	b.Expect(tenantLimited("14", ref, "v", "2", "tenant.channels"))
	wantRefused(t, s, map[string]int64{"channels": 2})
	if log := s.log.String(); strings.Count(log, "code=LIMIT") != 1 || !strings.Contains(log, "key=tenant.channels limit=2 times=1 enforced=true") || !strings.Contains(log, "tenant=acme") {
		t.Errorf("the log is to name limit and tenant once:\n%s", log)
	}
}

// TestMessagesOfATenant: one client can use up what all may send, but no more
// than its own limit of it.
func TestMessagesOfATenant(t *testing.T) {
	cfg := tenants(host.TenantLimits{Messages: hourly(4)})
	cfg.Mounts[1].Limits = &host.Limits{Messages: hourly(2)}
	s := startConfig(t, keeper(), cfg)
	a, b := s.at(t, acme), s.at(t, acme)
	a.Join("t", "") // joins count
	for range 5 {
		a.Push("t", "echo", "")
	}
	a.Expect(reply("11", "2", "t", `{}`))
	a.Expect(reply("11", "3", "t", `{}`))
	for ref := range 3 {
		a.Expect(limited(`"11"`, fmt.Sprint(4+ref), "t", "mount.limits.messages"))
	}
	b.Join("t", "")
	ref := b.Push("t", "echo", "")
	b.Expect(fmt.Sprintf(`["11",%q,"t","phx_reply",{"status":"error","response":{"reason":"tenant_limit","limit":"<limit>","key":"tenant.messages","retry_after_ms":"<any>"}}]`, ref))
	if got := b.Bound("limit"); !strings.HasSuffix(fmt.Sprint(got), "burst 4") {
		t.Errorf("limit %q", got)
	}
	s.at(t, umbrella).ExpectSilence()
	s.at(t, nobody).ExpectSilence()
	wantRefused(t, s, map[string]int64{"messages": 1})
}

// TestHoldingsOfATenant: what all channels of a tenant hold is bounded; the
// callback that would exceed that does nothing, and what ends gives back.
func TestHoldingsOfATenant(t *testing.T) {
	for _, tt := range []struct {
		key, fill, free string
		limits          host.TenantLimits
	}{
		{"tenant.timers", "timer", "cancel", host.TenantLimits{Timers: 2}},
		{"tenant.presences", "track", "untrack", host.TenantLimits{Presences: 2}},
		{"tenant.subscriptions", "subscribe", "leave", host.TenantLimits{Subscriptions: 2}},
	} {
		t.Run(tt.key, func(t *testing.T) {
			s := startConfig(t, keeper(), tenants(tt.limits))
			a, b, u := s.at(t, acme), s.at(t, acme), s.at(t, umbrella)
			ok := func(c *hosttest.Client, event, n string) {
				t.Helper()
				ref := c.Push("t", event, n)
				for c.Receive().Ref != ref { // presence diffs come as well
				}
			}
			over := func(c *hosttest.Client, event, n string) {
				t.Helper()
				c.Push("t", event, n)
				for m := c.Receive(); m.Event != "phx_error"; m = c.Receive() {
					if m.Event == "phx_reply" {
						t.Fatalf("got %s\n%s", m.Text, c.Dialogue())
					}
				}
			}
			for _, c := range []*hosttest.Client{a, b, u} {
				c.Join("t", "")
			}
			ok(a, tt.fill, "1")
			ok(b, tt.fill, "2")
			ok(a, tt.fill, "1") // which it has
			for n := range 4 {
				ok(u, tt.fill, fmt.Sprint(n))
			}
			over(a, tt.fill, "3")
			ok(b, tt.fill, "4") // in the place of what a's channel had
			ok(b, tt.free, "2")
			ok(b, tt.fill, "5")
			over(b, tt.fill, "6")
			kind := strings.TrimPrefix(tt.key, "tenant.")
			wantRefused(t, s, map[string]int64{kind: 2})
			if log := s.log.String(); strings.Count(log, tt.key+" would get 1 more: over the tenant's limit of 2") != 2 {
				t.Errorf("the log does not say what was exceeded:\n%s", log)
			}
			if info := s.tenant(t, "acme").Info(); info.Timers+info.Presences+info.Subscriptions+info.Channels != 0 {
				t.Errorf("left: %+v", info)
			}
		})
	}
}

// TestTimersThatNobodyHears: a timer that fires is over, also where the module has
// no handle_info.
func TestTimersThatNobodyHears(t *testing.T) {
	s := startConfig(t, keeper(), tenants(host.TenantLimits{Timers: 2}))
	c := s.at(t, acme)
	c.Join("t", "")
	for n := range 5 {
		ref := c.Push("t", "soon", fmt.Sprint(n))
		c.Expect(reply("11", ref, "t", `{}`))
		eventually(t, "the timer is over", func() bool { return s.tenant(t, "acme").Info().Timers == 0 })
	}
}

func TestStateOfATenant(t *testing.T) {
	s := startConfig(t, keeper(), tenants(host.TenantLimits{State: 100}))
	a := hosttest.Dial(t, s.url+"&seed=1", hosttest.Options{Host: acme}) // 60 bytes for each channel
	a.Join("t", "")
	join, ref := a.SendJoin("u", "")
	a.Expect(tenantLimited(join, ref, "u", "100", "tenant.state"))
	b := s.at(t, acme)
	b.Join("t", "")
	payload := func(n int) string { return `"` + strings.Repeat("x", n-2) + `"` }
	for _, n := range []int{40, 10, 40} {
		ref = b.Push("t", "state", payload(n))
		b.Expect(reply("11", ref, "t", `{}`))
	}
	if n := s.tenant(t, "acme").Info().StateBytes; n != 100 {
		t.Errorf("%d bytes are counted, want 100", n)
	}
	b.Push("t", "state", payload(41))
	b.Expect(`["11","11","t","phx_error",{"reason":"channel_crash"}]`)
	if n := s.tenant(t, "acme").Info().StateBytes; n != 60 {
		t.Errorf("%d bytes are counted, want 60", n)
	}
	a.Leave("t")
	b.Join("t", "")
	ref = b.Push("t", "state", payload(100))
	b.Expect(reply("12", ref, "t", `{}`))
	wantRefused(t, s, map[string]int64{"state": 2})
}

// TestKeptPayloadsCountAsState: what timers and presences keep takes as much memory as a
// state does.
func TestKeptPayloadsCountAsState(t *testing.T) {
	keep := func(kind abi.EffectKind) func(*abi.Request, *abi.Response) error {
		return func(req *abi.Request, resp *abi.Response) error {
			resp.Result = abi.ResultReply
			resp.Effects = append(resp.Effects, abi.Effect{Kind: kind, Key: []byte("k"), Event: []byte("e"), Value: 3_600_000, Payload: req.Payload})
			return nil
		}
	}
	s := startConfig(t, &script{in: steps{
		"timer":   keep(abi.EffectSendAfter),
		"cancel":  replyWith(abi.Effect{Kind: abi.EffectCancel, Key: []byte("k")}),
		"track":   keep(abi.EffectPresenceTrack),
		"update":  keep(abi.EffectPresenceUpdate),
		"untrack": replyWith(abi.Effect{Kind: abi.EffectPresenceUntrack, Key: []byte("k")}),
	}}, tenants(host.TenantLimits{State: 100}))
	payload := func(n int) string { return `{"x":"` + strings.Repeat("x", n-len(`{"x":""}`)) + `"}` }
	c := s.at(t, acme)
	join := c.Join("t", "")
	for _, tt := range []struct {
		event, payload string
		want           int64
	}{
		{"timer", payload(60), 60},
		{"cancel", "{}", 0},
		{"track", payload(30), 30},
		{"update", payload(50), 50},
		{"timer", payload(50), 100},
		{"untrack", "{}", 50},
	} {
		ref := c.Push("t", tt.event, tt.payload)
		for m := c.Receive(); m.Ref != ref; m = c.Receive() { // diffs of presences
		}
		eventually(t, fmt.Sprintf("%d bytes counted after %s", tt.want, tt.event), func() bool {
			return s.tenant(t, "acme").Info().StateBytes == tt.want
		})
	}
	for _, event := range []string{"timer", "track"} {
		c.Push("t", event, payload(51))
		c.Expect(`["` + join + `","` + join + `","t","phx_error",{"reason":"channel_crash"}]`)
		join = c.Join("t", "")
		ref := c.Push("t", "timer", payload(50))
		c.Expect(reply(join, ref, "t", `{}`))
	}
	wantRefused(t, s, map[string]int64{"state": 2})
}

// TestStateOfTerminateDoesNotCount: it is dropped, so it refuses nothing of what
// terminate does besides.
func TestStateOfTerminateDoesNotCount(t *testing.T) {
	h := keeper()
	h.terminate = func(_ *abi.Request, resp *abi.Response) error {
		resp.HasState, resp.State = true, make([]byte, 200)
		resp.Effects = append(resp.Effects, abi.Effect{Kind: abi.EffectBroadcast, Event: []byte("gone")})
		return nil
	}
	s := startConfig(t, h, tenants(host.TenantLimits{State: 100}))
	a, b := s.at(t, acme), s.at(t, acme)
	a.Join("t", "")
	b.Join("t", "")
	a.Leave("t")
	b.Expect(`[null,null,"t","gone",{}]`)
	wantRefused(t, s, map[string]int64{})
}

func TestLogOnlyLimitsOfATenant(t *testing.T) {
	s := startConfig(t, keeper(), tenants(host.TenantLimits{
		Connections: 1, Channels: 1, Messages: hourly(1), State: 1, Timers: 1, Presences: 1, Subscriptions: 1,
		Groups: 1, GroupTopics: 1,
		LogOnly: []string{"connections", "channels", "messages", "groups", "group_topics", "state", "timers", "presences", "subscriptions"},
	}))
	s.at(t, acme).ExpectSilence()
	c := s.at(t, acme)
	c.Join("t", "")
	join := c.Join("u", "")
	for n := range 2 {
		for _, event := range []string{"state", "timer", "subscribe"} {
			ref := c.Push("u", event, fmt.Sprintf("%d00", n+1))
			c.Expect(reply(join, ref, "u", `{}`))
		}
		ref := c.Push("u", "track", fmt.Sprint(n))
		for c.Receive().Ref != ref {
		}
	}
	for _, topic := range []string{"t", "u"} {
		if err := errors.Join(s.tenant(t, "acme").CreateGroup(topic), s.tenant(t, "acme").AddToGroup("t", topic)); err != nil {
			t.Error(err)
		}
	}
	log := s.log.String()
	for _, key := range []string{"connections", "channels", "messages", "groups", "group_topics", "state", "timers", "presences", "subscriptions"} {
		if !strings.Contains(log, "key=tenant."+key+" ") {
			t.Errorf("the log does not name %s:\n%s", key, log)
		}
	}
	if strings.Contains(log, "enforced=true") {
		t.Errorf("the log says that a limit was enforced:\n%s", log)
	}
	wantRefused(t, s, map[string]int64{})
	const ofGroups = 2*(512+1) + 2*(96+1)
	want := host.TenantInfo{Tenant: "acme", Sockets: 2, Channels: 2, Topics: 4, Groups: 2, StateBytes: 3 + 2*2 + 2*2 + ofGroups, Timers: 2, Presences: 2, Subscriptions: 2}
	got := s.tenant(t, "acme").Info()
	got.Refused = nil
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
