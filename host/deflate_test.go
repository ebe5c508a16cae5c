package host

import (
	"bytes"
	"compress/flate"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// What the extension means over a connection is tested in rfc6455; here are its
// parts.

func TestDeflateAndBack(t *testing.T) {
	var f flates
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 100, 300, 32 << 10, 40_000, 200_000} {
		text := []byte(strings.Repeat("a message that repeats itself, ", n/31+1)[:n])
		for range 20 { // something that cannot be guessed from the rest
			text[rnd.IntN(n)] = byte(rnd.IntN(256))
		}
		z, ok := f.deflate([]byte("before"), text)
		if !ok {
			if n > 100 {
				t.Errorf("%d bytes did not get shorter", n)
			}
			continue
		}
		if !bytes.HasPrefix(z, []byte("before")) || len(z) > len(text)+6 {
			t.Errorf("%d bytes became %d", n, len(z))
		}
		got, err := f.inflate([]byte("there"), z[6:], n)
		if err != nil || string(got) != "there"+string(text) {
			t.Errorf("%d bytes came back as %d: %v", n, len(got), err)
		}
		if _, err := f.inflate(nil, z[6:], n-1); !errors.Is(err, errInflated) {
			t.Errorf("%d bytes with a bound of one less: %v", n, err)
		}
	}
	noise := make([]byte, 1000)
	for i := range noise {
		noise[i] = byte(rnd.IntN(256))
	}
	if got, ok := f.deflate([]byte("x"), noise); ok || string(got) != "x" {
		t.Errorf("noise became %d bytes", len(got))
	}
}

// TestInflateVectors: the examples of RFC 7692 section 7.2.3.
func TestInflateVectors(t *testing.T) {
	var f flates
	for name, data := range map[string]string{
		"one block":          "\xf2\x48\xcd\xc9\xc9\x07\x00",
		"stored block":       "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00",
		"marked as the last": "\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
		"two blocks":         "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
	} {
		if got, err := f.inflate(nil, []byte(data), 100); err != nil || string(got) != "Hello" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// TestInflateGoesOnBehindALastBlock: and what follows may refer to what was
// before.
func TestInflateGoesOnBehindALastBlock(t *testing.T) {
	var f flates
	first, second := strings.Repeat("once upon a time ", 20), strings.Repeat("upon a time once ", 20)
	var z bytes.Buffer
	w, err := flate.NewWriter(&z, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	write := func(w *flate.Writer, text string, end func() error) {
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := end(); err != nil {
			t.Fatal(err)
		}
	}
	write(w, first, w.Close)
	again, err := flate.NewWriterDict(&z, flate.BestCompression, []byte(first))
	if err != nil {
		t.Fatal(err)
	}
	write(again, second, again.Flush)
	got, err := f.inflate(nil, bytes.TrimSuffix(z.Bytes(), []byte("\x00\x00\xff\xff")), 1<<20)
	if err != nil || string(got) != first+second {
		t.Errorf("%q, %v", got, err)
	}
}

// TestInflateBoundsLastBlocks: empty ones cost a client two bytes each, and the
// server a window.
func TestInflateBoundsLastBlocks(t *testing.T) {
	const empty = "\x03\x00" // with fixed codes, marked as the last one
	var f flates
	if got, err := f.inflate(nil, []byte(strings.Repeat(empty, maxLastBlocks)+"\x00"), 10); err != nil || len(got) > 0 {
		t.Errorf("as many as there may be: %q, %v", got, err)
	}
	if _, err := f.inflate(nil, []byte(strings.Repeat(empty, maxLastBlocks+1)+"\x00"), 10); !errors.Is(err, errLastBlocks) {
		t.Errorf("one more: %v", err)
	}
}

func FuzzInflate(f *testing.F) {
	var fl flates
	z, _ := fl.deflate(nil, []byte(strings.Repeat("some text ", 100)))
	f.Add(z)
	f.Add([]byte("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := fl.inflate(nil, data, 10_000)
		if len(got) > 10_000+cap(got)/2+512 {
			t.Errorf("inflated to %d bytes, %v", len(got), err)
		}
		if err == nil && len(got) > 10_000 {
			t.Errorf("%d bytes passed a bound of 10 000", len(got))
		}
	})
}

func TestDeflatedFrameReadsBack(t *testing.T) {
	var f flates
	text := []byte(strings.Repeat("text ", 1000))
	frame := appendDeflated([]byte("before"), &f, ws.OpText, text)
	h, payload, err := readBack(frame[6:])
	if err != nil || !h.Rsv1() || !h.Fin || h.OpCode != ws.OpText {
		t.Fatalf("header %+v, %v", h, err)
	}
	got, err := f.inflate(nil, payload, len(text))
	if err != nil || !bytes.Equal(got, text) {
		t.Errorf("%d bytes came back, %v", len(got), err)
	}
	plain := appendDeflated(nil, &f, ws.OpBinary, []byte{1, 2, 3})
	if h, payload, err := readBack(plain); err != nil || h.Rsv1() || h.OpCode != ws.OpBinary || string(payload) != "\x01\x02\x03" {
		t.Errorf("what gets no shorter: %+v %x %v", h, payload, err)
	}
}
