package wire

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// judgements are texts on which validators are known to differ, and ours.
func judgements() map[string]bool {
	return map[string]bool{
		``: false, ` `: false, `1`: true, " \t\r\n1 \t\r\n": true, `null`: true, `nul`: false, `nulll`: false,
		`-0`: true, `-`: false, `01`: false, `1.`: false, `.1`: false, `1e`: false, `1e+`: false, `1e999`: true, `+1`: false,
		`NaN`: false, `Infinity`: false, `'a'`: false, `{1:1}`: false, `{"a" 1}`: false, `{"a":1,}`: false, `[1,]`: false, `[,1]`: false, `[1}`: false,
		`{"a":1,"a":2}`: true, `1 2`: false, "1\x00": false, "\x001": false, "[1,\x002]": false, "1\f": false, "1\v": false, "1\u00a0": false,
		"\ufeff1": false, `/*c*/1`: false, `"`: false, `"\`: false, `"\"`: false, `"a\\"`: true,
		// Where sonic alone is too lax.
		"\"a\x00b\"": false, "\"a\x1fb\"": false, "\"a\nb\"": false, "\"a\tb\"": false, "\"\x7f\"": true,
		`"\x"`: false, `"\u12g4"`: false, `"\u123"`: false, `"\u"`: false, `"\U0041"`: false, `"\'"`: false, `"\"\\\/\b\f\n\r\t\u00e9"`: true,
		`{"\x":1}`: false, `[[["\x"]]]`: false, "{\"k\":\"0123456789abcde\n\"}": false,
		// Lone halves of a pair are text that RFC 8259 section 8.2 lets pass.
		`"\ud800"`: true, `"\udc00\ud800"`: true,
		// Where encoding/json is too lax.
		"\"\xff\"": false, "\"\xed\xa0\x80\"": false, "\"\xc0\x80\"": false, "\"\xf4\x90\x80\x80\"": false, `"é😀"`: true,
	}
}

func TestValid(t *testing.T) {
	for text, want := range judgements() {
		if got := Valid([]byte(text)); got != want {
			t.Errorf("Valid(%q) = %v", text, got)
		}
		std := json.Valid([]byte(text))
		if want && !std {
			t.Errorf("the table accepts %q, encoding/json does not", text)
		}
	}
}

// Every cut of a text whose rest is still there, behind the slice.
func TestValidLooksOnlyAtItsSlice(t *testing.T) {
	for _, whole := range []string{"null", "true", "false", " null", "[null]", "[1,false]", `{"a":true}`, `"text"`, "-12.5e+3"} {
		for n := range len(whole) {
			got, want := Valid([]byte(whole)[:n]), json.Valid([]byte(whole[:n]))
			if got != want {
				t.Errorf("Valid(%q) = %v when cut from %q", whole[:n], got, whole)
			}
		}
	}
}

// Every place in a word, and every length around it, of a byte that ends plain
// string text.
func TestValidFindsABadByteAtEveryOffset(t *testing.T) {
	for length := range 40 {
		for at := range length {
			text := []byte(`"` + strings.Repeat("\u00a0", length)[:2*length] + `"`)
			text[1+2*at], text[2+2*at] = 'a', 0x1f
			if Valid(text) {
				t.Fatalf("accepted %q", text)
			}
			text[2+2*at] = ' '
			if !Valid(text) {
				t.Fatalf("refused %q", text)
			}
		}
	}
}

func TestValidBoundsDepth(t *testing.T) {
	nest := func(open, mid, closing string, n int) []byte {
		return []byte(strings.Repeat(open, n) + mid + strings.Repeat(closing, n))
	}
	for _, c := range []struct{ open, mid, closing string }{{"[", "", "]"}, {`{"a":`, "1", "}"}, {`[{"a":[`, "1", `]}]`}} {
		levels := strings.Count(c.open, "[") + strings.Count(c.open, "{")
		if !Valid(nest(c.open, c.mid, c.closing, MaxDepth/levels)) {
			t.Errorf("%q refused at the bound", c.open)
		}
		if Valid(nest(c.open, c.mid, c.closing, MaxDepth/levels+1)) {
			t.Errorf("%q accepted above the bound", c.open)
		}
	}
	wide := []byte("[" + strings.Repeat("[],{},", 2*MaxDepth) + "0]")
	if !Valid(wide) {
		t.Error("siblings were counted as depth")
	}
}

// Callers refuse by it what Phoenix refuses in case 56.
func TestIsObject(t *testing.T) {
	for text, want := range map[string]bool{"": false, " ": false, `"invalid"`: false, "{}": true, " \r\n\t{}": true, "[{}]": false, `"{"`: false} {
		if got := IsObject([]byte(text)); got != want {
			t.Errorf("IsObject(%q) = %v", text, got)
		}
	}
}

func TestAppendQuoted(t *testing.T) {
	for in, want := range map[string]string{
		"":                       `""`,
		"room:café 😀":            `"room:café 😀"`,
		`a"b\c/<&>`:              `"a\"b\\c/<&>"`,
		"\b\f\n\r\t\x00\x1f":     `"\b\f\n\r\t\u0000\u001f"`,
		"\x7f":                   "\"\x7f\"",
		"a\u2028b\u2029c":        `"a\u2028b\u2029c"`,
		"a\xffb\xed\xa0\x80\xe2": "\"a\ufffdb\ufffd\ufffd\ufffd\ufffd\"",
		"\ufffd":                 "\"\ufffd\"",
	} {
		got := string(AppendQuoted([]byte("x"), in))
		if got != "x"+want {
			t.Errorf("AppendQuoted(%q) = %s, want x%s", in, got, want)
		}
		if !Valid([]byte(got[1:])) || !utf8.ValidString(got) {
			t.Errorf("AppendQuoted(%q) = %q is not valid", in, got)
		}
	}
}
