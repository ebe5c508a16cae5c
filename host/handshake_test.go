package host_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/host"
	"github.com/aviary-host/aviary/host/hosttest"
	"github.com/gobwas/ws"
)

// handshake opens a connection and sends a request to upgrade it, which a proxy
// says to be from address.
func handshake(t *testing.T, s *server, address string) *net.TCPConn {
	t.Helper()
	u, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-Forwarded-For: %s\r\n\r\n",
		u.RequestURI(), u.Host, address)
	if err != nil {
		t.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

// TestClientGoneDuringItsHandshake: what was counted for a client is given back
// also if it is gone before the answer can be written, and so never gets a
// socket.
func TestClientGoneDuringItsHandshake(t *testing.T) {
	entered, finish := make(chan struct{}), make(chan struct{})
	var first sync.Once
	s := startConfig(t, &script{connect: func(_ *abi.Request, resp *abi.Response) error {
		first.Do(func() { close(entered); <-finish })
		return accept(nil, resp)
	}}, host.Config{ConnectionsPerAddress: 1, Mounts: []host.Mount{{Path: "/socket"}}})
	conn := handshake(t, s, "203.0.113.7")
	<-entered
	if err := conn.SetLinger(0); err != nil { // closing is a reset
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	close(finish)
	for range 1000 { // the place is given back soon, but not at once
		conn := handshake(t, s, "203.0.113.7")
		status, err := bufio.NewReader(conn).ReadString('\n')
		if err := errors.Join(err, conn.Close()); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(status, " 101 ") {
			return
		}
	}
	t.Error("the place of a client that is gone is not given back")
}

// handshakeAs opens a connection, sends a request to upgrade it by another name
// of the server, and reads nothing.
func handshakeAs(t *testing.T, s *server, name string) *net.TCPConn {
	u, err := url.Parse(s.url)
	if err != nil {
		panic(err) // the test's own; not t.Fatal, as other goroutines call this
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		panic(err)
	}
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", u.RequestURI(), name)
	if err != nil {
		t.Error(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(hosttest.Timeout)); err != nil {
		t.Error(err)
	}
	return conn.(*net.TCPConn)
}

// clientText is messages as a client sends them.
func clientText(messages ...string) []byte {
	var all []byte
	for _, m := range messages {
		all = append(all, ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte(m))))...)
	}
	return all
}

// countEchoes reads until the connection ends and counts replies to ref 2, or
// tells that the handshake was refused with 503.
func countEchoes(r io.Reader) (n int64, refused bool) {
	buffered := bufio.NewReader(r)
	status, _ := buffered.ReadString('\n') // it ends as it likes
	if !strings.Contains(status, " 101 ") {
		return 0, strings.Contains(status, " 503 ")
	}
	all, _ := io.ReadAll(buffered)
	return int64(strings.Count(string(all), `["1","2","t","phx_reply",{"status":"ok"`)), false
}

func TestConnectDecides(t *testing.T) {
	s := start(t, &script{connect: func(req *abi.Request, resp *abi.Response) error {
		switch p := string(req.Params); {
		case strings.Contains(p, `"no":"403"`):
			resp.Result = abi.ResultReplyError
		case strings.Contains(p, `"no":"429"`):
			resp.Result, resp.Number, resp.Payload, resp.Binary = abi.ResultReplyError, 429, []byte("Too many requests"), true
		case strings.Contains(p, `"no":"crash"`):
			return errScript
		default:
			resp.Result = abi.ResultReply
		}
		return nil
	}}, host.Mount{})
	for query, want := range map[string]hosttest.Refusal{
		"&no=403": {Status: 403}, "&no=429": {Status: 429, Body: "Too many requests"}, "&no=crash": {Status: 500},
	} {
		if got := hosttest.DialRefused(t, s.url+query, hosttest.Options{}); got.Status != want.Status || got.Body != want.Body {
			t.Errorf("%s: %d %q, want %d %q", query, got.Status, got.Body, want.Status, want.Body)
		}
	}
	s.dial(t).ExpectSilence()
}
