package main

import (
	"strings"
	"testing"

	"github.com/aviary-host/aviary/host/hosttest"
)

// dialText connects a client whose frames a test writes byte for byte.
func dialText(t *testing.T, vsn string) *hosttest.Client {
	t.Helper()
	url := "ws://" + fixtureOf(t).PublicAddr() + "/socket/websocket?vsn=" + vsn
	return hosttest.Dial(t, url, hosttest.Options{LongPoll: polls()})
}

// say sends a text and expects texts, byte for byte.
func say(c *hosttest.Client, text string, answers ...string) {
	c.SendText(text)
	for _, answer := range answers {
		c.ExpectText(answer)
	}
}

// A message of 1.0.0 has four keys: it never says the join_ref.
func Test51_54_BytesOfV1(t *testing.T) {
	c := dialText(t, "1.0.0")
	say(c, `{"topic":"room:quiet-51","event":"phx_join","payload":{},"ref":"1","join_ref":"11"}`,
		`{"topic":"room:quiet-51","event":"phx_reply","payload":{"status":"ok","response":{}},"ref":"1"}`)
	say(c, `{"topic":"room:quiet-51","event":"later","payload":{"m":1},"ref":"2","join_ref":"11"}`,
		`{"topic":"room:quiet-51","event":"later","payload":{"m":1},"ref":null}`)
	broadcast(t, "room:quiet-51", "e", `{"m":1}`)
	c.ExpectText(`{"topic":"room:quiet-51","event":"e","payload":{"m":1},"ref":null}`)
	// join_ref is looked at all the same.
	say(c, `{"topic":"room:quiet-51","event":"echo","payload":{},"ref":"3","join_ref":"10"}`)
	say(c, `{"join_ref":null,"ref":4,"payload":[1,"é"],"event":"echo","topic":"room:quiet-51","more":1}`,
		`{"topic":"room:quiet-51","event":"phx_reply","payload":{"status":"ok","response":[1,"é"]},"ref":4}`)
	say(c, `{"topic":"room:quiet-51","event":"boom","payload":{},"ref":"5"}`,
		`{"topic":"room:quiet-51","event":"phx_error","payload":{"reason":"channel_crash"},"ref":"11"}`)
}

// Without a join_ref, phx_close and phx_error have a null ref.
func Test51_V1WithoutJoinRef(t *testing.T) {
	c := dialText(t, "1.0.0")
	say(c, `{"topic":"room:quiet-51-none","event":"phx_join","payload":{},"ref":"1"}`,
		`{"topic":"room:quiet-51-none","event":"phx_reply","payload":{"status":"ok","response":{}},"ref":"1"}`)
	say(c, `{"topic":"room:quiet-51-none","event":"phx_leave","payload":{},"ref":"2"}`,
		`{"topic":"room:quiet-51-none","event":"phx_reply","payload":{"status":"ok","response":{}},"ref":"2"}`,
		`{"topic":"room:quiet-51-none","event":"phx_close","payload":{},"ref":null}`)
}

func Test55_57_58_59_BytesOfV2(t *testing.T) {
	c := dialText(t, "2.0.0")
	say(c, `["11","1","room:quiet-55","phx_join",{}]`,
		`["11","1","room:quiet-55","phx_reply",{"status":"ok","response":{}}]`)
	say(c, `["11","2","room:quiet-55","later",{"m":1}]`,
		`["11",null,"room:quiet-55","later",{"m":1}]`)
	broadcast(t, "room:quiet-55", "e", `{"m":1}`)
	c.ExpectText(`[null,null,"room:quiet-55","e",{"m":1}]`)
	say(c, ` [ null , "3" , "room:quiet-55" , "weird_status" , null ] `,
		`["11","3","room:quiet-55","phx_reply",{"status":"weird","response":{"a":1}}]`)
	say(c, `["11","4","room:quiet-55","stop_normal",{}]`,
		`["11","11","room:quiet-55","phx_close",{}]`)
}

// The map of a push or a broadcast is Phoenix's rule for 2.0.0, and ours for
// both serializers.
func Test56_PushesAndBroadcastsCarryObjects(t *testing.T) {
	for _, event := range []string{"push_str", "bcast_str"} {
		b := joined(t, "room:quiet-56")
		other := joined(t, "room:quiet-56")
		b.push(event, "")
		b.expectError()
		b.silence()
		other.silence()
		other.c.Leave("room:quiet-56")
	}
}

// What would not fit the one byte of length in a binary frame is refused when it
// comes in, also as text.
func Test64_NamesAndRefsOfOver255Bytes(t *testing.T) {
	const topic = "room:quiet-64"
	fits, long := strings.Repeat("x", 255), strings.Repeat("x", 256)
	wide := strings.Repeat("é", 128) // 256 bytes
	digits := strings.Repeat("1", 256)
	invalid := func(what string) string { return `{"status":"error","response":{"reason":"invalid_` + what + `"}}` }
	tests := []struct{ name, frame, answer string }{
		{"topic fits", `["12","2","room:quiet` + fits[:245] + `","phx_join",{}]`, `["12","2","room:quiet` + fits[:245] + `","phx_reply",{"status":"ok","response":{}}]`},
		{"topic", `["12","2","room:` + long + `","phx_join",{}]`, `["12","2","room:` + long + `","phx_reply",` + invalid("topic") + `]`},
		{"topic, wide", `["12","2","room:` + wide + `","phx_join",{}]`, `["12","2","room:` + wide + `","phx_reply",` + invalid("topic") + `]`},
		{
			"event fits", `["11","2","` + topic + `","` + fits + `",{}]`,
			`["11","2","` + topic + `","phx_reply",{"status":"error","response":{"reason":"unknown event","event":"` + fits + `"}}]`,
		},
		{"event", `["11","2","` + topic + `","` + long + `",{}]`, `["11","2","` + topic + `","phx_reply",` + invalid("event") + `]`},
		{"event, wide", `["11","2","` + topic + `","` + wide + `",{}]`, `["11","2","` + topic + `","phx_reply",` + invalid("event") + `]`},
		{"event, empty", `["11","2","` + topic + `","",{}]`, `["11","2","` + topic + `","phx_reply",` + invalid("event") + `]`},
		{"ref fits", `["11","` + fits + `","` + topic + `","echo",{}]`, `["11","` + fits + `","` + topic + `","phx_reply",{"status":"ok","response":{}}]`},
		{"ref", `["11","` + long + `","` + topic + `","echo",{}]`, `[null,"` + long + `","` + topic + `","phx_reply",` + invalid("ref") + `]`},
		{"ref, wide", `["11","` + wide + `","` + topic + `","echo",{}]`, `[null,"` + wide + `","` + topic + `","phx_reply",` + invalid("ref") + `]`},
		{"ref, digits", `["11",` + digits + `,"` + topic + `","echo",{}]`, `[null,` + digits + `,"` + topic + `","phx_reply",` + invalid("ref") + `]`},
		{"join_ref", `["` + long + `","2","` + topic + `","phx_join",{}]`, `[null,"2","` + topic + `","phx_reply",` + invalid("ref") + `]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := joined(t, topic)
			b.c.Send(tt.frame)
			b.c.Expect(tt.answer)
			b.silence()
		})
	}
}
