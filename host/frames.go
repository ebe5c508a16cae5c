package host

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// statusServiceRestart is the close code for a server going down (IANA registry
// of RFC 6455 close codes, 1012).
const statusServiceRestart ws.StatusCode = 1012

// closeError ends a connection with a WebSocket close code (RFC 6455 section
// 7.4) and a reason of at most 123 bytes.
type closeError struct {
	code   ws.StatusCode
	reason string
}

func (e *closeError) Error() string { return e.reason }

// frameSink takes what a frameReader finds. Slices are valid during the call.
type frameSink interface {
	message(op ws.OpCode, payload []byte) error
	control(op ws.OpCode, payload []byte) error
	fragment() error // a frame that is not the last one of its message
}

// frameReader cuts a byte stream into messages: headers are parsed and checked
// by gobwas/ws, masks removed in place, fragments put together. It holds no
// bytes of an idle connection.
type frameReader struct {
	max      int     // bytes of a message, also when it is inflated
	flates   *flates // where permessage-deflate was agreed on, else nil
	src      bytes.Reader
	scratch  [ws.MaxHeaderSize]byte
	op       ws.OpCode // of the message whose fragments are coming in
	partial  []byte
	fragment bool
	deflated bool // that message
	broken   bool // a header was refused: where the next one begins is not known
}

// read hands all complete frames of b to sink and returns how many bytes of b
// they took, and how many bytes the next frame needs at least from there on (0
// when nothing is left).
func (r *frameReader) read(b []byte, sink frameSink) (used, need int, err error) {
	for used < len(b) {
		h, n, err := r.header(b[used:])
		if err != nil {
			r.broken = true
			return used, 0, err
		}
		if n == 0 {
			return used, ws.MaxHeaderSize, nil
		}
		total := n + int(h.Length)
		if len(b)-used < total {
			return used, total, nil
		}
		payload := b[used+n : used+total]
		ws.Cipher(payload, h.Mask, 0)
		used += total
		if err := r.frame(h, payload, sink); err != nil {
			return used, 0, err
		}
	}
	return used, 0, nil
}

// header parses and checks one frame header; n is 0 when b has not all of it.
func (r *frameReader) header(b []byte) (h ws.Header, n int, err error) {
	r.src.Reset(b)
	h, err = ws.ReadHeaderBuffer(&r.src, r.scratch[:0])
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return h, 0, nil
	}
	if err == nil {
		err = ws.CheckHeader(h, r.state(h))
	}
	if err == nil && !h.Masked {
		err = ws.ErrProtocolMaskRequired // RFC 6455 section 5.1
	}
	if err != nil {
		return h, 0, &closeError{ws.StatusProtocolError, err.Error()}
	}
	// The declared length is refused before a byte of it is buffered. Control
	// frames are no messages; their bound is 125 bytes and has been checked.
	if !h.OpCode.IsControl() && h.Length > int64(r.max-len(r.partial)) {
		return h, 0, r.tooBig()
	}
	n = len(b) - r.src.Len()
	r.src.Reset(nil) // b is not to be held on to
	return h, n, nil
}

// state is what the check of a header goes by. The first bit that RFC 6455
// reserves belongs to the first frame of a message, where that is compressed
// (RFC 7692 section 6).
func (r *frameReader) state(h ws.Header) ws.State {
	state := ws.StateServerSide
	if r.fragment {
		state = state.Set(ws.StateFragmented)
	}
	if r.flates != nil && (h.OpCode == ws.OpText || h.OpCode == ws.OpBinary) && h.Rsv == ws.Rsv(true, false, false) {
		state = state.Set(ws.StateExtended)
	}
	return state
}

func (r *frameReader) frame(h ws.Header, payload []byte, sink frameSink) error {
	if h.OpCode.IsControl() {
		return sink.control(h.OpCode, payload)
	}
	if h.OpCode != ws.OpContinuation {
		r.op, r.deflated = h.OpCode, h.Rsv1()
	}
	if !h.Fin {
		if err := sink.fragment(); err != nil {
			return err
		}
		r.fragment = true
		r.partial = append(r.partial, payload...)
		return nil
	}
	if r.fragment {
		payload = append(r.partial, payload...)
		r.fragment, r.partial = false, nil
	}
	if r.deflated {
		var err error
		if payload, err = r.inflate(payload); err != nil {
			return err
		}
	}
	if r.op == ws.OpText && !utf8.Valid(payload) {
		return &closeError{ws.StatusInvalidFramePayloadData, "text is not UTF-8"} // RFC 6455 section 8.1
	}
	return sink.message(r.op, payload)
}

// inflate returns the message in a compressed payload. One that is too long is
// not inflated further than that.
func (r *frameReader) inflate(payload []byte) ([]byte, error) {
	message, err := r.flates.inflate(nil, payload, r.max)
	switch {
	case errors.Is(err, errInflated):
		return nil, r.tooBig()
	case err != nil:
		return nil, &closeError{ws.StatusInvalidFramePayloadData, "compressed data is broken"}
	}
	return message, nil
}

func (r *frameReader) tooBig() error {
	return &closeError{ws.StatusMessageTooBig, fmt.Sprintf("message over %d bytes (mount.max_frame)", r.max)}
}

// appendFrame appends a whole unmasked frame, as a server sends it.
func appendFrame(dst []byte, op ws.OpCode, payload []byte) []byte {
	return append(appendFrameHeader(dst, op, len(payload)), payload...)
}

// maxFrameHeader is the length of the longest header without a mask.
const maxFrameHeader = 10

// appendFrameHeader appends the header of such a frame of n bytes.
func appendFrameHeader(dst []byte, op ws.OpCode, n int) []byte {
	dst = append(dst, 0x80|byte(op))
	switch {
	case n < 126:
		return append(dst, byte(n))
	case n <= 0xffff:
		return binary.BigEndian.AppendUint16(append(dst, 126), uint16(n))
	default:
		return binary.BigEndian.AppendUint64(append(dst, 127), uint64(n))
	}
}

// appendCloseFrame appends a close frame, cutting the reason to what a control
// frame holds.
func appendCloseFrame(dst []byte, code ws.StatusCode, reason string) []byte {
	const maxReason = ws.MaxControlFramePayloadSize - 2
	if len(reason) > maxReason {
		reason = reason[:maxReason]
	}
	body := binary.BigEndian.AppendUint16(make([]byte, 0, ws.MaxControlFramePayloadSize), uint16(code))
	return appendFrame(dst, ws.OpClose, append(body, reason...))
}

// closeEcho returns the body of the answer to a close frame: the same code, or
// what is wrong with the frame: 1002 for half a code or one that must not be
// sent, 1007 for a reason that is not UTF-8 (RFC 6455 sections 5.5.1 and 8.1).
func closeEcho(payload []byte) []byte {
	if len(payload) == 0 {
		return nil
	}
	answer := ws.StatusProtocolError
	if len(payload) >= 2 {
		code := ws.StatusCode(binary.BigEndian.Uint16(payload))
		switch {
		case !mayBeSent(code):
		case !utf8.Valid(payload[2:]):
			answer = ws.StatusInvalidFramePayloadData
		default:
			answer = code
		}
	}
	return binary.BigEndian.AppendUint16(nil, uint16(answer))
}

// mayBeSent tells whether a close frame may hold code: those of RFC 6455
// section 7.4.1 and of the registry of section 11.7 (1012 to 1014 came later),
// and the ranges that section 7.4.2 leaves to libraries and applications.
// gobwas/ws knows nothing after 1011 and lets all above 4999 pass.
func mayBeSent(code ws.StatusCode) bool {
	switch code {
	case 1004, ws.StatusNoStatusRcvd, ws.StatusAbnormalClosure:
		return false
	}
	return code >= 1000 && code <= 1014 || code >= 3000 && code <= 4999
}
