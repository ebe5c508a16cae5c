package rfc6455_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aviary-host/aviary/host"
)

// TestFraming is group 1: all three ways to write a length, at their bounds.
func TestFraming(t *testing.T) {
	cases := []testCase{
		{"1.1.1 text of no bytes", "5.6", script{text(""), undecodable}},
		{"1.2.1 binary of no bytes", "5.6", script{binaryOf(""), binaryRefused}},
	}
	for i, n := range []int{125, 126, 127, 128, 65535, 65536} {
		cases = append(
			cases,
			testCase{fmt.Sprintf("1.1.%d text of %d bytes", i+2, n), "5.2", script{echo(sized(n)), echoed(sized(n))}},
			testCase{fmt.Sprintf("1.1.%d text of %d bytes that is no frame", i+2, n), "5.6", script{text(strings.Repeat("*", n)), undecodable}},
			testCase{fmt.Sprintf("1.2.%d binary of %d bytes", i+2, n), "5.2", script{binaryOf(undecodableBinary(n)), binaryRefused}},
		)
	}
	cases = append(cases, testCase{"1.1.8 1.2.8 text of 65536 bytes in fragments of 997", "5.4", script{
		fragments(echoText(sized(65536)), 997), echoed(sized(65536)),
	}})
	run(t, host.Mount{}, cases)
}

// TestLengthEncodings is 1.3, which Autobahn does not have. The duty to use the
// shortest form is the sender's; this server reads any.
func TestLengthEncodings(t *testing.T) {
	short := echo("short")
	n := short[1] & 0x7f
	in16 := append([]byte{short[0], 0x80 | 126, 0, n}, short[2:]...)
	in64 := append([]byte{short[0], 0x80 | 127, 0, 0, 0, 0, 0, 0, 0, n}, short[2:]...)
	mask := "\x01\x02\x03\x04"
	run(t, host.Mount{}, []testCase{
		{"1.3.1 a short length in 16 bits", "5.2", script{in16, echoed("short")}},
		{"1.3.2 a short length in 64 bits", "5.2", script{in64, echoed("short")}},
		{"1.3.3 a length with the top bit set", "5.2", script{[]byte("\x81\xff\x80\x00\x00\x00\x00\x00\x00\x01" + mask + "x"), "close 1002"}},
		{"1.3.4 the greatest length", "5.2", script{[]byte("\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff" + mask), "close 1009"}},
		{"1.3.5 the greatest length in a continuation", "5.2", script{
			first("x"), []byte("\x80\xff\x7f\xff\xff\xff\xff\xff\xff\xff" + mask), "close 1009",
		}},
		{"1.3.6 a ping that says its length in 16 bits", "5.5", script{
			[]byte("\x89\xfe\x00\x01" + mask + "\x00"), `pong "\x01"`,
		}},
	})
}

// TestPings is group 2.
func TestPings(t *testing.T) {
	full := strings.Repeat("\xfe", 125)
	var ten, pongs script
	for i := range 10 {
		payload := fmt.Sprintf("payload-%d", i)
		ten, pongs = append(ten, ping(payload)), append(pongs, fmt.Sprintf("pong %q", payload))
	}
	run(t, host.Mount{}, []testCase{
		{"2.1 ping without payload", "5.5.2", script{ping(""), `pong ""`}},
		{"2.2 ping with text", "5.5.3", script{ping("Hello, world!"), `pong "Hello, world!"`}},
		{"2.3 ping with bytes that are not UTF-8", "5.5.3", script{ping("\x00\xff\xfe\xfd\xfc\xfb\x00\xff"), `pong "\x00\xff\xfe\xfd\xfc\xfb\x00\xff"`}},
		{"2.4 2.6 ping of 125 bytes", "5.5", script{ping(full), fmt.Sprintf("pong %q", full)}},
		{"2.5 ping of 126 bytes", "5.5", script{ping(full + "\xfe"), "close 1002"}},
		{"2.7 pong that nobody asked for", "5.5.3", script{pong("")}},
		{"2.8 pong with payload that nobody asked for", "5.5.3", script{pong("unsolicited")}},
		{"2.9 pong that nobody asked for, then a ping", "5.5.3", script{pong("unsolicited"), ping("x"), `pong "x"`}},
		{"2.10 2.11 ten pings, ten pongs in their order", "5.5.2", append(ten, pongs...)},
	})
}

// TestReservedBits is group 3: without an extension they are zero. Autobahn
// counts them as one number, RSV1 being 4; its case 3.n has the number n.
func TestReservedBits(t *testing.T) {
	after := func(n byte) script {
		return script{echo("before"), withRSV(n, echo("refused")), ping("x"), echoed("before"), "close 1002"}
	}
	run(t, host.Mount{}, []testCase{
		{"3.1 text with RSV3", "5.2", script{withRSV(1, echo("x")), "close 1002"}},
		{"3.2 text, then one with RSV2, then a ping", "5.2", after(2)},
		{"3.3 text, then one with RSV2 and RSV3, then a ping", "5.2", after(3)},
		{"3.4 text, then one with RSV1, then a ping", "5.2", after(4)},
		{"3.5 binary with RSV1 and RSV3", "5.2", script{withRSV(5, binaryOf("\xff")), "close 1002"}},
		{"3.6 ping with RSV1 and RSV2", "5.2", script{withRSV(6, ping("x")), "close 1002"}},
		{"3.7 close with all three", "5.2", script{withRSV(7, closing(1000, "")), "close 1002"}},
		{"3.7 continuation with RSV1", "5.2", script{first("x"), withRSV(4, last("y")), "close 1002"}},
	})
}

// TestReservedOpcodes is group 4: each alone, with a payload, after a message,
// and between the fragments of one.
func TestReservedOpcodes(t *testing.T) {
	var cases []testCase
	for _, group := range []struct {
		number string
		from   byte
	}{{"4.1", 3}, {"4.2", 11}} {
		for i := range byte(5) {
			op := fin | (group.from + i)
			name := fmt.Sprintf("%s.%d opcode %d", group.number, i+1, group.from+i)
			cases = append(
				cases,
				testCase{name, "5.2", script{build(op, ""), "close 1002"}},
				testCase{name + " with a payload", "5.2", script{build(op, "payload"), "close 1002"}},
				testCase{name + " after a message", "5.2", script{echo("x"), build(op, "payload"), ping(""), echoed("x"), "close 1002"}},
				testCase{name + " between fragments", "5.2", script{first(echoHead), build(op, ""), last(echoTail), "close 1002"}},
			)
		}
	}
	run(t, host.Mount{}, cases)
}

// TestNoExtensions: a mount without compression agrees to nothing, so that RSV1
// stays a fault whatever the client has offered.
func TestNoExtensions(t *testing.T) {
	s := start(t, host.Mount{})
	for _, offer := range []string{
		"permessage-deflate", "permessage-deflate; client_max_window_bits", "x-webkit-deflate-frame", "unknown; a=1, unknown; b",
	} {
		t.Run("3.8 "+offer+", RFC 6455 9.1", func(t *testing.T) {
			c := s.connect(t, overTCP(), "Sec-WebSocket-Extensions: "+offer+"\r\n")
			if len(c.answer) > 0 {
				t.Errorf("agreed to %q", c.answer)
			}
			c.listen()
			c.join()
			c.play(script{echo("x"), withRSV(4, echo("y")), echoed("x"), "close 1002"})
		})
	}
}

// TestFramesBehindTheHandshake: a client may send frames in the same write as
// its handshake, before it has seen the answer. That is how they come when they
// cross the answer on their way.
func TestFramesBehindTheHandshake(t *testing.T) {
	s := start(t, host.Mount{})
	c := s.open(t, overTCP(), join(
		handshake(""), text(`["1","1","t","phx_join",{}]`), echo("early"), first(echoHead), ping("p"), last("late"+echoTail),
	))
	c.listen()
	// A join runs beside the reader, so the pong may come before its reply.
	c.wantAnyOrder(`pong "p"`, `text ["1","1","t","phx_reply",{"status":"ok","response":{}}]`, echoed("early"), echoed("late"))
	c.play(script{})
}
