package rfc6455_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aviary-host/aviary/host"
)

// TestClosing is 7.1: what comes after a close frame is not looked at.
func TestClosing(t *testing.T) {
	large := sized(256 << 10)
	bye := closing(1000, "")
	run(t, host.Mount{MaxFrame: 1 << 20}, []testCase{
		{"7.1.1 a message, then close", "5.5.1", script{echo("x"), bye, echoed("x"), "close 1000"}},
		{"7.1.2 close twice", "5.5.1", script{bye, build(fin|opClose, ""), "close 1000"}},
		{"7.1.3 ping after close", "5.5.1", script{bye, ping("x"), "close 1000"}},
		{"7.1.4 text after close", "5.5.1", script{bye, echo("x"), "close 1000"}},
		{"7.1.4 bad frames after close", "5.5.1", script{bye, build(0x83, ""), text("\xff"), build(fin, ""), "close 1000"}},
		{"7.1.5 close between two fragments", "5.5.1", script{first(echoHead), bye, last(echoTail), "close 1000"}},
		{"7.1.6 256 KiB, a message, close, ping", "5.5.1", script{
			echo(large), echo("x"), bye, ping("x"), echoed(large), echoed("x"), "close 1000",
		}},
		{"7.1.7 close after the server's", "5.5.1", script{text("no frame"), echo("x"), ping("x"), text("\xff"), undecodable}},
	})
}

// TestRefusedOnce: one bad frame is worth a line in the log. Those that come
// after it, while the connection closes, would let a client fill it.
func TestRefusedOnce(t *testing.T) {
	s := start(t, host.Mount{})
	bad := join(text("\xff"), text("no frame"), binaryOf("\xff"), text(strings.Repeat("*", 70_000)))
	s.dial(t, overTCP()).play(script{[]byte(strings.Repeat(string(bad), 100)), "close 1007"})
	s.waitFor(t, 0, 0)
	if n := strings.Count(s.log.String(), "refused"); n != 1 {
		t.Errorf("%d lines in the log for one refused client", n)
	}
}

// TestCloseFrames is 7.3 and 7.5: the body of a close frame.
func TestCloseFrames(t *testing.T) {
	run(t, host.Mount{}, []testCase{
		{"7.3.1 no code", "5.5.1", script{build(fin|opClose, ""), "close"}},
		{"7.3.2 half a code", "5.5.1", script{build(fin|opClose, "a"), "close 1002"}},
		{"7.3.3 a code", "5.5.1", script{closing(1000, ""), "close 1000"}},
		{"7.3.4 a code and a reason", "5.5.1", script{closing(1000, "hasta la vista"), "close 1000"}},
		{"7.3.4 a reason beyond ASCII", "5.5.1", script{closing(1000, "Grüße, κόσμε"), "close 1000"}},
		{"7.3.5 a reason of 123 bytes", "5.5", script{closing(1000, strings.Repeat("*", 123)), "close 1000"}},
		{"7.3.6 a reason of 124 bytes", "5.5", script{closing(1000, strings.Repeat("*", 124)), "close 1002"}},
		{"7.5.1 a reason that is not UTF-8", "5.5.1", script{closing(1000, "\xce\xba\xe1\xbd\xb9\xed\xa0\x80edited"), "close 1007"}},
		{"7.5.1 a reason that ends inside a character", "5.5.1", script{closing(1000, "\xce"), "close 1007"}},
		{"7.5.1 a code out of bounds and a reason that is not UTF-8", "7.4", script{closing(999, "\xff"), "close 1002"}},
	})
}

// TestCloseCodes is 7.7, 7.9 and 7.13: valid codes come back, others are a
// protocol error.
func TestCloseCodes(t *testing.T) {
	var cases []testCase
	for i, code := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999} {
		cases = append(cases, testCase{
			fmt.Sprintf("7.7.%d close code %d", i+1, code), "7.4.1",
			script{closing(code, ""), fmt.Sprintf("close %d", code)},
		})
	}
	for _, code := range []int{1012, 1013, 1014} {
		cases = append(cases, testCase{
			fmt.Sprintf("7.7.14 close code %d, registered since", code), "11.7",
			script{closing(code, ""), fmt.Sprintf("close %d", code)},
		})
	}
	for i, code := range []int{0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 1015} {
		cases = append(cases, testCase{
			fmt.Sprintf("7.9.%d close code %d", i+1, code), "7.4.1",
			script{closing(code, ""), "close 1002"},
		})
	}
	for i, code := range []int{5000, 65535} {
		cases = append(cases, testCase{
			fmt.Sprintf("7.13.%d close code %d", i+1, code), "7.4.2",
			script{closing(code, ""), "close 1002"},
		})
	}
	run(t, host.Mount{}, cases)
}
