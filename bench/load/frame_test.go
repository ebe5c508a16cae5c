package load

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// serverFrames are frames as a server sends them, with the text they hold.
func serverFrames() map[string]struct {
	wire, text string
	op         byte
} {
	long, huge := strings.Repeat("x", 126), strings.Repeat("y", 0x10000)
	return map[string]struct {
		wire, text string
		op         byte
	}{
		"empty":          {"\x81\x00", "", opText},
		"short":          {"\x81\x02hi", "hi", opText},
		"longest short":  {"\x81\x7d" + long[:125], long[:125], opText},
		"16-bit length":  {"\x81\x7e\x00\x7e" + long, long, opText},
		"64-bit length":  {"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00" + huge, huge, opText},
		"close":          {"\x88\x02\x03\xe8", "\x03\xe8", opClose},
		"ping":           {"\x89\x01p", "p", opPing},
		"looks like two": {"\x81\x04\x81\x02hi", "\x81\x02hi", opText},
	}
}

func TestNextFrameTakesOneFrame(t *testing.T) {
	for name, tt := range serverFrames() {
		t.Run(name, func(t *testing.T) {
			f, n, err := nextFrame([]byte(tt.wire + "\x81\x05after"))
			if err != nil || n != len(tt.wire) || f.op != tt.op || string(f.payload) != tt.text {
				t.Errorf("op %#x, %d of %d bytes, %v: %.40q", f.op, n, len(tt.wire), err, f.payload)
			}
		})
	}
}

func TestNextFrameWaitsForSplitFrames(t *testing.T) {
	for name, tt := range serverFrames() {
		t.Run(name, func(t *testing.T) {
			for cut := range min(len(tt.wire), 300) {
				if _, n, err := nextFrame([]byte(tt.wire[:cut])); n != 0 || err != nil {
					t.Fatalf("%d bytes of %d: took %d, %v", cut, len(tt.wire), n, err)
				}
			}
		})
	}
}

func TestNextFrameRefuses(t *testing.T) {
	for name, wire := range map[string]string{
		"a masked frame":     "\x81\x82abcdhi",
		"a first fragment":   "\x01\x02hi",
		"a reserved bit":     "\xc1\x02hi",
		"an absurd length":   "\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff",
		"a negative length":  "\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff",
		"something not HTTP": "HTTP/1.1 400 Bad Request\r\n",
	} {
		if _, n, err := nextFrame([]byte(wire)); n != 0 || !errors.Is(err, errFrame) {
			t.Errorf("%s: took %d, %v", name, n, err)
		}
	}
}

// unmask is the server's side of a client frame with a one-byte length.
func unmask(t *testing.T, b []byte) string {
	t.Helper()
	if len(b) < 6 || b[1]&maskBit == 0 || int(b[1]&^maskBit) != len(b)-6 {
		t.Fatalf("not one short masked frame: % x", b)
	}
	text := bytes.Clone(b[6:])
	for i := range text {
		text[i] ^= b[2+i%4]
	}
	return string(text)
}

func TestPushesCarryTheirNumber(t *testing.T) {
	for _, topic := range []string{"room:1", "room:12", "room:123", "room:1234"} { // each alignment to the mask
		p, err := newPush(echoText(topic))
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{0, 1, 42, 12345678, 99999999, 100000003} {
			number := formatNumber(n)
			want := strings.Replace(echoText(topic), "00000000", string(number[:]), 1)
			if got := unmask(t, p.appendTo(nil, n)); got != want {
				t.Errorf("push %d is %s, want %s", n, got, want)
			}
		}
	}
}

func TestPushNeedsItsNumberOnce(t *testing.T) {
	for _, text := range []string{"none", "00000000 and 00000000", "000000000"} {
		if _, err := newPush(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

func TestPayloadSizes(t *testing.T) {
	for _, body := range []string{echoBody(), shoutBody(formatNumber(7))} {
		if len(body) != payloadSize {
			t.Errorf("%s is %d bytes long", body, len(body))
		}
	}
}
