package aviary

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"unicode/utf8"
)

func text(p Payload) string { return valueFrom(p).text }

func TestBuild(t *testing.T) {
	for _, tt := range []struct {
		got  Payload
		want string
	}{
		{Object(), `{}`},
		{Array(), `[]`},
		{Object().Str("a", "x").Int("b", -1).Float("c", 2.5).Bool("d", true).Null("e"), `{"a":"x","b":-1,"c":2.5,"d":true,"e":null}`},
		{Array().Str("x").Int(1).Float(1e21).Bool(false).Null().Add(Object()), `["x",1,1e+21,false,null,{}]`},
		{Object().Set("o", Object().Set("a", Array().Add(Array()).Int(1))).Int("n", 1), `{"o":{"a":[[],1]},"n":1}`},
		{Object().Set("v", JSON(` [1, 2] `)).Set("none", Value{}).Set("nil", nil), `{"v":[1, 2],"none":null,"nil":null}`},
		{Object().Float("nan", math.NaN()).Float("inf", math.Inf(-1)).Float("small", 1e-7), `{"nan":null,"inf":null,"small":1e-07}`},
		{Object().Str("k\"\x01", "\x00\n\\\"/\u2028\xff\xed\xa0\x80é😀"), `{"k\"\u0001":"\u0000\n\\\"/` + "\u2028" + `���` + "\ufffd" + `é😀"}`},
		{Text("a\"b"), `"a\"b"`},
		{Int64s(1, math.MinInt64), `[1,-9223372036854775808]`},
	} {
		if got := text(tt.got); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
		if got := text(tt.got); got != tt.want {
			t.Errorf("the second time: %s", got)
		}
	}
	if !panics(func() { Object().Set("b", Bytes([]byte{1})) }) {
		t.Error("bytes went into JSON")
	}
}

func Int64s(ns ...int64) *Arr {
	a := Array()
	for _, n := range ns {
		a.Int(n)
	}
	return a
}

func panics(f func()) (did bool) {
	defer func() { did = recover() != nil }()
	f()
	return false
}

func TestBuilderGoesOnAfterUse(t *testing.T) {
	o := Object().Int("a", 1)
	first := text(o)
	o.Int("b", 2)
	second := text(o)
	if first != `{"a":1}` || second != `{"a":1,"b":2}` {
		t.Errorf("%s, then %s", first, second)
	}
}

func TestPoolReuses(t *testing.T) {
	var p pool[Obj]
	a, b := p.next(), p.next()
	if a == b {
		t.Fatal("one builder twice")
	}
	a.open('{')
	a.Str("big", strings.Repeat("x", 2*maxKept))
	p.used = 0
	if p.next() != a {
		t.Error("not reused")
	}
	if a.open('{'); cap(a.buf) > maxKept {
		t.Errorf("kept %d bytes", cap(a.buf))
	}
	n := testing.AllocsPerRun(100, func() {
		p.used = 0
		o := p.next()
		o.open('{')
		o.Str("name", "é\n").Int("n", 1).close('}')
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzQuote: what is quoted is valid and reads back.
func FuzzQuote(f *testing.F) {
	f.Add("plain", "")
	f.Add("\xff\"\\\x00é", "\u2028")
	f.Fuzz(func(t *testing.T, key, s string) {
		out := text(Object().Str(key, s).Set("list", Array().Str(s)))
		if !json.Valid([]byte(out)) || !utf8.ValidString(out) {
			t.Fatalf("%q", out)
		}
		var back struct {
			List []string `json:"list"`
		}
		if err := json.Unmarshal([]byte(out), &back); err != nil {
			t.Skip(err) // a key that reads as list, too
		}
		want := string([]rune(s)) // each bad byte is U+FFFD
		if key != "list" && len(back.List) == 1 && back.List[0] != want {
			t.Errorf("%q came back as %q", s, back.List[0])
		}
		if got := JSON(out).Get(string([]rune(key))).String(); got != want {
			t.Errorf("%q came back as %q", s, got)
		}
	})
}
