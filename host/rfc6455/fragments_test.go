package rfc6455_test

import (
	"strings"
	"testing"

	"github.com/aviary-host/aviary/host"
)

// TestFragments is group 5, RFC 6455 section 5.4.
func TestFragments(t *testing.T) {
	head, tail := first(echoHead+"one "), last("two"+echoTail)
	start := func(op byte, payload string) []byte { return build(op, payload) } // no fin
	run(t, host.Mount{}, []testCase{
		{"5.1 ping in two fragments", "5.5", script{start(opPing, "a"), last("b"), "close 1002"}},
		{"5.2 pong in two fragments", "5.5", script{start(opPong, "a"), last("b"), "close 1002"}},
		{"5.2 close in two fragments", "5.5", script{start(opClose, "\x03"), last("\xe8"), "close 1002"}},
		{"5.3 5.4 5.5 text in two fragments", "5.4", script{head, tail, echoed("one two")}},
		{"5.6 5.7 5.8 a ping between them", "5.4", script{head, ping("p"), tail, `pong "p"`, echoed("one two")}},
		{"5.6 5.7 5.8 a pong between them", "5.4", script{head, pong("p"), tail, echoed("one two")}},
		{"5.9 5.10 5.11 last fragment of nothing, then a text", "5.4", script{last("x"), echo("y"), "close 1002"}},
		{"5.12 5.13 5.14 fragment of nothing, then a text", "5.4", script{more("x"), echo("y"), "close 1002"}},
		{"5.15 a message, a fragment of nothing, a text", "5.4", script{head, tail, more("x"), echo("y"), echoed("one two"), "close 1002"}},
		{"5.16 fragment of nothing before a fragmented text, twice", "5.4", script{more("x"), head, tail, more("x"), head, tail, "close 1002"}},
		{"5.17 last fragment of nothing before a fragmented text, twice", "5.4", script{last("x"), head, tail, last("x"), head, tail, "close 1002"}},
		{"5.18 second fragment called text", "5.4", script{head, text("two" + echoTail), "close 1002"}},
		{"5.18 second fragment called binary", "5.4", script{head, binaryOf("two" + echoTail), "close 1002"}},
		{"5.18 new first fragment inside a message", "5.4", script{head, head, tail, "close 1002"}},
		{"5.19 5.20 five fragments and two pings, answered at once", "5.4", script{
			head, more("three "), ping("ping 1"), `pong "ping 1"`,
			more("four "), more("five "), ping("ping 2"), `pong "ping 2"`,
			tail, echoed("one three four five two"),
		}},
		{"5.21 two fragmented messages, one after the other", "5.4", script{
			head, tail, first(echoHead), last("again" + echoTail), echoed("one two"), echoed("again"),
		}},
		{"5.22 fragments of no bytes around and between", "5.4", script{
			first(""), more(""), more(echoHead), more(""), ping(""), `pong ""`, more("x"), more(""), more(echoTail), last(""), echoed("x"),
		}},
		{"5.23 binary in two fragments", "5.4", script{build(opBinary, "\xfe"), last("\xff"), binaryRefused}},
		{"5.24 a thousand fragments of no bytes", "5.4", script{
			first(echoHead), []byte(strings.Repeat(string(more("")), 1000)), last(echoTail), echoed(""),
		}},
		{"5.25 fragments as short as one byte", "5.4", script{fragments(echoText(sized(500)), 1), echoed(sized(500))}},
	})
}

// TestMasks is 10.2, which Autobahn does not have.
func TestMasks(t *testing.T) {
	bare := func(first byte, payload string) []byte { return append([]byte{first, byte(len(payload))}, payload...) }
	key := func(k string) []byte { return masked(fin|opText, echoText("x"), [4]byte([]byte(k))) }
	run(t, host.Mount{}, []testCase{
		{"10.2.1 text without a mask", "5.1", script{bare(fin|opText, echoText("x")), "close 1002"}},
		{"10.2.2 binary without a mask", "5.1", script{bare(fin|opBinary, "\xfe"), "close 1002"}},
		{"10.2.3 ping without a mask", "5.1", script{bare(fin|opPing, "x"), "close 1002"}},
		{"10.2.4 close without a mask", "5.1", script{bare(fin|opClose, "\x03\xe8"), "close 1002"}},
		{"10.2.5 continuation without a mask", "5.1", script{first(echoHead), bare(fin|opContinuation, echoTail), "close 1002"}},
		{"10.2.6 a message, then one without a mask", "5.1", script{echo("x"), bare(fin|opText, ""), ping(""), echoed("x"), "close 1002"}},
		{"10.2.7 mask of zeros", "5.3", script{key("\x00\x00\x00\x00"), echoed("x")}},
		{"10.2.8 mask of ones", "5.3", script{key("\xff\xff\xff\xff"), echoed("x")}},
		{"10.2.9 a mask for each frame", "5.3", script{
			key("abcd"), key("\x00\x00\x00\x01"), key("\x80\x00\x00\x00"), echoed("x"), echoed("x"), echoed("x"),
		}},
		{"10.2.10 no payload, but a mask", "5.3", script{masked(fin|opPing, "", [4]byte{1, 2, 3, 4}), `pong ""`}},
	})
}
