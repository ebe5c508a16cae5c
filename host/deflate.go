package host

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"strings"
	"sync"

	"github.com/gobwas/ws"
)

// permessage-deflate (RFC 7692), without context takeover in either direction:
// a window kept for each connection would cost it 32 KiB and more, which is the
// complaint about compression everywhere. What is compressed is a message by
// itself, so a broadcast is compressed once for all its receivers.

const (
	deflateExtension = "permessage-deflate"
	deflateAnswer    = deflateExtension + "; server_no_context_takeover; client_no_context_takeover"

	// deflateAbove is the length from which messages are compressed: shorter
	// ones gain nothing.
	deflateAbove = 256

	// windowSize is that of DEFLATE, in bytes (RFC 1951 section 2).
	windowSize = 32 << 10
)

var (
	errInflated   = errors.New("inflated message is too long")
	errLastBlocks = errors.New("too many blocks are marked as the last one")
)

// maxLastBlocks is how many blocks of a message may be marked as the last one.
// Senders mark one if any, and going on behind one costs the copy of a window,
// for two bytes of an empty block.
const maxLastBlocks = 64

// negotiateDeflate looks for an offer that can be met, in the values of
// Sec-WebSocket-Extensions, and returns the answer to it, "" if there is none.
func negotiateDeflate(offers []string) string {
	for _, offer := range offers {
		params := strings.Split(offer, ";")
		if strings.TrimSpace(params[0]) != deflateExtension {
			continue
		}
		if window, ok := acceptable(params[1:]); ok {
			return deflateAnswer + window
		}
	}
	return ""
}

// acceptable tells whether an offer's parameters are known, each given once and
// with a value that it may have (RFC 7692 section 7.1), and can be met. A smaller
// window of ours cannot. window is what the answer has to repeat.
func acceptable(params []string) (window string, ok bool) {
	seen := map[string]bool{}
	for _, param := range params {
		name, value, hasValue := strings.Cut(strings.TrimSpace(param), "=")
		if n := len(value); n >= 2 && value[0] == '"' && value[n-1] == '"' {
			value = value[1 : n-1]
		}
		if seen[name] {
			return "", false
		}
		seen[name] = true
		switch name {
		case "server_no_context_takeover", "client_no_context_takeover":
			ok = !hasValue
		case "client_max_window_bits":
			ok = !hasValue || isWindowBits(value)
		case "server_max_window_bits":
			ok = value == "15"
			window = "; server_max_window_bits=15"
		default:
			ok = false
		}
		if !ok {
			return "", false
		}
	}
	return window, true
}

func isWindowBits(value string) bool {
	switch value {
	case "8", "9", "10", "11", "12", "13", "14", "15":
		return true
	}
	return false
}

// flates holds what compressing and inflating takes, some 700 KiB and 40 KiB, as
// many as are in use at once.
type flates struct {
	writers, readers sync.Pool
}

// squeezer is a compressor and the buffer it writes to.
type squeezer struct {
	out bytes.Buffer
	w   *flate.Writer
}

// deflate appends text, compressed, to dst; not ok when that is no shorter.
func (f *flates) deflate(dst, text []byte) (_ []byte, ok bool) {
	s, _ := f.writers.Get().(*squeezer)
	if s == nil {
		s = &squeezer{}
		s.w, _ = flate.NewWriter(&s.out, flate.BestSpeed) // the level is one
	}
	defer f.writers.Put(s)
	s.out.Reset()
	s.w.Reset(&s.out)
	if _, err := s.w.Write(text); err != nil {
		return dst, false // a buffer takes everything
	}
	if err := s.w.Flush(); err != nil {
		return dst, false
	}
	// A flush ends in an empty block, whose last four bytes are not sent (RFC
	// 7692 section 7.2.1).
	b := bytes.TrimSuffix(s.out.Bytes(), []byte{0, 0, 0xff, 0xff})
	if len(b) >= len(text) {
		return dst, false
	}
	return append(dst, b...), true
}

// compressedBit marks the first frame of a compressed message (RFC 7692 section 6).
const compressedBit = 0x40

// appendDeflated appends a message as a compressed frame, or as a plain one
// where that is shorter.
func appendDeflated(dst []byte, f *flates, op ws.OpCode, text []byte) []byte {
	// The header comes first and its length depends on what follows, so the
	// message is compressed behind the room for the longest one.
	var room [maxFrameHeader]byte
	start := len(dst)
	dst = append(dst, room[:]...)
	body, ok := f.deflate(dst, text)
	if !ok {
		return appendFrame(dst[:start], op, text)
	}
	n := len(body) - start - maxFrameHeader
	head := appendFrameHeader(room[:0], op, n)
	head[0] |= compressedBit
	copy(body[start:], head)
	copy(body[start+len(head):], body[start+maxFrameHeader:])
	return body[:start+len(head)+n]
}

// inflateTail ends a message: the four bytes that were not sent, and an empty
// last block, at which the decoder stops.
const inflateTail = "\x00\x00\xff\xff\x01\x00\x00\xff\xff"

// tailed reads data, then the tail.
type tailed struct {
	data []byte
	tail string
}

func (t *tailed) left() int { return len(t.data) + len(t.tail) }

// ReadByte spares the decoder a buffer of its own.
func (t *tailed) ReadByte() (byte, error) {
	var b [1]byte
	_, err := t.Read(b[:])
	return b[0], err
}

func (t *tailed) Read(p []byte) (int, error) {
	n := copy(p, t.data)
	t.data = t.data[n:]
	m := copy(p[n:], t.tail)
	t.tail = t.tail[m:]
	if n+m == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n + m, nil
}

// inflate appends the message in data to dst, which is no longer than most
// bytes: else it stops there and returns errInflated.
func (f *flates) inflate(dst, data []byte, most int) ([]byte, error) {
	src := &tailed{data: data, tail: inflateTail}
	r, _ := f.readers.Get().(io.ReadCloser)
	if r == nil {
		r = flate.NewReader(src)
	}
	defer f.readers.Put(r)
	start := len(dst)
	// A sender may mark blocks in the middle as last ones (section 7.2.3.4);
	// what follows refers to what was before all the same.
	for blocks := 0; src.left() > 0; blocks++ {
		if blocks > maxLastBlocks {
			return dst, errLastBlocks
		}
		window := dst[max(start, len(dst)-windowSize):]
		if err := r.(flate.Resetter).Reset(src, window); err != nil {
			return dst, err
		}
		var err error
		if dst, err = readUpTo(dst, r, start+most); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// readUpTo appends what r has to dst, up to a length of most.
func readUpTo(dst []byte, r io.Reader, most int) ([]byte, error) {
	for {
		if len(dst) == cap(dst) {
			dst = append(dst, 0)[:len(dst)]
		}
		n, err := r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		switch {
		case len(dst) > most:
			return dst, errInflated
		case errors.Is(err, io.EOF):
			return dst, nil
		case err != nil:
			return dst, err
		}
	}
}
