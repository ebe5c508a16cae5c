package presence

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
)

func metaCases() map[string]string {
	return map[string]string{
		``:                                 `{}`,
		`{}`:                               `{}`,
		" \r\n\t{ \r\n\t} ":                `{}`,
		`{"a":1}`:                          `{"a":1}`,
		` { "a" : 1 , "b" : [ 1 , 2 ] } `:  `{"a":1,"b":[ 1 , 2 ]}`,
		`{"phx_ref":"x"}`:                  `{}`,
		`{"phx_ref":"x","a":1}`:            `{"a":1}`,
		`{"a":1,"phx_ref":"x"}`:            `{"a":1}`,
		`{"a":1,"phx_ref":{"b":[]},"c":2}`: `{"a":1,"c":2}`,
		`{"phx_ref_prev":null,"phx_ref":1,"a":"}","phx_ref":2}`:                     `{"a":"}"}`,
		`{"phx\u005fref":1,"\u0070\u0068x_ref_\u0070rev":2,"\u0050hx_ref":3,"a":4}`: `{"\u0050hx_ref":3,"a":4}`,
		`{"phx\u005Fref":1}`: `{}`,
		`{"\u0070\u0068\u0078\u005f\u0072\u0065\u0066":1}`:                                                   `{}`,
		`{"phx_ref ":1,"phx_re":2,"phx_refs":3,"phx_ref\u0000":4,"Phx_ref":5,"phx_ref_pre":6,"phx_\\ref":7}`: `{"phx_ref ":1,"phx_re":2,"phx_refs":3,"phx_ref\u0000":4,"Phx_ref":5,"phx_ref_pre":6,"phx_\\ref":7}`,
		`{"user":{"phx_ref":"kept"},"list":[{"phx_ref":1}]}`:                                                 `{"user":{"phx_ref":"kept"},"list":[{"phx_ref":1}]}`,
		`{"a":"phx_ref","b":"\"phx_ref\":1"}`:                                                                `{"a":"phx_ref","b":"\"phx_ref\":1"}`,
		`{"a\\":{"b":"]\\"},"phx_ref":-1.5e3,"c":true}`:                                                      `{"a\\":{"b":"]\\"},"c":true}`,
	}
}

func TestCleanMetaRemovesTheServersKeys(t *testing.T) {
	for in, want := range metaCases() {
		got, err := cleanMeta([]byte(in))
		if err != nil || string(got) != want {
			t.Errorf("cleanMeta(%s)\n got %s, %v\nwant %s", in, got, err, want)
		}
	}
}

func badMetas() []string {
	return []string{
		` `, `null`, `1`, `"x"`, `[]`, `{`, `}`, `{]`, `{"a"`, `{"a"}`, `{"a":`, `{"a":}`, `{"a":,}`, `{"a":1`, `{"a":1,`, `{"a":1,}`,
		`{,}`, `{a:1}`, `{1:2}`, `{"a":"x`, `{"a":"\`, `{"\`, `{"a":[}`, `{"a":{"b":1}`, `{}{}`, `{} x`, `{"a":1}]`, `{"a":1 2}`, `{"a" 1}`,
	}
}

func TestCleanMetaRefusesWhatIsNoObject(t *testing.T) {
	for _, in := range badMetas() {
		if got, err := cleanMeta([]byte(in)); !errors.Is(err, ErrMeta) {
			t.Errorf("cleanMeta(%s) = %s, %v", in, got, err)
		}
	}
}

func FuzzCleanMeta(f *testing.F) {
	for in := range metaCases() {
		f.Add([]byte(in))
	}
	for _, in := range badMetas() {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, meta []byte) {
		before := bytes.Clone(meta)
		got, err := cleanMeta(meta)
		if !bytes.Equal(before, meta) {
			t.Fatal("the caller's meta was changed")
		}
		var want map[string]json.RawMessage
		if !json.Valid(meta) {
			return // the caller broke the contract: no panic is all we promise
		}
		isObject := json.Unmarshal(meta, &want) == nil && want != nil
		if (err == nil) != isObject {
			t.Fatalf("cleanMeta(%q): %v", meta, err)
		}
		if !isObject {
			return
		}
		delete(want, refKey)
		delete(want, prevRefKey)
		checkClean(t, got, want)
	})
}

// checkClean compares the cleaned object with its members, and the object with
// refs put in: those must then be the only ones of their name.
func checkClean(t *testing.T, clean []byte, want map[string]json.RawMessage) {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(clean, &members); err != nil {
		t.Fatalf("%q: %v", clean, err)
	}
	if !reflect.DeepEqual(members, want) {
		t.Fatalf("%q has members %q, want %q", clean, members, want)
	}
	dec := json.NewDecoder(bytes.NewReader(appendMeta(nil, clean, "R", "P")))
	dec.UseNumber()
	refs := map[string]int{}
	if _, err := dec.Token(); err != nil {
		t.Fatal(err)
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			t.Fatal(err)
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			t.Fatal(err)
		}
		if name == refKey && string(value) == `"R"` || name == prevRefKey && string(value) == `"P"` {
			refs[name.(string)]++
		} else if name == refKey || name == prevRefKey {
			t.Fatalf("%q kept its own %s", clean, name)
		}
	}
	if refs[refKey] != 1 || refs[prevRefKey] != 1 {
		t.Fatalf("%q gets refs %v", clean, refs)
	}
}

func FuzzAppendQuoted(f *testing.F) {
	for _, s := range []string{"", "ann", "\x00\xff\u2028\"\\", "😀\xf0\x9f"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		quoted := appendQuoted(nil, s)
		std, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var got, want string
		if json.Unmarshal(quoted, &got) != nil || json.Unmarshal(std, &want) != nil || got != want {
			t.Fatalf("appendQuoted(%q) = %q reads back as %q, want %q", s, quoted, got, want)
		}
	})
}
