package host_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/host"
	"github.com/aviary-host/aviary/host/hosttest"
	"github.com/gobwas/ws"
)

type steps = map[string]func(*abi.Request, *abi.Response) error

func TestEffectsHappenInOrderThenTheResult(t *testing.T) {
	s := start(t, &script{in: steps{"go": func(req *abi.Request, resp *abi.Response) error {
		resp.Result, resp.Payload = abi.ResultReply, []byte(`3`)
		resp.Effects = append(resp.Effects, push("a", `{"n":1}`),
			abi.Effect{Kind: abi.EffectBroadcast, Event: []byte("b"), Payload: []byte(`{"n":2}`)},
			abi.Effect{Kind: abi.EffectReply, Event: []byte("odd"), Payload: []byte(`"early"`)},
			abi.Effect{Kind: abi.EffectReply, Key: []byte(`"other"`)})
		return nil
	}}}, host.Mount{})
	c := s.dial(t)
	c.Join("t", "")
	c.Push("t", "go", "")
	c.Expect(`["11",null,"t","a",{"n":1}]`)
	c.Expect(`[null,null,"t","b",{"n":2}]`)
	c.Expect(`["11","2","t","phx_reply",{"status":"odd","response":"early"}]`)
	c.Expect(`["11","other","t","phx_reply",{"status":"ok","response":{}}]`)
	c.Expect(`["11","2","t","phx_reply",{"status":"ok","response":3}]`)
}

// TestJoinEffectsFollowItsReply: nothing of a join precedes its reply, not even
// a broadcast that the join itself made.
func TestJoinEffectsFollowItsReply(t *testing.T) {
	s := start(t, &script{join: func(req *abi.Request, resp *abi.Response) error {
		resp.Result, resp.Payload = abi.ResultReply, []byte(`{"hi":true}`)
		resp.Effects = append(resp.Effects,
			abi.Effect{Kind: abi.EffectBroadcast, Event: []byte("entered")},
			abi.Effect{Kind: abi.EffectPresenceTrack, Key: []byte("ada"), Payload: []byte(`{"n":1}`)},
			abi.Effect{Kind: abi.EffectPresencePush},
			push("welcome", ""))
		return nil
	}}, host.Mount{})
	c := s.dial(t)
	c.SendJoin("t", "")
	c.Expect(`["11","1","t","phx_reply",{"status":"ok","response":{"hi":true}}]`)
	c.Expect(`[null,null,"t","entered",{}]`)
	c.Expect(`[null,null,"t","presence_diff",{"joins":{"ada":{"metas":[{"n":1,"phx_ref":"<ref>"}]}},"leaves":{}}]`)
	c.Expect(`["11",null,"t","presence_state",{"ada":{"metas":[{"n":1,"phx_ref":"<ref>"}]}}]`)
	c.Expect(`["11",null,"t","welcome",{}]`)
}

// TestBadAnswerCommitsNothing: one bad effect at the end, and neither the state
// nor the effects before it take place; terminate sees the state before.
func TestBadAnswerCommitsNothing(t *testing.T) {
	bad := map[string]abi.Effect{
		"push of a string":           push("e", `"text"`),
		"push of broken JSON":        push("e", `{"a":`),
		"meta of bytes":              {Kind: abi.EffectPresenceTrack, Key: []byte("k"), Binary: true, Payload: []byte(`{}`)},
		"push of an event not UTF-8": {Kind: abi.EffectPush, Event: []byte("\xff")},
		"push of a long event":       {Kind: abi.EffectPush, Event: []byte(strings.Repeat("e", 256))},
		"broadcast to a long topic":  {Kind: abi.EffectBroadcast, Event: []byte("e"), Topic: []byte(strings.Repeat("t", 256))},
		"reply with a forged ref":    {Kind: abi.EffectReply, Key: []byte(`"1"],["x"`)},
		"reply of broken JSON":       {Kind: abi.EffectReply, Payload: []byte(`]`)},
		"meta that is no object":     {Kind: abi.EffectPresenceTrack, Key: []byte("k"), Payload: []byte(`[]`)},
		"group not UTF-8":            {Kind: abi.EffectGroupAdd, Key: []byte("\xff"), Topic: []byte("t")},
		"group with a long name":     {Kind: abi.EffectGroupRemove, Key: []byte(strings.Repeat("g", 256)), Topic: []byte("t")},
		"a list to a group":          {Kind: abi.EffectGroupBroadcast, Key: []byte("g"), Event: []byte("e"), Payload: []byte(`[]`)},
		"a long event to a group":    {Kind: abi.EffectGroupBroadcast, Key: []byte("g"), Event: []byte(strings.Repeat("e", 256))},
		"stop for a host's reason":   {Kind: abi.EffectStop, Number: uint32(abi.ReasonDraining)},
	}
	for name, effect := range bad {
		t.Run(name, func(t *testing.T) {
			s := start(t, &script{
				join: func(_ *abi.Request, resp *abi.Response) error {
					resp.Result, resp.HasState, resp.State = abi.ResultReply, true, []byte("before")
					return nil
				},
				in: steps{"go": func(_ *abi.Request, resp *abi.Response) error {
					resp.HasState, resp.State = true, []byte("after")
					resp.Effects = append(resp.Effects, push("visible", ""), effect)
					return nil
				}},
				terminate: func(req *abi.Request, resp *abi.Response) error {
					resp.Effects = append(resp.Effects, push("bye", `{"state":`+string(quote(string(req.State)))+`}`))
					return nil
				},
			}, host.Mount{})
			c := s.dial(t)
			c.Join("t", "")
			c.Push("t", "go", "")
			c.Expect(`["11",null,"t","bye",{"state":"before"}]`)
			c.Expect(`["11","11","t","phx_error",{"reason":"channel_crash"}]`)
			c.ExpectSilence()
			if log := s.log.String(); !strings.Contains(log, "effects[1]") || !strings.Contains(log, "plugin=script") {
				t.Errorf("the log does not name the effect and the plugin:\n%s", log)
			}
		})
	}
}

func TestFailureInOneChannelLeavesTheOthers(t *testing.T) {
	s := start(t, &script{in: steps{"boom": fail, "echo": echo}}, host.Mount{})
	c, other := s.dial(t), s.dial(t)
	c.Join("a", "")
	c.Join("b", "")
	other.Join("a", "")
	c.Push("a", "boom", "")
	c.Expect(`["11","11","a","phx_error",{"reason":"channel_crash"}]`)
	ref := c.Push("b", "echo", `{"n":1}`)
	c.Expect(reply("12", ref, "b", `{"n":1}`))
	ref = other.Push("a", "echo", `2`)
	other.Expect(reply("11", ref, "a", `2`))
	ref = c.Push("a", "echo", "")
	c.Expect(fmt.Sprintf(`[null,%q,"a","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}]`, ref))
	joinRef, ref := c.SendJoin("a", "")
	c.Expect(reply(joinRef, ref, "a", `{}`))
}

func TestStateIsTheChannelsOwn(t *testing.T) {
	s := start(t, &script{
		connect: func(req *abi.Request, resp *abi.Response) error {
			resp.Result, resp.HasState, resp.State, resp.StateVersion = abi.ResultReply, true, []byte("seed"), 4
			return nil
		},
		in: steps{"get": state, "set": func(req *abi.Request, resp *abi.Response) error {
			if req.StateVersion != 4 {
				return errScript
			}
			resp.HasState, resp.State, resp.StateVersion = true, req.Payload, 4
			return nil
		}, "clear": func(_ *abi.Request, resp *abi.Response) error {
			resp.HasState = true
			return nil
		}},
	}, host.Mount{})
	c := s.dial(t)
	c.Join("a", "")
	c.Join("b", "")
	c.Push("a", "set", `"mine"`)
	c.Expect(reply("11", c.Push("a", "get", ""), "a", `"\"mine\""`))
	c.Expect(reply("12", c.Push("b", "get", ""), "b", `"seed"`))
	c.Push("a", "clear", "")
	c.Expect(reply("11", c.Push("a", "get", ""), "a", `""`))
}

func TestTimers(t *testing.T) {
	after := func(key, event string, ms int64) abi.Effect {
		return abi.Effect{Kind: abi.EffectSendAfter, Key: []byte(key), Event: []byte(event), Value: ms, Payload: []byte(`{"n":1}`)}
	}
	s := start(t, &script{info: infoToPush, in: steps{
		"named":    effects(after("k", "first", 60_000), after("k", "second", 1)),
		"nameless": effects(after("", "one", 1), after("", "two", 30)),
		"cancel":   effects(after("c", "never", 10), abi.Effect{Kind: abi.EffectCancel, Key: []byte("c")}, after("d", "last", 40)),
	}}, host.Mount{})
	c := s.dial(t)
	c.Join("t", "")
	c.Push("t", "named", "")
	c.Expect(`["11",null,"t","info",{"kind":"timer","event":"second","source":"k","payload":{"n":1}}]`)
	c.Push("t", "nameless", "")
	c.Expect(`["11",null,"t","info",{"kind":"timer","event":"one","source":"","payload":{"n":1}}]`)
	c.Expect(`["11",null,"t","info",{"kind":"timer","event":"two","source":"","payload":{"n":1}}]`)
	c.Push("t", "cancel", "")
	c.Expect(`["11",null,"t","info",{"kind":"timer","event":"last","source":"d","payload":{"n":1}}]`)
}

func TestTooManyTimersAreRefused(t *testing.T) {
	var list []abi.Effect
	for range 33 {
		list = append(list, abi.Effect{Kind: abi.EffectSendAfter, Event: []byte("e"), Value: 60_000})
	}
	s := start(t, &script{info: infoToPush, in: steps{"go": effects(list...)}}, host.Mount{})
	c := s.dial(t)
	c.Join("t", "")
	c.Push("t", "go", "")
	c.ExpectSilence()
	c.Push("t", "go", "")
	c.Expect(`["11","11","t","phx_error",{"reason":"channel_crash"}]`)
}

func TestSubscriptionsAndInfos(t *testing.T) {
	topic := func(kind abi.EffectKind, name string) abi.Effect { return abi.Effect{Kind: kind, Topic: []byte(name)} }
	s := start(t, &script{info: infoToPush, in: steps{
		"sub":   replyWith(topic(abi.EffectSubscribe, "news"), topic(abi.EffectSubscribe, "news"), topic(abi.EffectSubscribe, "t")),
		"unsub": replyWith(topic(abi.EffectUnsubscribe, "news"), topic(abi.EffectUnsubscribe, "never")),
		"self":  effects(abi.Effect{Kind: abi.EffectSendInfo, Event: []byte("me"), Payload: []byte(`[1]`)}),
		"sibling": effects(abi.Effect{Kind: abi.EffectSendInfo, Topic: []byte("u"), Event: []byte("hi")},
			abi.Effect{Kind: abi.EffectSendInfo, Topic: []byte("not joined"), Event: []byte("hi")},
			abi.Effect{Kind: abi.EffectSendInfo, Key: []byte("nobody"), Topic: []byte("u"), Event: []byte("hi")}),
		"id": func(req *abi.Request, resp *abi.Response) error {
			resp.Result, resp.Payload = abi.ResultReply, quote(string(req.SocketID))
			return nil
		},
		"tell": func(req *abi.Request, resp *abi.Response) error {
			resp.Effects = append(resp.Effects, abi.Effect{
				Kind: abi.EffectSendInfo, Key: req.Payload[1 : len(req.Payload)-1], Topic: []byte("t"), Event: []byte("told"),
			})
			return nil
		},
	}}, host.Mount{})
	c, d := s.dial(t), s.dial(t)
	c.Join("t", "")
	c.Join("u", "")
	d.Join("t", "")
	ref := c.Push("t", "sub", "")
	c.Expect(reply("11", ref, "t", `{}`))
	publish(t, s, "news", "flash", `{"n":1}`)
	c.Expect(`["11",null,"t","info",{"kind":"broadcast","event":"flash","source":"news","payload":{"n":1}}]`)
	publish(t, s, "t", "own", `{}`)
	c.Expect(`[null,null,"t","own",{}]`)
	ref = c.Push("t", "unsub", "")
	c.Expect(reply("11", ref, "t", `{}`))
	publish(t, s, "news", "flash", `{}`)
	c.Push("t", "self", "")
	c.Expect(`["11",null,"t","info",{"kind":"message","event":"me","source":"","payload":[1]}]`)
	c.Push("t", "sibling", "")
	c.Expect(`["12",null,"u","info",{"kind":"message","event":"hi","source":"","payload":{}}]`)
	ref = c.Push("t", "id", "")
	c.Expect(fmt.Sprintf(`["11",%q,"t","phx_reply",{"status":"ok","response":"<id:socket>"}]`, ref))
	// d's channel of topic t is reached through d's socket id.
	d.Expect(`[null,null,"t","own",{}]`)
	ref = d.Push("t", "id", "")
	d.Expect(fmt.Sprintf(`["11",%q,"t","phx_reply",{"status":"ok","response":"<id:socket>"}]`, ref))
	c.Push("t", "tell", fmt.Sprintf("%q", d.Bound("id:socket")))
	d.Expect(`["11",null,"t","info",{"kind":"message","event":"told","source":"","payload":{}}]`)
}

func publish(t *testing.T, s *server, topic, event, payload string) {
	t.Helper()
	if err := s.Broadcast(topic, event, []byte(payload)); err != nil {
		t.Fatal(err)
	}
}

func TestInterceptedBroadcasts(t *testing.T) {
	s := start(t, &script{
		join: func(_ *abi.Request, resp *abi.Response) error {
			resp.Result = abi.ResultReply
			for _, e := range []string{"drop", "pass", "change", "stop", "boom"} {
				resp.Effects = append(resp.Effects, abi.Effect{Kind: abi.EffectIntercept, Event: []byte(e)})
			}
			return nil
		},
		in: steps{
			"shout": func(req *abi.Request, resp *abi.Response) error {
				resp.Result = abi.ResultReply
				resp.Effects = append(resp.Effects, abi.Effect{Kind: abi.EffectBroadcast, Event: []byte("change"), Payload: []byte(`{}`)},
					abi.Effect{Kind: abi.EffectBroadcast, Event: []byte("plain")})
				return nil
			},
			"off": replyWith(abi.Effect{Kind: abi.EffectIntercept, Event: []byte("drop"), Off: true}),
		},
		out: func(req *abi.Request, resp *abi.Response) error {
			switch string(req.Event) {
			case "pass":
				resp.Result = abi.ResultPass
			case "change":
				resp.Result, resp.Event, resp.Payload = abi.ResultPush, []byte("changed"), []byte(`{"by":"out"}`)
			case "stop":
				resp.Result, resp.Number = abi.ResultStop, uint32(abi.ReasonNormal)
			case "boom":
				return errScript
			}
			return nil
		},
	}, host.Mount{})
	c := s.dial(t)
	c.Join("t", "")
	publish(t, s, "t", "drop", `{"n":1}`)
	publish(t, s, "t", "pass", `{"n":2}`)
	c.Expect(`[null,null,"t","pass",{"n":2}]`)
	// What is intercepted waits its turn; what is not goes past it.
	ref := c.Push("t", "shout", "")
	c.Expect(`[null,null,"t","plain",{}]`)
	c.Expect(reply("11", ref, "t", `{}`))
	c.Expect(`["11",null,"t","changed",{"by":"out"}]`)
	ref = c.Push("t", "off", "")
	c.Expect(reply("11", ref, "t", `{}`))
	publish(t, s, "t", "drop", `{"n":3}`)
	c.Expect(`[null,null,"t","drop",{"n":3}]`)
	publish(t, s, "t", "stop", `{}`)
	c.Expect(`["11","11","t","phx_close",{}]`)
	c.Join("t", "")
	publish(t, s, "t", "boom", `{}`)
	c.Expect(`["12","12","t","phx_error",{"reason":"channel_crash"}]`)
}

func TestStops(t *testing.T) {
	stop := func(reason abi.Reason) abi.Effect {
		return abi.Effect{Kind: abi.EffectStop, Number: uint32(reason), Payload: []byte("because")}
	}
	s := start(t, &script{
		in: steps{
			"normal":   effects(push("a", ""), stop(abi.ReasonNormal), push("b", "")),
			"shutdown": effects(stop(abi.ReasonShutdown)),
			"error":    effects(stop(abi.ReasonError)),
			"reply": func(_ *abi.Request, resp *abi.Response) error {
				resp.Result = abi.ResultReply
				resp.Effects = append(resp.Effects, stop(abi.ReasonNormal))
				return nil
			},
		},
		terminate: func(req *abi.Request, resp *abi.Response) error {
			resp.Effects = append(resp.Effects, push("end", fmt.Sprintf(`{"reason":%q,"text":%q}`, abi.Reason(req.Reason), req.Source)))
			return nil
		},
	}, host.Mount{})
	for _, tt := range []struct {
		event  string
		frames []string
	}{
		{"normal", []string{`["J",null,"t","a",{}]`, `["J",null,"t","b",{}]`, `["J","J","t","phx_close",{}]`, `["J",null,"t","end",{"reason":"normal","text":"because"}]`}},
		{"shutdown", []string{`["J","J","t","phx_close",{}]`, `["J",null,"t","end",{"reason":"shutdown","text":"because"}]`}},
		{"error", []string{`["J",null,"t","end",{"reason":"error","text":"because"}]`, `["J","J","t","phx_error",{"reason":"channel_crash"}]`}},
		{"reply", []string{`["J","R","t","phx_reply",{"status":"ok","response":{}}]`, `["J","J","t","phx_close",{}]`, `["J",null,"t","end",{"reason":"normal","text":"because"}]`}},
		{"phx_leave", []string{`["J","R","t","phx_reply",{"status":"ok","response":{}}]`, `["J","J","t","phx_close",{}]`, `["J",null,"t","end",{"reason":"left","text":""}]`}},
	} {
		t.Run(tt.event, func(t *testing.T) {
			c := s.dial(t)
			joinRef := c.Join("t", "")
			ref := c.Push("t", tt.event, "")
			for _, f := range tt.frames {
				f = strings.ReplaceAll(f, `"J"`, `"`+joinRef+`"`)
				c.Expect(strings.ReplaceAll(f, `"R"`, `"`+ref+`"`))
			}
			c.ExpectSilence()
		})
	}
}

// TestDuplicateJoinWaitsForTheOld: the old channel's terminate is over before
// the new join begins, also when its callback was running elsewhere.
func TestDuplicateJoinWaitsForTheOld(t *testing.T) {
	running, finish := make(chan struct{}), make(chan struct{})
	s := start(t, &script{
		info: func(*abi.Request, *abi.Response) error {
			close(running)
			<-finish
			return nil
		},
		join: func(_ *abi.Request, resp *abi.Response) error {
			resp.Result = abi.ResultReply
			resp.Effects = append(resp.Effects, push("welcome", ""))
			return nil
		},
		in: steps{"busy": effects(abi.Effect{Kind: abi.EffectSendInfo, Event: []byte("x")})},
		terminate: func(req *abi.Request, resp *abi.Response) error {
			resp.Effects = append(resp.Effects, push("end", fmt.Sprintf(`{"reason":%q}`, abi.Reason(req.Reason))))
			return nil
		},
	}, host.Mount{})
	c := s.dial(t)
	c.Join("t", "")
	c.Expect(`["11",null,"t","welcome",{}]`)
	c.Push("t", "busy", "")
	<-running
	_, ref := c.SendJoin("t", "")
	close(finish)
	c.Expect(`["11",null,"t","end",{"reason":"duplicate_join"}]`)
	c.Expect(reply("12", ref, "t", `{}`))
	c.Expect(`["11","11","t","phx_close",{}]`)
	c.Expect(`["12",null,"t","welcome",{}]`)
}

// busyChannel returns a client whose channel runs a callback until finish is closed, on
// another goroutine than the one that reads. Its event echo is answered.
func busyChannel(t *testing.T) (s *server, c *hosttest.Client, finish chan struct{}) {
	t.Helper()
	running, finish := make(chan struct{}), make(chan struct{})
	s = start(t, &script{
		info: func(*abi.Request, *abi.Response) error {
			close(running)
			<-finish
			return nil
		},
		in: steps{"busy": effects(abi.Effect{Kind: abi.EffectSendInfo, Event: []byte("x")}), "echo": echo},
	}, host.Mount{})
	c = s.dial(t)
	c.Join("t", "")
	c.Push("t", "busy", "")
	<-running
	return s, c, finish
}

// TestMessagesWaitForARunningCallback: what the client sends while a callback
// runs on another goroutine is handled after it, in order, and none is lost,
// also when it is more than the mailbox holds.
func TestMessagesWaitForARunningCallback(t *testing.T) {
	_, c, finish := busyChannel(t)
	const n = 1500
	for i := range n {
		c.Push("t", "echo", fmt.Sprint(i))
	}
	close(finish)
	for i := range n {
		c.Expect(fmt.Sprintf(`["11","%d","t","phx_reply",{"status":"ok","response":%d}]`, i+3, i))
	}
}

// TestACallbackHoldsUpOnlyItsSocket: sockets share the goroutines that read, but a
// callback that does not return keeps nobody else waiting, nor what others send to
// its own client.
func TestACallbackHoldsUpOnlyItsSocket(t *testing.T) {
	running, finish := make(chan struct{}), make(chan struct{})
	s := start(t, &script{in: steps{"echo": echo, "stay": func(req *abi.Request, resp *abi.Response) error {
		running <- struct{}{}
		<-finish
		return echo(req, resp)
	}}}, host.Mount{})
	held := make([]*hosttest.Client, 6) // more than there are loops
	for i := range held {
		held[i] = s.dial(t)
		held[i].Join("t", "")
		held[i].Push("t", "stay", "1")
		held[i].Push("t", "echo", "2")
		<-running
	}
	for range 10 {
		c := s.dial(t)
		join := c.Join("u", "")
		c.Expect(reply(join, c.Push("u", "echo", "3"), "u", "3"))
	}
	publish(t, s, "t", "e", `{"n":1}`)
	for _, c := range held {
		c.Expect(`[null,null,"t","e",{"n":1}]`)
	}
	close(finish)
	for _, c := range held {
		c.Expect(reply("11", "2", "t", "1"))
		c.Expect(reply("11", "3", "t", "2"))
	}
}

// TestChannelsThatSendToThemselves without end leave others their turn, and end when
// they are left.
func TestChannelsThatSendToThemselves(t *testing.T) {
	again := effects(abi.Effect{Kind: abi.EffectSendInfo, Event: []byte("again")})
	s := start(t, &script{
		in: steps{"again": again, "once": effects(abi.Effect{Kind: abi.EffectSendInfo, Event: []byte("once")})},
		info: func(req *abi.Request, resp *abi.Response) error {
			if string(req.Event) == "again" {
				return again(req, resp)
			}
			resp.Effects = append(resp.Effects, push("came", ""))
			return nil
		},
	}, host.Mount{})
	var storms []*hosttest.Client
	for range 4 {
		c := s.dial(t)
		c.Join("t", "")
		c.Push("t", "again", "")
		storms = append(storms, c)
	}
	c := s.dial(t)
	join := c.Join("t", "")
	for range 20 {
		c.Push("t", "once", "")
		c.Expect(fmt.Sprintf(`[%q,null,"t","came",{}]`, join))
	}
	for _, c := range storms {
		c.Leave("t")
	}
	c.Leave("t")
}

// TestCloseComesBehindWhatWaits: a client that sends and closes means both. What it
// sent while a callback ran is handled, and answered before its close frame is.
func TestCloseComesBehindWhatWaits(t *testing.T) {
	s, c, finish := busyChannel(t)
	c.Push("t", "echo", "1")
	c.SendRaw(ws.MustCompileFrame(ws.MaskFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(1000, "")))))
	eventually(t, "the message is read", func() bool { return s.Info().FramesIn >= 3 })
	close(finish)
	c.Expect(reply("11", "3", "t", `1`))
	c.ExpectClose(1000)
}

func TestServerAPI(t *testing.T) {
	s := start(t, &script{
		connect: func(req *abi.Request, resp *abi.Response) error {
			resp.Result, resp.IDTopic = abi.ResultReply, []byte("users:1")
			return nil
		},
		info: infoToPush,
		join: func(req *abi.Request, resp *abi.Response) error {
			resp.Result, resp.Payload = abi.ResultReply, quote(string(req.SocketID))
			return nil
		},
	}, host.Mount{})
	c, d := s.dial(t), s.dial(t)
	c.SendJoin("t", "")
	c.Expect(`["11","1","t","phx_reply",{"status":"ok","response":"<id:c>"}]`)
	id, ok := c.Bound("id:c").(string)
	if !ok || len(id) != 32 {
		t.Fatalf("socket id %v", c.Bound("id:c"))
	}
	d.SendJoin("t", "")
	d.Expect(`["11","1","t","phx_reply",{"status":"ok","response":"<any>"}]`)

	if err := s.BroadcastFrom(id, "t", "e", []byte(`{"n":1}`)); err != nil {
		t.Error(err)
	}
	d.Expect(`[null,null,"t","e",{"n":1}]`)
	c.ExpectSilence()
	if err := s.Push(id, "t", "p", nil); err != nil {
		t.Error(err)
	}
	c.Expect(`["11",null,"t","p",{}]`)
	if err := s.SendInfo(id, "t", "i", []byte(`7`)); err != nil {
		t.Error(err)
	}
	c.Expect(`["11",null,"t","info",{"kind":"message","event":"i","source":"","payload":7}]`)
	if n := s.KillTopic("t"); n != 2 {
		t.Errorf("killed %d channels, want 2", n)
	}
	c.Expect(`["11","11","t","phx_error",{"reason":"channel_crash"}]`)
	if err := s.Disconnect("users:1"); err != nil {
		t.Error(err)
	}
	c.ExpectClose(1001)
}

func TestInternalAPI(t *testing.T) {
	s := start(t, &script{info: infoToPush}, host.Mount{})
	c := s.dial(t)
	c.Join("t", "")
	for _, tt := range []struct {
		method, path, body string
		status             int
		answer             string
	}{
		{"GET", "/livez", "", 200, "ok\n"},
		{"GET", "/readyz", "", 200, "ok\n"},
		{"GET", "/api/v1/info", "", 200, `"sockets":1,"channels":1,"topics":1`},
		{"POST", "/api/v1/broadcast", `{"topic":"t","event":"e","payload":{"n":1}}`, 200, "{}\n"},
		{"GET", "/api/v1/info", "", 200, `"deliveries":1,"goroutines":`},
		{"POST", "/api/v1/broadcast", `{"topic":"t","event":"e","payload":[1]}`, 400, `"INVALID_PAYLOAD"`},
		{"POST", "/api/v1/broadcast", `{"event":"e"}`, 400, `topic is missing`},
		{"POST", "/api/v1/broadcast", `{"topic":"t"}`, 400, `event is missing`},
		{"POST", "/api/v1/broadcast", `{"topic":"t","event":"phx_close"}`, 400, `belong to the protocol`},
		{"POST", "/api/v1/broadcast", `{"topic":7,"event":"e"}`, 400, `topic is a JSON number, it has to be a string`},
		{"POST", "/api/v1/broadcast", `{"topic":"t","event":"e"}{}`, 400, `something follows`},
		{"POST", "/api/v1/broadcast", ``, 400, `the body is empty`},
		{"POST", "/api/v1/broadcast", `{"topic":"t","event":"e","payload":{"x":"` + strings.Repeat("x", 256<<10) + `"}}`, 400, `up to 256 KiB`},
		{"POST", "/api/v1/push", `{"topic":"t","event":"e"}`, 400, `socket_id is missing`},
		{"POST", "/api/v1/disconnect", `{}`, 400, `id_topic is missing`},
		{"POST", "/api/v1/info", ``, 405, `use GET`},
		{"GET", "/api/v1/plugins", "", 200, `{"plugins":[]}`},
		{"POST", "/api/v1/plugins", ``, 405, `use GET`},
		{"POST", "/api/v1/broadcast", `{"topic":"t","evnt":"e"}`, 400, `unknown field \"evnt\"`},
		{"POST", "/api/v1/broadcast", `{`, 400, `"BAD_REQUEST"`},
		{"GET", "/api/v1/broadcast", "", 405, `"METHOD"`},
		{"POST", "/api/v1/push", `{"socket_id":"x","topic":"t","event":"e"}`, 404, `"NO_SUCH_CHANNEL"`},
		{"POST", "/api/v1/send_info", `{"socket_id":"x","topic":"t","event":"e"}`, 404, `"NO_SUCH_CHANNEL"`},
		{"POST", "/api/v1/disconnect", `{"id_topic":"users:9"}`, 200, "{}\n"},
		{"POST", "/api/v1/nothing", "", 404, `"NOT_FOUND"`},
		{"GET", "/", "", 404, `"NOT_FOUND"`},
	} {
		status, body := call(t, tt.method, s.internal+tt.path, tt.body, "")
		if status != tt.status || !strings.Contains(body, tt.answer) {
			t.Errorf("%s %s %s: %d %s, want %d %s", tt.method, tt.path, tt.body, status, body, tt.status, tt.answer)
		}
	}
	c.Expect(`[null,null,"t","e",{"n":1}]`)
	c.ExpectSilence()
}

func call(t *testing.T, method, url, body, token string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, readAll(t, resp)
}

// TestSlowClientIsCutOff: a client that does not read loses its own connection
// and nobody else's.
func TestSlowClientIsCutOff(t *testing.T) {
	s := start(t, &script{in: steps{"echo": echo}}, host.Mount{QueueBytes: 64 << 10})
	slow, good := s.dial(t), s.dial(t)
	slow.Join("t", "")
	good.Join("t", "")
	payload := `{"x":"` + strings.Repeat("x", 30_000) + `"}`
	for i := 0; s.Info().SlowClients == 0; i++ {
		if i > 5000 {
			t.Fatalf("150 MB later the client that does not read is still there: %+v", s.Info())
		}
		publish(t, s, "t", "e", payload)
		good.Expect(`[null,null,"t","e",{"x":"<any>"}]`)
	}
	ref := good.Push("t", "echo", `1`)
	good.Expect(reply("11", ref, "t", `1`))
	if !strings.Contains(s.log.String(), "SLOW_CLIENT") {
		t.Error("the log does not say so")
	}
}

// TestDrainTellsEverybody: sockets are closed with 1012 after terminate has
// run, and the reply to what was accepted is not lost.
func TestDrainTellsEverybody(t *testing.T) {
	ended := make(chan string, 8)
	running, finish := make(chan struct{}), make(chan struct{})
	s := start(t, &script{
		in: steps{"slow": func(_ *abi.Request, resp *abi.Response) error {
			close(running)
			<-finish
			resp.Result = abi.ResultReply
			return nil
		}},
		terminate: func(req *abi.Request, _ *abi.Response) error {
			ended <- string(req.Topic) + " " + abi.Reason(req.Reason).String()
			return nil
		},
	}, host.Mount{})
	c, d := s.dial(t), s.dial(t)
	c.Join("a", "")
	d.Join("b", "")
	ref := d.Push("b", "slow", "")
	<-running
	drained := make(chan error, 1)
	go func() { drained <- s.Drain(t.Context()) }()
	c.ExpectClose(1012)
	if got := <-ended; got != "a draining" {
		t.Error(got)
	}
	close(finish)
	d.Expect(reply("11", ref, "b", `{}`))
	d.ExpectClose(1012)
	if got := <-ended; got != "b draining" {
		t.Error(got)
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
	if status, _ := call(t, "GET", s.internal+"/readyz", "", ""); status != 503 {
		t.Errorf("readyz answers %d while draining", status)
	}
}

func TestIdleSocketsAreClosed(t *testing.T) {
	reason := make(chan abi.Reason, 1)
	s := start(t, &script{terminate: func(req *abi.Request, _ *abi.Response) error {
		reason <- abi.Reason(req.Reason)
		return nil
	}}, host.Mount{IdleTimeout: 50 * time.Millisecond})
	c := s.dial(t)
	c.Join("t", "")
	if text := c.ExpectClose(1002); text != "idle for longer than 50ms (mount.idle_timeout)" {
		t.Errorf("the client is told %q", text)
	}
	if got := <-reason; got != abi.ReasonHeartbeatTimeout {
		t.Errorf("terminate was told %s", got)
	}
}
