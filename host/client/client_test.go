package client_test

import (
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"go.uber.org/goleak"

	"github.com/aviary-host/aviary/host/client"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve accepts one connection and runs script on it; where it is is returned.
func serve(t *testing.T, script func(net.Conn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := ln.Accept()
		if err != nil {
			return // the test is over
		}
		defer func() { _ = conn.Close() }() // the script is over
		script(conn)
	}()
	t.Cleanup(func() {
		_ = ln.Close() // no more than one is accepted
		<-done
	})
	return "ws://" + ln.Addr().String() + "/socket"
}

func dial(t *testing.T, url string) *client.Client {
	t.Helper()
	c, err := client.Dial(t.Context(), url, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // the server may have been first
	return c
}

// upgrade answers the handshake and then says texts.
func upgrade(texts ...string) func(net.Conn) {
	return func(conn net.Conn) {
		if _, err := ws.Upgrade(conn); err != nil {
			return
		}
		for _, text := range texts {
			if err := wsutil.WriteServerText(conn, []byte(text)); err != nil {
				return
			}
		}
		_, _ = wsutil.ReadClientText(conn) // until the client has read it all
	}
}

func TestAddress(t *testing.T) {
	for url, want := range map[string]string{
		"ws://h/socket":                       "ws://h/socket/websocket?token=a+b&vsn=2.0.0",
		"ws://h:1/socket/":                    "ws://h:1/socket/websocket?token=a+b&vsn=2.0.0",
		"wss://h/a/b/websocket?vsn=1.0.0&x=1": "wss://h/a/b/websocket?token=a+b&vsn=2.0.0&x=1",
		"ws://h":                              "ws://h/websocket?token=a+b&vsn=2.0.0",
		"http://h/socket":                     "", "ws:///socket": "", "socket": "", "ws://h:x/": "",
	} {
		got, err := client.Address(url, map[string]string{"token": "a b"})
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s: got %q, %v, want %q", url, got, err, want)
		}
	}
}

// TestSend: what is sent, in the words of serializer 2.0.0.
func TestSend(t *testing.T) {
	want := []string{`["1","1","t","phx_join",{}]`, `["1","2","t","e",{"a":1}]`, `[null,"3","phoenix","heartbeat",{}]`, `["1","4","t","phx_leave",{}]`}
	sent := make(chan string, len(want))
	c := dial(t, serve(t, func(conn net.Conn) {
		if _, err := ws.Upgrade(conn); err != nil {
			return
		}
		for range want {
			text, err := wsutil.ReadClientText(conn)
			if err != nil {
				break
			}
			sent <- string(text)
		}
		close(sent)
	}))
	for i, send := range []func() (string, error){
		func() (string, error) { return c.Join("t", nil) }, func() (string, error) { return c.Push("t", "e", []byte(`{"a":1}`)) },
		c.Heartbeat, func() (string, error) { return c.Leave("t") },
	} {
		if ref, err := send(); err != nil || ref != strconv.Itoa(i+1) {
			t.Fatalf("ref %s, %v", ref, err)
		}
		if got := <-sent; got != want[i] {
			t.Errorf("sent %s, want %s", got, want[i])
		}
	}
}

// TestRead: what comes.
func TestRead(t *testing.T) {
	c := dial(t, serve(t, upgrade(`["1","2","t","phx_reply",{"status":"ok","response":[1]}]`, `[null,null,"t","e",7]`)))
	m, err := c.Read()
	if err != nil {
		t.Fatal(err)
	}
	if r, ok := m.Reply(); !ok || r.Status != "ok" || string(r.Response) != "[1]" {
		t.Errorf("got %+v", r)
	}
	if m.JoinRef != "1" || m.Ref != "2" || m.Topic != "t" {
		t.Errorf("got %+v", m)
	}
	if m, err = c.Read(); err != nil || m.JoinRef != "" || m.Ref != "" || string(m.Payload) != "7" {
		t.Errorf("got %+v, %v", m, err)
	}
	if _, ok := m.Reply(); ok {
		t.Error("an event counts as a reply")
	}
}

// TestReadEnds: binary frames come as they are, pings are answered, a close says why.
func TestReadEnds(t *testing.T) {
	pong := make(chan []byte, 1)
	c := dial(t, serve(t, func(conn net.Conn) {
		if _, err := ws.Upgrade(conn); err != nil {
			return
		}
		_ = wsutil.WriteServerMessage(conn, ws.OpPing, []byte("hi")) // the client says what it got
		_ = wsutil.WriteServerBinary(conn, []byte{0, 1})
		frame := make([]byte, 2+4+2) // header, mask, and what was pinged
		if _, err := io.ReadFull(conn, frame); err == nil {
			ws.Cipher(frame[6:], [4]byte(frame[2:6]), 0)
			pong <- frame
		}
		_ = wsutil.WriteServerMessage(conn, ws.OpClose, ws.NewCloseFrameBody(1012, "restart"))
		_, _ = wsutil.ReadClientText(conn) // until the client has read it
	}))
	if m, err := c.Read(); err != nil || string(m.Binary) != "\x00\x01" {
		t.Errorf("got %+v, %v", m, err)
	}
	if f := <-pong; ws.OpCode(f[0]&0xf) != ws.OpPong || string(f[6:]) != "hi" {
		t.Errorf("the ping was answered with % x", f)
	}
	var closed *client.CloseError
	if _, err := c.Read(); !errors.As(err, &closed) || closed.Code != 1012 || closed.Error() != "closed with 1012 restart" {
		t.Errorf("the end is %v", err)
	}
}

func TestReadRefuses(t *testing.T) {
	for _, text := range []string{`{}`, `[]`, `["1","2","t","e"]`, `["1","2","t","e",{},1]`, `[1,"2","t","e",{}]`, `["1","2","t","e",{}`} {
		c := dial(t, serve(t, upgrade(text)))
		if m, err := c.Read(); err == nil || !strings.Contains(err.Error(), "no array of 5") {
			t.Errorf("%s: got %+v, %v", text, m, err)
		}
		_ = c.Close() // so that the server ends
	}
}

func TestDialRefused(t *testing.T) {
	url := serve(t, func(conn net.Conn) {
		buf := make([]byte, 4096)
		_, _ = conn.Read(buf)
		_, _ = conn.Write([]byte("HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\nno way"))
	})
	_, err := client.Dial(t.Context(), url, client.Options{})
	var refused *client.RefusedError
	if !errors.As(err, &refused) || refused.Status != 403 || refused.Error() != "refused with HTTP 403: no way" {
		t.Errorf("got %v", err)
	}
}
