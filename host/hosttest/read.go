package hosttest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/gobwas/ws"
)

// maxMessage bounds what the server may send in one frame, in bytes.
const maxMessage = 16 << 20

// next returns the next message that is not a ping; pings are answered.
// Fragments are put together.
func (c *Client) next() (ws.OpCode, []byte, error) {
	var op ws.OpCode
	var whole []byte
	state := ws.StateClientSide
	for {
		h, payload, err := c.frame(state)
		switch {
		case err != nil:
			return 0, nil, err
		case h.OpCode == ws.OpPing:
			c.note("<- ping", string(payload))
			c.write("-> pong", ws.OpPong, true, payload)
			continue
		case h.OpCode.IsControl():
			return h.OpCode, payload, nil
		case h.OpCode != ws.OpContinuation:
			op = h.OpCode
		}
		whole = append(whole, payload...)
		if h.Fin {
			return op, whole, nil
		}
		state = state.Set(ws.StateFragmented)
	}
}

// frame reads one frame and checks that a server may send it.
func (c *Client) frame(state ws.State) (ws.Header, []byte, error) {
	if err := c.conn.SetReadDeadline(time.Now().Add(Timeout)); err != nil {
		return ws.Header{}, nil, fmt.Errorf("arming the deadline: %w", err)
	}
	h, err := ws.ReadHeader(c.in)
	if err != nil {
		return h, nil, err
	}
	if err := ws.CheckHeader(h, state); err != nil {
		return h, nil, fmt.Errorf("the server broke RFC 6455: %w", err)
	}
	if h.Length > maxMessage {
		return h, nil, fmt.Errorf("the server announces a frame of %d bytes", h.Length)
	}
	payload := make([]byte, h.Length)
	_, err = io.ReadFull(c.in, payload)
	return h, payload, err
}

// text returns the next text message; anything else fails the test.
func (c *Client) text(want string) string {
	c.t.Helper()
	op, payload, err := c.nextMessage()
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.fatalf("nothing came within %s, want %s", Timeout, want)
	case err != nil:
		c.fatalf("connection ended (%v), want %s", err, want)
	case op == ws.OpText:
		c.note("<-", string(payload))
		return string(payload)
	}
	c.note("<- "+opName(op), describe(op, payload))
	c.fatalf("got a %s frame, want %s", opName(op), want)
	return ""
}

// ExpectText expects the next message to be a text of exactly these bytes, in
// the client's own serializer.
func (c *Client) ExpectText(want string) {
	c.t.Helper()
	if got := c.text(want); got != want {
		c.fatalf("want the bytes %s\ngot            %s", want, got)
	}
}

// nextMessage returns the next message from whatever carries them.
func (c *Client) nextMessage() (ws.OpCode, []byte, error) {
	if c.poll == nil {
		return c.next()
	}
	text, err := c.poll.next()
	return ws.OpText, []byte(text), err
}

// ExpectBinary expects the next frame to be a binary one of these bytes.
func (c *Client) ExpectBinary(want []byte) {
	c.t.Helper()
	op, got, err := c.nextMessage()
	if err != nil {
		c.fatalf("%v, want % x", err, want)
	}
	c.note("<- "+opName(op), describe(op, got))
	if op != ws.OpBinary || !bytes.Equal(got, want) {
		c.fatalf("got a %s frame %s, want % x", opName(op), describe(op, got), want)
	}
}

// ExpectPong expects the next frame to be a pong with payload.
func (c *Client) ExpectPong(payload string) {
	c.t.Helper()
	op, got, err := c.next()
	if err != nil {
		c.fatalf("%v, want a pong %q", err, payload)
	}
	c.note("<- "+opName(op), describe(op, got))
	if op != ws.OpPong || string(got) != payload {
		c.fatalf("got a %s frame %q, want a pong %q", opName(op), got, payload)
	}
}

// ExpectClose expects the next frame to close the connection with one of codes,
// answers it and expects the server to end the connection. It returns the
// reason.
//
// A client that polls is not told a code: there the session has to be gone.
func (c *Client) ExpectClose(codes ...int) string {
	c.t.Helper()
	if c.poll != nil {
		text, err := c.poll.next()
		if !errors.Is(err, errSessionGone) {
			c.fatalf("got %q %v, want the session to be gone", text, err)
		}
		return ""
	}
	op, payload, err := c.next()
	if err != nil {
		c.fatalf("connection ended without a close frame (%v), want code %v", err, codes)
	}
	c.note("<- "+opName(op), describe(op, payload))
	if op != ws.OpClose {
		c.fatalf("got a %s frame, want a close frame with code %v", opName(op), codes)
	}
	code, reason := ws.ParseCloseFrameData(payload)
	if !slices.Contains(codes, int(code)) {
		c.fatalf("closed with %d %q, want code %v", code, reason, codes)
	}
	// The server may be gone already, so a failing write is not its fault.
	_, _ = c.conn.Write(compile(ws.OpClose, true, payload[:min(len(payload), 2)]))
	c.expectEnd()
	return reason
}

// expectEnd expects the server to end the connection after the close frames.
func (c *Client) expectEnd() {
	c.t.Helper()
	h, _, err := c.frame(ws.StateClientSide)
	switch {
	case err == nil:
		c.fatalf("got a %s frame after the close frame", opName(h.OpCode))
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.fatalf("the server did not end the connection within %s of the close frames", Timeout)
	}
	c.note("**", "the server ended the connection")
}

func opName(op ws.OpCode) string {
	switch op {
	case ws.OpText:
		return "text"
	case ws.OpBinary:
		return "binary"
	case ws.OpClose:
		return "close"
	case ws.OpPing:
		return "ping"
	case ws.OpPong:
		return "pong"
	}
	return fmt.Sprintf("opcode %d", op)
}

func describe(op ws.OpCode, payload []byte) string {
	if op == ws.OpClose {
		code, reason := ws.ParseCloseFrameData(payload)
		return fmt.Sprintf("%d %q", code, reason)
	}
	if op == ws.OpBinary {
		return fmt.Sprintf("% x", payload)
	}
	return string(payload)
}
