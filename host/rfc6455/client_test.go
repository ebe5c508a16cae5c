package rfc6455_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"
)

// Opcodes (RFC 6455 section 5.2).
const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10
)

// fin is the bit of the last fragment, rsv1 that of a compressed message.
const (
	fin  = 0x80
	rsv1 = 0x40
)

// build makes a client's frame with its first byte and payload as given.
func build(first byte, payload string) []byte {
	return masked(first, payload, [4]byte{0x37, 0xfa, 0x21, 0x3d})
}

func masked(first byte, payload string, key [4]byte) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	b = append(b, key[:]...)
	at := len(b)
	b = append(b, payload...)
	for i := range b[at:] {
		b[at+i] ^= key[i%4]
	}
	return b
}

func text(payload string) []byte     { return build(fin|opText, payload) }
func binaryOf(payload string) []byte { return build(fin|opBinary, payload) }
func first(payload string) []byte    { return build(opText, payload) }
func more(payload string) []byte     { return build(opContinuation, payload) }
func last(payload string) []byte     { return build(fin|opContinuation, payload) }
func ping(payload string) []byte     { return build(fin|opPing, payload) }
func pong(payload string) []byte     { return build(fin|opPong, payload) }

// closing is a close frame with a code and a reason.
func closing(code int, reason string) []byte {
	return build(fin|opClose, string(binary.BigEndian.AppendUint16(nil, uint16(code)))+reason)
}

// withRSV sets the reserved bits of a frame: 4 is RSV1, 2 RSV2, 1 RSV3.
func withRSV(bits byte, frame []byte) []byte {
	frame[0] |= bits << 4
	return frame
}

// fragments sends payload as text in frames of size bytes.
func fragments(payload string, size int) []byte {
	return fragmentsOf(opText, payload, size)
}

func fragmentsOf(op byte, payload string, size int) []byte {
	var b []byte
	for len(payload) > size {
		b = append(b, build(op, payload[:size])...)
		payload, op = payload[size:], opContinuation
	}
	return append(b, build(fin|op, payload)...)
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// chops cuts what is sent into writes of size bytes.
func chops(size int) func([][]byte) [][]byte {
	return func(frames [][]byte) [][]byte {
		var writes [][]byte
		for b := join(frames...); len(b) > 0; {
			n := min(size, len(b))
			writes, b = append(writes, b[:n]), b[n:]
		}
		return writes
	}
}

// The frame in which a text travels that is to come back.
const (
	echoHead = `["1","2","t","echo","`
	echoTail = `"]`

	replyHead = `["1","2","t","phx_reply",{"status":"ok","response":`
	replyTail = `}]`
)

// echo is a message that asks for s, which is the inside of a JSON string.
func echo(s string) []byte { return text(echoText(s)) }

func echoText(s string) string { return echoHead + s + echoTail }

// echoed is the event of its answer.
func echoed(s string) string { return `echo "` + s + `"` }

// sized returns what to ask for so that the whole message has n bytes.
func sized(n int) string {
	const pattern = "0123456789abcdefghijklmnopqrstuvwxyz-" // a prime number of bytes: no fragment looks like its neighbour
	n -= len(echoHead) + len(echoTail)
	return strings.Repeat(pattern, n/len(pattern)+1)[:n]
}

// Events after which the connection is over.
const (
	// undecodable is how the protocol ends a connection over a text that is no
	// Phoenix frame. It tells that the message has come through the framing.
	undecodable = "close 1011"
	// binaryRefused is the same for a binary message. Binary frames that are
	// none of Phoenix's must end so, whether or not there are others that do
	// not: see undecodableBinary.
	binaryRefused = "close 1011"

	ended = "end"
)

// undecodableBinary is a binary payload of n bytes that is no frame of
// serializer 2.0.0: those from clients begin with a zero (push).
func undecodableBinary(n int) string { return strings.Repeat("\xfe\x00\x23\xfa\xf0", n/5+1)[:n] }

// client is one connection to the server under test, which may say anything.
type client struct {
	t    testing.TB
	conn net.Conn
	in   *bufio.Reader
	way  way
	got  chan string // events, in the order in which they came

	// answer is what the server said to the extensions offered.
	answer []string
	// squeezed counts the compressed messages that came.
	squeezed atomic.Int64
	// inflate undoes permessage-deflate; nil when it was not agreed on.
	inflate func(payload []byte) ([]byte, error)
}

// dial connects and joins the topic "t".
func (s *server) dial(t testing.TB, w way) *client {
	t.Helper()
	c := s.connect(t, w, "")
	c.listen()
	c.join()
	return c
}

// connect makes a WebSocket connection, with more header lines if there are
// any; each ends with a line break. Nobody listens on it yet.
func (s *server) connect(t testing.TB, w way, header string) *client {
	t.Helper()
	return s.open(t, w, handshake(header))
}

// open says hello, which is a handshake and maybe more, in one write.
func (s *server) open(t testing.TB, w way, hello []byte) *client {
	t.Helper()
	conn, err := s.reach(w.tcp)
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, conn: conn, way: w, got: make(chan string, 4096)}
	if err := conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(hello); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("handshake: %v, %+v", err, resp)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	c.answer = resp.Header.Values("Sec-WebSocket-Extensions")
	c.in = in
	return c
}

func (s *server) reach(tcp bool) (net.Conn, error) {
	if tcp {
		return net.Dial("tcp", s.addr)
	}
	return s.pipes.dial()
}

// handshake is RFC 6455 section 4.1.
func handshake(header string) []byte {
	return []byte("GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nHost: localhost\r\n" +
		"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + header + "\r\n")
}

// listen hands on what comes until the connection ends. There is time for that as long
// as nobody waits.
func (c *client) listen() {
	_ = c.conn.SetReadDeadline(time.Time{}) // fails where reads do
	done := make(chan struct{})
	c.t.Cleanup(func() {
		_ = c.conn.Close() // a second time, or the server was first
		for range c.got {  // so that the reader comes to its end
		}
		<-done
	})
	go func() {
		defer close(done)
		defer close(c.got)
		for {
			f, err := readFrame(c.in)
			if err != nil {
				c.got <- endEvent(err)
				return
			}
			c.got <- c.event(f)
		}
	}()
}

func (c *client) arm() {
	_ = c.conn.SetWriteDeadline(time.Now().Add(timeout)) // fails where writes do, which tell
}

func (c *client) join() {
	c.t.Helper()
	c.write(text(`["1","1","t","phx_join",{}]`))
	c.want(`text ["1","1","t","phx_reply",{"status":"ok","response":{}}]`)
}

// play runs a script.
func (c *client) play(s script) {
	c.t.Helper()
	var frames [][]byte
	over := false // by a close frame of either side
	for _, step := range s {
		switch step := step.(type) {
		case []byte:
			frames = append(frames, step)
		case string:
			c.write(frames...)
			frames = nil
			c.want(step)
			over = over || strings.HasPrefix(step, "close")
		case oneOf:
			c.write(frames...)
			frames = nil
			got := c.want(step...)
			over = over || strings.HasPrefix(got, "close")
		default:
			c.t.Fatalf("a step is neither a frame nor an event: %v", step)
		}
	}
	c.write(frames...)
	if !over {
		c.write(closing(1000, ""))
		c.want("close 1000")
	}
	c.finish()
}

// finish answers the server's close frame, if it was the first to close, hangs
// up and expects the end. A server that has lost track of the frames cannot
// see the answer (RFC 6455 section 7.1.7) but it sees that.
func (c *client) finish() {
	c.t.Helper()
	c.write(closing(1000, ""))
	hangUp := c.conn.Close
	if tcp, ok := c.conn.(*net.TCPConn); ok {
		hangUp = tcp.CloseWrite
	}
	_ = hangUp() // the server may have been first
	c.want(ended)
}

// write sends frames the client's way. That the server has hung up shows in
// what is expected next, so only a server that does not read fails the test
// here.
func (c *client) write(frames ...[]byte) {
	c.t.Helper()
	c.arm()
	for _, b := range c.way.cut(frames) {
		_, err := c.conn.Write(b)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			c.t.Fatalf("the server has not read for %s", timeout)
		}
		if err != nil {
			return
		}
	}
}

// want expects the next event to be one of events and returns it.
func (c *client) want(events ...string) string {
	c.t.Helper()
	select {
	case got := <-c.got:
		if slices.Contains(events, got) {
			return got
		}
		c.t.Fatalf("got  %s\nwant %s", short(got), short(strings.Join(events, ", or ")))
	case <-time.After(timeout):
		c.t.Fatalf("nothing for %s, want %s", timeout, short(strings.Join(events, ", or ")))
	}
	return ""
}

// wantAnyOrder is want for all of events, in whatever order they come.
func (c *client) wantAnyOrder(events ...string) {
	c.t.Helper()
	for len(events) > 0 {
		got := c.want(events...)
		i := slices.Index(events, got)
		events = slices.Delete(events, i, i+1)
	}
}

func short(s string) string {
	if len(s) > 200 {
		return fmt.Sprintf("%.100q ... %q (%d bytes)", s, s[len(s)-60:], len(s))
	}
	return s
}

// frame is one frame of the server's.
type frame struct {
	first   byte
	payload []byte
}

// readFrame reads a frame and checks all that RFC 6455 section 5 demands of a
// server's header.
func readFrame(in *bufio.Reader) (f frame, err error) {
	var h [2]byte
	if _, err := io.ReadFull(in, h[:]); err != nil {
		return f, err
	}
	n, err := readLength(in, h[1])
	if err != nil {
		return f, err
	}
	switch op := h[0] & 0x0f; {
	case h[1]&0x80 != 0:
		return f, badFrame("masked")
	case op > opBinary && op < opClose || op > opPong:
		return f, badFrame(fmt.Sprintf("reserved opcode %d", op))
	case op >= opClose && (n > 125 || h[0]&0xf0 != fin):
		return f, badFrame(fmt.Sprintf("control frame % x of %d bytes", h[0], n))
	case h[0]&0x30 != 0:
		return f, badFrame(fmt.Sprintf("reserved bits % x", h[0]))
	}
	f = frame{first: h[0], payload: make([]byte, n)}
	_, err = io.ReadFull(in, f.payload)
	return f, err
}

// badFrame tells what a server must not send.
type badFrame string

func (b badFrame) Error() string { return "the server's frame is wrong: " + string(b) }

func readLength(in *bufio.Reader, short byte) (n int, err error) {
	var long [8]byte
	size, least := 0, 0
	switch n = int(short & 0x7f); n {
	case 126:
		size, least = 2, 126
	case 127:
		size, least = 8, 1<<16
	default:
		return n, nil
	}
	if _, err := io.ReadFull(in, long[8-size:]); err != nil {
		return 0, err
	}
	n = int(binary.BigEndian.Uint64(long[:]))
	if n < least || n > 1<<30 {
		return 0, badFrame(fmt.Sprintf("length %d in %d bytes", n, size))
	}
	return n, nil
}

func endEvent(err error) string {
	var bad badFrame
	if errors.As(err, &bad) {
		return bad.Error()
	}
	return ended
}

// event puts a frame into words: `echo` and the payload of an answer to echo,
// `text` and the text of any other, `pong` and its payload quoted, `close` and
// its code if it has one, `end` for the end of the connection.
func (c *client) event(f frame) string {
	switch op := f.first & 0x0f; op {
	case opPong:
		return fmt.Sprintf("pong %q", f.payload)
	case opClose:
		return closeEvent(f.payload)
	case opText:
		return c.textEvent(f)
	default:
		return fmt.Sprintf("opcode %d %q", op, f.payload)
	}
}

func (c *client) textEvent(f frame) string {
	p := f.payload
	switch compressed := f.first&rsv1 != 0; {
	case f.first&fin == 0:
		return badFrame("a fragment, which this server does not send").Error()
	case compressed && c.inflate == nil:
		return badFrame("compressed, which was not agreed on").Error()
	case compressed:
		c.squeezed.Add(1)
		var err error
		if p, err = c.inflate(p); err != nil {
			return badFrame("inflate: " + err.Error()).Error()
		}
	}
	if !utf8.Valid(p) {
		return badFrame("text is not UTF-8").Error()
	}
	s, isReply := strings.CutPrefix(string(p), replyHead)
	if s, whole := strings.CutSuffix(s, replyTail); isReply && whole {
		return "echo " + s
	}
	return "text " + string(p)
}

func closeEvent(p []byte) string {
	if len(p) == 0 {
		return "close"
	}
	if len(p) == 1 || !utf8.Valid(p[2:]) {
		return badFrame(fmt.Sprintf("close frame with %q", p)).Error()
	}
	return fmt.Sprintf("close %d", binary.BigEndian.Uint16(p))
}
