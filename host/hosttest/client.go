package hosttest

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// Timeout is how long a client waits for the handshake and for each frame
// before the test fails.
const Timeout = 10 * time.Second

// maxLine bounds a line of the printed dialogue, in bytes.
const maxLine = 600

// Options are what a client says in its handshake besides the URL.
type Options struct {
	Header       http.Header
	Subprotocols []string // offered, in this order

	// V1 has the client speak serializer 1.0.0. What it is told to send and to
	// expect is written as for 2.0.0 all the same, and translated; the join_ref
	// of what it gets is not compared, as the format does not say it.
	V1 bool

	// Host is what the client takes the server's name to be, if it is another than
	// that in the URL.
	Host string

	// LongPoll has the client poll beside the WebSocket's address. What there is
	// only on a WebSocket fails the test.
	LongPoll bool
}

// Client is one client of the server under test, on a WebSocket unless it was
// told to poll.
type Client struct {
	// Subprotocol is the one that the server chose, empty if none.
	Subprotocol string

	t    testing.TB
	v1   bool
	poll *poller // in place of conn and in
	conn net.Conn
	in   *bufio.Reader

	dialogue []string
	bound    map[string]any

	ref, joinRef, beat int
	joins              map[string]string // topic -> join_ref of its last join
}

// Dial connects to url (ws://...) and fails the test if the server refuses. The
// connection is dropped at the end of the test.
func Dial(t testing.TB, url string, o Options) *Client {
	t.Helper()
	c, refusal, err := dial(t, url, o)
	switch {
	case refusal != nil:
		t.Fatalf("%s: refused with %d %q, want a WebSocket", url, refusal.Status, refusal.Body)
	case err != nil:
		t.Fatalf("%s: %v", url, err)
	}
	t.Cleanup(c.Drop)
	return c
}

// Refusal is how a server answered a handshake that it did not accept.
type Refusal struct {
	Status int
	Body   string
	Header http.Header
}

// DialRefused connects to url and fails the test if the server does not refuse
// with an HTTP status.
func DialRefused(t testing.TB, url string, o Options) Refusal {
	t.Helper()
	c, refusal, err := dial(t, url, o)
	if refusal != nil {
		return *refusal
	}
	if err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	c.Drop()
	t.Fatalf("%s: accepted, want a refusal", url)
	return Refusal{}
}

func dial(t testing.TB, url string, o Options) (*Client, *Refusal, error) {
	if o.V1 {
		url = withVersion(url, "1.0.0")
	}
	if o.LongPoll {
		return dialPoll(t, url, o)
	}
	var refusal *Refusal
	d := ws.Dialer{
		Timeout:   Timeout,
		Protocols: o.Subprotocols,
		Host:      o.Host,
		Header:    ws.HandshakeHeaderHTTP(o.Header),
		OnStatusError: func(_ int, _ []byte, resp io.Reader) {
			refusal = readRefusal(resp)
		},
	}
	conn, in, hs, err := d.Dial(context.Background(), url)
	if err != nil {
		return nil, refusal, fmt.Errorf("connecting: %w", err)
	}
	if in == nil {
		in = bufio.NewReader(conn)
	}
	c := newClient(t, url, o)
	c.Subprotocol, c.conn, c.in = hs.Protocol, conn, in
	return c, nil, nil
}

func newClient(t testing.TB, url string, o Options) *Client {
	c := &Client{t: t, v1: o.V1, bound: map[string]any{}, joins: map[string]string{}, joinRef: 10}
	c.note("**", "connected to "+url)
	return c
}

func dialPoll(t testing.TB, url string, o Options) (*Client, *Refusal, error) {
	p, refusal, err := newPoller(url, o)
	if refusal != nil || err != nil {
		return nil, refusal, err
	}
	c := newClient(t, p.url, o)
	c.poll = p
	return c, nil, nil
}

func readRefusal(r io.Reader) *Refusal {
	resp, err := http.ReadResponse(bufio.NewReader(r), nil)
	if err != nil {
		return nil // dial reports the status it saw
	}
	body, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		body = append(body, "... "+err.Error()...)
	}
	return &Refusal{Status: resp.StatusCode, Body: string(body), Header: resp.Header}
}

// Drop cuts the connection without a word, as a client that lost its network.
func (c *Client) Drop() {
	if c.poll != nil {
		c.poll.drop()
		return
	}
	_ = c.conn.Close() // a second call, or the server was first
}

// Send sends text as one message, whatever it is.
func (c *Client) Send(text string) {
	c.t.Helper()
	if c.v1 {
		text = toV1(text)
	}
	c.SendText(text)
}

// SendText is Send for text that is not to be translated, whatever serializer
// the client speaks.
func (c *Client) SendText(text string) {
	c.t.Helper()
	if c.poll != nil {
		c.post([]string{text})
		return
	}
	c.write("->", ws.OpText, true, []byte(text))
}

// SendBinary sends a binary message.
func (c *Client) SendBinary(b []byte) {
	c.t.Helper()
	if c.poll != nil {
		c.note("->", fmt.Sprintf("% x", b))
		if err := c.poll.send(base64.StdEncoding.EncodeToString(b)); err != nil {
			c.fatalf("sending: %v", err)
		}
		return
	}
	c.note("-> binary", fmt.Sprintf("% x", b))
	c.writeBytes(compile(ws.OpBinary, true, b))
}

// post sends messages in one POST; one that is no line of a batch by itself.
func (c *Client) post(texts []string) {
	c.t.Helper()
	for _, text := range texts {
		c.note("->", text)
	}
	send := func() error { return c.poll.send(texts...) }
	if len(texts) == 1 && !strings.HasPrefix(texts[0], "[") {
		send = func() error { return c.poll.sendWhole(texts[0]) }
	}
	if err := send(); err != nil && !errors.Is(err, errSessionGone) {
		c.fatalf("sending: %v", err)
	}
}

// SendJSON sends a frame of parts: join_ref, ref, topic, event and payload, or
// whatever else a test wants to see refused.
func (c *Client) SendJSON(parts ...any) {
	c.t.Helper()
	text, err := json.Marshal(parts)
	if err != nil {
		c.fatalf("frame to send: %v", err)
	}
	c.Send(string(text))
}

// SendAll sends texts in one write, each a frame, so that the server finds them
// in one read.
func (c *Client) SendAll(texts ...string) {
	c.t.Helper()
	if c.v1 {
		texts = slices.Clone(texts)
		for i := range texts {
			texts[i] = toV1(texts[i])
		}
	}
	if c.poll != nil {
		c.postAll(texts)
		return
	}
	var all []byte
	for _, text := range texts {
		c.note("->", text)
		all = append(all, compile(ws.OpText, true, []byte(text))...)
	}
	c.writeBytes(all)
}

// postAll sends messages in as few POSTs as they fit.
func (c *Client) postAll(texts []string) {
	c.t.Helper()
	size := 100
	if c.v1 {
		size = 1 // objects are no lines of a batch
	}
	for batch := range slices.Chunk(texts, size) {
		c.post(batch)
	}
}

// SendFragments sends one text in as many frames as there are parts.
func (c *Client) SendFragments(parts ...string) {
	c.t.Helper()
	op := ws.OpText
	for i, part := range parts {
		c.write(fmt.Sprintf("-> %d/%d", i+1, len(parts)), op, i == len(parts)-1, []byte(part))
		op = ws.OpContinuation
	}
}

// SendRaw sends bytes as they are, for frames that no client would make.
func (c *Client) SendRaw(b []byte) {
	c.t.Helper()
	c.note("-> raw", fmt.Sprintf("% x", b))
	c.writeBytes(b)
}

// SendPing sends a WebSocket ping.
func (c *Client) SendPing(payload string) {
	c.t.Helper()
	c.write("-> ping", ws.OpPing, true, []byte(payload))
}

// SendClose sends a close frame with code and expects the server to answer with
// the same code and to close the connection. A client that polls just stops.
func (c *Client) SendClose(code int) {
	c.t.Helper()
	if c.poll != nil {
		c.Drop()
		return
	}
	c.write("-> close", ws.OpClose, true, ws.NewCloseFrameBody(ws.StatusCode(code), ""))
	c.ExpectClose(code)
}

func (c *Client) write(mark string, op ws.OpCode, fin bool, payload []byte) {
	c.t.Helper()
	c.note(mark, string(payload))
	c.writeBytes(compile(op, fin, payload))
}

func compile(op ws.OpCode, fin bool, payload []byte) []byte {
	return ws.MustCompileFrame(ws.MaskFrame(ws.NewFrame(op, fin, payload)))
}

func (c *Client) writeBytes(b []byte) {
	c.t.Helper()
	if c.poll != nil {
		c.fatalf("there are no frames in long polling")
	}
	if err := c.conn.SetWriteDeadline(time.Now().Add(Timeout)); err != nil {
		c.fatalf("sending: %v", err)
	}
	if _, err := c.conn.Write(b); err != nil {
		c.fatalf("sending: %v", err)
	}
}

// note adds a line to the dialogue.
func (c *Client) note(mark, text string) {
	if len(text) > maxLine {
		text = fmt.Sprintf("%s... (%d bytes)", text[:maxLine], len(text))
	}
	c.dialogue = append(c.dialogue, mark+" "+strings.ToValidUTF8(text, "\uFFFD"))
}

// Dialogue returns what was said so far, a line for each frame: -> for what the
// client sent, <- for what it received.
func (c *Client) Dialogue() string { return strings.Join(c.dialogue, "\n") }

// fatalf ends the test with the whole dialogue.
func (c *Client) fatalf(format string, args ...any) {
	c.t.Helper()
	c.t.Fatalf("%s\ndialogue:\n%s", fmt.Sprintf(format, args...), c.Dialogue())
}
