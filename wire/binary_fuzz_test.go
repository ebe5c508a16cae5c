package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// oracleBinary is what a frame of a client holds, nil when it is none.
func oracleBinary(frame []byte) *binaryFrame {
	if len(frame) == 0 {
		return nil
	}
	switch frame[0] {
	case 0:
		return oracleFields(frame, 4)
	case 3:
		return oracleUserBroadcast(frame)
	default:
		return nil
	}
}

func oracleFields(frame []byte, fields int) *binaryFrame {
	need := 1 + fields
	if len(frame) < need {
		return nil
	}
	for _, n := range frame[1 : 1+fields] {
		need += int(n)
	}
	if need > len(frame) {
		return nil
	}
	f := readBinary(frame, fields)
	if !slices.ContainsFunc(f.fields, func(s string) bool { return !utf8.ValidString(s) }) {
		return f
	}
	return nil
}

// oracleUserBroadcast finds five fields once the encoding is taken out, and JSON.
func oracleUserBroadcast(frame []byte) *binaryFrame {
	if len(frame) < 7 || frame[6] != 1 {
		return nil
	}
	f := oracleFields(slices.Concat(frame[:6], frame[7:]), 5)
	if f == nil {
		return nil
	}
	for _, text := range []string{f.data, f.fields[4]} {
		b := []byte(text)
		if len(b) > 0 && (!oracleValid(b) || oracleDepth(b) >= MaxDepth) {
			return nil
		}
	}
	if meta := strings.TrimLeft(f.fields[4], " \t\r\n"); meta != "" && meta[0] != '{' {
		return nil
	}
	return f
}

func FuzzDecodeBinary(f *testing.F) {
	for _, c := range decodeBinaryCases() {
		f.Add([]byte(c.frame))
	}
	for _, c := range refuseBinaryCases() {
		f.Add([]byte(c.frame))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		var m Message
		err := (V2{}).DecodeBinary(frame, &m)
		want := oracleBinary(frame)
		if (err == nil) != (want != nil) {
			t.Fatalf("DecodeBinary(%q): %v, want %+v", frame, err, want)
		}
		if err == nil {
			checkDecodedBinary(t, &m, want)
		}
		if err == nil && want.kind == 0 && !bytes.Equal(want.bytes(), frame) {
			t.Fatalf("%q reads as %q", frame, want.bytes())
		}
	})
}

// checkDecodedBinary compares m with what the oracle found.
func checkDecodedBinary(t *testing.T, m *Message, want *binaryFrame) {
	t.Helper()
	for i, token := range [][]byte{m.JoinRef, m.Ref, m.TopicJSON} {
		var text string
		if err := json.Unmarshal(token, &text); err != nil || !Valid(token) || text != want.fields[i] {
			t.Fatalf("token %q of %+v: %v", token, want, err)
		}
	}
	if string(m.Topic) != want.fields[2] || !m.TopicIsString || !m.EventIsString || m.Binary != (want.kind == 0) {
		t.Fatalf("%s of %+v", dump(m), want)
	}
	switch {
	case want.kind == 3:
		checkUserBroadcastPayload(t, m, want)
	case string(m.Event) != want.fields[3] || string(m.Payload) != want.data:
		t.Fatalf("%s of %+v", dump(m), want)
	}
}

// checkUserBroadcastPayload takes the payload apart with encoding/json.
func checkUserBroadcastPayload(t *testing.T, m *Message, want *binaryFrame) {
	t.Helper()
	var got struct {
		Type, Event   string
		Payload, Meta json.RawMessage
	}
	dec := json.NewDecoder(bytes.NewReader(m.Payload))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&got); err != nil || !Valid(m.Payload) || string(m.Event) != "broadcast" {
		t.Fatalf("%v in %s", err, dump(m))
	}
	payload, meta := strings.Trim(want.data, " \t\r\n"), strings.Trim(want.fields[4], " \t\r\n")
	if payload == "" {
		payload = "{}"
	}
	if got.Type != "broadcast" || got.Event != want.fields[3] || string(got.Payload) != payload || string(got.Meta) != meta {
		t.Fatalf("%+v of %+v", got, want)
	}
}

// FuzzRoundTrip encodes in every format that names its fields or measures them,
// and reads that back with a decoder of the tests.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte(`"1"`), []byte(`"2"`), []byte(`"room:1"`), "new_msg", []byte(`{"body":"hi"}`))
	f.Add([]byte(`null`), []byte(`11`), []byte(`"r\u006f\ud83d"`), "é\xff\n\"", []byte("\x00\xff"))
	f.Add([]byte(``), []byte(`[ 1 ]`), bytes.Repeat([]byte("é"), 128), "", []byte(nil))
	f.Add(bytes.Repeat([]byte("7"), 255), bytes.Repeat([]byte("7"), 256), []byte("room:caf\u2028\xe2"), "e", []byte(`[]`))
	f.Fuzz(func(t *testing.T, joinRef, ref, topic []byte, event string, payload []byte) {
		push := Push{JoinRef: asToken(joinRef), Ref: asToken(ref), Topic: asToken(topic), Event: event, Payload: payload}
		checkBinaryRoundTrip(t, &push)
		checkV1RoundTrip(t, &push)
	})
}

// asToken makes a JSON token of any bytes: itself if it is one already.
func asToken(b []byte) []byte {
	if oracleValid(b) {
		return bytes.Trim(b, " \t\r\n")
	}
	return AppendQuoted(nil, string(b))
}

func checkBinaryRoundTrip(t *testing.T, p *Push) {
	t.Helper()
	r := Reply{JoinRef: p.JoinRef, Ref: p.Ref, Topic: p.Topic, Status: p.Event, Response: p.Payload}
	joinRef, ref, topic := textOf(t, p.JoinRef), textOf(t, p.Ref), textOf(t, p.Topic)
	event := string([]rune(p.Event)) // each bad byte as U+FFFD

	frame, err := V2{}.AppendBinaryReply(nil, &r)
	checkBinary(t, frame, err, &binaryFrame{1, []string{joinRef, ref, topic, event}, string(p.Payload)})
	frame, err = V2{}.AppendBinaryPush(nil, p)
	checkBinary(t, frame, err, &binaryFrame{0, []string{joinRef, topic, event}, string(p.Payload)})
	frame, err = V2{}.AppendBinaryBroadcast(nil, p)
	checkBinary(t, frame, err, &binaryFrame{2, []string{topic, event}, string(p.Payload)})
}

func checkBinary(t *testing.T, frame []byte, err error, want *binaryFrame) {
	t.Helper()
	if i := slices.IndexFunc(want.fields, func(s string) bool { return len(s) > 255 }); i >= 0 {
		var ee *EncodeError
		if !errors.As(err, &ee) || ee.Len != len(want.fields[i]) || frame != nil {
			t.Fatalf("kind %d: got %q and %v for %q", want.kind, frame, err, want.fields)
		}
		return
	}
	if err != nil {
		t.Fatalf("kind %d: %v for %q", want.kind, err, want.fields)
	}
	got := readBinary(frame, len(want.fields))
	if got.kind != want.kind || !slices.Equal(got.fields, want.fields) || got.data != want.data {
		t.Fatalf("%q reads back as %+v, want %+v", frame, got, want)
	}
}

func checkV1RoundTrip(t *testing.T, p *Push) {
	t.Helper()
	payload := asToken(p.Payload)
	push := Push{JoinRef: p.JoinRef, Ref: p.Ref, Topic: p.Topic, Event: p.Event, Payload: payload}
	checkObject(t, V1{}.AppendPush(nil, &push), []string{"null", string(p.Ref), string(p.Topic), p.Event, string(payload)})

	reply := Reply{JoinRef: p.JoinRef, Ref: p.Ref, Topic: p.Topic, Status: p.Event, Response: payload}
	status := AppendQuoted(nil, p.Event)
	if p.Event == "" {
		status = []byte("null")
	}
	body := `{"status":` + string(status) + `,"response":` + string(payload) + `}`
	checkObject(t, V1{}.AppendReply(nil, &reply), []string{"null", string(p.Ref), string(p.Topic), EventReply, body})
}

// checkObject compares a frame of V1 with its elements in the order of V2, all
// tokens but the event.
func checkObject(t *testing.T, frame []byte, want []string) {
	t.Helper()
	got := oracleObject(frame)
	if got == nil || !json.Valid(frame) {
		t.Fatalf("%q is no frame", frame)
	}
	for i, element := range got {
		text := string(element)
		if i == elemEvent {
			text, want[i] = textOf(t, element), string([]rune(want[i]))
		}
		if text != want[i] {
			t.Fatalf("%q: element %d is %q, want %q", frame, i, text, want[i])
		}
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(frame, &keys); err != nil || len(keys) != 4 {
		t.Fatalf("%q has %d keys: %v", frame, len(keys), err)
	}
}
