package abi_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/aviary-host/aviary/abi"
)

// patch returns a copy of b with bytes replaced at an offset.
func patch(b []byte, at int, bytes ...byte) []byte {
	c := append([]byte(nil), b...)
	copy(c[at:], bytes)
	return c
}

func TestDecodeResponseRefuses(t *testing.T) {
	good := abi.AppendResponse(nil, &abi.Response{
		Result: abi.ResultReply, Payload: []byte(`{"a":1}`), HasState: true, State: []byte("state"),
		Effects: []abi.Effect{{Kind: abi.EffectPush, Event: []byte("e"), Payload: []byte(`{}`)}},
	})
	lim := abi.DefaultLimits()
	tests := []struct {
		name string
		in   []byte
		lim  abi.Limits
		want string
	}{
		{"nothing", nil, lim, "response of 0 bytes is under this revision's 64 (SPEC 4.1)"},
		{"one byte short of a header", good[:63], lim, "response of 63 bytes is under this revision's 64 (SPEC 4.1)"},
		{"header size of an older revision", patch(good, 0, 63, 0), lim, "header_size of 63 bytes is under this revision's 64 (SPEC 4.1)"},
		{"header size past the end", patch(good, 0, 0xff, 0xff), lim, "header_size is past the response"},
		{"unknown result", patch(good, 2, 6), lim, "result has an unknown number"},
		{"payload past the end", patch(good, 24, 0xff, 0xff, 0xff, 0x7f), lim, "payload ends past the response"},
		{"payload whose end overflows 32 bits", patch(good, 24, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), lim, "payload ends past the response"},
		{"state past the end", patch(good, 44, 0xff, 0xff), lim, "state ends past the response"},
		{"too many effects", patch(good, 20, 65), lim, "effects are over the limit: 65 > 64 (SPEC 8)"},
		{"2^32-1 effects", patch(good, 20, 0xff, 0xff, 0xff, 0xff), lim, "effects are over the limit: 4294967295 > 64"},
		{"effects inside the header", patch(good, 16, 8), lim, "effects begin inside the header (SPEC 4.1)"},
		{"effects past the end", patch(good, 16, 0, 1), lim, "effects end past the response"},
		{"effect offset that overflows", patch(good, 16, 0xff, 0xff, 0xff, 0xff), lim, "effects end past the response"},
		{"effect size of an older revision", patch(good, 12, 47), lim, "effect_size of 47 bytes is under this revision's 48"},
		{"effect kind 0", patch(good, 64, 0), lim, "effects[0] has an unknown kind"},
		{"effect kind 21", patch(good, 64, 21), lim, "effects[0] has an unknown kind"},
		{"effect payload past the end", patch(good, 64+36, 0xff, 0xff), lim, "effects[0] names bytes past the response"},
		{"response over the limit", good, abi.Limits{Response: 100, State: 9, Effects: 9, Output: 99}, "response is over the limit in bytes: 127 > 100"},
		{"state over the limit", good, abi.Limits{Response: 999, State: 4, Effects: 9, Output: 99}, "state is over the limit in bytes: 5 > 4"},
		{"output over the limit", good, abi.Limits{Response: 999, State: 9, Effects: 9, Output: 9}, "output is over the limit in bytes: 10 > 9"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var r abi.Response
			err := abi.DecodeResponse(tt.in, tt.lim, &r)
			var format *abi.FormatError
			if !errors.As(err, &format) || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

// TestOutputCountsRepeats: records may name the same bytes again and again, so
// a small response can mean a large output.
func TestOutputCountsRepeats(t *testing.T) {
	r := abi.Response{}
	for range 64 {
		r.Effects = append(r.Effects, abi.Effect{Kind: abi.EffectPush, Event: []byte("e"), Payload: bytes.Repeat([]byte{' '}, 5000)})
	}
	big := abi.AppendResponse(nil, &r)
	var back abi.Response
	err := abi.DecodeResponse(big, abi.DefaultLimits(), &back)
	if err == nil || !strings.HasPrefix(err.Error(), "output is over the limit") {
		t.Errorf("error %v, want output over the limit", err)
	}
}

func TestDecodeRequestRefuses(t *testing.T) {
	good := abi.AppendRequest(nil, &abi.Request{Callback: abi.CallbackJoin, Topic: []byte("t")})
	for _, tt := range []struct {
		name string
		in   []byte
		want string
	}{
		{"nothing", nil, "request of "},
		{"short", good[:135], "request of "},
		{"older header", patch(good, 0, 135), "header_size of 135 bytes is under this revision's 136"},
		{"header past the end", patch(good, 0, 0xff, 0xff), "header_size is past the request"},
		{"callback 0", patch(good, 2, 0), "callback has an unknown number"},
		{"callback 9", patch(good, 2, 9), "callback has an unknown number"},
		{"topic past the end", patch(good, 52, 0xff, 0xff), "topic ends past the request"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var r abi.Request
			if err := abi.DecodeRequest(tt.in, &r); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

// TestReaderGoesByNamedSizes: a later revision appends fields to the header and
// to the effects; a reader of this one must step over them.
func TestReaderGoesByNamedSizes(t *testing.T) {
	old := abi.AppendResponse(nil, &abi.Response{Effects: []abi.Effect{
		{Kind: abi.EffectCancel, Number: 1}, {Kind: abi.EffectLog, Number: 2},
	}})
	const header, effect = abi.ResponseHeaderSize + 16, abi.EffectSize + 8
	grown := make([]byte, header+2*effect)
	copy(grown, old[:abi.ResponseHeaderSize])
	grown[0], grown[12], grown[16] = header, effect, header
	copy(grown[header:], old[abi.ResponseHeaderSize:][:abi.EffectSize])
	copy(grown[header+effect:], old[abi.ResponseHeaderSize+abi.EffectSize:])
	var r abi.Response
	if err := abi.DecodeResponse(grown, abi.DefaultLimits(), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Effects) != 2 || r.Effects[0].Kind != abi.EffectCancel || r.Effects[1].Number != 2 {
		t.Errorf("effects %+v", r.Effects)
	}
}

func TestRoundTripsAtAnyOffset(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		prefix := randomBytes(rnd, 20)
		want := randomResponse(rnd)
		b := abi.AppendResponse(append([]byte(nil), prefix...), want)
		if !bytes.HasPrefix(b, prefix) || len(b)-len(prefix) != want.Size() {
			t.Fatalf("%d bytes behind a prefix of %d, Size %d", len(b), len(prefix), want.Size())
		}
		var back abi.Response
		if err := abi.DecodeResponse(b[len(prefix):], abi.DefaultLimits(), &back); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(&back, want) {
			t.Fatalf("decoded\n%+v\nwant\n%+v", back, want)
		}
	}
}

func randomBytes(rnd *rand.Rand, most int) []byte {
	n := rnd.IntN(most)
	if n == 0 {
		return nil
	}
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
	return b
}

func randomResponse(rnd *rand.Rand) *abi.Response {
	r := &abi.Response{
		Result: abi.Result(rnd.IntN(6)), Binary: rnd.IntN(2) == 0, Number: rnd.Uint32(),
		Payload: randomBytes(rnd, 50), Event: randomBytes(rnd, 9), Text: randomBytes(rnd, 9),
		IDTopic: randomBytes(rnd, 9), HasState: rnd.IntN(2) == 0, State: randomBytes(rnd, 99),
		StateVersion: rnd.Uint32(),
	}
	for range rnd.IntN(5) {
		r.Effects = append(r.Effects, abi.Effect{
			Kind: abi.EffectKind(1 + rnd.IntN(20)), Binary: rnd.IntN(2) == 0, Local: rnd.IntN(2) == 0,
			Off: rnd.IntN(2) == 0, Number: rnd.Uint32(), Value: rnd.Int64() - rnd.Int64(),
			Topic: randomBytes(rnd, 9), Event: randomBytes(rnd, 9), Payload: randomBytes(rnd, 50), Key: randomBytes(rnd, 9),
		})
	}
	return r
}

func TestCodecDoesNotAllocate(t *testing.T) {
	req := abi.Request{Callback: abi.CallbackHandleIn, Topic: []byte("room:1"), Payload: []byte(`{"a":1}`), State: []byte("s")}
	resp := abi.Response{Result: abi.ResultReply, Payload: []byte(`{}`), Effects: []abi.Effect{{Kind: abi.EffectPush, Event: []byte("e")}}}
	buf := make([]byte, 0, 4096)
	var gotReq abi.Request
	var gotResp abi.Response
	gotResp.Effects = make([]abi.Effect, 0, 4)
	allocs := testing.AllocsPerRun(100, func() {
		if abi.DecodeRequest(abi.AppendRequest(buf, &req), &gotReq) != nil ||
			abi.DecodeResponse(abi.AppendResponse(buf, &resp), abi.DefaultLimits(), &gotResp) != nil ||
			gotResp.Check(abi.CallbackHandleIn) != nil {
			t.Fatal("refused")
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations a round trip, want 0", allocs)
	}
}

func TestMarker(t *testing.T) {
	m := abi.NewMarker(7, abi.CallbackConnect, abi.CallbackCodeChange)
	if m != 7|1<<33|1<<39 {
		t.Errorf("marker %#x", uint64(m))
	}
	if m.Revision() != 7 || !m.Absent(abi.CallbackConnect) || m.Absent(abi.CallbackJoin) || !m.Absent(abi.CallbackCodeChange) {
		t.Errorf("read back: revision %d, connect %v, join %v, code_change %v", m.Revision(),
			m.Absent(abi.CallbackConnect), m.Absent(abi.CallbackJoin), m.Absent(abi.CallbackCodeChange))
	}
}

// FuzzDecodeResponse: whatever a guest leaves in its memory either is refused,
// or reads back as the same after being written again.
func FuzzDecodeResponse(f *testing.F) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 20 {
		f.Add(abi.AppendResponse(nil, randomResponse(rnd)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		lim := abi.Limits{Response: 1 << 16, State: 1 << 10, Effects: 16, Output: 1 << 14}
		var r abi.Response
		if err := abi.DecodeResponse(b, lim, &r); err != nil {
			return
		}
		if len(r.State) > lim.State || len(r.Effects) > lim.Effects {
			t.Fatalf("let through %d bytes of state, %d effects", len(r.State), len(r.Effects))
		}
		for cb := abi.CallbackConnect; cb <= abi.CallbackCodeChange; cb++ {
			_ = r.Check(cb) // must not panic
		}
		var again abi.Response
		if err := abi.DecodeResponse(abi.AppendResponse(nil, &r), abi.Limits{Response: 1 << 20, State: 1 << 20, Effects: 16, Output: 1 << 20}, &again); err != nil {
			t.Fatalf("written again: %v", err)
		}
		if len(r.Effects) == 0 {
			r.Effects = nil // empty and absent are the same
		}
		if !reflect.DeepEqual(r, again) {
			t.Fatalf("read back\n%+v\nwant\n%+v", again, r)
		}
	})
}

// FuzzDecodeRequest does the same for requests, which other hosts may write.
func FuzzDecodeRequest(f *testing.F) {
	f.Add(abi.AppendRequest(nil, &abi.Request{Callback: abi.CallbackJoin, Topic: []byte("room:1"), Payload: []byte(`{}`)}))
	f.Add(abi.AppendRequest(nil, &abi.Request{Callback: abi.CallbackHandleInfo, Binary: true, Reason: 2, Source: []byte("k")}))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r, again abi.Request
		if err := abi.DecodeRequest(b, &r); err != nil || r.Size() > 1<<20 {
			return
		}
		if err := abi.DecodeRequest(abi.AppendRequest(nil, &r), &again); err != nil {
			t.Fatalf("written again: %v", err)
		}
		if !reflect.DeepEqual(r, again) {
			t.Fatalf("read back\n%+v\nwant\n%+v", again, r)
		}
	})
}
