package main

import (
	"fmt"
	"testing"

	"github.com/aviary-host/aviary/host/hosttest"
)

// packed is a binary frame (1.3): its kind, a byte of length for each field, the
// fields, and the payload.
func packed(kind byte, payload string, fields ...string) []byte {
	frame := []byte{kind}
	for _, field := range fields {
		frame = append(frame, byte(len(field)))
	}
	for _, field := range fields {
		frame = append(frame, field...)
	}
	return append(frame, payload...)
}

// pushed is a client's push of bytes.
func pushed(joinRef, ref, topic, event, payload string) []byte {
	return packed(0, payload, joinRef, ref, topic, event)
}

// bytesBothWays leaves a test out for clients that cannot be sent raw bytes.
func bytesBothWays(t *testing.T) {
	t.Helper()
	v2Only(t, "binary frames")
	webSocketOnly(t, "binary messages to clients")
}

func Test26_60_61_63_BytesBothWays(t *testing.T) {
	bytesBothWays(t)
	b := joined(t, "room:quiet-26")
	b.c.SendBinary([]byte("\x00\x02\x01\x0d\x0c" + "11" + "2" + "room:quiet-26" + "binary_event" + "\x01\x02"))
	b.c.ExpectBinary([]byte("\x00\x02\x0d\x0c" + "11" + "room:quiet-26" + "binary_event" + "\x00\x01"))
	b.c.ExpectBinary([]byte("\x01\x02\x01\x0d\x02" + "11" + "2" + "room:quiet-26" + "ok" + "\x01\x02\x03\x04"))
	b.silence()

	// No bytes are bytes too, and they need not be text.
	b.c.SendBinary(pushed("11", "3", "room:quiet-26", "echo", ""))
	b.c.ExpectBinary(packed(1, "", "11", "3", "room:quiet-26", "ok"))
	b.c.SendBinary(pushed("11", "4", "room:quiet-26", "echo", "\x00\xff[{\""))
	b.c.ExpectBinary(packed(1, "\x00\xff[{\"", "11", "4", "room:quiet-26", "ok"))
	b.c.SendBinary(pushed("11", "5", "room:quiet-26", "echo_err", "\x01"))
	b.c.ExpectBinary(packed(1, "\x01", "11", "5", "room:quiet-26", "error"))
	b.silence()
}

// What a message carries decides its kind of frame, not what it answers.
func Test26_MixedAnswers(t *testing.T) {
	v2Only(t, "binary frames")
	b := joined(t, "room:quiet-mixed-answers")
	b.c.SendBinary(pushed("11", "2", "room:quiet-mixed-answers", "kind", "\x01"))
	b.reply("2", "ok", `{"kind":"binary"}`)
	b.push("kind", `"\u0001"`)
	b.reply("2", "ok", `{"kind":"string"}`)
	if polls() {
		return // what follows cannot be sent to it
	}
	b.push("binary_event", `{"no":"bytes"}`)
	b.c.ExpectBinary(packed(0, "\x00\x01", "11", "room:quiet-mixed-answers", "binary_event"))
	b.c.ExpectBinary(packed(1, "\x03\x04", "11", "3", "room:quiet-mixed-answers", "ok"))
	b.silence()
}

func Test62_BinaryBroadcast(t *testing.T) {
	bytesBothWays(t)
	b, other := joined(t, "room:quiet-62"), joined(t, "room:quiet-62")
	b.c.SendBinary(pushed("11", "2", "room:quiet-62", "bin_bcast", "\x01\x02"))
	golden := []byte("\x02\x0d\x03" + "room:quiet-62" + "bin" + "\x01\x02")
	b.c.ExpectBinary(golden)
	b.reply("2", "ok", `{}`)
	b.silence()
	other.c.ExpectBinary(golden)
	other.silence()
}

func Test65_LengthsAreBytes(t *testing.T) {
	bytesBothWays(t)
	c := connect(t)
	c.SendJoin("room:café", "")
	c.Expect(reply("11", "1", "room:café", "ok", `{}`))
	c.Expect(`[null,null,"room:café","user_entered","<any>"]`)
	c.Expect(`["11",null,"room:café","joined","<any>"]`)
	c.SendBinary([]byte("\x00\x02\x02\x0a\x04" + "11" + "é" + "room:café" + "echo" + "\x05"))
	c.ExpectBinary([]byte("\x01\x02\x02\x0a\x02" + "11" + "é" + "room:café" + "ok" + "\x05"))
	c.ExpectSilence()
}

// The frame that phoenix.js's own test encodes; those that it decodes have the
// layout of cases 60 to 62.
func Test66_FrameOfPhoenixJS(t *testing.T) {
	v2Only(t, "binary frames")
	c := connect(t)
	c.SendBinary([]byte("\x00\x01\x01\x01\x01" + "0" + "1" + "t" + "e" + "\x01"))
	c.Expect(`[null,"1","t","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}]`)
	c.ExpectSilence()
}

func TestBinaryHeartbeatIsAnsweredWithText(t *testing.T) {
	v2Only(t, "binary frames")
	c := connect(t)
	c.SendBinary(pushed("", "1", "phoenix", "heartbeat", ""))
	c.ExpectText(heartbeatReplyV2)
	c.SendBinary(pushed("7", "", "phoenix", "heartbeat", "\xff"))
	c.ExpectText(`[null,"","phoenix","phx_reply",{"status":"ok","response":{}}]`)
}

// An absent join_ref is "" in binary, not null, so it is that of no join.
func TestEmptyBinaryJoinRefIsStale(t *testing.T) {
	v2Only(t, "binary frames")
	b := joined(t, "room:quiet-stale-binary")
	b.c.SendBinary(pushed("", "2", "room:quiet-stale-binary", "kind", "\x01"))
	b.c.SendBinary(pushed("10", "3", "room:quiet-stale-binary", "kind", "\x01"))
	b.silence()
	b.c.SendBinary(pushed("11", "4", "room:quiet-stale-binary", "kind", "\x01"))
	b.reply("4", "ok", `{"kind":"binary"}`)
}

// Binary refs are strings, so that they fit no join whose ref was a number.
func TestBinaryRefsAreStrings(t *testing.T) {
	bytesBothWays(t)
	c := connect(t)
	c.Send(`[11,1,"room:quiet-binary-refs","phx_join",{}]`)
	c.Expect(`[11,1,"room:quiet-binary-refs","phx_reply",{"status":"ok","response":{}}]`)
	c.SendBinary(pushed("11", "2", "room:quiet-binary-refs", "kind", ""))
	c.ExpectSilence()
	// In a binary answer a number is its digits, and null is nothing.
	c.Send(`[11,3,"room:quiet-binary-refs","binary_event",{}]`)
	c.ExpectBinary(packed(0, "\x00\x01", "11", "room:quiet-binary-refs", "binary_event"))
	c.ExpectBinary(packed(1, "\x03\x04", "11", "3", "room:quiet-binary-refs", "ok"))
	c.Send(`[11,null,"room:quiet-binary-refs","binary_event",{}]`)
	c.ExpectBinary(packed(0, "\x00\x01", "11", "room:quiet-binary-refs", "binary_event"))
	c.ExpectBinary(packed(1, "\x03\x04", "11", "", "room:quiet-binary-refs", "ok"))
	c.ExpectSilence()
}

func TestBinaryJoinAndLeave(t *testing.T) {
	bytesBothWays(t)
	c := connect(t)
	c.SendBinary(pushed("11", "1", "room:echo", "phx_join", "\x00\xff"))
	c.ExpectBinary(packed(1, "\x00\xff", "11", "1", "room:echo", "ok"))
	c.SendBinary(pushed("11", "2", "room:echo", "phx_leave", ""))
	c.Expect(reply("11", "2", "room:echo", "ok", `{}`))
	c.Expect(`["11","11","room:echo","phx_close",{}]`)
	c.ExpectSilence()
}

func TestJoinIsAnsweredWithBytes(t *testing.T) {
	bytesBothWays(t)
	c := connect(t)
	c.SendJoin("room:replybin", "")
	c.ExpectBinary([]byte("\x01\x02\x01\x0d\x02" + "11" + "1" + "room:replybin" + "ok" + "\x09\x08\x07"))
	c.ExpectSilence()
}

// What a client cannot be sent fails the callback that would send it, as an
// invalid payload does. In Phoenix a binary join reply ends the whole socket of a
// V1 client, and a polling one loses all that waits for it.
func TestBytesForAClientThatTakesNone(t *testing.T) {
	if kind := clientOptions(); !kind.V1 && !kind.LongPoll {
		t.Skip("these clients take bytes")
	}
	b := joined(t, "room:quiet-no-bytes")
	b.c.SendJoin("room:replybin", "")
	b.c.Expect(reply("12", "2", "room:replybin", "error", `{"reason":"join crashed"}`))
	b.push("binary_event", "")
	b.expectError()
	b.c.SendJoin("room:quiet-no-bytes", "")
	b.c.Expect(reply("13", "4", "room:quiet-no-bytes", "ok", `{}`))
	b.silence()
}

func TestMalformedBinaryFramesCloseTheSocket(t *testing.T) {
	v2Only(t, "binary frames")
	good := string(pushed("11", "2", "room:quiet-bad-binary", "echo", ""))
	tests := []struct{ name, frame string }{
		{"empty", ""},
		{"only a kind", "\x00"},
		{"lengths cut off", good[:4]},
		{"fields cut off", good[:len(good)-1]},
		{"a server's reply", "\x01" + good[1:]},
		{"a server's broadcast", "\x02" + good[1:]},
		{"unknown kind", "\x03" + good[1:]},
		{"text", heartbeatV2},
		{"topic that is not UTF-8", "\x00\x00\x00\x01\x01\xffe"},
		{"event that is not UTF-8", "\x00\x00\x00\x01\x01t\xc3"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := connect(t)
			c.Join("room:quiet-bad-binary", "")
			if tt.frame == "" && polls() {
				t.Skip("an empty line of a batch is no message")
			}
			c.SendBinary([]byte(tt.frame))
			c.ExpectClose(1011)
		})
	}
}

// Serializer 1.0.0 does not look at the opcode (1.2).
func TestBinaryFramesOfV1AreText(t *testing.T) {
	webSocketOnly(t, "opcodes")
	c := hosttest.Dial(t, fixtureOf(t).socketURL("/socket", ""), hosttest.Options{V1: true})
	c.SendBinary([]byte(heartbeatV1))
	c.ExpectText(heartbeatReplyV1)
	c.SendBinary(pushed("", "1", "phoenix", "heartbeat", ""))
	c.ExpectClose(1011)
}

// Clients of all kinds on one topic get what they can carry: text. A broadcast of
// bytes passes by those that have no form for it, and is counted; in Phoenix the
// sender crashes when it comes to the first of them.
func TestMixedClientsOnOneTopic(t *testing.T) {
	if *clientKind != "v2" {
		t.Skip("this test brings clients of all kinds")
	}
	const topic = "room:quiet-mixed"
	f := fixtureOf(t)
	join := func(o hosttest.Options) *hosttest.Client {
		c := hosttest.Dial(t, f.socketURL("/socket", ""), o)
		c.Join(topic, "")
		return c
	}
	sender, other := join(hosttest.Options{}), join(hosttest.Options{})
	deaf := []*hosttest.Client{
		join(hosttest.Options{V1: true}), join(hosttest.Options{LongPoll: true}), join(hosttest.Options{V1: true, LongPoll: true}),
	}
	everybody := append([]*hosttest.Client{sender, other}, deaf...)
	for n := range 2 {
		missed := f.Server().Info().Undeliverable
		broadcast(t, topic, "news", fmt.Sprintf(`{"n":%d}`, n))
		for _, c := range everybody {
			c.Expect(fmt.Sprintf(`[null,null,%q,"news",{"n":%d}]`, topic, n))
		}
		ref := fmt.Sprint(n + 2)
		sender.SendBinary(pushed("11", ref, topic, "bin_bcast", "\x01\x02"))
		sender.ExpectBinary(packed(2, "\x01\x02", topic, "bin"))
		sender.Expect(reply("11", ref, topic, "ok", `{}`))
		other.ExpectBinary(packed(2, "\x01\x02", topic, "bin"))
		for _, c := range everybody {
			c.ExpectSilence()
		}
		if missed = f.Server().Info().Undeliverable - missed; missed != int64(len(deaf)) {
			t.Errorf("%d broadcasts counted as undeliverable, want one for each of the %d clients that miss it", missed, len(deaf))
		}
	}
}
