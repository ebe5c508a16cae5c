//go:build linux

package main

import (
	"errors"
	"strings"
	"testing"
)

// masked is a client's text frame with a short length.
func masked(text string) string {
	b := []byte{opText, maskBit | byte(len(text)), 1, 2, 3, 4}
	for i, c := range []byte(text) {
		b = append(b, c^byte(i%4+1))
	}
	return string(b)
}

func TestNextFrame(t *testing.T) {
	for _, text := range []string{"", "x", "exactly8", "more than eight bytes", strings.Repeat("y", 125)} {
		wire := masked(text)
		for cut := range len(wire) {
			if _, _, n, err := nextFrame([]byte(wire[:cut])); n != 0 || err != nil {
				t.Fatalf("%d bytes of %q: took %d, %v", cut, text, n, err)
			}
		}
		op, got, n, err := nextFrame([]byte(wire + "rest"))
		if err != nil || op != opText || n != len(wire) || string(got) != text {
			t.Errorf("%q: op %#x, %d bytes, %v: %q", text, op, n, err, got)
		}
	}
	for _, wire := range []string{"\x81\x02hi", "\x81\xff\x00\x00"} {
		if _, _, _, err := nextFrame([]byte(wire)); !errors.Is(err, errClient) {
			t.Errorf("% x: %v", wire, err)
		}
	}
}

func TestAnswers(t *testing.T) {
	m, err := split([]byte(`["1","00000007","room:1","shout",{"a":[1,2],"b":"x,y"}]`))
	if err != nil {
		t.Fatal(err)
	}
	for want, got := range map[string][]byte{
		`["1","00000007","room:1","phx_reply",{"response":{"a":[1,2],"b":"x,y"},"status":"ok"}]`: appendReply(nil, m, "ok", m.payload),
		`[null,null,"room:1","shout",{"a":[1,2],"b":"x,y"}]`:                                     appendBroadcast(nil, m),
	} {
		if head := string(appendHeader(nil, len(want))); string(got) != head+want {
			t.Errorf("got  %q\nwant %q", got, head+want)
		}
	}
	for _, text := range []string{"", "{}", `["1","2","3"]`} {
		if _, err := split([]byte(text)); !errors.Is(err, errClient) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestUpgrade holds the example of RFC 6455 section 1.3.
func TestUpgrade(t *testing.T) {
	const request = "GET / HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	answer, n, err := upgrade([]byte(request + "rest"))
	if err != nil || n != len(request) || !strings.Contains(string(answer), "Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n") {
		t.Errorf("%d bytes, %v: %s", n, err, answer)
	}
	if _, n, err := upgrade([]byte(request[:40])); n != 0 || err != nil {
		t.Errorf("half a request: %d, %v", n, err)
	}
	if _, _, err := upgrade([]byte("GET / HTTP/1.1\r\n\r\n")); !errors.Is(err, errClient) {
		t.Errorf("no key: %v", err)
	}
}

func TestPortIsRefused(t *testing.T) {
	for _, port := range []string{"", "x", "65536", "-1"} {
		if err := run(t.Context(), port, nil); err == nil {
			t.Errorf("PORT %q was taken", port)
		}
	}
}

func TestAnswersAllocateNothing(t *testing.T) {
	wire := []byte(masked(`["1","00000007","room:1","echo",{"body":"xxxxxxxx"}]`))
	frame, out := make([]byte, 0, len(wire)), make([]byte, 0, 1<<10)
	if n := testing.AllocsPerRun(100, func() {
		frame = append(frame[:0], wire...)
		_, text, _, err := nextFrame(frame)
		if err != nil {
			t.Fatal(err)
		}
		m, err := split(text)
		if err != nil {
			t.Fatal(err)
		}
		out = appendBroadcast(appendReply(out[:0], m, "ok", m.payload), m)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzClientBytes(f *testing.F) {
	f.Add([]byte(masked(`["1","00000007","room:1","echo",{}]`)))
	f.Add([]byte("GET / HTTP/1.1\r\nSec-WebSocket-Key: x\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, n, err := upgrade(b); n > len(b) || n > 0 && err != nil {
			t.Fatalf("upgrade took %d of %d, %v", n, len(b), err)
		}
		_, text, n, err := nextFrame(b)
		if n > len(b) || n > 0 && err != nil {
			t.Fatalf("frame took %d of %d, %v", n, len(b), err)
		}
		if m, err := split(text); err == nil && len(appendReply(nil, m, "ok", nil)) == 0 {
			t.Fatal("no reply")
		}
	})
}
