package load

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Opcodes of RFC 6455 section 11.8.
const (
	opText  = 0x1
	opClose = 0x8
	opPing  = 0x9
	opPong  = 0xA
)

const (
	finBit  = 0x80
	maskBit = 0x80
	rsvBits = 0x70

	// maxPayload bounds what a frame may claim; a benchmark's are small, one of
	// presences less so.
	maxPayload = 16 << 20
)

var errFrame = errors.New("malformed frame")

// frame is one WebSocket frame from the server. Its payload is a view.
type frame struct {
	op      byte
	payload []byte
}

// nextFrame takes the first frame off b and returns how many bytes it took; 0
// when b does not hold all of it.
func nextFrame(b []byte) (f frame, n int, err error) {
	if len(b) < 2 {
		return f, 0, nil
	}
	if b[0]&finBit == 0 || b[0]&rsvBits != 0 || b[1]&maskBit != 0 {
		return f, 0, fmt.Errorf("%w: header % x is fragmented, extended or masked", errFrame, b[:2])
	}
	length, head := uint64(b[1]), 2
	switch {
	case length == 126 && len(b) >= 4:
		length, head = uint64(binary.BigEndian.Uint16(b[2:])), 4
	case length == 127 && len(b) >= 10:
		length, head = binary.BigEndian.Uint64(b[2:]), 10
	case length >= 126:
		return f, 0, nil
	}
	if length > maxPayload {
		return f, 0, fmt.Errorf("%w: %d bytes", errFrame, length)
	}
	n = head + int(length)
	if len(b) < n {
		return f, 0, nil
	}
	return frame{op: b[0] &^ finBit, payload: b[head:n]}, n, nil
}

// mask is the masking key of every frame we send: the server has to do its
// work, and we can patch a masked frame in place.
func mask(i int) byte { return [4]byte{0x37, 0xfa, 0x21, 0x3d}[i&3] }

// appendClientFrame appends a masked frame.
func appendClientFrame(dst []byte, op byte, payload []byte) []byte {
	dst = append(dst, finBit|op)
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, maskBit|byte(n))
	case n <= 0xffff:
		dst = binary.BigEndian.AppendUint16(append(dst, maskBit|126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, maskBit|127), uint64(n))
	}
	dst = append(dst, mask(0), mask(1), mask(2), mask(3))
	for i, c := range payload {
		dst = append(dst, c^mask(i))
	}
	return dst
}

// closeReason puts the payload of a close frame into words.
func closeReason(p []byte) string {
	if len(p) < 2 {
		return "without a code"
	}
	return fmt.Sprintf("with code %d %q", binary.BigEndian.Uint16(p), p[2:])
}
