package abi

// Little-endian access by hand: encoding/binary would pull reflection into
// every guest that uses this package.

func get16(b []byte) uint16 { return uint16(b[0]) | uint16(b[1])<<8 }

func get32(b []byte) uint32 {
	_ = b[3]
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}

func get64(b []byte) uint64 {
	_ = b[7]
	return uint64(get32(b)) | uint64(get32(b[4:]))<<32
}

func put16(b []byte, v uint16) {
	_ = b[1]
	b[0], b[1] = byte(v), byte(v>>8)
}

func put32(b []byte, v uint32) {
	_ = b[3]
	b[0], b[1], b[2], b[3] = byte(v), byte(v>>8), byte(v>>16), byte(v>>24)
}

func put64(b []byte, v uint64) {
	put32(b, uint32(v))
	put32(b[4:], uint32(v>>32))
}

// view returns the bytes of block that the (offset, length) pair names. The
// sum is taken in 64 bits: offset and length come from the other side.
func view(block, pair []byte) ([]byte, bool) {
	off, n := uint64(get32(pair)), uint64(get32(pair[4:]))
	if n == 0 {
		return nil, true
	}
	if off+n > uint64(len(block)) {
		return nil, false
	}
	return block[off : off+n : off+n], true
}

// blockReader reads the variable parts of a block and remembers the first
// pair, by its offset, that names bytes past the block.
type blockReader struct {
	block []byte
	bad   int
}

func (r *blockReader) get(pair int) []byte {
	v, ok := view(r.block, r.block[pair:])
	if !ok && r.bad == 0 {
		r.bad = pair
	}
	return v
}

// blockWriter appends variable parts behind the fixed ones of a block that
// begins at base, and fills in their pairs.
type blockWriter struct {
	base int
	buf  []byte
}

func (w *blockWriter) put(pair int, p []byte) {
	if len(p) == 0 {
		return
	}
	at := w.buf[w.base+pair:]
	put32(at, uint32(len(w.buf)-w.base))
	put32(at[4:], uint32(len(p)))
	w.buf = append(w.buf, p...)
}

func bit(on bool, flag byte) byte {
	if on {
		return flag
	}
	return 0
}

func appendZeros(dst []byte, n int) []byte {
	var zeros [RequestHeaderSize]byte
	for n > len(zeros) {
		dst = append(dst, zeros[:]...)
		n -= len(zeros)
	}
	return append(dst, zeros[:n]...)
}
