package wire

import (
	"encoding/binary"
	"math/bits"
)

// The scanner finds where values end in text whose structure sonic has already
// accepted. It therefore checks only what sonic does not (the inside of strings
// and the depth) and trusts the rest; but no index depends on that trust, so
// text that sonic should not have accepted yields a Reason, not a panic.

// Constants for testing the eight bytes of a word at once.
const (
	eachByte    = 0x0101010101010101
	eachHigh    = 0x80 * eachByte
	eachSpace   = ' ' * eachByte
	eachQuote   = '"' * eachByte
	eachReverse = '\\' * eachByte
)

// spaceEnd returns the index of the first byte at or after i that is not JSON
// white space (RFC 8259 section 2).
func spaceEnd(b []byte, i int) int {
	for i < len(b) && isSpace(b[i]) {
		i++
	}
	return i
}

func isSpace(c byte) bool {
	return c == ' ' || c == '\n' || c == '\t' || c == '\r'
}

// valueEnd returns the index after the value that starts at b[i] and has depth
// containers open around it.
func valueEnd(b []byte, i, depth int) (int, Reason) {
	if i >= len(b) {
		return 0, ReasonNotJSON
	}
	switch b[i] {
	case '"':
		return stringEnd(b, i)
	case '{', '[':
		return containerEnd(b, i, depth)
	}
	end := scalarEnd(b, i)
	if end == i {
		return 0, ReasonNotJSON
	}
	return end, reasonNone
}

// scalarEnd returns the index after the number or literal that starts at b[i].
func scalarEnd(b []byte, i int) int {
	for i < len(b) && b[i] != ',' && b[i] != ']' && b[i] != '}' && !isSpace(b[i]) {
		i++
	}
	return i
}

// containerEnd returns the index after the array or object that starts at b[i].
// It counts brackets instead of recursing, so depth costs no stack; which
// bracket closes which has been checked by sonic.
func containerEnd(b []byte, i, depth int) (int, Reason) {
	outer := depth
	for i < len(b) {
		switch b[i] {
		case '"':
			end, reason := stringEnd(b, i)
			if reason != reasonNone {
				return 0, reason
			}
			i = end
			continue
		case '{', '[':
			depth++
			if depth > MaxDepth {
				return 0, ReasonTooDeep
			}
		case '}', ']':
			depth--
			if depth == outer {
				return i + 1, reasonNone
			}
		}
		i++
	}
	return 0, ReasonNotJSON
}

// stringEnd returns the index after the string whose opening quote is b[i]. It
// refuses what RFC 8259 section 7 forbids inside: raw control characters and
// unknown escapes.
func stringEnd(b []byte, i int) (int, Reason) {
	for i = plainEnd(b, i+1); i < len(b); i = plainEnd(b, i) {
		switch b[i] {
		case '"':
			return i + 1, reasonNone
		case '\\':
			n := escapeLen(b[i:])
			if n == 0 {
				return 0, ReasonNotJSON
			}
			i += n
		default:
			return 0, ReasonNotJSON
		}
	}
	return 0, ReasonNotJSON
}

// plainEnd returns the index of the first byte at or after i that means
// something inside a string: a quote, a backslash or a control character.
//
// Each of the three tests sets the high bit of every byte it is true for. A
// borrow may set wrong bits too, but only above a right one, and only the lowest
// bit is read.
func plainEnd(b []byte, i int) int {
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		quote, reverse := w^eachQuote, w^eachReverse
		hits := (w-eachSpace)&^w | (quote-eachByte)&^quote | (reverse-eachByte)&^reverse
		if hits &= eachHigh; hits != 0 {
			return i + bits.TrailingZeros64(hits)/8
		}
	}
	for i < len(b) && b[i] >= ' ' && b[i] != '"' && b[i] != '\\' {
		i++
	}
	return i
}

// escapeLen returns the length of the escape at the start of b, 0 if it is none.
func escapeLen(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if hex4(b[2:]) < 0 {
			return 0
		}
		return 6
	default:
		return 0
	}
}

// hex4 returns the value of the four hex digits at the start of b, -1 if they
// are not there.
func hex4(b []byte) rune {
	if len(b) < 4 {
		return -1
	}
	var v rune
	for _, c := range b[:4] {
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
