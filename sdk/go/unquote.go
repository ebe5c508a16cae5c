package aviary

import (
	"unicode/utf16"
	"unicode/utf8"
)

// hasEscape tells whether the inside of a JSON string has an escape in it.
func hasEscape(s string) bool { return plainEnd(s, 0) < len(s) }

// keyIs tells whether raw, the inside of a JSON string, reads as key.
func keyIs(raw, key string) bool {
	if len(raw) == len(key) {
		return raw == key && !hasEscape(raw)
	}
	return len(raw) > len(key) && hasEscape(raw) && escapedIs(raw, key) // no escape is shorter than what it stands for
}

func escapedIs(raw, key string) bool {
	var room [64]byte
	return string(appendUnquoted(room[:0], raw)) == key
}

// unquoted returns what the inside of a JSON string stands for: s itself where
// it has no escapes.
func unquoted(s string) string {
	if !hasEscape(s) {
		return s
	}
	return stringOf(appendUnquoted(make([]byte, 0, len(s)), s))
}

// appendUnquoted appends what s, the inside of a JSON string, stands for.
func appendUnquoted(dst []byte, s string) []byte {
	for {
		i := min(plainEnd(s, 0), len(s))
		dst = append(dst, s[:i]...)
		if i == len(s) {
			return dst
		}
		var r rune
		r, s = escape(s[i:])
		dst = utf8.AppendRune(dst, r)
	}
}

// escape reads the escape at the start of s and returns what follows it. Half a
// surrogate pair and what is no escape at all read as U+FFFD.
func escape(s string) (r rune, rest string) {
	if len(s) < 2 {
		return utf8.RuneError, ""
	}
	c := s[1]
	switch c {
	case 'b':
		r = '\b'
	case 'f':
		r = '\f'
	case 'n':
		r = '\n'
	case 'r':
		r = '\r'
	case 't':
		r = '\t'
	case 'u':
		return escapeU(s)
	case '"', '\\', '/':
		r = rune(c)
	default:
		r = utf8.RuneError
	}
	return r, s[2:]
}

// escapeU reads a \u escape, or two that make a surrogate pair.
func escapeU(s string) (r rune, rest string) {
	const size = len(`\u0000`)
	r = hex4(s)
	if r < 0 {
		return utf8.RuneError, s[2:]
	}
	s = s[size:]
	if !utf16.IsSurrogate(r) {
		return r, s
	}
	if pair := utf16.DecodeRune(r, hex4(s)); pair != utf8.RuneError {
		return pair, s[size:]
	}
	return utf8.RuneError, s
}

// hex4 returns the value of the \u escape at the start of s, -1 if there is none.
func hex4(s string) rune {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return -1
	}
	var v rune
	for _, c := range []byte(s[2:6]) {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return -1
		}
		v = v<<4 | rune(c)
	}
	return v
}
