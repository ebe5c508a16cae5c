package aviary

import (
	"math"
	"strconv"
)

// builder appends JSON text. Every call leaves it at the end of a member, so the
// last byte tells whether a comma is due.
type builder struct {
	buf    []byte
	closed bool // the closing bracket is there, and a payload may name buf
}

// maxKept is the capacity up to which a buffer is kept from one callback to the next.
const maxKept = 64 << 10

func (w *builder) open(bracket byte) {
	if cap(w.buf) > maxKept {
		w.buf = nil
	}
	w.buf = append(w.buf[:0], bracket)
	w.closed = false
}

// next begins a member.
func (w *builder) next() {
	if w.closed {
		w.reopen()
	}
	if c := w.buf[len(w.buf)-1]; c != '{' && c != '[' {
		w.buf = append(w.buf, ',')
	}
}

// reopen takes the closing bracket back, in a copy: the text with the bracket is
// part of a payload.
func (w *builder) reopen() {
	w.buf = append(make([]byte, 0, 2*len(w.buf)), w.buf[:len(w.buf)-1]...)
	w.closed = false
}

func (w *builder) key(k string) {
	w.next()
	w.buf = append(appendQuoted(w.buf, k), ':')
}

func (w *builder) close(bracket byte) string {
	if !w.closed {
		w.buf = append(w.buf, bracket)
		w.closed = true
	}
	return stringOf(w.buf)
}

func (w *builder) bool(b bool) { w.buf = strconv.AppendBool(w.buf, b) }

func (w *builder) int(n int64) { w.buf = strconv.AppendInt(w.buf, n, 10) }

// float writes a number as JavaScript does, and what is no number as null.
func (w *builder) float(f float64) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		w.null()
		return
	}
	format := byte('f')
	if size := math.Abs(f); size != 0 && (size < 1e-6 || size >= 1e21) {
		format = 'e'
	}
	w.buf = strconv.AppendFloat(w.buf, f, format, -1, 64)
}

func (w *builder) null() { w.buf = append(w.buf, "null"...) }

func (w *builder) value(p Payload) {
	v := valueFrom(p)
	switch v.kind {
	case KindMissing:
		w.null()
	case KindBytes:
		panic("aviary: bytes inside JSON")
	default:
		w.buf = append(w.buf, v.text...)
	}
}

// Obj is a JSON object under construction; see [Object].
type Obj struct{ builder }

// Object begins a JSON object. Its methods add members and return it, so that
// one expression makes the whole. It is good until the handler returns.
//
//	aviary.Object().Str("name", name).Set("tags", aviary.Array().Str("a").Str("b"))
func Object() *Obj {
	o := newObj()
	o.open('{')
	return o
}

// Str adds a string. Bytes of s that are not UTF-8 become U+FFFD.
func (o *Obj) Str(key, s string) *Obj {
	o.key(key)
	o.buf = appendQuoted(o.buf, s)
	return o
}

// Int adds a whole number. JavaScript reads numbers over 2^53 inexactly.
func (o *Obj) Int(key string, n int64) *Obj { o.key(key); o.int(n); return o }

// Float adds a number; NaN and the infinities become null.
func (o *Obj) Float(key string, f float64) *Obj { o.key(key); o.float(f); return o }

// Bool adds true or false.
func (o *Obj) Bool(key string, b bool) *Obj { o.key(key); o.bool(b); return o }

// Null adds a null.
func (o *Obj) Null(key string) *Obj { o.key(key); o.null(); return o }

// Set adds any JSON: an object, an array, a part of a payload. What is missing or
// nil becomes null; bytes panic.
func (o *Obj) Set(key string, p Payload) *Obj { o.key(key); o.value(p); return o }

// String returns the text of the object so far.
func (o *Obj) String() string { return o.close('}') }

// Arr is a JSON array under construction; see [Array].
type Arr struct{ builder }

// Array begins a JSON array, as [Object] does an object.
func Array() *Arr {
	a := newArr()
	a.open('[')
	return a
}

// Str adds a string, as [Obj.Str] does.
func (a *Arr) Str(s string) *Arr {
	a.next()
	a.buf = appendQuoted(a.buf, s)
	return a
}

// Int adds a whole number.
func (a *Arr) Int(n int64) *Arr { a.next(); a.int(n); return a }

// Float adds a number; NaN and the infinities become null.
func (a *Arr) Float(f float64) *Arr { a.next(); a.float(f); return a }

// Bool adds true or false.
func (a *Arr) Bool(b bool) *Arr { a.next(); a.bool(b); return a }

// Null adds a null.
func (a *Arr) Null() *Arr { a.next(); a.null(); return a }

// Add adds any JSON, as [Obj.Set] does.
func (a *Arr) Add(p Payload) *Arr { a.next(); a.value(p); return a }

// String returns the text of the array so far.
func (a *Arr) String() string { return a.close(']') }
