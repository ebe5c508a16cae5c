package rfc6455_test

import (
	"fmt"
	"testing"

	"github.com/aviary-host/aviary/host"
)

const (
	kib = 1 << 10
	mib = 1 << 20
)

// overTCP is one write for everything.
func overTCP() way { return ways()[0] }

// roomy takes the largest messages of group 9.
func roomy() host.Mount { return host.Mount{MaxFrame: 16 * mib, QueueBytes: 64 * mib} }

// TestSizes is 9.1 to 9.4: messages from 64 KiB to 16 MiB in one frame, and of
// 4 MiB in fragments from 64 bytes to all of it.
func TestSizes(t *testing.T) {
	var cases []testCase
	for i, n := range []int{64 * kib, 256 * kib, mib, 4 * mib, 8 * mib, 16 * mib} {
		cases = append(
			cases,
			testCase{fmt.Sprintf("9.1.%d text of %d KiB", i+1, n/kib), "5.2", script{echo(sized(n)), echoed(sized(n))}},
			testCase{fmt.Sprintf("9.2.%d binary of %d KiB", i+1, n/kib), "5.2", script{binaryOf(undecodableBinary(n)), binaryRefused}},
		)
	}
	for i, n := range []int{64, 256, kib, 4 * kib, 16 * kib, 64 * kib, 256 * kib, mib, 4 * mib} {
		large := sized(4 * mib)
		cases = append(
			cases,
			testCase{fmt.Sprintf("9.3.%d text of 4 MiB in fragments of %d", i+1, n), "5.4", script{fragments(echoText(large), n), echoed(large)}},
			testCase{fmt.Sprintf("9.4.%d binary of 4 MiB in fragments of %d", i+1, n), "5.4", script{
				fragmentsOf(opBinary, undecodableBinary(4*mib), n), binaryRefused,
			}},
		)
	}
	cases = append(cases, testCase{"10.1.1 text of 65536 bytes in fragments of 1300", "5.4", script{
		fragments(echoText(sized(65536)), 1300), echoed(sized(65536)),
	}})
	s := start(t, roomy())
	for _, c := range cases {
		t.Run(c.title(), func(t *testing.T) { s.dial(t, overTCP()).play(c.script) })
	}
	s.waitFor(t, 0, 0)
}

// TestChops is 9.5 and 9.6: a message of 1 MiB that arrives in pieces. Over
// the pipe each is a read of its own.
func TestChops(t *testing.T) {
	s := start(t, roomy())
	for i, n := range []int{64, 128, 256, 512, kib, 2 * kib} {
		for _, c := range []testCase{
			{fmt.Sprintf("9.5.%d text of 1 MiB in chops of %d", i+1, n), "5.2", script{echo(sized(mib)), echoed(sized(mib))}},
			{fmt.Sprintf("9.6.%d binary of 1 MiB in chops of %d", i+1, n), "5.2", script{binaryOf(undecodableBinary(mib)), binaryRefused}},
		} {
			t.Run(c.title(), func(t *testing.T) {
				s.dial(t, way{name: "chops", cut: chops(n)}).play(c.script)
			})
		}
	}
	s.waitFor(t, 0, 0)
}

// TestRoundTrips is 9.7 and 9.8: a thousand messages, each sent when the one
// before has come back. A binary message ends the connection, so in its place
// goes a ping, which may have 125 bytes.
func TestRoundTrips(t *testing.T) {
	const count = 1000
	s := start(t, host.Mount{})
	for i, n := range []int{0, 16, 64, 256, kib, 4 * kib} {
		payload := sized(n + len(echoText("")))
		c := testCase{name: fmt.Sprintf("9.7.%d a thousand texts with %d bytes", i+1, n), section: "5.2"}
		for range count {
			c.script = append(c.script, echo(payload), echoed(payload))
		}
		t.Run(c.title(), func(t *testing.T) { s.dial(t, overTCP()).play(c.script) })
	}
	for i, n := range []int{0, 16, 64, 125} {
		payload := undecodableBinary(n)
		c := testCase{name: fmt.Sprintf("9.8.%d a thousand pings with %d bytes", i+1, n), section: "5.5.2"}
		for range count {
			c.script = append(c.script, ping(payload), fmt.Sprintf("pong %q", payload))
		}
		t.Run(c.title(), func(t *testing.T) { s.dial(t, overTCP()).play(c.script) })
	}
}

// TestMaxFrame is 9.9, which is ours: a message may have max_frame bytes, in
// whatever frames it comes, and not one more. What is too long is refused by
// its header.
func TestMaxFrame(t *testing.T) {
	for _, limit := range []int{100, 125, 64 * kib} {
		fits, over := sized(limit), sized(limit+1)
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			run(t, host.Mount{MaxFrame: limit}, []testCase{
				{"9.9.1 max_frame bytes", "10.4", script{echo(fits), echoed(fits)}},
				{"9.9.2 one more", "7.4.1", script{echo(over), "close 1009"}},
				{"9.9.3 max_frame bytes in fragments", "10.4", script{fragments(echoText(fits), limit/3), echoed(fits)}},
				{"9.9.4 one more in fragments", "7.4.1", script{fragments(echoText(over), limit/3), "close 1009"}},
				{"9.9.5 one more, and only its header has come", "7.4.1", script{echo(over)[:frameHead(limit+1)], "close 1009"}},
				{"9.9.6 max_frame bytes, then fragments of none", "10.4", script{first(echoText(fits)), more(""), last(""), echoed(fits)}},
				{"9.9.7 a ping is no message, its bound is 125", "5.5", script{ping(sized(125)), fmt.Sprintf("pong %q", sized(125))}},
				{"9.9.8 a ping within a message of max_frame bytes", "5.5", script{
					first(echoText(fits)), ping("x"), `pong "x"`, last(""), echoed(fits),
				}},
				{"9.9.9 a message each of max_frame bytes", "10.4", script{echo(fits), echo(fits), echoed(fits), echoed(fits)}},
			})
		})
	}
}

// frameHead is how many bytes come before a payload of a client's frame.
func frameHead(payload int) int {
	switch {
	case payload < 126:
		return 6
	case payload < 1<<16:
		return 8
	}
	return 14
}
