package main

import "testing"

// malformed is a message that cannot be decoded.
type malformed struct{ name, text string }

// malformedFrames are some in the serializer of the clients.
func malformedFrames() []malformed {
	both := []malformed{
		{"empty", ``},
		{"no JSON", `hello`},
		{"empty array", `[]`},
		{"empty object", `{}`},
		{"string", `"room:quiet-bad"`},
		{"null", `null`},
		{"number", `5`},
	}
	if clientOptions().V1 {
		return append(both, malformedV1...)
	}
	return append(both, malformedV2...)
}

var malformedV2 = []malformed{
	{"object of 1.0.0", `{"topic":"room:quiet-bad","event":"echo","payload":{},"ref":"1"}`},
	{"four elements", `["11","1","room:quiet-bad","echo"]`},
	{"cut off", `["11","1","room:quiet-bad","echo",{}`},
	{"something after it", `["11","1","room:quiet-bad","echo",{}]]`},
	{"two frames in one", `["11","1","room:quiet-bad","echo",{}]["11","1","room:quiet-bad","echo",{}]`},
	{"trailing comma", `["11","1","room:quiet-bad","echo",{},]`},
	{"bad escape", `["11","1","room:quiet-bad","echo","\x41"]`},
	{"bad number", `["11","1","room:quiet-bad","echo",01]`},
	{"bare word", `["11","1","room:quiet-bad","echo",{a:1}]`},
	{"control character in a string", "[\"11\",\"1\",\"room:quiet-bad\",\"echo\",\"\x01\"]"},
	{"broken after the fifth element", `["11","1","room:quiet-bad","echo",{},tru]`},
}

var malformedV1 = []malformed{
	{"array of 2.0.0", `["11","1","room:quiet-bad","echo",{}]`},
	{"without a topic", `{"event":"echo","payload":{},"ref":"1"}`},
	{"without an event", `{"topic":"room:quiet-bad","payload":{},"ref":"1"}`},
	{"without a payload", `{"topic":"room:quiet-bad","event":"echo","ref":"1"}`},
	{"without a ref", `{"topic":"room:quiet-bad","event":"echo","payload":{}}`},
	{"cut off", `{"topic":"room:quiet-bad","event":"echo","payload":{},"ref":"1"`},
	{"something after it", `{"topic":"room:quiet-bad","event":"echo","payload":{},"ref":"1"}}`},
	{"trailing comma", `{"topic":"room:quiet-bad","event":"echo","payload":{},"ref":"1",}`},
	{"bad escape", `{"topic":"room:quiet-bad","event":"echo","payload":"\x41","ref":"1"}`},
	{"bad number", `{"topic":"room:quiet-bad","event":"echo","payload":01,"ref":"1"}`},
	{"control character in a string", "{\"topic\":\"room:quiet-bad\",\"event\":\"echo\",\"payload\":\"\x01\",\"ref\":\"1\"}"},
	{"broken in a key that nobody reads", `{"topic":"room:quiet-bad","event":"echo","payload":{},"ref":"1","more":tru}`},
}

// Messages of 1.0.0 that lack a key are case 36, those that are arrays 53.
func Test36_53_MalformedFramesCloseTheSocket(t *testing.T) {
	for _, tt := range malformedFrames() {
		t.Run(tt.name, func(t *testing.T) {
			c := connect(t)
			c.Join("room:quiet-bad", "")
			c.SendText(tt.text)
			if reason := c.ExpectClose(1011); reason != "" {
				t.Errorf("reason %q, want none (1.11)", reason)
			}
		})
	}
}

func TestMalformedFrameAfterGoodOnes(t *testing.T) {
	c := connect(t)
	c.SendAll(`["11","1","room:quiet-then","phx_join",{}]`, `["11","2","room:quiet-then","echo",{}]`, `oops`, `["11","3","room:quiet-then","echo",{}]`)
	c.Expect(`["11","1","room:quiet-then","phx_reply",{"status":"ok","response":{}}]`)
	c.Expect(`["11","2","room:quiet-then","phx_reply",{"status":"ok","response":{}}]`)
	c.ExpectClose(1011)
}

// A mount may answer what it cannot read, and go on.
func TestMalformedFramesAreAnswered(t *testing.T) {
	c := connectTo(t, "/lenient", "")
	c.Join("room:quiet-lenient", "")
	answered := func() {
		t.Helper()
		c.Expect(`[null,null,"phoenix","malformed",{"reason":"<any>"}]`)
		ref := c.Push("room:quiet-lenient", "echo", "")
		c.Expect(reply("11", ref, "room:quiet-lenient", "ok", `{}`))
	}
	for _, tt := range malformedFrames() {
		c.SendText(tt.text)
		answered()
	}
	if !clientOptions().V1 {
		c.SendBinary([]byte("\x00"))
		answered()
	}
	c.ExpectSilence()
}
