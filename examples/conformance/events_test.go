package main

import (
	"fmt"
	"testing"
)

// joined returns a client that has joined a silent topic of its own with
// join_ref 11 and ref 1.
func joined(t *testing.T, topic string) *testBench {
	t.Helper()
	b := &testBench{t: t, topic: topic, c: connect(t)}
	b.c.Join(topic, "")
	return b
}

func Test70_PushWithoutReply(t *testing.T) {
	b := joined(t, "room:quiet-70")
	b.push("noreply", `{"a":1}`)
	b.silence()
}

func Test71_72_88_Replies(t *testing.T) {
	tests := []struct{ event, payload, status, response string }{
		{"echo", `{"a":{"b":[1,2.5,"x",null,true]}}`, "ok", `{"a":{"b":[1,2.5,"x",null,true]}}`},
		{"echo", `[1,2]`, "ok", `[1,2]`},
		{"echo", `"text"`, "ok", `"text"`},
		{"echo", `null`, "ok", `null`},
		{"echo", `{"big":12345678901234567890,"u":"\u00e9\ud83d\ude00","esc":"\"\\\n\u0000"}`, "ok", `{"big":12345678901234567890,"u":"é😀","esc":"\"\\\n\u0000"}`},
		{"echo_err", `{"why":"not"}`, "error", `{"why":"not"}`},
		{"status_only_err", ``, "error", `{}`},
		{"weird_status", ``, "weird", `{"a":1}`},
		{"reply_str", ``, "ok", `"str"`},
		{"reply_list", ``, "ok", `[1,2]`},
		{"reply_nil", ``, "ok", `null`},
	}
	for _, tt := range tests {
		t.Run(tt.event+" "+tt.payload, func(t *testing.T) {
			b := joined(t, "room:quiet-71")
			b.push(tt.event, tt.payload)
			b.reply("2", tt.status, tt.response)
			b.silence()
		})
	}
}

func Test73_AsyncReply(t *testing.T) {
	b := joined(t, "room:quiet-73")
	b.push("async", `{"n":1}`)
	// Other messages are not held up by a reply that is still to come.
	b.push("echo", `{"first":true}`)
	b.reply("3", "ok", `{"first":true}`)
	b.reply("2", "ok", `{"n":1}`)
	b.silence()
}

func Test88_ReplyByAStoredRef(t *testing.T) {
	b := joined(t, "room:quiet-88-stored")
	b.push("stash", "")
	b.silence()
	b.push("reply_stashed", "")
	b.reply("2", "ok", `{}`)
	b.silence()
}

func Test88_TwoRepliesToOneRef(t *testing.T) {
	b := joined(t, "room:quiet-88")
	b.push("double", "")
	b.reply("2", "ok", `{"n":1}`)
	b.reply("2", "ok", `{"n":2}`)
	b.silence()
}

func Test89_NothingToAnswerLater(t *testing.T) {
	b := joined(t, "room:quiet-89")
	b.c.Send(`["11",null,"room:quiet-89","async",{}]`)
	b.expectError()
	b.silence()
}

func TestNullRefIsEchoed(t *testing.T) {
	b := joined(t, "room:quiet-nullref")
	b.c.Send(`["11",null,"room:quiet-nullref","echo",{}]`)
	b.c.Expect(`["11",null,"room:quiet-nullref","phx_reply",{"status":"ok","response":{}}]`)
	b.silence()
}

func Test13_74_CrashEndsTheChannelOnly(t *testing.T) {
	for _, event := range []string{
		"boom", "boom_exit", "badret", "reply_badtuple",
		"push_str", "bcast_str", // payloads of pushes and broadcasts must be maps (1.2)
	} {
		t.Run(event, func(t *testing.T) {
			b := joined(t, "room:quiet-74")
			b.c.Join("room:quiet-74-other", "")
			b.push(event, "")
			b.expectError()
			b.c.Send(`["12","4","room:quiet-74-other","echo",{}]`)
			b.c.Expect(`["12","4","room:quiet-74-other","phx_reply",{"status":"ok","response":{}}]`)
			b.unmatched("5")
			// Rejoining is allowed at once (1.6).
			b.c.Send(`["13","6","room:quiet-74","phx_join",{}]`)
			b.c.Expect(`["13","6","room:quiet-74","phx_reply",{"status":"ok","response":{}}]`)
			b.silence()
		})
	}
}

// An event without a clause crashes a Phoenix channel (1.7). The Go SDK, of
// which the fixture is made, answers it instead, and the channel goes on; a
// module without handle_in at all crashes (SPEC.md section 3).
func TestEventWithoutAClauseIsAnswered(t *testing.T) {
	b := joined(t, "room:quiet-unknown")
	b.push("no_such_event", "")
	b.reply("2", "error", `{"reason":"unknown event","event":"no_such_event"}`)
	b.push("echo", "")
	b.reply("3", "ok", `{}`)
	b.silence()
}

func Test75_StopEndsWithPhxClose(t *testing.T) {
	for _, event := range []string{"stop_normal", "stop_shutdown", "stop_shutdown_t", "stop_info"} {
		t.Run(event, func(t *testing.T) {
			b := joined(t, "room:quiet-75")
			b.push(event, "")
			b.expectClose()
			b.unmatched("3") // pushing after the stop is harmless
			b.silence()
		})
	}
}

func Test75_StopWithAnotherReasonEndsWithPhxError(t *testing.T) {
	b := joined(t, "room:quiet-75-error")
	b.push("stop_error", "")
	b.expectError()
	b.unmatched("3")
	b.silence()
}

func Test76_StopWithReply(t *testing.T) {
	tests := []struct {
		event, payload, response string
		end                      func(*testBench)
	}{
		{"stop_reply", `{"a":1}`, `{"a":1}`, (*testBench).expectClose},
		{"stop_reply_status", `{"a":1}`, `{}`, (*testBench).expectClose},
		{"stop_error_reply", `{"a":1}`, `{"a":1}`, (*testBench).expectError},
	}
	for _, tt := range tests {
		t.Run(tt.event, func(t *testing.T) {
			b := joined(t, "room:quiet-76")
			b.push(tt.event, tt.payload)
			b.reply("2", "ok", tt.response)
			tt.end(b)
			b.unmatched("3")
			b.silence()
		})
	}
}

func Test77_BroadcastIncludesTheSenderAndComesBeforeTheReply(t *testing.T) {
	b := joined(t, "room:quiet-77")
	other := joined(t, "room:quiet-77")
	b.push("bcast", `{"n":1}`)
	b.c.Expect(`[null,null,"room:quiet-77","shout",{"n":1}]`)
	b.reply("2", "ok", `{}`)
	b.silence()
	other.c.Expect(`[null,null,"room:quiet-77","shout",{"n":1}]`)
	other.silence()
}

func Test77_BroadcastFromSkipsTheSendingChannelOnly(t *testing.T) {
	b := joined(t, "room:quiet-77-from")
	other := joined(t, "room:quiet-77-from")
	b.push("bcast_from", `{"n":1}`)
	b.reply("2", "ok", `{}`)
	b.silence()
	other.c.Expect(`[null,null,"room:quiet-77-from","shout",{"n":1}]`)
	other.silence()
}

func Test78_BroadcastsFromOutsideArePushed(t *testing.T) {
	a, b := joined(t, "room:quiet-78"), joined(t, "room:quiet-78")
	elsewhere := joined(t, "room:quiet-78-not")
	broadcast(t, "room:quiet-78", "news", `{"n":1}`)
	broadcast(t, "room:quiet-78", "news", `{"n":2}`)
	for _, x := range []*testBench{a, b} {
		x.c.Expect(`[null,null,"room:quiet-78","news",{"n":1}]`)
		x.c.Expect(`[null,null,"room:quiet-78","news",{"n":2}]`)
		x.silence()
	}
	elsewhere.silence()
}

func Test79_InterceptThatStops(t *testing.T) {
	b := joined(t, "room:quiet-79")
	b.push("bcast_outstop", "")
	b.reply("2", "ok", `{}`)
	b.expectClose()
	b.unmatched("3")
	b.silence()
}

func TestInterceptedBroadcastComesAfterTheReply(t *testing.T) {
	b := joined(t, "room:quiet-intercept")
	other := joined(t, "room:quiet-intercept")
	b.push("new_msg", `{"body":"hi"}`)
	b.reply("2", "ok", `{}`)
	delivered := `["11",null,"room:quiet-intercept","new_msg",{"body":"hi","transport":"` + transportName() + `"}]`
	b.c.Expect(delivered)
	b.silence()
	other.c.Expect(delivered)
	other.silence()
}

func TestPushesKeepTheirOrderBeforeTheReply(t *testing.T) {
	b := joined(t, "room:quiet-order")
	for ref := 2; ref < 50; ref++ {
		b.push("push_then_reply", "")
		b.c.Expect(`["11",null,"room:quiet-order","a",{"n":1}]`)
		b.c.Expect(`["11",null,"room:quiet-order","b",{"n":2}]`)
		b.reply(fmt.Sprint(ref), "ok", `{"n":3}`)
	}
	b.silence()
}

func TestPipelinedEventsAreAnsweredInOrder(t *testing.T) {
	b := joined(t, "room:quiet-pipe")
	var frames []string
	for ref := 2; ref < 200; ref++ {
		frames = append(frames, fmt.Sprintf(`["11","%d","room:quiet-pipe","echo",{"n":%d}]`, ref, ref))
	}
	b.c.SendAll(frames...)
	for ref := 2; ref < 200; ref++ {
		b.reply(fmt.Sprint(ref), "ok", fmt.Sprintf(`{"n":%d}`, ref))
	}
	b.silence()
}

// Channels of one socket run side by side in Phoenix. Here the goroutine that
// reads runs the callbacks where nobody else runs the channel, so that one which takes
// long may hold up the others of its socket. They are answered all the same.
func TestSlowCallbackAndItsSocket(t *testing.T) {
	b := joined(t, "room:quiet-busy")
	b.c.Join("room:quiet-beside-busy", "")
	b.c.SendAll(
		`["11","3","room:quiet-busy","sleep",{"ms":200}]`,
		`["12","4","room:quiet-beside-busy","echo",{}]`,
		`[null,"5","phoenix","heartbeat",{}]`)
	answered := map[any]bool{}
	for range 3 {
		m := b.c.Receive()
		answered[m.Ref] = m.Event == "phx_reply"
	}
	if !answered["3"] || !answered["4"] || !answered["5"] {
		t.Errorf("answered: %v", answered)
	}
	b.silence()
}

func Test80_HandleInfo(t *testing.T) {
	b := joined(t, "room:quiet-80")
	other := joined(t, "room:quiet-80")
	b.push("later", `{"n":7}`)
	b.c.Expect(`["11",null,"room:quiet-80","later",{"n":7}]`)
	b.push("bcast_info", `{"n":8}`)
	b.c.Expect(`[null,null,"room:quiet-80","shout",{"n":8}]`)
	other.c.Expect(`[null,null,"room:quiet-80","shout",{"n":8}]`)
	b.push("stop_info", "")
	b.expectClose()
	b.silence()
	other.silence()
}

func Test84_BroadcastsOfOtherTopicsReachHandleInfo(t *testing.T) {
	b := joined(t, "room:quiet-84")
	broadcast(t, "elsewhere-84", "news", `{"n":0}`)
	b.push("subscribe", `{"topic":"elsewhere-84"}`)
	b.reply("2", "ok", `{}`)
	broadcast(t, "elsewhere-84", "news", `{"n":1}`)
	b.c.Expect(`["11",null,"room:quiet-84","news",{"n":1}]`)
	sender := joined(t, "room:quiet-84-sender")
	sender.push("ext", `{"topic":"elsewhere-84"}`)
	sender.reply("2", "ok", `{}`)
	b.c.Expect(`["11",null,"room:quiet-84","ext",{"topic":"elsewhere-84"}]`)
	b.push("unsubscribe", `{"topic":"elsewhere-84"}`)
	b.reply("3", "ok", `{}`)
	broadcast(t, "elsewhere-84", "news", `{"n":2}`)
	b.silence()
}

func Test85_UnhandledInfoIsIgnored(t *testing.T) {
	b := joined(t, "room:quiet-85")
	b.push("unhandled_info", `{"n":1}`)
	b.push("later", `{"n":2}`) // behind it in the mailbox
	b.c.Expect(`["11",null,"room:quiet-85","later",{"n":2}]`)
	b.silence()
}

func TestStateIsPrivateToTheChannel(t *testing.T) {
	b := joined(t, "room:quiet-state")
	other := joined(t, "room:quiet-state")
	b.c.Join("room:quiet-state-2", "")
	b.push("assign", `{"k":"mine"}`)
	b.reply("3", "ok", `{}`)
	b.push("get", "")
	b.reply("4", "ok", `{"k":"mine"}`)
	// A crash of another channel, a trap, does not reach it.
	other.push("boom", "")
	other.expectError()
	b.push("get", "")
	b.reply("5", "ok", `{"k":"mine"}`)
	b.c.Push("room:quiet-state-2", "get", "")
	b.c.Expect(reply("12", "6", "room:quiet-state-2", "ok", `{"k":null}`))
	b.silence()
}
