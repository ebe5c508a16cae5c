package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func decodeBinaryCases() []decodeCase {
	long := strings.Repeat("x", MaxBinaryField)
	return append([]decodeCase{
		{
			"push of Phoenix case 63", "\x00\x02\x03\x05\x05" + "12" + "123" + "topic" + "event" + "\x65\x66\x67",
			`jr="12" ref="123" topic=topic json="topic" event=event payload=efg binary`,
		},
		{
			"first push of phoenix.js, case 66", "\x00\x01\x01\x01\x01" + "0" + "1" + "t" + "e" + "\x01",
			"jr=\"0\" ref=\"1\" topic=t json=\"t\" event=e payload=\x01 binary",
		},
		{
			"second push of phoenix.js, case 66", "\x00\x02\x01\x03\x02" + "10" + "1" + "top" + "ev" + "\x01",
			"jr=\"10\" ref=\"1\" topic=top json=\"top\" event=ev payload=\x01 binary",
		},
		{
			"lengths are bytes, case 65", "\x00\x01\x01\x0a\x02" + "1" + "2" + "room:café" + "é" + "\x00",
			"jr=\"1\" ref=\"2\" topic=room:café json=\"room:café\" event=é payload=\x00 binary",
		},
		{
			"an absent ref is an empty string", "\x00\x00\x00\x07\x09" + "phoenix" + "heartbeat",
			`jr="" ref="" topic=phoenix json="phoenix" event=heartbeat payload= binary`,
		},
		{
			"nothing at all", "\x00\x00\x00\x00\x00",
			`jr="" ref="" topic= json="" event= payload= binary`,
		},
		{
			"refs that look like JSON are text", "\x00\x04\x02\x01\x01" + "null" + "11" + "t" + "e" + "{}",
			`jr="null" ref="11" topic=t json="t" event=e payload={} binary`,
		},
		{
			"text that JSON escapes", "\x00\x02\x01\x05\x02" + "\"\\" + "\x1f" + "a\u2028b" + "\"\n",
			`jr="\"\\" ref="\u001f" topic=a` + "\u2028" + `b json="a\u2028b" event="` + "\n payload= binary",
		},
		{
			"the longest fields", "\x00\xff\xff\xff\xff" + long + long + long + long + "p",
			`jr="` + long + `" ref="` + long + `" topic=` + long + ` json="` + long + `" event=` + long + ` payload=p binary`,
		},
		{
			"payload that is no UTF-8", "\x00\x01\x01\x01\x01" + "1" + "2" + "t" + "e" + "\xff\xc0\x00\x80",
			"jr=\"1\" ref=\"2\" topic=t json=\"t\" event=e payload=\xff\xc0\x00\x80 binary",
		},
	}, userBroadcastCases()...)
}

func TestV2DecodeBinary(t *testing.T) {
	for _, c := range decodeBinaryCases() {
		t.Run(c.name, func(t *testing.T) {
			m := Message{JoinRef: []byte("left over"), Topic: []byte("left over"), Binary: true}
			if err := (V2{}).DecodeBinary([]byte(c.frame), &m); err != nil {
				t.Fatal(err)
			}
			if got := dump(&m); got != c.want {
				t.Errorf("frame %q\n got %q\nwant %q", c.frame, got, c.want)
			}
			if m.JoinRef == nil || m.Ref == nil {
				t.Errorf("a ref is null: %q %q", m.JoinRef, m.Ref)
			}
		})
	}
}

func refuseBinaryCases() []refuseCase {
	return append([]refuseCase{
		{"empty", "", ReasonEmpty},
		{"a server's reply", "\x01\x02\x03\x05\x02" + "12" + "123" + "topic" + "ok" + "\x65", ReasonUnknownKind},
		{"a broadcast", "\x02\x05\x05" + "topic" + "event", ReasonUnknownKind},
		{"a kind nobody knows", "\xff\x00\x00\x00\x00", ReasonUnknownKind},
		{"text", `["1","2","t","e",{}]`, ReasonUnknownKind},
		{"only a kind", "\x00", ReasonTruncated},
		{"three lengths", "\x00\x00\x00\x00", ReasonTruncated},
		{"cut off in join_ref", "\x00\x02\x00\x00\x00" + "1", ReasonTruncated},
		{"cut off in ref", "\x00\x01\x02\x00\x00" + "1" + "2", ReasonTruncated},
		{"cut off in topic", "\x00\x01\x01\x02\x00" + "1" + "2" + "t", ReasonTruncated},
		{"cut off in event", "\x00\x01\x01\x01\x02" + "1" + "2" + "t" + "e", ReasonTruncated},
		{"a server's push, which has no ref", "\x00\x02\x05\x05" + "12" + "topic" + "event", ReasonTruncated},
		{"join_ref not UTF-8", "\x00\x01\x01\x01\x01" + "\xff" + "2" + "t" + "e", ReasonNotUTF8},
		{"ref not UTF-8", "\x00\x01\x01\x01\x01" + "1" + "\x80" + "t" + "e", ReasonNotUTF8},
		{"topic an encoded surrogate", "\x00\x01\x01\x03\x01" + "1" + "2" + "\xed\xa0\x80" + "e", ReasonNotUTF8},
		{"a character torn between topic and event", "\x00\x01\x01\x01\x01" + "1" + "2" + "\xc3" + "\xa9", ReasonNotUTF8},
		{"a character torn between event and payload", "\x00\x01\x01\x01\x01" + "1" + "2" + "t" + "\xc3" + "\xa9", ReasonNotUTF8},
	}, refuseUserBroadcastCases()...)
}

func TestV2DecodeBinaryRefuses(t *testing.T) {
	for _, c := range refuseBinaryCases() {
		t.Run(c.name, func(t *testing.T) {
			m := Message{Topic: []byte("left over"), TopicIsString: true, Binary: true}
			err := (V2{}).DecodeBinary([]byte(c.frame), &m)
			checkRefused(t, err, &m, c.reason)
		})
	}
}

// Text decoded into a Message that held a binary frame, and the reverse.
func TestDecodeSetsBinaryEachTime(t *testing.T) {
	var m Message
	binary, text := []byte("\x00\x00\x00\x01\x01te"), []byte(`[1,2,"t","e",{}]`)
	for range 2 {
		if err := (V2{}).DecodeBinary(binary, &m); err != nil || !m.Binary {
			t.Fatalf("%v, Binary %v after a binary frame", err, m.Binary)
		}
		if err := (V2{}).Decode(text, &m); err != nil || m.Binary {
			t.Fatalf("%v, Binary %v after a text frame", err, m.Binary)
		}
	}
}

func TestBinarySlicesCannotGrowIntoEachOther(t *testing.T) {
	for _, frame := range []string{
		"\x00\x01\x01\x01\x01" + "1" + "2" + "t" + "e" + "data",
		"\x03\x01\x01\x01\x01\x02\x01" + "1" + "2" + "t" + "e" + "{}" + "true",
	} {
		want := frame + "next frame"
		buffer := []byte(want)
		var m Message
		if err := (V2{}).DecodeBinary(buffer[:len(frame)], &m); err != nil {
			t.Fatal(err)
		}
		before := dump(&m)
		for _, s := range [][]byte{m.JoinRef, m.Ref, m.Topic, m.TopicJSON, m.Event, m.Payload} {
			if len(s) != cap(s) {
				t.Errorf("%q has room for more", s)
			}
			_ = append(s, 'X')
		}
		if string(buffer) != want || dump(&m) != before {
			t.Errorf("appending to views changed the buffer to %q and the message to %s", buffer, dump(&m))
		}
	}
}

// The tokens of a binary message are its own: they outlive the frame.
func TestBinaryTokensAreNoViews(t *testing.T) {
	frame := []byte("\x00\x01\x01\x01\x01" + "1" + "2" + "t" + "e")
	var m Message
	if err := (V2{}).DecodeBinary(frame, &m); err != nil {
		t.Fatal(err)
	}
	clear(frame)
	if got := fmt.Sprintf("%s %s %s", m.JoinRef, m.Ref, m.TopicJSON); got != `"1" "2" "t"` {
		t.Errorf("tokens changed with the frame: %q", got)
	}
}

func TestAppendBinaryReply(t *testing.T) {
	cases := []struct {
		name  string
		reply Reply
		want  string
	}{
		{
			"reply of Phoenix case 61",
			Reply{JoinRef: []byte(`"12"`), Ref: []byte(`"123"`), Topic: []byte(`"topic"`), Status: StatusOK, Response: []byte("\x65\x66\x67")},
			"\x01\x02\x03\x05\x02" + "12" + "123" + "topic" + "ok" + "\x65\x66\x67",
		},
		{
			"reply that phoenix.js reads, case 66",
			Reply{JoinRef: []byte(`"100"`), Ref: []byte(`"12"`), Topic: []byte(`"top"`), Status: StatusOK, Response: []byte{1, 1}},
			"\x01\x03\x02\x03\x02" + "100" + "12" + "top" + "ok" + "\x01\x01",
		},
		{
			"null is no bytes",
			Reply{Ref: []byte(`null`), Topic: []byte(`null`)},
			"\x01\x00\x00\x00\x00",
		},
		{
			"tokens that are no strings stand for themselves",
			Reply{JoinRef: []byte(`11`), Ref: []byte(`[ 1 ]`), Topic: []byte(`{"n":"\u0031"}`), Status: StatusError, Response: []byte("{}")},
			"\x01\x02\x05\x0e\x05" + "11" + "[ 1 ]" + `{"n":"\u0031"}` + "error" + "{}",
		},
		{
			"strings lose quotes and escapes",
			Reply{JoinRef: []byte(`"null"`), Ref: []byte(`""`), Topic: []byte(`"r\u006f\/\"\ud83d\ude00"`), Status: StatusOK},
			"\x01\x04\x00\x08\x02" + "null" + `ro/"😀` + "ok",
		},
		{
			"a status that is no UTF-8",
			Reply{Status: "o\xffk\xc3"},
			"\x01\x00\x00\x00\x08" + "o\ufffdk\ufffd",
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := V2{}.AppendBinaryReply([]byte("before "), &c.reply)
			if err != nil || string(got) != "before "+c.want {
				t.Errorf("%v\n got %q\nwant before %q", err, got, c.want)
			}
		})
	}
}

func TestAppendBinaryPushAndBroadcast(t *testing.T) {
	cases := []struct {
		name            string
		push            Push
		want, broadcast string
	}{
		{
			"Phoenix cases 60 and 62",
			Push{JoinRef: []byte(`"12"`), Topic: []byte(`"topic"`), Event: "event", Payload: []byte("\x65\x66\x67")},
			"\x00\x02\x05\x05" + "12" + "topic" + "event" + "\x65\x66\x67",
			"\x02\x05\x05" + "topic" + "event" + "\x65\x66\x67",
		},
		{
			"what phoenix.js reads, case 66",
			Push{JoinRef: []byte(`"123"`), Topic: []byte(`"top"`), Event: "some-event", Payload: []byte{1, 1}},
			"\x00\x03\x03\x0a" + "123" + "top" + "some-event" + "\x01\x01",
			"\x02\x03\x0a" + "top" + "some-event" + "\x01\x01",
		},
		{
			"lengths are bytes, case 65",
			Push{JoinRef: []byte(`1`), Topic: []byte(`"room:caf\u00e9"`), Event: "é"},
			"\x00\x01\x0a\x02" + "1" + "room:café" + "é",
			"\x02\x0a\x02" + "room:café" + "é",
		},
		{
			"the ref is not written",
			Push{Ref: []byte(`"9"`), Topic: []byte(`"t"`), Event: "e", Payload: []byte("p")},
			"\x00\x00\x01\x01" + "t" + "e" + "p",
			"\x02\x01\x01" + "t" + "e" + "p",
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := V2{}.AppendBinaryPush([]byte("before "), &c.push)
			if err != nil || string(got) != "before "+c.want {
				t.Errorf("push: %v\n got %q\nwant before %q", err, got, c.want)
			}
			got, err = V2{}.AppendBinaryBroadcast([]byte("before "), &c.push)
			if err != nil || string(got) != "before "+c.broadcast {
				t.Errorf("broadcast: %v\n got %q\nwant before %q", err, got, c.broadcast)
			}
		})
	}
}

// Phoenix case 64, and the lengths around the limit.
func TestAppendBinaryRefusesLongFields(t *testing.T) {
	token := func(n int) []byte { return AppendQuoted(nil, strings.Repeat("x", n)) }
	reply := func(r Reply) func([]byte) ([]byte, error) {
		return func(dst []byte) ([]byte, error) { return V2{}.AppendBinaryReply(dst, &r) }
	}
	push := func(p Push) func([]byte) ([]byte, error) {
		return func(dst []byte) ([]byte, error) { return V2{}.AppendBinaryPush(dst, &p) }
	}
	broadcast := func(p Push) func([]byte) ([]byte, error) {
		return func(dst []byte) ([]byte, error) { return V2{}.AppendBinaryBroadcast(dst, &p) }
	}
	cases := []struct {
		name string
		run  func(dst []byte) ([]byte, error)
		want string // the error, empty for none
	}{
		{"reply at the limit", reply(Reply{JoinRef: token(255), Ref: token(255), Topic: token(255), Status: strings.Repeat("x", 255)}), ""},
		{"push at the limit", push(Push{JoinRef: token(255), Topic: token(255), Event: strings.Repeat("x", 255)}), ""},
		{"broadcast at the limit", broadcast(Push{Topic: token(255), Event: strings.Repeat("x", 255)}), ""},
		{"a long spelling of a short text", reply(Reply{Topic: []byte(`"` + strings.Repeat(`\u0061`, 255) + `"`)}), ""},
		{"a ref that is not written", push(Push{Ref: token(256), Event: "e"}), ""},
		{"refs that are not written", broadcast(Push{JoinRef: token(256), Ref: token(256), Event: "e"}), ""},
		{"reply, join_ref", reply(Reply{JoinRef: token(256)}), "join_ref has 256 bytes"},
		{"reply, ref", reply(Reply{Ref: token(300)}), "ref has 300 bytes"},
		{"reply, topic", reply(Reply{Topic: token(256)}), "topic has 256 bytes"},
		{"reply, status", reply(Reply{Status: strings.Repeat("x", 256)}), "status has 256 bytes"},
		{"reply, the first of two", reply(Reply{Ref: token(257), Status: strings.Repeat("x", 999)}), "ref has 257 bytes"},
		{"push, join_ref", push(Push{JoinRef: token(256)}), "join_ref has 256 bytes"},
		{"push, topic", push(Push{Topic: token(256)}), "topic has 256 bytes"},
		{"push, event", push(Push{Event: strings.Repeat("é", 128)}), "event has 256 bytes"},
		{"broadcast, topic", broadcast(Push{Topic: token(70000)}), "topic has 70000 bytes"},
		{"broadcast, event", broadcast(Push{Event: strings.Repeat("x", 256)}), "event has 256 bytes"},
		{"a token that is no string", push(Push{JoinRef: bytes.Repeat([]byte("1"), 256)}), "join_ref has 256 bytes"},
		{"bad bytes count as what is written", push(Push{Event: strings.Repeat("\xff", 86)}), "event has 258 bytes"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dst := append(make([]byte, 0, 4096), "before"...)
			got, err := c.run(dst)
			if c.want == "" {
				if err != nil || len(got) <= len(dst) {
					t.Errorf("refused: %v", err)
				}
				return
			}
			var ee *EncodeError
			if !errors.As(err, &ee) || err.Error() != "encode binary frame: "+c.want+", the limit is 255" {
				t.Errorf("got error %v, want %s", err, c.want)
			}
			if string(got) != "before" || &got[0] != &dst[0] {
				t.Errorf("dst came back as %q", got)
			}
		})
	}
}

// A binary push can be answered in either kind of frame.
func TestBinaryPushIsAnsweredInBoth(t *testing.T) {
	var m Message
	frame := []byte("\x00\x02\x01\x06\x04" + "11" + "1" + "room:1" + "blob" + "\x00\x01")
	if err := (V2{}).DecodeBinary(frame, &m); err != nil {
		t.Fatal(err)
	}
	reply := Reply{JoinRef: m.JoinRef, Ref: m.Ref, Topic: m.TopicJSON, Status: StatusOK}
	if got, want := string(V2{}.AppendReply(nil, &reply)), `["11","1","room:1","phx_reply",{"status":"ok","response":{}}]`; got != want {
		t.Errorf("text\n got %s\nwant %s", got, want)
	}
	reply.Response = []byte{2, 3}
	got, err := V2{}.AppendBinaryReply(nil, &reply)
	if want := "\x01\x02\x01\x06\x02" + "11" + "1" + "room:1" + "ok" + "\x02\x03"; err != nil || string(got) != want {
		t.Errorf("binary: %v\n got %q\nwant %q", err, got, want)
	}
}

// binaryFrame is a frame of either direction as the client sees it.
type binaryFrame struct {
	kind   byte
	fields []string
	data   string
}

// bytes writes a frame as a client would. It is the other half of readBinary.
func (f *binaryFrame) bytes() []byte {
	out := []byte{f.kind}
	for _, s := range f.fields {
		out = append(out, byte(len(s)))
	}
	return append(append(out, strings.Join(f.fields, "")...), f.data...)
}

// readBinary takes a frame of so many fields apart, and makes no effort to be
// fast or safe.
func readBinary(frame []byte, fields int) *binaryFrame {
	f := &binaryFrame{kind: frame[0]}
	rest := string(frame[1+fields:])
	for _, n := range frame[1 : 1+fields] {
		f.fields = append(f.fields, rest[:n])
		rest = rest[n:]
	}
	f.data = rest
	return f
}

// textOf is what a token stands for in a binary frame, by encoding/json.
func textOf(t *testing.T, token []byte) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(token, &v); err != nil {
		return string(token) // a number beyond float64
	}
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	default:
		return string(token)
	}
}
