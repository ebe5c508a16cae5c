package module

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// reader reads a module. The first problem ends it: err is set, and whatever is
// read afterwards is zero.
type reader struct {
	buf     []byte // the module up to the end of what is being read
	pos     int
	section string
	fn      int
	err     *Error
}

const endsEarly = "ends early"

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = &Error{Offset: r.pos, Section: r.section, Func: r.fn, Problem: fmt.Sprintf(format, args...)}
	}
	r.pos = len(r.buf)
}

// within refuses more than the cap, and tells whether reading may go on.
func (r *reader) within(n uint64, what string, most int) bool {
	if n > uint64(most) {
		r.fail("%d %s, at most %d", n, what, most)
	}
	return r.err == nil
}

// more tells whether there is something left to read.
func (r *reader) more() bool { return r.pos < len(r.buf) }

// inner begins a part of n bytes and returns the end of what is around it.
func (r *reader) inner(n uint32) (outer []byte) {
	outer = r.buf
	if uint64(n) > uint64(len(r.buf)-r.pos) {
		r.fail("size of %d bytes, %d are left", n, len(r.buf)-r.pos)
		return outer
	}
	r.buf = r.buf[:r.pos+int(n)]
	return outer
}

// outer ends a part, which must have been read to its end.
func (r *reader) outer(outer []byte) {
	if r.more() {
		r.fail("%d bytes are left over", len(r.buf)-r.pos)
	}
	r.buf = outer
	if r.err != nil {
		r.pos = len(r.buf)
	}
}

func (r *reader) byte() byte {
	if r.pos >= len(r.buf) {
		r.fail(endsEarly)
		return 0
	}
	b := r.buf[r.pos]
	r.pos++
	return b
}

func (r *reader) bytes(n uint32) []byte {
	if uint64(n) > uint64(len(r.buf)-r.pos) {
		r.fail(endsEarly)
		return nil
	}
	b := r.buf[r.pos : r.pos+int(n) : r.pos+int(n)]
	r.pos += int(n)
	return b
}

// u32 reads an unsigned LEB128 number of at most 5 bytes (core specification,
// section 5.2.2).
func (r *reader) u32() uint32 {
	if r.pos < len(r.buf) && r.buf[r.pos] < 0x80 {
		r.pos++
		return uint32(r.buf[r.pos-1])
	}
	var v uint32
	for shift := 0; ; shift += 7 {
		b := r.byte()
		if shift == 28 && b > 0x0f {
			r.fail("number over 32 bits")
			return 0
		}
		v |= uint32(b&0x7f) << shift
		if b < 0x80 {
			return v
		}
	}
}

// signed reads a signed LEB128 number of at most so many bits.
func (r *reader) signed(bits int) int64 {
	var v int64
	for shift := 0; ; shift += 7 {
		b := r.byte()
		if left := bits - shift; left < 7 {
			// Of the last byte, the bits past the number repeat its sign, and no
			// byte follows.
			if sign := int8(b<<1) >> left; sign != 0 && sign != -1 || b >= 0x80 {
				r.fail("number over %d bits", bits)
				return 0
			}
		}
		v |= int64(b&0x7f) << shift
		if b < 0x80 {
			return v << (57 - min(shift, 57)) >> (57 - min(shift, 57))
		}
	}
}

func (r *reader) fixed32() uint32 {
	if b := r.bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) fixed64() uint64 {
	if b := r.bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// count reads the length of a vector of what, each at least size bytes long. It
// is sound to make room for so many.
func (r *reader) count(what string, size, most int) int {
	n := r.u32()
	if !r.within(uint64(n), what, most) {
		return 0
	}
	if int(n) > (len(r.buf)-r.pos)/size {
		r.fail("%d %s in %d bytes", n, what, len(r.buf)-r.pos)
		return 0
	}
	return int(n)
}

// name reads a text (section 5.2.4).
func (r *reader) name(most int) string {
	n := r.u32()
	if !r.within(uint64(n), "bytes of a name", most) {
		return ""
	}
	b := r.bytes(n)
	if !utf8.Valid(b) {
		r.fail("name is not UTF-8")
		return ""
	}
	return string(b)
}

// memoryZero reads the byte where later versions have the index of a memory.
func (r *reader) memoryZero() {
	if b := r.byte(); b != 0 {
		r.fail("several memories are not supported")
	}
}

// index reads an index of one of n things.
func (r *reader) index(what string, n int) uint32 {
	i := r.u32()
	if uint64(i) >= uint64(n) {
		r.fail("%s %d of %d", what, i, n)
		return 0
	}
	return i
}

// room makes an empty slice with room for n, which is nil where n is 0: a module
// that is written and read again is equal to the first.
func room[T any](n int) []T {
	if n == 0 {
		return nil
	}
	return make([]T, 0, n)
}
