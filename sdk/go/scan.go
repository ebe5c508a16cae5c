package aviary

import "math/bits"

// The scanner finds where JSON values end. It takes valid JSON for granted, as
// the host has validated every payload, but no index depends on that: text that
// is not JSON gives some other answer, not a panic. It never recurses, so the
// depth of a payload costs no stack.

// none is the answer when there is no value, or no end to it.
const none = -1

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// spaceEnd returns the index of the first byte at or after i that is not white space.
func spaceEnd(s string, i int) int {
	for i < len(s) && isSpace(s[i]) {
		i++
	}
	return i
}

// valueEnd returns the index after the value that begins at s[i].
func valueEnd(s string, i int) int {
	if i >= len(s) {
		return none
	}
	switch s[i] {
	case '"':
		return stringEnd(s, i)
	case '{', '[':
		return containerEnd(s, i)
	}
	start := i
	for i < len(s) && s[i] != ',' && s[i] != ']' && s[i] != '}' && !isSpace(s[i]) {
		i++
	}
	if i == start {
		return none
	}
	return i
}

// containerEnd returns the index after the object or array that begins at s[i].
func containerEnd(s string, i int) int {
	depth := 0
	for i < len(s) {
		switch s[i] {
		case '"':
			if i = stringEnd(s, i); i == none {
				return none
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
	return none
}

// stringEnd returns the index after the string whose opening quote is s[i].
func stringEnd(s string, i int) int {
	for i = plainEnd(s, i+1); i < len(s); i = plainEnd(s, i) {
		if s[i] == '"' {
			return i + 1
		}
		i += 2 // a backslash and what it escapes; hex digits of \u are plain
	}
	return none
}

// Constants for testing the eight bytes of a word at once.
const (
	eachByte    = 0x0101010101010101
	eachHigh    = 0x80 * eachByte
	eachQuote   = '"' * eachByte
	eachReverse = '\\' * eachByte
)

// plainEnd returns the index of the first quote or backslash at or after i, or
// some index at or past the end.
//
// Each of the two tests sets the high bit of every byte it is true for. A borrow
// may set wrong bits too, but only above a right one, and only the lowest bit is
// read.
func plainEnd(s string, i int) int {
	for ; i+8 <= len(s); i += 8 {
		w := word(s[i : i+8])
		quote, reverse := w^eachQuote, w^eachReverse
		hits := ((quote-eachByte)&^quote | (reverse-eachByte)&^reverse) & eachHigh
		if hits != 0 {
			return i + bits.TrailingZeros64(hits)/8
		}
	}
	for i < len(s) && s[i] != '"' && s[i] != '\\' {
		i++
	}
	return i
}

// word reads eight bytes; the compiler makes one load of it.
func word(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// members walks the members of an object, or with keys false the elements of an
// array.
type members struct {
	text string // of the container
	at   int    // where the next member begins, or the comma before it
	keys bool

	key   string // of the member at hand, still escaped
	value string // its text
}

// next moves to the next member and tells whether there is one.
func (m *members) next() bool {
	i := spaceEnd(m.text, m.at)
	if i < len(m.text) && m.text[i] == ',' {
		i = spaceEnd(m.text, i+1)
	}
	if i = m.skipKey(i); i == none {
		return false
	}
	end := valueEnd(m.text, i)
	if end == none {
		return false
	}
	m.value, m.at = m.text[i:end], end
	return true
}

// skipKey reads the key at i, if the container has keys, and returns where its
// value begins.
func (m *members) skipKey(i int) int {
	if !m.keys {
		return i
	}
	if i >= len(m.text) || m.text[i] != '"' {
		return none
	}
	end := stringEnd(m.text, i)
	if end == none {
		return none
	}
	m.key = m.text[i+1 : end-1]
	if i = spaceEnd(m.text, end); i >= len(m.text) || m.text[i] != ':' {
		return none
	}
	return spaceEnd(m.text, i+1)
}
