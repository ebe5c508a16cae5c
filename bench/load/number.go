package load

import (
	"bytes"
	"fmt"
)

// digits is the fixed width of the numbers in our messages; a fixed width
// makes every message of a connection the same but for these bytes. Numbers
// past the width begin again at 0.
const digits = 8

type number [digits]byte

func formatNumber(n int) (d number) {
	for i := digits - 1; i >= 0; i-- {
		d[i] = byte('0' + n%10)
		n /= 10
	}
	return d
}

// push is a ready client frame with a number in it that can be set.
type push struct {
	frame []byte
	head  int // length of the frame's header
	at    int // offset of the number in the payload
}

// newPush makes the frame of text, in which the number stands as number 0,
// once.
func newPush(text string) (*push, error) {
	zero := formatNumber(0)
	at := bytes.Index([]byte(text), zero[:])
	if at < 0 || bytes.LastIndex([]byte(text), zero[:]) != at {
		return nil, fmt.Errorf("the number %s does not stand in %s once", zero, text)
	}
	frame := appendClientFrame(nil, opText, []byte(text))
	return &push{frame: frame, head: len(frame) - len(text), at: at}, nil
}

// appendTo appends the frame with number n.
func (p *push) appendTo(dst []byte, n int) []byte {
	d := formatNumber(n)
	for i, c := range d {
		p.frame[p.head+p.at+i] = c ^ mask(p.at+i)
	}
	return append(dst, p.frame...)
}

// pattern recognises messages that differ only in their number.
type pattern struct {
	before, after []byte // empty before: nothing learnt
}

// learn takes a message that was checked and has the number d in it.
func (p *pattern) learn(text []byte, d number) {
	at := bytes.Index(text, d[:])
	if at < 0 || bytes.LastIndex(text, d[:]) != at {
		return
	}
	p.before = bytes.Clone(text[:at])
	p.after = bytes.Clone(text[at+digits:])
}

// is tells whether text is the learnt message with the number d.
func (p *pattern) is(text []byte, d number) bool {
	b, a := len(p.before), len(p.after)
	return b > 0 && len(text) == b+digits+a &&
		string(text[b:b+digits]) == string(d[:]) &&
		string(text[:b]) == string(p.before) &&
		string(text[b+digits:]) == string(p.after)
}

// parseNumber reads a number of fixed width.
func parseNumber(b []byte) (n int, ok bool) {
	if len(b) != digits {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return n, true
}
