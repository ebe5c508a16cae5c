package wire

import (
	"bytes"
	"encoding/json"
	"io"
	"testing"
	"unicode/utf8"
)

// oracleValid is the package comment's definition of JSON in terms of the
// standard library.
func oracleValid(b []byte) bool {
	return json.Valid(b) && utf8.Valid(b) && oracleDepth(b) <= MaxDepth
}

func oracleDepth(b []byte) int {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	depth, deepest := 0, 0
	for {
		tok, err := dec.Token()
		if err == io.EOF {
			return deepest
		}
		if err != nil { // the decoder gives up at its own bound
			return MaxDepth + 1
		}
		switch tok {
		case json.Delim('['), json.Delim('{'):
			depth++
			deepest = max(deepest, depth)
		case json.Delim(']'), json.Delim('}'):
			depth--
		}
	}
}

// The tail lies behind the slice under test, where nothing may look: sonic alone
// takes the first byte of "null" for a value.
func FuzzValid(f *testing.F) {
	for text := range judgements() {
		f.Add([]byte(text), []byte("ull"))
	}
	for _, c := range decodeCases() {
		f.Add([]byte(c.frame), []byte(nil))
	}
	f.Fuzz(func(t *testing.T, text, tail []byte) {
		b := append(bytes.Clone(text), tail...)[:len(text)]
		got, want := Valid(b), oracleValid(b)
		if got != want {
			t.Fatalf("Valid(%q) before %q = %v, encoding/json says %v", b, tail, got, want)
		}
		if got && IsObject(b) != (bytes.TrimLeft(b, " \t\r\n")[0] == '{') {
			t.Fatalf("IsObject(%q) = %v", b, IsObject(b))
		}
	})
}

func FuzzDecode(f *testing.F) {
	for _, c := range decodeCases() {
		f.Add([]byte(c.frame))
	}
	for _, c := range refuseCases() {
		if len(c.frame) < 1<<16 {
			f.Add([]byte(c.frame))
		}
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		var m Message
		err := (V2{}).Decode(frame, &m)
		var want []json.RawMessage
		ok := oracleValid(frame) && json.Unmarshal(frame, &want) == nil && len(want) >= 5
		if (err == nil) != ok {
			t.Fatalf("Decode(%q): %v, encoding/json says %v", frame, err, ok)
		}
		if ok {
			checkDecoded(t, &m, want)
		}
	})
}

// oracleObject is what encoding/json finds in a V1 frame, in the order of V2;
// nil when it is no frame.
func oracleObject(b []byte) []json.RawMessage {
	dec := json.NewDecoder(bytes.NewReader(b))
	if tok, err := dec.Token(); err != nil || tok != json.Delim('{') {
		return nil
	}
	first := map[any]json.RawMessage{"join_ref": json.RawMessage("null")}
	seen := map[any]bool{}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil
		}
		if !seen[key] {
			seen[key], first[key] = true, value
		}
	}
	elems := make([]json.RawMessage, 0, elemCount)
	for _, key := range []string{"join_ref", "ref", "topic", "event", "payload"} {
		value, ok := first[key]
		if !ok {
			return nil
		}
		elems = append(elems, value)
	}
	return elems
}

func FuzzDecodeV1(f *testing.F) {
	for _, c := range decodeV1Cases() {
		f.Add([]byte(c.frame))
	}
	for _, c := range refuseV1Cases() {
		if len(c.frame) < 1<<16 {
			f.Add([]byte(c.frame))
		}
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		var m Message
		err := (V1{}).Decode(frame, &m)
		var want []json.RawMessage
		if oracleValid(frame) {
			want = oracleObject(frame)
		}
		if (err == nil) != (want != nil) {
			t.Fatalf("Decode(%q): %v, encoding/json found %q", frame, err, want)
		}
		if err == nil {
			checkDecoded(t, &m, want)
		}
	})
}

// checkDecoded compares m with the elements encoding/json found.
func checkDecoded(t *testing.T, m *Message, want []json.RawMessage) {
	t.Helper()
	sameRef := func(got []byte, want json.RawMessage) bool {
		if string(want) == "null" {
			return got == nil
		}
		return bytes.Equal(got, want)
	}
	sameText := func(got []byte, isString bool, want json.RawMessage) bool {
		var s any
		if err := json.Unmarshal(want, &s); err != nil {
			// A number beyond float64 is valid JSON and no string.
			return !isString
		}
		text, ok := s.(string)
		return ok == isString && (!ok || text == string(got))
	}
	if !sameRef(m.JoinRef, want[0]) || !sameRef(m.Ref, want[1]) {
		t.Fatalf("refs %q %q of %q", m.JoinRef, m.Ref, want)
	}
	if !sameText(m.Topic, m.TopicIsString, want[2]) || !bytes.Equal(m.TopicJSON, want[2]) {
		t.Fatalf("topic %q %q of %q", m.Topic, m.TopicJSON, want)
	}
	if !sameText(m.Event, m.EventIsString, want[3]) || !m.EventIsString && !bytes.Equal(m.Event, want[3]) {
		t.Fatalf("event %q of %q", m.Event, want)
	}
	if !bytes.Equal(m.Payload, want[4]) {
		t.Fatalf("payload %q of %q", m.Payload, want)
	}
}

// The scanner must survive text that sonic would have refused: a fault there
// must not become a panic or a hang here.
func FuzzScannerTrustsNoIndex(f *testing.F) {
	for text := range judgements() {
		f.Add([]byte(text))
	}
	for _, c := range refuseCases() {
		if len(c.frame) < 1<<16 {
			f.Add([]byte(c.frame))
		}
	}
	for _, c := range refuseV1Cases() {
		if len(c.frame) < 1<<16 {
			f.Add([]byte(c.frame))
		}
	}
	for _, text := range []string{`[}`, `[,,,,,,`, `{`, `{"ref"`, `{"ref":`, `{"ref":1`, `{"ref":1 "topic":2]`, `{"ref":,`, `{"ref\`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, split := range []func([]byte, *[elemCount][]byte) Reason{splitArray, splitObject} {
			var elems [elemCount][]byte
			if split(b, &elems) == reasonNone {
				new(Message).set(&elems)
			}
		}
	})
}

func FuzzAppendQuoted(f *testing.F) {
	for _, s := range []string{"", "plain", "\u2027\u2028\u2029\u202a\u20a8\u2068\u00e2é\x1f \"", "\x00\xff\u2028\"\\", "😀\xf0\x9f", "\ufffd"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		quoted := AppendQuoted(nil, s)
		std, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var got, want string
		if err := json.Unmarshal(quoted, &got); err != nil {
			t.Fatalf("%q: %v", quoted, err)
		}
		if err := json.Unmarshal(std, &want); err != nil {
			t.Fatal(err)
		}
		if got != want || !Valid(quoted) {
			t.Fatalf("AppendQuoted(%q) = %q reads back as %q, want %q", s, quoted, got, want)
		}
		if bytes.ContainsAny(quoted, "\u2028\u2029") {
			t.Fatalf("line separators left in %q", quoted)
		}
		if !utf8.ValidString(s) {
			return
		}
		if b := appendQuotedUTF8(nil, []byte(s)); !bytes.Equal(b, quoted) {
			t.Fatalf("bytes are quoted as %q, text as %q", b, quoted)
		}
		if len(quoted) > quotedBound([]byte(s)) {
			t.Fatalf("%q is longer than its bound %d", quoted, quotedBound([]byte(s)))
		}
	})
}
