package main

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// readSize is the room for what one read brings.
const readSize = 64 << 10

// conn is one client.
type conn struct {
	fd       int
	upgraded bool
	closed   bool
	armed    bool   // epoll watches for room to write
	rest     []byte // begun frame, from an earlier read
	out      []byte // replies to this read, and what the kernel did not take
	rooms    []*room
}

// room is the members of a topic. Those that have gone stay until they are half
// of it.
type room struct {
	members []*conn
	gone    int
}

// server is all state, of the one thread.
type server struct {
	listener, epoll int
	conns           []*conn // by descriptor
	rooms           map[string]*room
	buf, frame      []byte
	events          []unix.EpollEvent
}

// listen returns a server on 127.0.0.1 and its port. The caller closes it.
func listen(port int) (_ *server, bound int, err error) {
	s := &server{
		listener: -1, rooms: map[string]*room{},
		buf: make([]byte, readSize), events: make([]unix.EpollEvent, 512),
	}
	if s.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, 0, err
	}
	if bound, err = s.open(port); err != nil {
		return nil, 0, errors.Join(fmt.Errorf("listen on 127.0.0.1:%d: %w", port, err), s.close())
	}
	return s, bound, nil
}

func (s *server) open(port int) (bound int, err error) {
	s.listener, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	if err := unix.SetsockoptInt(s.listener, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return 0, err
	}
	if err := unix.Bind(s.listener, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return 0, err
	}
	const backlog = 4096
	if err := unix.Listen(s.listener, backlog); err != nil {
		return 0, err
	}
	name, err := unix.Getsockname(s.listener)
	if err != nil {
		return 0, err
	}
	return name.(*unix.SockaddrInet4).Port, s.control(unix.EPOLL_CTL_ADD, s.listener, unix.EPOLLIN)
}

func (s *server) control(op, fd int, events uint32) error {
	return unix.EpollCtl(s.epoll, op, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)})
}

func (s *server) close() error {
	err := unix.Close(s.epoll)
	if s.listener >= 0 {
		err = errors.Join(err, unix.Close(s.listener))
	}
	for _, c := range s.conns {
		if c != nil {
			err = errors.Join(err, unix.Close(c.fd))
		}
	}
	return err
}

// serve answers until ctx ends.
func (s *server) serve(ctx context.Context) error {
	const waitMillis = 100 // how late the end of ctx is seen
	for ctx.Err() == nil {
		n, err := unix.EpollWait(s.epoll, s.events, waitMillis)
		if err != nil && err != unix.EINTR {
			return fmt.Errorf("epoll: %w", err)
		}
		for i := range max(n, 0) {
			if err := s.handle(&s.events[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *server) handle(ev *unix.EpollEvent) error {
	fd := int(ev.Fd)
	if fd == s.listener {
		return s.accept()
	}
	c := s.conns[fd]
	if c == nil {
		return nil // closed while this event waited
	}
	if ev.Events&^unix.EPOLLOUT != 0 && !s.read(c) || !s.flush(c) {
		return s.drop(c)
	}
	return nil
}

func (s *server) accept() error {
	for {
		fd, _, err := unix.Accept4(s.listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		switch {
		case err == unix.EAGAIN:
			return nil
		case err == unix.EINTR || err == unix.ECONNABORTED:
			continue
		case err != nil:
			return fmt.Errorf("accept: %w", err)
		}
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
			return err
		}
		for len(s.conns) <= fd {
			s.conns = append(s.conns, nil)
		}
		s.conns[fd] = &conn{fd: fd}
		if err := s.control(unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN); err != nil {
			return err
		}
	}
}

// drop closes c.
func (s *server) drop(c *conn) error {
	c.closed = true
	for _, r := range c.rooms {
		r.gone++
		if 2*r.gone > len(r.members) {
			r.compact()
		}
	}
	s.conns[c.fd] = nil
	return unix.Close(c.fd)
}

func (r *room) compact() {
	kept := r.members[:0]
	for _, c := range r.members {
		if !c.closed {
			kept = append(kept, c)
		}
	}
	clear(r.members[len(kept):])
	r.members, r.gone = kept, 0
}

// read handles what one read of c brings, and reports false when c is over.
func (s *server) read(c *conn) bool {
	have := copy(s.buf, c.rest)
	n, err := unix.Read(c.fd, s.buf[have:])
	if err == unix.EAGAIN || err == unix.EINTR {
		return true
	}
	if err != nil || n == 0 {
		return false
	}
	b := s.buf[:have+n]
	if !c.upgraded {
		answer, n, err := upgrade(b)
		if err != nil {
			return false
		}
		c.out, c.upgraded, b = append(c.out, answer...), n > 0, b[n:]
	}
	for c.upgraded && len(b) > 0 {
		op, text, n, err := nextFrame(b)
		if err != nil || op == opClose && n > 0 {
			return false
		}
		if n == 0 {
			break
		}
		if s.message(c, text) != nil {
			return false
		}
		b = b[n:]
	}
	c.rest = append(c.rest[:0], b...)
	return len(b) <= maxFrame
}

func (s *server) message(c *conn, text []byte) error {
	m, err := split(text)
	if err != nil {
		return err
	}
	switch m.event {
	case "echo":
		c.out = appendReply(c.out, m, "ok", m.payload)
	case "shout":
		s.shout(m)
	case "phx_join":
		s.join(c, m.topic)
		c.out = appendReply(c.out, m, "ok", []byte("{}"))
	case "heartbeat":
		c.out = appendReply(c.out, m, "ok", []byte("{}"))
	default:
		c.out = appendReply(c.out, m, "error", []byte(`{"reason":"unknown event"}`))
	}
	return nil
}

func (s *server) join(c *conn, topic []byte) {
	r := s.rooms[string(topic)]
	if r == nil {
		r = &room{}
		s.rooms[string(topic)] = r
	}
	r.members = append(r.members, c)
	c.rooms = append(c.rooms, r)
}

// shout writes the broadcast to each member, at once.
func (s *server) shout(m message) {
	r := s.rooms[string(m.topic)]
	if r == nil {
		return
	}
	s.frame = appendBroadcast(s.frame[:0], m)
	for _, c := range r.members {
		if c.closed {
			continue
		}
		if len(c.out) > 0 { // behind what waits already
			c.out = append(c.out, s.frame...)
			continue
		}
		n, err := unix.Write(c.fd, s.frame)
		if err != nil && err != unix.EAGAIN {
			continue // its next read tells
		}
		if n = max(n, 0); n < len(s.frame) {
			c.out = append(c.out, s.frame[n:]...)
			s.arm(c)
		}
	}
}

// flush writes what waits, and reports false when c is over.
func (s *server) flush(c *conn) bool {
	if len(c.out) > 0 {
		n, err := unix.Write(c.fd, c.out)
		if err != nil && err != unix.EAGAIN {
			return false
		}
		c.out = c.out[:copy(c.out, c.out[max(n, 0):])]
	}
	if (len(c.out) > 0) != c.armed {
		s.arm(c)
	}
	return true
}

// arm has epoll watch for room to write while there is something to write.
func (s *server) arm(c *conn) {
	c.armed = len(c.out) > 0
	events := uint32(unix.EPOLLIN)
	if c.armed {
		events |= unix.EPOLLOUT
	}
	if err := s.control(unix.EPOLL_CTL_MOD, c.fd, events); err != nil {
		panic(err) // the descriptor is ours and open
	}
}
