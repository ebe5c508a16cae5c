package wire

import (
	"strings"
	"testing"
)

// The first three frames are what realtime-js 2.119.1 makes of such messages.
func userBroadcastCases() []decodeCase {
	long := strings.Repeat("x", MaxBinaryField)
	quotes := strings.Repeat(`"`, MaxBinaryField)
	longMeta := `{"m":"` + strings.Repeat("x", MaxBinaryField-8) + `"}`
	return []decodeCase{
		{
			"user broadcast", "\x03\x02\x03\x05\x05\x00\x01" + "12" + "123" + "topic" + "shout" + `{"n":1}`,
			`jr="12" ref="123" topic=topic json="topic" event=broadcast payload={"type":"broadcast","event":"shout","payload":{"n":1}}`,
		},
		{
			"user broadcast with metadata, lengths are bytes",
			"\x03\x01\x01\x0e\x06\x10\x01" + "1" + "2" + "realtime:café" + "é\u2028\"" + `{"persist":true}` + `{"t":"é"}`,
			`jr="1" ref="2" topic=realtime:café json="realtime:café" event=broadcast ` +
				`payload={"type":"broadcast","event":"é\u2028\"","payload":{"t":"é"},"meta":{"persist":true}}`,
		},
		{
			"user broadcast without join_ref", "\x03\x00\x01\x01\x01\x00\x01" + "2" + "t" + "e" + `{}`,
			`jr="" ref="2" topic=t json="t" event=broadcast payload={"type":"broadcast","event":"e","payload":{}}`,
		},
		{
			"user broadcast of nothing at all", "\x03\x00\x00\x00\x00\x00\x01",
			`jr="" ref="" topic= json="" event=broadcast payload={"type":"broadcast","event":"","payload":{}}`,
		},
		{
			"user broadcast without payload, but metadata", "\x03\x01\x01\x01\x01\x07\x01" + "1" + "2" + "t" + "e" + `{"m":1}`,
			`jr="1" ref="2" topic=t json="t" event=broadcast payload={"type":"broadcast","event":"e","payload":{},"meta":{"m":1}}`,
		},
		{
			"user broadcast of a payload that is no object", "\x03\x01\x01\x01\x01\x02\x01" + "1" + "2" + "t" + "e" + `{}` + `"[{"`,
			`jr="1" ref="2" topic=t json="t" event=broadcast payload={"type":"broadcast","event":"e","payload":"[{","meta":{}}`,
		},
		{
			"user broadcast of a payload of three bytes", "\x03\x01\x01\x01\x01\x00\x01" + "1" + "2" + "t" + "e" + `1.5`,
			`jr="1" ref="2" topic=t json="t" event=broadcast payload={"type":"broadcast","event":"e","payload":1.5}`,
		},
		{
			"user broadcast with space", "\x03\x01\x01\x01\x01\x04\x01" + "1" + "2" + "t" + "e" + " {}\n" + "\t[ 1 ] ",
			`jr="1" ref="2" topic=t json="t" event=broadcast payload={"type":"broadcast","event":"e","payload":` + "\t[ 1 ] " + `,"meta":` + " {}\n}",
		},
		{
			"user broadcast of the longest fields, all to be escaped",
			"\x03\xff\xff\xff\xff\xff\x01" + quotes + quotes + quotes + strings.Repeat("\x01", MaxBinaryField) + longMeta + `"` + long + `"`,
			`jr="` + strings.Repeat(`\"`, 255) + `" ref="` + strings.Repeat(`\"`, 255) + `" topic=` + quotes + ` json="` + strings.Repeat(`\"`, 255) +
				`" event=broadcast payload={"type":"broadcast","event":"` + strings.Repeat(`\u0001`, 255) + `","payload":"` + long + `","meta":` + longMeta + `}`,
		},
	}
}

func refuseUserBroadcastCases() []refuseCase {
	const head = "\x03\x01\x01\x01\x01\x00\x01" + "1" + "2" + "t" + "e"
	meta := func(text string) string {
		return "\x03\x00\x00\x01\x01" + string(rune(len(text))) + "\x01" + "t" + "e" + text + "{}"
	}
	return []refuseCase{
		{"raw payload, as realtime-js sends it", "\x03\x01\x01\x01\x01\x00\x00" + "1" + "2" + "t" + "e" + "\x01\xff", ReasonRawPayload},
		{"raw payload that looks like JSON", "\x03\x01\x01\x01\x01\x00\x00" + "1" + "2" + "t" + "e" + "{}", ReasonRawPayload},
		{"raw payload of nothing", "\x03\x00\x00\x00\x00\x00\x00", ReasonRawPayload},
		{"an encoding nobody knows", "\x03\x01\x01\x01\x01\x00\x02" + "1" + "2" + "t" + "e" + "{}", ReasonUnknownEncoding},
		{"the last encoding", "\x03\x00\x00\x00\x00\x00\xff", ReasonUnknownEncoding},
		{"a user broadcast as Supabase sends it", "\x04\x01\x01\x00\x01" + "t" + "e" + "{}", ReasonUnknownKind},
		{"only the kind of a user broadcast", "\x03", ReasonTruncated},
		{"four lengths", "\x03\x00\x00\x00\x00", ReasonTruncated},
		{"no encoding", "\x03\x00\x00\x00\x00\x00", ReasonTruncated},
		{"user broadcast cut off in join_ref", "\x03\x02\x00\x00\x00\x00\x01" + "1", ReasonTruncated},
		{"user broadcast cut off in ref", "\x03\x01\x02\x00\x00\x00\x01" + "1" + "2", ReasonTruncated},
		{"user broadcast cut off in topic", "\x03\x01\x01\x02\x00\x00\x01" + "1" + "2" + "t", ReasonTruncated},
		{"user broadcast cut off in event", "\x03\x01\x01\x01\x02\x00\x01" + "1" + "2" + "t" + "e", ReasonTruncated},
		{"user broadcast cut off in metadata", "\x03\x01\x01\x01\x01\x03\x01" + "1" + "2" + "t" + "e" + "{}", ReasonTruncated},
		{"cut off, and raw", "\x03\x01\x01\x01\x01\x00\x00" + "1" + "2" + "t", ReasonTruncated},
		{"join_ref of a user broadcast not UTF-8", "\x03\x01\x00\x01\x01\x00\x01" + "\xff" + "t" + "e" + "{}", ReasonNotUTF8},
		{"event of a user broadcast not UTF-8", "\x03\x00\x00\x01\x01\x00\x01" + "t" + "\xff" + "{}", ReasonNotUTF8},
		{"metadata not UTF-8", meta("{\"m\":\"\xff\"}"), ReasonNotUTF8},
		{"payload not UTF-8", head + "\"\xff\"", ReasonNotUTF8},
		{"payload of space", head + " ", ReasonNotJSON},
		{"payload cut off", head + `{"n":1`, ReasonNotJSON},
		{"payload cut off, of three bytes", head + `nul`, ReasonNotJSON},
		{"payload that closes the object around it", head + `1},"x":{"n":1`, ReasonNotJSON},
		{"payload that adds a member", head + `1,"event":"other"`, ReasonNotJSON},
		{"payload with a control character", head + "{\"n\":\"a\nb\"}", ReasonNotJSON},
		{"payload with an unknown escape", head + `"\x"`, ReasonNotJSON},
		{"payload one level too deep", head + strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth), ReasonTooDeep},
		{"metadata of space", meta(" "), ReasonNotJSON},
		{"metadata cut off", meta(`{"m":1`), ReasonNotJSON},
		{"metadata that adds a member", meta(`{},"event":"other"`), ReasonNotJSON},
		{"metadata with an unknown escape", meta(`{"m":"\x"}`), ReasonNotJSON},
		{"metadata an array", meta(`[{}]`), ReasonNotObject},
		{"metadata a string", meta(`"{}"`), ReasonNotObject},
		{"metadata null", meta(`null`), ReasonNotObject},
	}
}

// What becomes of a user broadcast is Valid, as everything is that goes to
// guests: its own object is a level.
func TestUserBroadcastAcceptsMaxDepth(t *testing.T) {
	inner := strings.Repeat("[", MaxDepth-1) + strings.Repeat("]", MaxDepth-1)
	frame := "\x03\x00\x00\x01\x01\x00\x01" + "t" + "e" + inner
	var m Message
	if err := (V2{}).DecodeBinary([]byte(frame), &m); err != nil {
		t.Fatal(err)
	}
	if want := `{"type":"broadcast","event":"e","payload":` + inner + `}`; string(m.Payload) != want || !Valid(m.Payload) {
		t.Errorf("payload of %d bytes, want %d", len(m.Payload), len(want))
	}
}

// The same broadcast from the same client, once for each serializer.
func TestUserBroadcastIsTheTextOfV1(t *testing.T) {
	frame := "\x03\x01\x01\x06\x05\x00\x01" + "1" + "2" + "room:1" + "shout" + `{"n":1}`
	text := `{"topic":"room:1","event":"broadcast","payload":{"type":"broadcast","event":"shout","payload":{"n":1}},"ref":"2","join_ref":"1"}`
	var binary, v1 Message
	if err := (V2{}).DecodeBinary([]byte(frame), &binary); err != nil {
		t.Fatal(err)
	}
	if err := (V1{}).Decode([]byte(text), &v1); err != nil {
		t.Fatal(err)
	}
	if got, want := dump(&binary), dump(&v1); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

// Only the topic is a view.
func TestUserBroadcastOutlivesItsFrame(t *testing.T) {
	frame := []byte("\x03\x01\x01\x01\x05\x02\x01" + "1" + "2" + "t" + "shout" + `{}` + `{"n":1}`)
	var m Message
	if err := (V2{}).DecodeBinary(frame, &m); err != nil {
		t.Fatal(err)
	}
	clear(frame)
	want := `jr="1" ref="2" topic=` + "\x00" + ` json="t" event=broadcast payload={"type":"broadcast","event":"shout","payload":{"n":1},"meta":{}}`
	if got := dump(&m); got != want {
		t.Errorf("\n got %q\nwant %q", got, want)
	}
}
