package host

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// clientFrame builds a masked frame, as a client sends it.
func clientFrame(op ws.OpCode, fin bool, payload string) []byte {
	f := ws.NewFrame(op, fin, []byte(payload))
	return ws.MustCompileFrame(ws.MaskFrameInPlace(f))
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// recorder writes down what a frameReader finds.
type recorder struct{ log []string }

func (r *recorder) message(op ws.OpCode, p []byte) error {
	r.log = append(r.log, fmt.Sprintf("message %d %q", op, p))
	return nil
}

func (r *recorder) control(op ws.OpCode, p []byte) error {
	r.log = append(r.log, fmt.Sprintf("control %d %q", op, p))
	return nil
}

func (*recorder) fragment() error { return nil }

// feed gives b to a reader in pieces, the way the read loop does, and returns
// what it found.
func feed(b []byte, piece, maxSize int) ([]string, error) {
	r, rec := frameReader{max: maxSize}, recorder{}
	var buf []byte
	for len(b) > 0 {
		n := min(piece, len(b))
		buf = append(buf, b[:n]...)
		b = b[n:]
		used, _, err := r.read(buf, &rec)
		if err != nil {
			return rec.log, err
		}
		buf = buf[used:]
	}
	return rec.log, nil
}

func TestFramesInPiecesOfAnySize(t *testing.T) {
	stream := join(
		clientFrame(ws.OpText, true, "hello"),
		clientFrame(ws.OpText, true, ""),
		clientFrame(ws.OpText, false, "frag"),
		clientFrame(ws.OpPing, true, "in between"),
		clientFrame(ws.OpContinuation, false, "men"),
		clientFrame(ws.OpContinuation, true, "ted"),
		clientFrame(ws.OpBinary, true, strings.Repeat("x", 126)),
		clientFrame(ws.OpText, true, strings.Repeat("y", 70000)),
		clientFrame(ws.OpClose, true, "\x03\xe8"),
	)
	want := fmt.Sprintf("%q", []string{
		`message 1 "hello"`, `message 1 ""`, `control 9 "in between"`, `message 1 "fragmented"`,
		fmt.Sprintf("message 2 %q", strings.Repeat("x", 126)),
		fmt.Sprintf("message 1 %q", strings.Repeat("y", 70000)), `control 8 "\x03\xe8"`,
	})
	for _, piece := range []int{1, 2, 3, 5, 7, 13, 127, 4096, len(stream)} {
		got, err := feed(stream, piece, 1<<20)
		if s := fmt.Sprintf("%q", got); err != nil || s != want {
			t.Errorf("in pieces of %d: %v\n%.300s\nwant\n%.300s", piece, err, s, want)
		}
	}
}

func TestFramesRefused(t *testing.T) {
	unmasked := ws.MustCompileFrame(ws.NewTextFrame([]byte("x")))
	huge := []byte{0x81, 0xff, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 1, 2, 3, 4}
	for _, tt := range []struct {
		name string
		in   []byte
		code ws.StatusCode
	}{
		{"unmasked", unmasked, 1002},
		{"reserved bit", append([]byte{0xc1}, clientFrame(ws.OpText, true, "x")[1:]...), 1002},
		{"unknown opcode", append([]byte{0x83}, clientFrame(ws.OpText, true, "x")[1:]...), 1002},
		{"continuation of nothing", clientFrame(ws.OpContinuation, true, "x"), 1002},
		{"message inside a fragmented one", join(clientFrame(ws.OpText, false, "a"), clientFrame(ws.OpText, true, "b")), 1002},
		{"fragmented ping", clientFrame(ws.OpPing, false, "x"), 1002},
		{"ping of 126 bytes", clientFrame(ws.OpPing, true, strings.Repeat("x", 126)), 1002},
		{"length with the top bit set", []byte{0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4}, 1002},
		{"one byte over the limit", clientFrame(ws.OpText, true, strings.Repeat("x", 1001)), 1009},
		{"two gigabytes announced", huge, 1009},
		{"fragments over the limit together", join(clientFrame(ws.OpText, false, strings.Repeat("x", 600)), clientFrame(ws.OpContinuation, true, strings.Repeat("x", 401))), 1009},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := feed(tt.in, len(tt.in), 1000)
			var ce *closeError
			if !errors.As(err, &ce) || ce.code != tt.code {
				t.Errorf("%v, want close code %d", err, tt.code)
			}
			if tt.code == 1009 && ce.reason != "message over 1000 bytes (mount.max_frame)" {
				t.Errorf("the client is told %q", ce.reason)
			}
		})
	}
	if got, err := feed(clientFrame(ws.OpText, true, strings.Repeat("x", 1000)), 10000, 1000); err != nil || len(got) != 1 {
		t.Errorf("a message of exactly the limit: %v", err)
	}
}

// TestNeed: the reader says how much room a frame wants, so that a large one is
// not read four KiB at a time, and never wants more than the limit.
func TestNeed(t *testing.T) {
	r := frameReader{max: 1 << 20}
	f := clientFrame(ws.OpText, true, strings.Repeat("x", 100000))
	used, need, err := r.read(f[:50], &recorder{})
	if used != 0 || need != len(f) || err != nil {
		t.Errorf("used %d, need %d, %v; want 0, %d", used, need, err, len(f))
	}
}

func TestServerFramesReadBack(t *testing.T) {
	for _, n := range []int{0, 1, 125, 126, 65535, 65536, 70000} {
		want := bytes.Repeat([]byte{'z'}, n)
		h, got, err := readBack(appendFrame(nil, ws.OpText, want))
		if err != nil || !h.Fin || h.Masked || !bytes.Equal(got, want) {
			t.Errorf("frame of %d bytes: %v, header %+v", n, err, h)
		}
	}
	_, body, err := readBack(appendCloseFrame(nil, 1012, strings.Repeat("r", 200)))
	code, reason := ws.ParseCloseFrameData(body)
	if err != nil || code != 1012 || len(reason) != 123 {
		t.Errorf("close frame: %v, %d, %d bytes of reason", err, code, len(reason))
	}
}

// TestCloseEcho: the cases of each code and length over a connection are in
// rfc6455.
func TestCloseEcho(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", ""},
		{"\x03", "\x03\xea"},         // half a code
		{"\x03\xe8", "\x03\xe8"},     // 1000
		{"\x03\xe8bye", "\x03\xe8"},  // the reason does not come back
		{"\x03\xf4", "\x03\xf4"},     // 1012
		{"\x03\xf7", "\x03\xea"},     // 1015
		{"\x13\x87", "\x13\x87"},     // 4999
		{"\x13\x88", "\x03\xea"},     // 5000
		{"\x03\xe8\xff", "\x03\xef"}, // a reason that is not UTF-8
		{"\x00\x00\xff", "\x03\xea"}, // both
	} {
		if got := string(closeEcho([]byte(tt.in))); got != tt.want {
			t.Errorf("%q is answered with %q, want %q", tt.in, got, tt.want)
		}
	}
}

// TestPingsHaveTheirOwnBound: max_frame is about messages.
func TestPingsHaveTheirOwnBound(t *testing.T) {
	ping := clientFrame(ws.OpPing, true, strings.Repeat("p", 125))
	stream := join(clientFrame(ws.OpText, false, "0123456789"), ping, clientFrame(ws.OpContinuation, true, ""))
	if got, err := feed(stream, len(stream), 10); err != nil || len(got) != 2 {
		t.Errorf("%q, %v; want a ping and a message", got, err)
	}
}

// readBack reads one frame with gobwas/ws.
func readBack(b []byte) (ws.Header, []byte, error) {
	r := bytes.NewReader(b)
	h, err := ws.ReadHeader(r)
	if err != nil {
		return h, nil, err
	}
	payload, err := io.ReadAll(r)
	if err == nil && int64(len(payload)) != h.Length {
		err = fmt.Errorf("header says %d bytes, %d follow", h.Length, len(payload))
	}
	return h, payload, err
}

// FuzzFrames: no stream of bytes makes the reader panic, hand out more than
// the limit, or find something else when it comes in other pieces.
func FuzzFrames(f *testing.F) {
	f.Add(join(clientFrame(ws.OpText, true, "hello"), clientFrame(ws.OpPing, true, "")), uint8(3))
	f.Add(join(clientFrame(ws.OpText, false, "a"), clientFrame(ws.OpContinuation, true, "b")), uint8(1))
	f.Add([]byte{0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4, 5}, uint8(2))
	f.Fuzz(func(t *testing.T, b []byte, piece uint8) {
		whole, err1 := feed(b, max(len(b), 1), 4096)
		parts, err2 := feed(b, int(piece)+1, 4096)
		if fmt.Sprint(whole) != fmt.Sprint(parts) || (err1 == nil) != (err2 == nil) {
			t.Errorf("whole: %q, %v\nparts: %q, %v", whole, err1, parts, err2)
		}
	})
}

func TestFramesDoNotAllocate(t *testing.T) {
	stream := join(clientFrame(ws.OpText, true, strings.Repeat("x", 200)), clientFrame(ws.OpText, true, "y"))
	buf := make([]byte, len(stream))
	r, sink := frameReader{max: 4096}, quiet{}
	if n := testing.AllocsPerRun(100, func() {
		copy(buf, stream)
		if used, _, err := r.read(buf, sink); used != len(buf) || err != nil {
			t.Fatal(used, err)
		}
	}); n != 0 {
		t.Errorf("%v allocations for two frames, want 0", n)
	}
}

type quiet struct{}

func (quiet) message(ws.OpCode, []byte) error { return nil }
func (quiet) control(ws.OpCode, []byte) error { return nil }
func (quiet) fragment() error                 { return nil }
