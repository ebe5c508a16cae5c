package aviary

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestValueReads(t *testing.T) {
	p := JSON(` { "s" : "a\"\u00e9\n" , "n":-7, "f" : 2.5, "t":true , "z":null,
		"a":[1,"x",{"y":[]}], "o":{"k":{"deep":"er"}}, "":"empty", "k\u0065y":"escaped", "s":"second" } `)
	for _, tt := range []struct {
		name string
		got  any
		want any
	}{
		{"string", p.Get("s").String(), "a\"é\n"},
		{"first of a repeated key", p.Get("s").Kind(), KindString},
		{"int", p.Get("n").Int(), int64(-7)},
		{"float", p.Get("f").Float(), 2.5},
		{"int as float", p.Get("n").Float(), -7.0},
		{"bool", p.Get("t").Bool(), true},
		{"null exists", p.Get("z").Exists(), true},
		{"null", p.Get("z").Kind(), KindNull},
		{"missing", p.Get("none").Exists(), false},
		{"empty key", p.Get("").String(), "empty"},
		{"escaped key", p.Get("key").String(), "escaped"},
		{"path", p.Path("o", "k", "deep").String(), "er"},
		{"path into nothing", p.Path("o", "none", "deep").Exists(), false},
		{"index", p.Get("a").Index(1).String(), "x"},
		{"index past the end", p.Get("a").Index(3).Exists(), false},
		{"index below", p.Get("a").Index(-1).Exists(), false},
		{"len of array", p.Get("a").Len(), 3},
		{"len of object", p.Len(), 10},
		{"len of string", p.Get("s").Len(), 0},
		{"raw", p.Get("a").Raw(), `[1,"x",{"y":[]}]`},
		{"get of an array", p.Get("a").Get("y").Exists(), false},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, tt.got, tt.want)
		}
	}
}

// asks are the questions of which each kind answers one.
var asks = map[string]func(Value) (any, bool){
	"string": func(v Value) (any, bool) { s, ok := v.AsString(); return s, ok && s == v.String() },
	"int":    func(v Value) (any, bool) { n, ok := v.AsInt(); return n, ok && n == v.Int() },
	"float":  func(v Value) (any, bool) { f, ok := v.AsFloat(); return f, ok && f == v.Float() },
	"bool":   func(v Value) (any, bool) { b, ok := v.AsBool(); return b, ok && b == v.Bool() },
	"bytes":  func(v Value) (any, bool) { b, ok := v.AsBytes(); return string(b), ok },
}

func TestValueWrongTypesAreZeroAndKnown(t *testing.T) {
	zero := map[string]any{"string": "", "int": int64(0), "float": 0.0, "bool": false, "bytes": ""}
	for text, answers := range map[string]map[string]any{
		`"7"`: {"string": "7"}, `7`: {"int": int64(7), "float": 7.0}, `7.5`: {"float": 7.5}, `true`: {"bool": true},
		`null`: {}, `[7]`: {}, `{"a":7}`: {}, `1e999`: {}, `garbage`: {}, `tru`: {}, `"`: {}, ``: {},
	} {
		for name, ask := range asks {
			got, ok := ask(JSON(text))
			want, wantOK := answers[name]
			if !wantOK {
				want = zero[name]
			}
			if got != want || ok != wantOK {
				t.Errorf("%s of %s: %v %v, want %v %v", name, text, got, ok, want, wantOK)
			}
		}
	}
	if v := Bytes([]byte(`{"a":1}`)); v.Get("a").Exists() || v.String() != "" || v.Kind() != KindBytes {
		t.Error("bytes were read as JSON")
	}
}

func TestWholeNumbers(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "-0": 0, "1.0": 1, "1e2": 100, "1.50e1": 15, "100e-2": 1, "-2.5e1": -25, "0e999999999999": 0,
		"9223372036854775807": math.MaxInt64, "-9223372036854775808": math.MinInt64,
		"9223372036854775807.000000000000000000000000": math.MaxInt64, "1E+3": 1000,
	} {
		if got, ok := JSON(text).AsInt(); got != want || !ok {
			t.Errorf("%s: %d %v, want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{
		"1.5", "1e-1", "9223372036854775808", "-9223372036854775809", "1e19", "1e999999999999", "99999999999999999999", "-", "1e", "1e+", "1x", "1.e", "0x10",
	} {
		if got, ok := JSON(text).AsInt(); got != 0 || ok {
			t.Errorf("%s: %d %v, want no whole number", text, got, ok)
		}
	}
}

func TestSurrogates(t *testing.T) {
	for text, want := range map[string]string{
		`"\ud83d\ude00"`: "😀", `"\ud800"`: "\ufffd", `"\ude00\ud83d"`: "\ufffd\ufffd",
		`"\ud800A"`: "\ufffdA", `"\ud83dx\ude00"`: "\ufffdx\ufffd", `"\ud83d\ud83d\ude00"`: "\ufffd😀",
	} {
		if got := JSON(text).String(); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestDeepNesting(t *testing.T) {
	const depth = 1 << 20
	v := JSON(strings.Repeat("[", depth) + strings.Repeat("]", depth))
	for range 100 {
		v = v.Index(0)
	}
	if len(v.Raw()) != 2*(depth-100) {
		t.Errorf("%d bytes left", len(v.Raw()))
	}
}

// FuzzValue reads any text; where encoding/json reads it too, both must say the same.
func FuzzValue(f *testing.F) {
	for _, seed := range []string{
		`{"a":1,"b":[true,false,null],"a":2}`, `"\ud83d\ude00\u00e9\/"`, ` [ 1.5e3 , -0 , {} ] `, `{"\u0061":"x"}`,
		`{"a"`, `"\`, `[1,`, `{"a":}`, `{,}`, `{"a":1 "b":2}`, `"\u12"`, `[[[[`, `-`, `{"a\\":"b\"c"}`,
	} {
		f.Add(seed, "a")
	}
	f.Fuzz(func(t *testing.T, text, key string) {
		v := JSON(text)
		touch(v, key)
		if json.Valid([]byte(text)) && utf8.ValidString(text) {
			compare(t, v, []byte(text))
		}
	})
}

// touch asks everything; the answers do not matter.
func touch(v Value, key string) {
	for _, x := range []Value{v, v.Get(key), v.Index(1), v.Path(key, key)} {
		_, _ = x.AsInt()
		_, _ = x.AsFloat()
		_, _ = x.AsBool()
		_, _ = x.AsString()
		_ = x.Len()
	}
	for k, e := range v.Members() {
		_, _ = k, e.String()
	}
	for e := range v.Elements() {
		_ = e.String()
	}
}

// compare checks v against what encoding/json makes of the same text.
func compare(t *testing.T, v Value, text []byte) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var want any
	if err := dec.Decode(&want); err != nil {
		t.Fatal(err)
	}
	switch want := want.(type) {
	case nil:
		check(t, v, v.Kind() == KindNull)
	case bool:
		got, ok := v.AsBool()
		check(t, v, ok && got == want)
	case string:
		got, ok := v.AsString()
		check(t, v, ok && got == want)
	case json.Number:
		compareNumber(t, v, want)
	case []any:
		compareArray(t, v)
	case map[string]any:
		compareObject(t, v)
	}
}

func check(t *testing.T, v Value, ok bool) {
	t.Helper()
	if !ok {
		t.Errorf("%s is read otherwise than by encoding/json", v.Raw())
	}
}

func compareNumber(t *testing.T, v Value, want json.Number) {
	t.Helper()
	wantFloat, err := want.Float64()
	gotFloat, ok := v.AsFloat()
	check(t, v, ok == (err == nil) && (err != nil || gotFloat == wantFloat))
	gotInt, ok := v.AsInt()
	if wantInt, err := want.Int64(); err == nil {
		check(t, v, ok && gotInt == wantInt)
	} else if ok { // encoding/json takes no 1.0 for an int
		check(t, v, float64(gotInt) == wantFloat)
	}
}

func compareArray(t *testing.T, v Value) {
	t.Helper()
	var want []json.RawMessage
	if err := json.Unmarshal([]byte(v.Raw()), &want); err != nil {
		t.Fatal(err)
	}
	i := 0
	for e := range v.Elements() {
		compare(t, e, want[i])
		check(t, e, e == v.Index(i))
		i++
	}
	check(t, v, i == len(want) && v.Len() == i)
}

func compareObject(t *testing.T, v Value) {
	t.Helper()
	want := firstMembers(t, v.Raw())
	seen := map[string]bool{}
	for key, e := range v.Members() {
		if !seen[key] {
			seen[key] = true
			compare(t, e, want[key])
			check(t, e, e == v.Get(key))
		}
	}
	check(t, v, len(seen) == len(want))
}

// firstMembers reads an object with the first of each repeated key, where
// encoding/json would take the last.
func firstMembers(t *testing.T, text string) map[string]json.RawMessage {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(text))
	if _, err := dec.Token(); err != nil {
		t.Fatal(err)
	}
	members := map[string]json.RawMessage{}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			t.Fatal(err)
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			t.Fatal(err)
		}
		if _, again := members[key.(string)]; !again {
			members[key.(string)] = value
		}
	}
	return members
}
