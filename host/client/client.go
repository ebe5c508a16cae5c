package client

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

const (
	maxMessage = 16 << 20 // bytes, from the server
	maxRefusal = 4 << 10  // bytes of the body of a refused handshake that are shown
)

// Options are what a client says when it connects.
type Options struct {
	Params map[string]string // of the socket, in the query
	Header http.Header
}

// RefusedError is a handshake that the server has answered with another status than 101.
type RefusedError struct {
	Status int
	Body   string // its beginning
}

// Error describes the refusal in one line.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("refused with HTTP %d: %s", e.Status, strings.TrimSpace(e.Body))
}

// CloseError is the end of a connection as the server has announced it.
type CloseError struct {
	Code   int // RFC 6455 section 7.4
	Reason string
}

// Error describes the end in one line.
func (e *CloseError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("closed with %d %s", e.Code, e.Reason))
}

// Message is a message of the server.
type Message struct {
	JoinRef string // empty: null
	Ref     string // empty: null
	Topic   string
	Event   string
	Payload json.RawMessage

	Binary []byte // a binary frame as it came; all else is empty then
}

// Reply is what a phx_reply holds.
type Reply struct {
	Status   string          `json:"status"`
	Response json.RawMessage `json:"response"`
}

// Reply returns the reply that the message is, if it is one.
func (m *Message) Reply() (Reply, bool) {
	var r Reply
	if m.Event != "phx_reply" || json.Unmarshal(m.Payload, &r) != nil {
		return r, false
	}
	return r, true
}

// Client is a connection to a server.
type Client struct {
	conn net.Conn
	in   *bufio.Reader

	mu    sync.Mutex // guards the following, and writing
	ref   int
	joins map[string]string // join_ref, by topic
}

// Address returns where a socket's WebSocket is: url is what phoenix.js is given, such as
// ws://127.0.0.1:4000/socket, with or without /websocket behind it.
func Address(socket string, params map[string]string) (string, error) {
	u, err := url.Parse(socket)
	if err != nil {
		return "", err
	}
	if u.Scheme != "ws" && u.Scheme != "wss" || u.Host == "" {
		return "", fmt.Errorf("url %q is not like ws://127.0.0.1:4000/socket", socket)
	}
	query := u.Query()
	for name, value := range params {
		query.Set(name, value)
	}
	query.Set("vsn", "2.0.0")
	u.Path = strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), "/websocket") + "/websocket"
	u.RawQuery = query.Encode()
	return u.String(), nil
}

// Dial connects. The error is a [*RefusedError] where the server says no. The caller
// closes the client.
func Dial(ctx context.Context, socket string, o Options) (*Client, error) {
	address, err := Address(socket, o.Params)
	if err != nil {
		return nil, err
	}
	var refused *RefusedError
	d := ws.Dialer{
		Header: ws.HandshakeHeaderHTTP(o.Header),
		OnStatusError: func(status int, _ []byte, response io.Reader) {
			refused = &RefusedError{Status: status, Body: bodyOf(response)}
		},
	}
	conn, in, _, err := d.Dial(ctx, address)
	if refused != nil {
		return nil, refused
	}
	if err != nil {
		return nil, err
	}
	if in == nil {
		in = bufio.NewReader(conn)
	}
	return &Client{conn: conn, in: in, joins: map[string]string{}}, nil
}

// bodyOf returns the beginning of the body of a response.
func bodyOf(response io.Reader) string {
	r, err := http.ReadResponse(bufio.NewReader(response), nil)
	if err != nil {
		return ""
	}
	defer func() { _ = r.Body.Close() }() // it is only shown
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRefusal))
	if err != nil && len(body) == 0 {
		return ""
	}
	return string(body)
}

// Join asks to join a topic and returns the ref of the request, which is the join_ref of
// all that follows on the topic.
func (c *Client) Join(topic string, payload json.RawMessage) (ref string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.joins[topic] = strconv.Itoa(c.ref + 1)
	return c.send(topic, "phx_join", payload)
}

// Push sends an event on a topic and returns its ref.
func (c *Client) Push(topic, event string, payload json.RawMessage) (ref string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.send(topic, event, payload)
}

// Leave asks to leave a topic and returns the ref of the request.
func (c *Client) Leave(topic string) (ref string, err error) { return c.Push(topic, "phx_leave", nil) }

// Heartbeat tells the server that the client lives, and returns the ref: silent clients
// are closed after a minute by default.
func (c *Client) Heartbeat() (ref string, err error) { return c.Push("phoenix", "heartbeat", nil) }

// send writes a message. c.mu is held.
func (c *Client) send(topic, event string, payload json.RawMessage) (string, error) {
	c.ref++
	ref := strconv.Itoa(c.ref)
	var joinRef any
	if r, ok := c.joins[topic]; ok {
		joinRef = r
	}
	if len(payload) == 0 {
		payload = json.RawMessage("{}")
	}
	text, err := json.Marshal([]any{joinRef, ref, topic, event, payload})
	if err != nil {
		return "", err
	}
	return ref, wsutil.WriteClientText(c.conn, text)
}

// Read waits for the next message. Pings are answered meanwhile. The error is a
// [*CloseError] where the server says that it ends the connection.
func (c *Client) Read() (*Message, error) {
	r := wsutil.Reader{
		Source: c.in, State: ws.StateClientSide, CheckUTF8: true, MaxFrameSize: maxMessage,
		OnIntermediate: func(h ws.Header, r io.Reader) error { return c.control(h, r) },
	}
	for {
		h, err := r.NextFrame()
		if err != nil {
			return nil, err
		}
		if h.OpCode.IsControl() {
			if err := c.control(h, &r); err != nil {
				return nil, err
			}
			continue
		}
		text, err := io.ReadAll(io.LimitReader(&r, maxMessage+1))
		switch {
		case err != nil:
			return nil, err
		case len(text) > maxMessage:
			return nil, fmt.Errorf("a message of over %d bytes", maxMessage)
		case h.OpCode == ws.OpBinary:
			return &Message{Binary: text}, nil
		}
		return parse(text)
	}
}

// control answers pings and closes, which end what is read. The library's own handler
// knows no code above 1011.
func (c *Client) control(h ws.Header, r io.Reader) error {
	body := make([]byte, h.Length) // at most 125: the reader has checked
	if _, err := io.ReadFull(r, body); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch h.OpCode {
	case ws.OpPing:
		return wsutil.WriteClientMessage(c.conn, ws.OpPong, body)
	case ws.OpClose:
		code, reason := ws.ParseCloseFrameData(body)
		_ = wsutil.WriteClientMessage(c.conn, ws.OpClose, body) // a courtesy: it may be gone
		return &CloseError{Code: int(code), Reason: reason}
	}
	return nil
}

// parse reads a frame of serializer 2.0.0.
func parse(text []byte) (*Message, error) {
	m := &Message{}
	var joinRef, ref *string
	parts := []any{&joinRef, &ref, &m.Topic, &m.Event, &m.Payload}
	n := len(parts)
	if err := json.Unmarshal(text, &parts); err != nil || len(parts) != n {
		return nil, fmt.Errorf("the server sent %.200q, which is no array of 5 as serializer 2.0.0 has it", text)
	}
	if joinRef != nil {
		m.JoinRef = *joinRef
	}
	if ref != nil {
		m.Ref = *ref
	}
	return m, nil
}

// Close ends the connection.
func (c *Client) Close() error {
	c.mu.Lock()
	bye := ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusNormalClosure, ""))
	_ = ws.WriteFrame(c.conn, ws.MaskFrameInPlace(bye)) // a courtesy: it may be gone
	c.mu.Unlock()
	return c.conn.Close()
}
