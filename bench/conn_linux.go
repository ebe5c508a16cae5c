package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// dialTimeout bounds the handshake and the join of one connection.
const dialTimeout = 10 * time.Second

var errClosed = errors.New("server closed the connection")

// conn is one joined connection, of the loop.
type conn struct {
	fd    int
	index int32 // in loop.conns
	topic string
	rest  []byte // begun frame, from an earlier read
	out   []byte // frames to write
	dirty bool   // in loop.dirty
	armed bool   // epoll watches for room to write

	// Of the workload.
	push   *push
	sent   int // number of the next push
	expect int // number of the next message
	sentAt []time.Duration
	known  pattern
}

// dial connects, joins topic, and returns the bare non-blocking socket.
func dial(ctx context.Context, e endpoint, topic string) (_ *conn, err error) {
	d := net.Dialer{Timeout: dialTimeout}
	nc, err := d.DialContext(ctx, "tcp", e.addr.String())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, nc.Close()) }() // the socket lives on in the duplicate
	if err := nc.SetDeadline(time.Now().Add(dialTimeout)); err != nil {
		return nil, err
	}
	rest, err := open(nc, e)
	if err == nil {
		rest, err = join(nc, rest, topic)
	}
	if err != nil {
		return nil, err
	}
	fd, err := detach(nc.(*net.TCPConn))
	if err != nil {
		return nil, err
	}
	return &conn{fd: fd, topic: topic, rest: rest}, nil
}

// open makes a WebSocket of nc and returns what came behind the handshake.
func open(nc net.Conn, e endpoint) (rest []byte, err error) {
	request, accept := e.handshake()
	if _, err := nc.Write(request); err != nil {
		return nil, err
	}
	for {
		n, err := checkHandshake(rest, accept)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			return rest[n:], nil
		}
		if rest, err = readMore(nc, rest); err != nil {
			return nil, fmt.Errorf("%w: %w", errHandshake, err)
		}
	}
}

// join joins topic and returns what came behind the reply.
func join(nc net.Conn, rest []byte, topic string) ([]byte, error) {
	if _, err := nc.Write(appendClientFrame(nil, opText, []byte(joinText(topic)))); err != nil {
		return nil, err
	}
	for {
		f, n, err := nextFrame(rest)
		switch {
		case err != nil:
			return nil, err
		case n > 0 && f.op != opText:
			return nil, fmt.Errorf("join %s: %w: a frame with opcode %#x", topic, errWrong, f.op)
		case n > 0:
			return rest[n:], checkReply(f.payload, topic, joinRef, "")
		}
		if rest, err = readMore(nc, rest); err != nil {
			return nil, fmt.Errorf("join %s: %w", topic, err)
		}
	}
}

func readMore(nc net.Conn, b []byte) ([]byte, error) {
	var buf [4 << 10]byte
	n, err := nc.Read(buf[:])
	if err != nil {
		return nil, err
	}
	return append(b, buf[:n]...), nil
}

// detach duplicates the descriptor of a connection: closing the original then
// takes the socket out of the Go runtime's epoll, which would wake up for it.
func detach(tc *net.TCPConn) (fd int, err error) {
	raw, err := tc.SyscallConn()
	if err != nil {
		return 0, err
	}
	var dupErr error
	err = raw.Control(func(old uintptr) {
		fd, dupErr = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0)
	})
	return fd, errors.Join(err, dupErr)
}

// read reads once behind what c has left over; nil bytes mean there was
// nothing.
func (c *conn) read(buf []byte) ([]byte, error) {
	have := copy(buf, c.rest)
	for {
		n, err := unix.Read(c.fd, buf[have:])
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return nil, nil
		case err != nil:
			return nil, fmt.Errorf("read: %w", err)
		case n == 0:
			return nil, errClosed
		}
		return buf[:have+n], nil
	}
}

// write writes as much of c.out as the kernel takes.
func (c *conn) write() error {
	for len(c.out) > 0 {
		n, err := unix.Write(c.fd, c.out)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return nil
		case err != nil:
			return fmt.Errorf("write: %w", err)
		}
		c.out = c.out[:copy(c.out, c.out[n:])]
	}
	return nil
}
