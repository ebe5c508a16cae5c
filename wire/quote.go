package wire

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// AppendQuoted appends s as a JSON string and returns the extended slice. The
// result is valid JSON and UTF-8 for any s: each byte that is not UTF-8 becomes
// U+FFFD. U+2028 and U+2029 are escaped because JavaScript before ES2019 takes
// them for line ends.
func AppendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' {
			i++
			continue
		}
		r, size := rune(c), 1
		if c >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(s[i:])
			bad := r == utf8.RuneError && size == 1
			if !bad && r != '\u2028' && r != '\u2029' {
				i += size
				continue
			}
		}
		dst = append(dst, s[start:i]...)
		dst = appendEscape(dst, r)
		i += size
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// appendQuotedUTF8 is AppendQuoted for bytes that are known to be UTF-8. One
// generic function for both would slow AppendQuoted, which is in every frame, by
// a tenth.
func appendQuotedUTF8(dst, s []byte) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c < ' ' || c == '"' || c == '\\':
			dst = appendEscape(dst, rune(c))
		case isLineSeparator(s[i:]):
			dst = appendEscape(dst, '\u2028'+rune(s[i+2]&1))
			i += 2
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

// isLineSeparator reports whether s starts with U+2028 or U+2029: e2 80 a8 or
// e2 80 a9.
func isLineSeparator(s []byte) bool {
	return len(s) >= 3 && s[0] == 0xe2 && s[1] == 0x80 && s[2]&^1 == 0xa8
}

// quotedBound returns the most bytes that appendQuotedUTF8 makes of s.
func quotedBound(s []byte) int {
	n := len(s) + len(`""`)
	for _, c := range s {
		switch {
		case c < ' ':
			n += len(`\u0000`) - 1
		case c == '"', c == '\\':
			n++
		case c == 0xe2: // may begin a line separator
			n += len(`\u2028`) - 3
		}
	}
	return n
}

// appendEscape appends the shortest escape of a rune that may not stand for
// itself; U+FFFD, which stands in for a bad byte, may and does.
func appendEscape(dst []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(dst, '\\', byte(r))
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	case utf8.RuneError:
		return utf8.AppendRune(dst, r)
	default:
		return append(dst, '\\', 'u',
			hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
	}
}

// appendUTF8 appends s with each byte that is not UTF-8 as U+FFFD, as
// AppendQuoted has it.
func appendUTF8(dst []byte, s string) []byte {
	if utf8.ValidString(s) {
		return append(dst, s...)
	}
	for _, r := range s {
		dst = utf8.AppendRune(dst, r)
	}
	return dst
}

// appendPlain appends the text that a token stands for where there are no types:
// nothing for null, the inside of a string, any other token as it is.
func appendPlain(dst, token []byte) []byte {
	switch {
	case isNull(token):
		return dst
	case token[0] != '"' || len(token) < len(`""`):
		return append(dst, token...)
	}
	inside := token[1 : len(token)-1]
	if bytes.IndexByte(inside, '\\') < 0 {
		return append(dst, inside...)
	}
	return appendUnescaped(dst, inside)
}

// appendUnescaped appends the text of s, the inside of a string token whose
// escapes the scanner has checked. Half a surrogate pair becomes U+FFFD, as in
// encoding/json.
func appendUnescaped(dst, s []byte) []byte {
	for i := 0; i < len(s); {
		if s[i] != '\\' {
			dst = append(dst, s[i])
			i++
			continue
		}
		r, size := unescape(s[i:])
		dst = utf8.AppendRune(dst, r)
		i += size
	}
	return dst
}

// unescape returns the rune that the escape at the start of s stands for and
// the bytes it takes: 2, 6, or 12 for a surrogate pair.
func unescape(s []byte) (r rune, size int) {
	switch n := escapeLen(s); n {
	case 0: // cannot happen after the scanner; keep the backslash
		return '\\', 1
	case 2:
		return shortEscape(s[1]), n
	}
	r = hex4(s[2:])
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if len(s) >= 12 && s[6] == '\\' && s[7] == 'u' {
		if pair := utf16.DecodeRune(r, hex4(s[8:])); pair != utf8.RuneError {
			return pair, 12
		}
	}
	return utf8.RuneError, 6
}

func shortEscape(c byte) rune {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	default:
		return rune(c)
	}
}
