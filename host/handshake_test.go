package host_test

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/host"
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
