package host_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aviary-host/aviary/host"
	"github.com/aviary-host/aviary/host/hosttest"
	"github.com/gobwas/ws"
)

// rush sends the handshake and what follows it at once, and ends its side of the
// connection.
func rush(t *testing.T, s *server, frames []byte) *net.TCPConn {
	t.Helper()
	conn := handshake(t, s, "203.0.113.7")
	_, err := conn.Write(frames)
	if err == nil {
		err = conn.CloseWrite()
	}
	if err == nil {
		err = conn.SetReadDeadline(time.Now().Add(hosttest.Timeout))
	}
	if err != nil && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
		t.Error(err)
	}
	return conn
}

// readToEnd reads until the server has ended the connection, be it by a reset.
func readToEnd(t *testing.T, conn net.Conn) {
	t.Helper()
	if _, err := io.Copy(io.Discard, conn); err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Error("the server does not end the connection:", err)
	}
	_ = conn.Close() // it has ended
}

func masked(op ws.OpCode, payload string) []byte {
	return ws.MustCompileFrame(ws.MaskFrameInPlaceWith(ws.NewFrame(op, true, []byte(payload)), [4]byte{1, 2, 3, 4}))
}

// TestEndBehindManyReads: that a client's side has ended is told once, when there is
// more to read than a connection's turn is long; it must be remembered.
func TestEndBehindManyReads(t *testing.T) {
	s := start(t, &script{}, host.Mount{IdleTimeout: time.Hour, Limits: &host.Limits{}})
	readToEnd(t, rush(t, s, bytes.Repeat(masked(ws.OpPong, "twenty-five bytes of pong"), 1200)))
}

// TestBusyIsNotIdle: what a client sends while a callback keeps its reader waits to be
// read, and counts.
func TestBusyIsNotIdle(t *testing.T) {
	const idle = 400 * time.Millisecond
	slow, entered, finish := blocking()
	s := start(t, &script{in: steps{"slow": slow}}, host.Mount{IdleTimeout: idle})
	c := s.dial(t)
	c.Join("t", "")
	ref := c.Push("t", "slow", "")
	<-entered
	answers := []string{reply("11", ref, "t", `{}`)}
	beat := time.NewTicker(idle / 8)
	defer beat.Stop()
	for range 20 {
		<-beat.C
		n := fmt.Sprintf("beat %d", len(answers))
		c.Send(`[null,"` + n + `","phoenix","heartbeat",{}]`)
		answers = append(answers, fmt.Sprintf(`[null,%q,"phoenix","phx_reply",{"status":"ok","response":{}}]`, n))
	}
	close(finish)
	c.ExpectAnyOrder(answers...)
}

// TestEndsDuringTheHandshake: connections that send all they have to say with the
// handshake, and are gone, leave those alone that stay.
func TestEndsDuringTheHandshake(t *testing.T) {
	s := start(t, &script{in: steps{"echo": echo}}, host.Mount{Limits: &host.Limits{}})
	var clients sync.WaitGroup
	heartbeat := masked(ws.OpText, `[null,"1","phoenix","heartbeat",{}]`)
	for range 8 {
		clients.Go(func() {
			for range 50 {
				readToEnd(t, rush(t, s, heartbeat))
			}
		})
	}
	for range 50 {
		c := s.dial(t)
		c.Join("t", "")
		c.Expect(reply("11", c.Push("t", "echo", `{"n":1}`), "t", `{"n":1}`))
		c.Drop()
	}
	clients.Wait()
	eventually(t, "no socket is left", func() bool { return s.Info().Sockets == 0 })
}
