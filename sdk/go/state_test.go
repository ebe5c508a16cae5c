package aviary

import (
	"encoding/json"
	"reflect"
	"testing"
	"unicode/utf8"
)

type everything struct {
	Str   string
	Int   int64
	Float float64
	Bool  bool
	Ref   Ref
	Bytes []byte
	Strs  []string
	Inner struct{ A, B string }
	Last  string
}

func (e *everything) fields(f *Fields) {
	f.Str("str", &e.Str).Int("int", &e.Int).Float("float", &e.Float).Bool("bool", &e.Bool).
		Ref("ref", &e.Ref).Bytes("bytes", &e.Bytes).Strs("strs", &e.Strs).
		Group("inner", func(f *Fields) { f.Str("a", &e.Inner.A).Str("b", &e.Inner.B) }).
		Str("last", &e.Last)
}

func load[S any](t testing.TB, c Codec[S], state string) S {
	t.Helper()
	var s S
	if err := c.Load(&s, []byte(state)); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFieldsThereAndBack(t *testing.T) {
	codec := State((*everything).fields)
	full := everything{
		Str: "é\"\n", Int: -5, Float: 2.5, Bool: true, Ref: `"7"`, Bytes: []byte("\x00\x7f\x80\xff\"\\a"),
		Strs: []string{"", "b"}, Last: "z",
	}
	full.Inner.B = "b"
	for _, want := range []everything{{}, full, {Last: "only"}} {
		state := string(codec.Append(nil, &want))
		if !json.Valid([]byte(state)) {
			t.Errorf("not JSON: %s", state)
		}
		if got := load(t, codec, state); !reflect.DeepEqual(got, want) {
			t.Errorf("%s\ncame back as %+v\nwant         %+v", state, got, want)
		}
	}
	if got := string(codec.Append([]byte("before"), &everything{Int: 1})); got != `before{"int":1,"inner":{}}` {
		t.Error(got)
	}
}

func TestFieldsOfAnotherVersion(t *testing.T) {
	codec := State((*everything).fields)
	for state, want := range map[string]everything{
		`{"last":"z","new":[1],"str":"a"}`: {Str: "a", Last: "z"}, // another order, an unknown field
		`{"str":7,"int":"x","strs":{}}`:    {},
		`{"inner":[],"last":"z"}`:          {Last: "z"},
		`null`:                             {},
		`{`:                                {},
	} {
		if got := load(t, codec, state); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", state, got, want)
		}
	}
}

func TestRawState(t *testing.T) {
	codec := RawState()
	s := load(t, codec, "bytes")
	if string(s) != "bytes" || codec.Encode(&s).text != "bytes" {
		t.Errorf("%q", s)
	}
}

// FuzzState: any bytes load, and what was loaded is kept.
func FuzzState(f *testing.F) {
	f.Add(`{"str":"a","inner":{"b":"\u0000"}}`, "s", []byte{0, 255})
	f.Fuzz(func(t *testing.T, state, s string, b []byte) {
		codec := State((*everything).fields)
		first := load(t, codec, state)
		if utf8.ValidString(state) {
			again := load(t, codec, string(codec.Append(nil, &first)))
			if !sameState(&again, &first) {
				t.Errorf("%+v became %+v", first, again)
			}
		}
		kept := load(t, codec, string(codec.Append(nil, &everything{Bytes: b, Ref: Ref(s)})))
		if string(kept.Bytes) != string(b) || kept.Ref != Ref(s) {
			t.Errorf("%q %q became %q %q", b, s, kept.Bytes, kept.Ref)
		}
	})
}

// sameState compares what is kept; an empty list comes back as none.
func sameState(a, b *everything) bool {
	if len(a.Strs)+len(b.Strs) == 0 {
		a.Strs, b.Strs = nil, nil
	}
	return reflect.DeepEqual(a, b)
}
