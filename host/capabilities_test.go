package host_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/host"
	"github.com/aviary-host/aviary/host/hosttest"
)

// everything is what the tests take something away from.
func everything() host.Grants {
	all := []string{"room:*", "other:*"}
	return host.Grants{
		Source: "test.toml", Serve: all, Broadcast: all, Subscribe: all, Presence: all, SendInfo: all,
		Disconnect: []string{"users:*"}, SendInfoOthers: true, Timers: true, Intercept: true, Log: true,
	}
}

func compile(t *testing.T, g host.Grants) *host.Capabilities {
	t.Helper()
	c, err := g.Compile()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// startGranted serves h for room:* and other:*, with what g grants.
func startGranted(t *testing.T, h *script, g host.Grants) *server {
	t.Helper()
	caps := compile(t, g)
	return startConfig(t, h, host.Config{
		Mounts: []host.Mount{{Path: "/socket", ConnectCapabilities: caps, ConnectPlugin: "script"}},
		Routes: []host.Route{
			{Pattern: "room:*", Plugin: "script", Handler: h, Capabilities: caps},
			{Pattern: "other:*", Plugin: "script", Handler: h, Capabilities: caps},
		},
	})
}

// bounded is an effect, what it takes away to have it denied, and how that is
// told.
type bounded struct {
	name   string
	effect abi.Effect
	take   func(*host.Grants)
	denial string
}

func onTopic(kind abi.EffectKind, topic string) abi.Effect {
	return abi.Effect{Kind: kind, Topic: []byte(topic), Event: []byte("e"), Key: []byte("k")}
}

func boundedEffects() []bounded {
	ofOther := func(what string) string {
		return fmt.Sprintf(`topic "other:1" is not among the plugin's %s topics (capability %s in test.toml)`, what, what)
	}
	mayNot := func(what string) string {
		return fmt.Sprintf(`the plugin may not do that (capability %s in test.toml)`, what)
	}
	only := []string{"room:*"}
	noBroadcast := func(g *host.Grants) { g.Broadcast = only }
	noSubscribe := func(g *host.Grants) { g.Subscribe = only }
	noPresence := func(g *host.Grants) { g.Presence = only }
	noTimers := func(g *host.Grants) { g.Timers = false }
	toSocket := func(id, topic string) abi.Effect {
		return abi.Effect{Kind: abi.EffectSendInfo, Key: []byte(id), Topic: []byte(topic), Event: []byte("e")}
	}
	return []bounded{
		{"broadcast", onTopic(abi.EffectBroadcast, "other:1"), noBroadcast, ofOther("broadcast")},
		{
			"broadcast to its own topic",
			abi.Effect{Kind: abi.EffectBroadcast, Event: []byte("e")},
			func(g *host.Grants) { g.Broadcast = []string{"other:*"} },
			`topic "room:1" is not among the plugin's broadcast topics (capability broadcast in test.toml)`,
		},
		{"broadcast_from", onTopic(abi.EffectBroadcastFrom, "other:1"), noBroadcast, ofOther("broadcast")},
		{"group_add", onTopic(abi.EffectGroupAdd, "other:1"), noBroadcast, ofOther("broadcast")},
		{"group_remove", onTopic(abi.EffectGroupRemove, "other:1"), noBroadcast, ofOther("broadcast")},
		{"subscribe", onTopic(abi.EffectSubscribe, "other:1"), noSubscribe, ofOther("subscribe")},
		{"unsubscribe", onTopic(abi.EffectUnsubscribe, "other:1"), noSubscribe, ofOther("subscribe")},
		{"presence_track", onTopic(abi.EffectPresenceTrack, "other:1"), noPresence, ofOther("presence")},
		{"presence_update", onTopic(abi.EffectPresenceUpdate, "other:1"), noPresence, ofOther("presence")},
		{"presence_untrack", onTopic(abi.EffectPresenceUntrack, "other:1"), noPresence, ofOther("presence")},
		{"presence_push", onTopic(abi.EffectPresencePush, "other:1"), noPresence, ofOther("presence")},
		{
			"presence_track on its own topic",
			abi.Effect{Kind: abi.EffectPresenceTrack, Key: []byte("k")},
			func(g *host.Grants) { g.Presence = nil },
			`topic "room:1" is not among the plugin's presence topics (capability presence in test.toml)`,
		},
		{"send_info to a topic", toSocket("", "other:1"), func(g *host.Grants) { g.SendInfo = only }, ofOther("send_info")},
		{"send_info to a topic of others", toSocket("S2", "other:1"), func(g *host.Grants) { g.SendInfo = only }, ofOther("send_info")},
		{
			"send_info to others", toSocket("S2", "other:1"), func(g *host.Grants) { g.SendInfoOthers = false },
			`socket "S2" is not the channel's own (capability send_info_others in test.toml)`,
		},
		{
			"disconnect",
			abi.Effect{Kind: abi.EffectDisconnect, Key: []byte("users:2")},
			func(g *host.Grants) { g.Disconnect = []string{"users:1"} },
			`id topic "users:2" is not among the plugin's disconnect topics (capability disconnect in test.toml)`,
		},
		{"send_after", onTopic(abi.EffectSendAfter, ""), noTimers, mayNot("timers")},
		{"cancel", onTopic(abi.EffectCancel, ""), noTimers, mayNot("timers")},
		{"intercept", onTopic(abi.EffectIntercept, ""), func(g *host.Grants) { g.Intercept = false }, mayNot("intercept")},
		{
			"log",
			abi.Effect{Kind: abi.EffectLog, Number: uint32(abi.LevelInfo), Payload: []byte("line")},
			func(g *host.Grants) { g.Log = false }, mayNot("log"),
		},
	}
}

// stage is a callback that answers with effects, how it comes about, and what
// the client sees of it when they are allowed and when one is not.
type stage struct {
	name     string
	callback abi.Callback
	result   abi.Result
	run      func(t *testing.T, s *server, allowed bool)
}

const (
	errorFrame = `["11","11","room:1","phx_error",{"reason":"channel_crash"}]`
	doneFrame  = `["11",null,"room:1","done",{}]`
)

// shows expects done or, in its place, the end of the channel.
func shows(c *hosttest.Client, allowed bool) {
	if allowed {
		c.Expect(doneFrame)
	} else {
		c.Expect(errorFrame)
	}
}

func stages() []stage {
	joined := func(t *testing.T, s *server) *hosttest.Client {
		c := s.dial(t)
		c.Join("room:1", "")
		return c
	}
	joins := func(whenAllowed string) func(*testing.T, *server, bool) {
		return func(t *testing.T, s *server, allowed bool) {
			c := s.dial(t)
			c.SendJoin("room:1", "")
			if !allowed {
				c.Expect(`["11","1","room:1","phx_reply",{"status":"error","response":{"reason":"join crashed"}}]`)
				c.ExpectSilence()
				return
			}
			c.Expect(whenAllowed)
		}
	}
	return []stage{
		{"connect", abi.CallbackConnect, abi.ResultReply, func(t *testing.T, s *server, allowed bool) {
			if allowed {
				s.dial(t)
			} else if r := hosttest.DialRefused(t, s.url, hosttest.Options{}); r.Status != 500 {
				t.Errorf("connect was answered with %d", r.Status)
			}
		}},
		{"join", abi.CallbackJoin, abi.ResultReply, joins(reply("11", "1", "room:1", "{}"))},
		{
			"refused join", abi.CallbackJoin, abi.ResultReplyError,
			joins(`["11","1","room:1","phx_reply",{"status":"error","response":{}}]`),
		},
		{"handle_in", abi.CallbackHandleIn, abi.ResultNoReply, func(t *testing.T, s *server, allowed bool) {
			c := joined(t, s)
			c.Push("room:1", "go", "")
			shows(c, allowed)
		}},
		{"handle_info", abi.CallbackHandleInfo, abi.ResultNoReply, func(t *testing.T, s *server, allowed bool) {
			c := joined(t, s)
			c.Push("room:1", "id", "")
			c.Expect(`["11","2","room:1","phx_reply",{"status":"ok","response":"<id>"}]`)
			if err := s.SendInfo(c.Bound("id").(string), "room:1", "e", nil); err != nil {
				t.Fatal(err)
			}
			shows(c, allowed)
		}},
		{"handle_out", abi.CallbackHandleOut, abi.ResultNoReply, func(t *testing.T, s *server, allowed bool) {
			c := joined(t, s)
			if err := s.Broadcast("room:1", "out", nil); err != nil {
				t.Fatal(err)
			}
			shows(c, allowed)
		}},
		{"terminate", abi.CallbackTerminate, abi.ResultNoReply, func(t *testing.T, s *server, allowed bool) {
			c := joined(t, s)
			c.Push("room:1", "stop", "")
			if allowed {
				c.Expect(doneFrame)
			} else {
				c.Expect(errorFrame) // it ends as it would have
			}
		}},
	}
}

// answering is a handler that answers one callback with effects. Where it can,
// it pushes done first.
func (st *stage) answering(effects ...abi.Effect) *script {
	give := func(_ *abi.Request, resp *abi.Response) error {
		resp.Result, resp.Effects = st.result, append(resp.Effects, effects...)
		return nil
	}
	s := &script{in: steps{
		"id": func(req *abi.Request, resp *abi.Response) error {
			resp.Result, resp.Payload = abi.ResultReply, quote(string(req.SocketID))
			return nil
		},
		"stop": func(_ *abi.Request, resp *abi.Response) error {
			resp.Result, resp.Number = abi.ResultStop, uint32(abi.ReasonError)
			return nil
		},
	}}
	switch st.callback {
	case abi.CallbackConnect:
		s.connect = give
	case abi.CallbackJoin:
		s.join = give
	case abi.CallbackHandleIn:
		s.in["go"] = give
	case abi.CallbackHandleInfo:
		s.info = give
	case abi.CallbackHandleOut:
		s.out = give
		s.join = func(_ *abi.Request, resp *abi.Response) error {
			resp.Result = abi.ResultReply
			resp.Effects = append(resp.Effects, abi.Effect{Kind: abi.EffectIntercept, Event: []byte("out")})
			return nil
		}
	case abi.CallbackTerminate:
		s.terminate = give
	}
	return s
}

// effects returns done, where it may be pushed, and the effect; nil where there
// is no such effect in the callback.
func (st *stage) effects(e abi.Effect) []abi.Effect {
	valid := func(list ...abi.Effect) bool {
		return (&abi.Response{Result: st.result, Effects: list}).Check(st.callback) == nil
	}
	done := push("done", "")
	switch {
	case !valid(e):
		return nil
	case valid(done):
		return []abi.Effect{done, e}
	}
	return []abi.Effect{e}
}

// TestEveryCapabilityInEveryCallback: with it the answer takes place; without it
// nothing of the answer does, not even what comes before the effect, and the log
// says which effect lacks what.
func TestEveryCapabilityInEveryCallback(t *testing.T) {
	for _, st := range stages() {
		for _, b := range boundedEffects() {
			list := st.effects(b.effect)
			if list == nil || st.name == "handle_out" && b.name == "intercept" { // what was not intercepted does not come there
				continue
			}
			t.Run(st.name+"/"+b.name, func(t *testing.T) {
				s := startGranted(t, st.answering(list...), everything())
				st.run(t, s, true)
				if n := s.Info().Denied; n != 0 {
					t.Errorf("%d denied of what is allowed:\n%s", n, s.log)
				}

				less := everything()
				b.take(&less)
				s = startGranted(t, st.answering(list...), less)
				st.run(t, s, false)
				if info := s.Info(); info.Denied != 1 || info.Crashes != 1 {
					t.Errorf("info %+v, want one denied", info)
				}
				want := fmt.Sprintf("effects[%d] %s", len(list)-1, b.effect.Kind)
				line := strings.ReplaceAll(s.log.String(), `\"`, `"`)
				if !strings.Contains(line, want) || !strings.Contains(line, b.denial) ||
					!strings.Contains(line, "code=CAPABILITY_DENIED callback="+st.callback.String()) {
					t.Errorf("the log does not say %q, %q and the code:\n%s", want, b.denial, line)
				}
			})
		}
	}
}

// TestWhatNeedsNoCapability: a handler that is granted nothing may answer its
// client and end what is its own.
func TestWhatNeedsNoCapability(t *testing.T) {
	s := startGranted(t, &script{in: steps{
		"echo":  echo,
		"push":  effects(push("e", `{"n":1}`)),
		"later": effects(abi.Effect{Kind: abi.EffectReply, Key: []byte(`"9"`), Payload: []byte(`9`)}),
		"stop":  effects(abi.Effect{Kind: abi.EffectStop, Number: uint32(abi.ReasonNormal)}),
		"bye":   effects(abi.Effect{Kind: abi.EffectDisconnect}),
	}}, host.Grants{Serve: []string{"room:*", "other:*"}})
	c := s.dial(t)
	c.Join("room:1", "")
	c.Push("room:1", "echo", `1`)
	c.Expect(reply("11", "2", "room:1", `1`))
	c.Push("room:1", "push", "")
	c.Expect(`["11",null,"room:1","e",{"n":1}]`)
	c.Push("room:1", "later", "")
	c.Expect(reply("11", "9", "room:1", `9`))
	c.Push("room:1", "stop", "")
	c.Expect(`["11","11","room:1","phx_close",{}]`)
	c.Join("room:1", "")
	c.Push("room:1", "bye", "")
	c.ExpectClose(1001)
	if n := s.Info().Denied; n != 0 {
		t.Errorf("%d denied:\n%s", n, s.log)
	}
}

// TestReplyStaysOnItsTopic: a ref that another channel was given is answered on
// the channel's own topic, so that no client takes it for the other's reply.
func TestReplyStaysOnItsTopic(t *testing.T) {
	s := startGranted(t, &script{in: steps{
		"wait": effects(),
		"forge": func(req *abi.Request, resp *abi.Response) error {
			resp.Effects = append(resp.Effects, abi.Effect{Kind: abi.EffectReply, Key: req.Payload, Payload: []byte(`"forged"`)})
			return nil
		},
	}}, everything())
	c := s.dial(t)
	victim := c.Join("other:1", "")
	own := c.Join("room:1", "")
	ref := c.Push("other:1", "wait", "")
	c.Push("room:1", "forge", fmt.Sprintf("%q", ref))
	c.Expect(reply(own, ref, "room:1", `"forged"`))
	if own == victim {
		t.Error("the channels have one join_ref")
	}
	c.ExpectSilence()
}

// TestDisconnectByBroadcast: the event disconnect closes the sockets of an id
// topic, so that a handler which may broadcast there needs to be allowed that
// too. Without it the event is one like any other.
func TestDisconnectByBroadcast(t *testing.T) {
	for _, tt := range []struct {
		name       string
		disconnect []string
		closes     bool
	}{{"allowed", []string{"other:*"}, true}, {"not allowed", nil, false}} {
		t.Run(tt.name, func(t *testing.T) {
			g := everything()
			g.Disconnect = tt.disconnect
			s := startGranted(t, &script{
				connect: func(_ *abi.Request, resp *abi.Response) error {
					resp.Result, resp.IDTopic = abi.ResultReply, []byte("other:1")
					return nil
				},
				in: steps{"go": replyWith(onTopic(abi.EffectBroadcast, "other:1")), "end": replyWith(abi.Effect{
					Kind: abi.EffectBroadcast, Topic: []byte("other:1"), Event: []byte("disconnect"),
				})},
			}, g)
			c := s.dial(t)
			c.Join("other:1", "")
			c.Join("room:1", "")
			c.Push("room:1", "end", "")
			if tt.closes {
				c.ExpectClose(1001)
				return
			}
			c.Expect(`[null,null,"other:1","disconnect",{}]`)
			c.Expect(reply("12", "3", "room:1", "{}"))
			c.Push("room:1", "go", "")
			c.Expect(`[null,null,"other:1","e",{}]`)
		})
	}
}

// TestConnectSpares: likewise for a broadcast of connect.
func TestConnectSpares(t *testing.T) {
	g := everything()
	h := &script{connect: func(_ *abi.Request, resp *abi.Response) error {
		resp.Result, resp.IDTopic = abi.ResultReply, []byte("other:1")
		resp.Effects = append(resp.Effects, abi.Effect{Kind: abi.EffectBroadcast, Topic: []byte("other:1"), Event: []byte("disconnect")})
		return nil
	}, in: steps{"echo": echo}}
	s := startGranted(t, h, g)
	c := s.dial(t)
	c.Join("room:1", "")
	s.dial(t) // which tells the first to go
	c.Push("room:1", "echo", "1")
	c.Expect(reply("11", "2", "room:1", "1"))
}

// TestRouteOutsideServe: what a handler may not serve is not routed to it.
func TestRouteOutsideServe(t *testing.T) {
	caps := compile(t, everything())
	_, err := host.New(host.Config{Routes: []host.Route{{Pattern: "admin:*", Handler: &script{}, Capabilities: caps}}})
	const want = `host configuration: topics "admin:*" are not within serve = ["room:*" "other:*"] (capability serve in test.toml)`
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestGrantsAreChecked(t *testing.T) {
	for name, g := range map[string]host.Grants{
		"serve": {Serve: []string{"a*b"}}, "broadcast": {Broadcast: []string{"a*b"}}, "subscribe": {Subscribe: []string{"a*b"}},
		"presence": {Presence: []string{"a*b"}}, "send_info": {SendInfo: []string{"a*b"}}, "disconnect": {Disconnect: []string{"a*b"}},
	} {
		_, err := g.Compile()
		if !errors.Is(err, host.ErrInvalidPattern) || !strings.HasPrefix(err.Error(), name+`: invalid topic pattern "a*b"`) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// TestHandlersDeny: what a handler itself denies is counted and named too.
func TestHandlersDeny(t *testing.T) {
	caps := compile(t, host.Grants{Source: "test.toml", Presence: []string{"room:*"}})
	if err := errors.Join(caps.CheckPresence([]byte("room:1")), (*host.Capabilities)(nil).CheckPresence(nil),
		(*host.Capabilities)(nil).CheckLog()); err != nil {
		t.Error(err)
	}
	s := start(t, &script{in: steps{"go": func(*abi.Request, *abi.Response) error {
		return fmt.Errorf("handle_in: %w", caps.CheckPresence([]byte("other:1")))
	}, "log": func(*abi.Request, *abi.Response) error { return caps.CheckLog() }}}, host.Mount{})
	c := s.dial(t)
	for _, event := range []string{"go", "log"} {
		c.Join("t", "")
		c.Push("t", event, "")
		c.Receive()
	}
	if n := s.Info().Denied; n != 2 {
		t.Errorf("%d denied, want 2", n)
	}
	log := strings.ReplaceAll(s.log.String(), `\"`, `"`)
	for _, want := range []string{
		`presence_list: topic "other:1" is not among the plugin's presence topics (capability presence in test.toml)`,
		`log: the plugin may not do that (capability log in test.toml)`,
	} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not say %s:\n%s", want, log)
		}
	}
}
