package rfc6455_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aviary-host/aviary/host"
)

// greek has characters of two and three bytes.
const greek = "κόσμε"

// outside is U+110000, the first code point that Unicode does not have.
const outside = "\xf4\x90\x80\x80"

// TestTextMessages is 6.1 to 6.4: texts and their fragments.
func TestTextMessages(t *testing.T) {
	const mixed = "Hello-µ@ßöäüàá-UTF-8!!"
	bad := echoText(greek + "\xed\xa0\x80edited")
	late := echoHead + greek + outside + "edited" + echoTail
	at := len(echoHead + greek)
	run(t, host.Mount{}, []testCase{
		{"6.1.1 no bytes", "5.6", script{text(""), undecodable}},
		{"6.1.2 three fragments of no bytes", "5.4", script{first(""), more(""), last(""), undecodable}},
		{"6.1.3 only the middle one of three fragments has bytes", "5.4", script{first(""), more(echoText("x")), last(""), echoed("x")}},
		{"6.2.1 valid, in one frame", "5.6", script{echo(mixed), echoed(mixed)}},
		{"6.2.2 valid, cut between characters", "5.6", script{first(echoHead + "Hello-µ@ßöä"), last("üàá-UTF-8!!" + echoTail), echoed(mixed)}},
		{"6.2.3 valid, in fragments of one byte", "5.6", script{fragments(echoText(mixed), 1), echoed(mixed)}},
		{"6.2.4 valid Greek, in fragments of one byte", "5.6", script{fragments(echoText(greek), 1), echoed(greek)}},
		{"6.3.1 invalid, in one frame", "8.1", script{text(bad), "close 1007"}},
		{"6.3.2 invalid, in fragments of one byte", "8.1", script{fragments(bad, 1), "close 1007"}},
		{"6.4.1 6.4.3 invalid in the second fragment of three, refused after the third", "8.1", script{
			first(late[:at]), more(late[at : at+4]), ping("still here"), `pong "still here"`, last(late[at+4:]), "close 1007",
		}},
		{"6.4.2 6.4.4 invalid from the one byte of the second fragment, refused after the third", "8.1", script{
			first(late[:at+1]), more(late[at+1 : at+2]), ping("still here"), `pong "still here"`, last(late[at+2:]), "close 1007",
		}},
		{"6.4.5 a text that ends inside a character", "8.1", script{first(echoHead), last("\xce"), "close 1007"}},
		{"6.4.6 a character begun in one message does not end in the next", "8.1", script{text("\xce"), text("\xba"), "close 1007"}},
	})
}

// spread encodes a number the way UTF-8 does, but in n bytes whether it needs
// them or not, and also beyond what Unicode has.
func spread(n int, code uint32) string {
	if n == 1 {
		return string([]byte{byte(code)})
	}
	b := make([]byte, n)
	for i := n - 1; i > 0; i-- {
		b[i] = 0x80 | byte(code&0x3f)
		code >>= 6
	}
	b[0] = ^byte(0xff>>n) | byte(code)
	return string(b)
}

// utf8Group is one group of texts, all of which are UTF-8 or none.
type utf8Group struct {
	number int // 6.n
	title  string
	valid  bool
	texts  []string
}

// cut is s without its last byte: a character that does not end.
func cut(s string) string { return s[:len(s)-1] }

// withEach returns every byte from a to b followed by s.
func withEach(a, b byte, s string) (all string) {
	for c := int(a); c <= int(b); c++ {
		all += string([]byte{byte(c)}) + s
	}
	return all
}

func validGroups() []utf8Group {
	var nonCharacters []string
	for plane := range uint32(17) {
		n := 4
		if plane == 0 {
			n = 3
		}
		nonCharacters = append(nonCharacters, spread(n, plane<<16|0xfffe), spread(n, plane<<16|0xffff))
	}
	var specials []string
	for code := uint32(0xfff9); code <= 0xffff; code++ {
		specials = append(specials, spread(3, code))
	}
	return []utf8Group{
		{5, "some", true, []string{"hello\x24world", "hello\u00a2world", "hello\u20acworld", "hello\U00024b62world", greek}},
		{6, "prefixes that end with a character", true, []string{greek[:2], greek[:4], greek[:6], greek[:8], greek}},
		{7, "first of each length", true, []string{spread(2, 0x80), spread(3, 0x800), spread(4, 0x10000)}},
		{9, "last of each length", true, []string{spread(1, 0x7f), spread(2, 0x7ff), spread(3, 0xffff), spread(4, 0x10ffff)}},
		{11, "around the surrogates, at the end", true, []string{spread(3, 0xd7ff), spread(3, 0xe000), spread(3, 0xfffd), spread(4, 0x10ffff)}},
		{22, "non-characters, which are valid", true, nonCharacters},
		{23, "specials", true, specials},
	}
}

func invalidGroups() []utf8Group {
	unfinished := []string{
		cut(spread(2, 0)), cut(spread(3, 0)), cut(spread(4, 0)), cut(spread(5, 0)), cut(spread(6, 0)),
		cut(spread(2, 0x7ff)), cut(spread(3, 0xffff)), cut(spread(4, 0x1fffff)), cut(spread(5, 0x3ffffff)), cut(spread(6, 0x7fffffff)),
	}
	var continuations []string
	for n := range 7 {
		continuations = append(continuations, strings.Repeat("\x80\xbf", 4)[:n+1])
	}
	high, low := []uint32{0xd800, 0xdb7f, 0xdb80, 0xdbff}, []uint32{0xdc00, 0xdf80, 0xdfff}
	var single, paired []string
	for _, code := range append(high, low...) {
		single = append(single, spread(3, code))
	}
	for _, h := range high {
		paired = append(paired, spread(3, h)+spread(3, 0xdc00), spread(3, h)+spread(3, 0xdfff))
	}
	return []utf8Group{
		{6, "prefixes that end inside a character", false, []string{greek[:1], greek[:3], greek[:5], greek[:7], greek[:9], "κ" + "\xe1", "κ" + "\xe1\xbd"}},
		{8, "first of five and six bytes", false, []string{spread(5, 0x200000), spread(6, 0x4000000)}},
		{10, "last of four, five and six bytes", false, []string{spread(4, 0x1fffff), spread(5, 0x3ffffff), spread(6, 0x7fffffff)}},
		{11, "one beyond the end", false, []string{spread(4, 0x110000)}},
		{12, "continuation bytes of nothing", false, append(continuations, "\xbf", withEach(0x80, 0xbf, ""))},
		{13, "lonely first bytes", false, []string{
			withEach(0xc0, 0xdf, " "), withEach(0xe0, 0xef, " "), withEach(0xf0, 0xf7, " "), withEach(0xf8, 0xfb, " "), withEach(0xfc, 0xfd, " "),
		}},
		{14, "without the last byte", false, unfinished},
		{15, "without the last byte, in a row", false, []string{strings.Join(unfinished, "")}},
		{16, "bytes that never occur", false, []string{"\xfe", "\xff", "\xfe\xfe\xff\xff"}},
		{17, "a slash too long", false, []string{spread(2, '/'), spread(3, '/'), spread(4, '/'), spread(5, '/'), spread(6, '/')}},
		{18, "greatest that are too long", false, []string{spread(2, 0x7f), spread(3, 0x7ff), spread(4, 0xffff), spread(5, 0x1fffff), spread(6, 0x3ffffff)}},
		{19, "a zero too long", false, []string{spread(2, 0), spread(3, 0), spread(4, 0), spread(5, 0), spread(6, 0)}},
		{20, "single surrogates", false, single},
		{21, "pairs of surrogates", false, paired},
	}
}

// TestUTF8 is 6.5 to 6.23: valid texts come back, others are refused, in one
// frame and in fragments of one byte. Numbers within a group are ours.
func TestUTF8(t *testing.T) {
	cases := []testCase{{"6.7.0 a zero, which is UTF-8 but not JSON", "8.1", script{text(echoText("\x00")), undecodable}}}
	for _, g := range append(validGroups(), invalidGroups()...) {
		for i, s := range g.texts {
			verdict, kind := "close 1007", "invalid"
			if g.valid {
				verdict, kind = echoed(s), "valid"
			}
			name := fmt.Sprintf("6.%d.%d %s: %s, % x", g.number, i+1, kind, g.title, short(s))
			cases = append(
				cases,
				testCase{name, "8.1", script{echo(s), verdict}},
				testCase{name + " in fragments of a byte", "8.1", script{fragments(echoText(s), 1), verdict}},
			)
		}
	}
	run(t, host.Mount{}, cases)
}

// TestBinaryIsNotText: only texts have to be UTF-8, whatever op their last
// fragment names.
func TestBinaryIsNotText(t *testing.T) {
	run(t, host.Mount{}, []testCase{
		{"6.24.1 binary that is not UTF-8", "5.6", script{binaryOf("\xff\xfe"), binaryRefused}},
		{"6.24.2 binary in fragments that is not UTF-8", "5.6", script{fragmentsOf(opBinary, "\xff\xfe\xfd", 1), binaryRefused}},
	})
}
