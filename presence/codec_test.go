package presence

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// golden is a delta in both forms.
type golden struct{ name, text, bytes string }

func goldens() []golden {
	return []golden{
		{"nothing", `{"kind":"changes","replicas":[],"retired":[]}`, "01 00 | 00 | 00"},
		{
			"a replica without changes",
			`{"kind":"changes","replicas":[{"name":"a","incarnation":"7","from":0,"to":0,"cloud":[],"removed":[],"items":[]}],"retired":[]}`,
			"01 00 | 01 | 01 'a' 07 00 00 00 00 00 | 00",
		},
		{
			"an item",
			`{"kind":"changes","replicas":[{"name":"a","incarnation":"7","from":2,"to":3,"cloud":[],"removed":[1],` +
				`"items":[{"clock":3,"topic":"t","key":"ann","ref":"R2","prev":"R1","meta":{"x":1}}]}],"retired":[]}`,
			"01 00 | 01 | 01 'a' 07 02 01 00 01 00 01 00 01 't' 03 'ann' 02 'R2' 02 'R1' 07 '{\"x\":1}' | 00",
		},
		{
			"spans beyond gaps, items without key, and what was removed before it came",
			`{"kind":"changes","replicas":[{"name":"n@ö","incarnation":"300","from":0,"to":2,"cloud":[[5,5],[8,300]],"removed":[4,6],` +
				`"items":[{"clock":2,"topic":"t","key":"","ref":"r","prev":"","meta":{}},{"clock":300,"topic":"t","key":"","ref":"s","prev":"","meta":{}}]}],"retired":[]}`,
			"01 00 | 01 | 04 'n@ö' ac02 00 02 02 01 00 01 a402 02 03 01 02" +
				" 01 01 't' 00 01 'r' 00 02 '{}' a902 01 't' 00 01 's' 00 02 '{}' | 00",
		},
		{
			"names without a replica",
			`{"kind":"changes","replicas":[],"retired":[{"name":"a","below":"3","age":1},{"name":"b","below":"9223372036854775807","age":2}]}`,
			"01 00 | 00 | 02 01 'a' 03 01 01 'b' ffffffffffffffff7f 02",
		},
		{
			"clocks",
			`{"kind":"clocks","replicas":[{"name":"a","incarnation":"7","from":0,"to":5,"cloud":[[7,9]],"removed":[],"items":[]}],"retired":[{"name":"b","below":"3","age":1}]}`,
			"01 01 | 01 | 01 'a' 07 00 05 01 00 02 00 00 | 01 01 'b' 03 01",
		},
	}
}

// unhex reads hexadecimal bytes, with text in quotes, spaces and bars between them.
func unhex(t testing.TB, text string) []byte {
	t.Helper()
	var b []byte
	for i, part := range strings.Split(text, "'") {
		if i%2 == 1 {
			b = append(b, part...)
			continue
		}
		raw, err := hex.DecodeString(strings.NewReplacer(" ", "", "|", "").Replace(part))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		b = append(b, raw...)
	}
	return b
}

func TestDeltaForms(t *testing.T) {
	for _, g := range goldens() {
		t.Run(g.name, func(t *testing.T) {
			want := unhex(t, g.bytes)
			fromText, err := DecodeJSON([]byte(g.text))
			if err != nil {
				t.Fatal(err)
			}
			fromBytes, err := DecodeDelta(want)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range []*Delta{fromText, fromBytes} {
				if got := d.AppendBinary(nil); !bytes.Equal(got, want) {
					t.Errorf("binary\n got %x\nwant %x", got, want)
				}
				if got := d.AppendJSON(nil); string(got) != g.text {
					t.Errorf("JSON\n got %s\nwant %s", got, g.text)
				}
			}
			if empty := g.name == "nothing"; fromText.Empty() != empty {
				t.Errorf("Empty() = %t", !empty)
			}
		})
	}
}

// with returns the text of a delta of one replica, with one member set.
func with(member, value string) string {
	text := `{"kind":"changes","replicas":[{"name":"a","incarnation":"7","from":0,"to":3,"cloud":[],"removed":[],` +
		`"items":[{"clock":3,"topic":"t","key":"ann","ref":"R2","prev":"R1","meta":{"x":1}}]}],"retired":[]}`
	head, rest, ok := strings.Cut(text, `"`+member+`":`)
	if !ok {
		panic(member)
	}
	_, tail := cutValue(rest)
	return head + `"` + member + `":` + value + tail
}

// cutValue cuts a JSON value off the front of text.
func cutValue(text string) (value, tail string) {
	sc := scanner{b: []byte(text)}
	sc.value()
	return text[:sc.i], text[sc.i:]
}

func TestDeltaRefusals(t *testing.T) {
	deep := strings.Repeat("[", MaxMetaDepth) + strings.Repeat("]", MaxMetaDepth)
	spans := make([]string, maxSpans+1)
	lost := make([]string, maxGone+1)
	for i := range spans {
		spans[i] = fmt.Sprintf("[%d,%d]", 5+2*i, 5+2*i)
	}
	for i := range lost {
		lost[i] = fmt.Sprint(5 + 2*i)
	}
	item := `{"clock":3,"topic":"t","key":"ann","ref":"R2","prev":"R1","meta":{"x":1}}`
	for _, c := range []struct{ member, value, want string }{
		{"kind", `"clocks"`, "clocks with changes"},
		{"kind", `"state"`, "unknown"},
		{"name", `""`, "1 to 255 bytes"},
		{"name", `"` + strings.Repeat("a", maxReplicaName+1) + `"`, "1 to 255 bytes"},
		{"incarnation", `"9223372036854775807"`, "9223372036854775806"},
		{"incarnation", `"07"`, "not compact"},
		{"incarnation", `7`, "string"},
		{"from", `3`, "changes after 3 up to 3"},
		{"from", `4`, "changes after 4 up to 3"},
		{"from", `-1`, "number"},
		{"to", `9007199254740992`, "up to 9007199254740992"},
		{"to", `2`, "item 3"},
		{"cloud", `[[4,5]]`, "span 4 to 5 is not beyond a gap after 3"},
		{"cloud", `[[5,4]]`, "span 5 to 4"},
		{"cloud", `[[5,6],[7,8]]`, "span 7 to 8 is not beyond a gap after 6"},
		{"cloud", `[[5,9007199254740992]]`, "span 5 to 9007199254740992"},
		{"cloud", `[` + strings.Join(spans, ",") + `]`, "1025 spans are more than 1024"},
		{"cloud", `null`, "missing"},
		{"removed", `[2]`, "removed item 2"},
		{"removed", `[4]`, "removed item 4"},
		{"removed", `[0]`, "removed item 0"},
		{"items", `[` + item + `,` + item + `]`, "item 3 is not in order"},
		{"items", `[` + item + `]` + ` `, "not compact"},
		{"clock", `0`, "item 0 is not in order"},
		{"clock", `4`, "item 4 is not in order, or not one of the changes"},
		{"topic", `"` + strings.Repeat("t", maxTopic+1) + `"`, "up to 1024 bytes"},
		{"topic", `"\ud800"`, "unknown"},
		{"key", `"` + strings.Repeat("k", maxTopic+1) + `"`, "up to 1024 bytes"},
		{"ref", `""`, "refs"},
		{"ref", `"a\"b"`, "refs"},
		{"ref", `"` + strings.Repeat("r", maxRef+1) + `"`, "up to 64 bytes"},
		{"prev", `"+"`, "refs"},
		{"meta", `1`, "compact JSON object"},
		{"meta", `{"phx_ref":"x"}`, "without the server's keys"},
		{"meta", `{"phx_\u0072ef_prev":"x"}`, "without the server's keys"},
		{"meta", `{"x": 1}`, "compact JSON object"},
		{"meta", `{"x":` + deep + `}`, "depth 1025 is deeper than 1024"},
		{"meta", `{"x":"` + strings.Repeat("m", maxMeta) + `"}`, "longer than 1048576"},
		{"retired", `[{"name":"a","below":"3","age":1}]`, `"a" is retired and has a section`},
		{"retired", `[{"name":"b","below":"0","age":1}]`, `below 0, want 1 to 9223372036854775807`},
		{"retired", `[{"name":"b","below":"9223372036854775808","age":1}]`, "9223372036854775808"},
		{"retired", `[{"name":"b","below":"3","age":0}]`, "at 0, want 1 to"},
		{"retired", `[{"name":"b","below":"3"}]`, "at 0, want 1 to"},
		{"retired", `[{"name":"b","below":"3","age":1},{"name":"b","below":"4","age":2}]`, "not in order"},
		{"retired", `[{"name":"","below":"3","age":1}]`, "1 to 255 bytes"},
		{"retired", `[],"more":1`, "unknown"},
	} {
		text := with(c.member, c.value)
		_, err := DecodeJSON([]byte(text))
		if !errors.Is(err, ErrEncoding) && !errors.Is(err, ErrItem) && !errors.Is(err, ErrIncarnation) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.300s\n got %v\nwant %s", text, err, c.want)
		}
	}
	if _, err := DecodeJSON([]byte(with("key", `"bob"`))); err != nil { // or no refusal above would say anything
		t.Error(err)
	}
	lostText := with("cloud", `[[20000,40000]]`)
	lostText = strings.Replace(lostText, `"removed":[]`, `"removed":[`+strings.Join(lost, ",")+`]`, 1)
	if _, err := DecodeJSON([]byte(lostText)); err == nil || !strings.Contains(err.Error(), "4097 items removed before they came are more than 4096") {
		t.Error(err)
	}
}

func TestBinaryRefusals(t *testing.T) {
	for name, c := range map[string]struct{ bytes, want string }{
		"nothing at all":         {"", "version 0, want 1"},
		"another version":        {"02 00 | 00 | 00", "version 2, want 1"},
		"another kind":           {"01 02 | 00 | 00", "kind 2, want 0 or 1"},
		"something after it":     {"01 00 | 00 | 00 00", "1 bytes follow"},
		"a number in more bytes": {"01 00 | 8000 | 00", "before byte"},
		"a number of 11 bytes":   {"01 00 | ffffffffffffffffffff01 | 00", "before byte"},
		"more replicas than fit": {"01 00 | 02 | 01 'a' 07 00 00 00 00 00 | 00", "before byte"},
		"more items than fit":    {"01 00 | 01 | 01 'a' 07 00 01 00 00 7f 00 01 't' 00 01 'r' 00 02 '{}' | 00", "before byte"},
		"a clock too high":       {"01 00 | 01 | 01 'a' 07 00 8080808080808010 00 00 00 | 00", "before byte"},
		"removed more than done": {"01 00 | 01 | 01 'a' 07 05 01 00 02 00 00 00 | 00", "2 items removed in 1 changes"},
		"spans of a later part":  {"01 00 | 01 | 01 'a' 07 05 01 01 00 00 00 00 | 00", "spans beyond changes after 5"},
		"clocks of a later part": {"01 01 | 01 | 01 'a' 07 05 01 00 00 00 | 00", "clocks with changes"},
		"replicas out of order":  {"01 00 | 02 | 01 'b' 07 00 00 00 00 00 01 'a' 07 00 00 00 00 00 | 00", "section of a@7 is not in order"},
		"text that is not UTF-8": {"01 00 | 01 | 01 ff 07 00 00 00 00 00 | 00", "not UTF-8"},
	} {
		_, err := DecodeDelta(unhex(t, c.bytes))
		if !errors.Is(err, ErrEncoding) && !errors.Is(err, ErrItem) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	for _, g := range goldens() {
		whole := unhex(t, g.bytes)
		for n := range whole {
			if _, err := DecodeDelta(whole[:n]); !errors.Is(err, ErrEncoding) {
				t.Errorf("%s: the first %d bytes: %v", g.name, n, err)
			}
		}
	}
}

// What a decoder takes is in proportion to the bytes that it was given, whatever they
// say.
func TestDecodersTakeMemoryInProportion(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	const size = 1 << 20
	section := unhex(t, "01 'a' 07 00 00 00 00 00")
	item := unhex(t, "00 01 't' 00 01 'r' 00 02 '{}'")
	number := func(n int) []byte { return binary.AppendUvarint(nil, uint64(n)) }
	for name, b := range map[string][]byte{
		"sections": slices.Concat([]byte{1, 0}, number(size/len(section)), bytes.Repeat(section, size/len(section))),
		"items": slices.Concat(unhex(t, "01 00 01 01 'a' 07 00"), number(size), []byte{0, 0}, number(size/len(item)),
			bytes.Repeat(item, size/len(item)), []byte{0}),
		"removed": slices.Concat(unhex(t, "01 00 01 01 'a' 07"), number(size), number(size), []byte{0}, number(size), make([]byte, size+2)),
		"zeros":   append([]byte{1, 0, 255, 255, 3}, make([]byte, size)...),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := DecodeDelta(b)
		runtime.ReadMemStats(&after)
		if ok := name == "items" || name == "removed"; ok != (err == nil) {
			t.Errorf("%s: %v", name, err)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 32*size {
			t.Errorf("%s: %d bytes for %d", name, got, len(b))
		}
	}
}

func FuzzDecodeDelta(f *testing.F) {
	for _, g := range goldens() {
		f.Add(unhex(f, g.bytes))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := DecodeDelta(b)
		if err != nil {
			if !errors.Is(err, ErrEncoding) && !errors.Is(err, ErrItem) && !errors.Is(err, ErrIncarnation) {
				t.Fatal(err)
			}
			return
		}
		if again := d.AppendBinary(nil); !bytes.Equal(again, b) {
			t.Fatalf("%x decodes to %x", b, again)
		}
		text := d.AppendJSON(nil)
		if back, err := DecodeJSON(text); err != nil || !bytes.Equal(back.AppendBinary(nil), b) {
			t.Fatalf("%s: %v", text, err)
		}
		checkMerges(t, d)
	})
}

func FuzzDecodeJSON(f *testing.F) {
	for _, g := range goldens() {
		f.Add([]byte(g.text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := DecodeJSON(b)
		if err != nil {
			return
		}
		if again := d.AppendJSON(nil); !bytes.Equal(again, b) {
			t.Fatalf("%s reads back as %s", b, again)
		}
		if back, err := DecodeDelta(d.AppendBinary(nil)); err != nil || !bytes.Equal(back.AppendJSON(nil), b) {
			t.Fatalf("%s: %v", b, err)
		}
		checkMerges(t, d)
	})
}

// checkMerges: whatever passes the decoders can be merged, once, and what comes of it
// can be told to others.
func checkMerges(t *testing.T, d *Delta) {
	s, err := NewState(Replica{"self", 1}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Merge(d); errors.Is(err, ErrConflict) {
		return // it speaks of this state, which has done nothing
	} else if err != nil {
		t.Fatal(err)
	}
	if ch, err := s.Merge(d); err != nil || len(ch.Joins)+len(ch.Leaves) > 0 {
		t.Fatalf("again: %v, %v", ch, err)
	}
	full := s.Full().AppendBinary(nil)
	back, err := DecodeDelta(full)
	if err != nil {
		t.Fatalf("%s: %v", s.Full().AppendJSON(nil), err)
	}
	o, err := NewState(Replica{"self", 1}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Merge(back); err != nil || !bytes.Equal(o.Full().AppendBinary(nil), full) {
		t.Fatalf("%v\n got %s\nwant %s", err, o.Full().AppendJSON(nil), s.Full().AppendJSON(nil))
	}
}
