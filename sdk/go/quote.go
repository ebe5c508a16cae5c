package aviary

import (
	"math/bits"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// appendQuoted appends s as a JSON string. What is not UTF-8 becomes U+FFFD, so
// that the result always is: a frame with one bad byte in it would make every
// browser that receives it close its connection.
func appendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	plain := 0 // where the part begins that needs no change
	for i := verbatimEnd(s, 0); i < len(s); i = verbatimEnd(s, i) {
		size := 1
		if s[i] >= utf8.RuneSelf {
			var r rune
			if r, size = utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
		}
		dst = append(dst, s[plain:i]...)
		dst = appendEscaped(dst, s[i])
		i += size
		plain = i
	}
	dst = append(dst, s[plain:]...)
	return append(dst, '"')
}

const eachSpace = ' ' * eachByte

// verbatimEnd returns the index of the first byte at or after i that a JSON string
// may not hold as it is: a control character, a quote, a backslash, or one that
// is not ASCII and has to be looked at. It works as plainEnd does.
func verbatimEnd(s string, i int) int {
	for ; i+8 <= len(s); i += 8 {
		w := word(s[i : i+8])
		quote, reverse := w^eachQuote, w^eachReverse
		hits := w | (w-eachSpace)&^w | (quote-eachByte)&^quote | (reverse-eachByte)&^reverse
		if hits &= eachHigh; hits != 0 {
			return i + bits.TrailingZeros64(hits)/8
		}
	}
	for i < len(s) && s[i] >= ' ' && s[i] < utf8.RuneSelf && s[i] != '"' && s[i] != '\\' {
		i++
	}
	return i
}

// appendEscaped appends the escape of a byte that a JSON string cannot hold.
func appendEscaped(dst []byte, c byte) []byte {
	switch {
	case c >= utf8.RuneSelf:
		return utf8.AppendRune(dst, utf8.RuneError)
	case c == '"' || c == '\\':
		return append(dst, '\\', c)
	case c == '\n':
		return append(dst, '\\', 'n')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}
