package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// readSize is the room for what one connection's read brings.
const readSize = 256 << 10

var errMissing = errors.New("messages are missing")

// workload says what to send and what must come.
type workload interface {
	// begin queues the first pushes.
	begin(l *loop)
	// message checks a text message to c and queues what it gives rise to.
	message(l *loop, c *conn, text []byte) error
	// outstanding is the number of messages that must still come.
	outstanding() int64
}

// loop is the one thread that drives all connections. Nothing in it allocates
// once it runs.
type loop struct {
	work  workload
	conns []*conn
	epoll int

	base     time.Time
	now      time.Duration // since base, when the last read returned
	stopping bool          // workloads send nothing new

	hist     histogram
	sent     int64
	received int64

	dirty  []*conn // with frames to write
	buf    []byte
	events []unix.EpollEvent
}

// newLoop connects and joins a connection per topic. The caller closes it.
func newLoop(ctx context.Context, e endpoint, topics []string) (_ *loop, err error) {
	l := &loop{base: time.Now(), buf: make([]byte, readSize), events: make([]unix.EpollEvent, 512)}
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, err
	}
	for i, topic := range topics {
		c, err := dial(ctx, e, topic)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("connection %d: %w", i, err), l.close())
		}
		c.index = int32(i)
		l.conns = append(l.conns, c)
		err = unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, c.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: c.index})
		if err != nil {
			return nil, errors.Join(err, l.close())
		}
	}
	return l, nil
}

func (l *loop) close() error {
	err := unix.Close(l.epoll)
	for _, c := range l.conns {
		err = errors.Join(err, unix.Close(c.fd))
	}
	return err
}

func (l *loop) tick() { l.now = time.Since(l.base) }

// send queues the push of c with its next number. It leaves in one write with
// whatever else this turn brings for c.
func (l *loop) send(c *conn) {
	c.out = c.push.appendTo(c.out, c.sent)
	c.sent++
	l.sent++
	l.mark(c)
}

func (l *loop) mark(c *conn) {
	if !c.dirty {
		c.dirty = true
		l.dirty = append(l.dirty, c)
	}
}

// got counts a message whose push left at sentAt.
func (l *loop) got(sentAt time.Duration) {
	l.received++
	l.hist.add(l.now - sentAt)
}

// until turns for d, or until idle reports true if it is given.
func (l *loop) until(ctx context.Context, d time.Duration, idle func() bool) error {
	l.tick()
	for end := l.now + d; l.now < end; l.tick() {
		if idle != nil && idle() {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := l.turn(); err != nil {
			return err
		}
	}
	return nil
}

// turn waits a little for events and handles them.
func (l *loop) turn() error {
	const waitMillis = 5
	n, err := unix.EpollWait(l.epoll, l.events, waitMillis)
	if err != nil && err != unix.EINTR {
		return fmt.Errorf("epoll: %w", err)
	}
	for i := range max(n, 0) {
		ev := &l.events[i]
		c := l.conns[ev.Fd]
		if ev.Events&unix.EPOLLOUT != 0 {
			l.mark(c)
		}
		if ev.Events&^unix.EPOLLOUT != 0 {
			if err := l.read(c); err != nil {
				return fmt.Errorf("connection %d, %s: %w", ev.Fd, c.topic, err)
			}
		}
		if err := l.flush(); err != nil {
			return err
		}
	}
	return nil
}

// read handles all that one read of c brings.
func (l *loop) read(c *conn) error {
	b, err := c.read(l.buf)
	if err != nil || b == nil {
		return err
	}
	l.tick()
	for len(b) > 0 {
		f, n, err := nextFrame(b)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		if err := l.frame(c, f); err != nil {
			return err
		}
		b = b[n:]
	}
	if len(b) > 0 || len(c.rest) > 0 {
		c.rest = append(c.rest[:0], b...)
	}
	return nil
}

func (l *loop) frame(c *conn, f frame) error {
	switch f.op {
	case opText:
		return l.work.message(l, c, f.payload)
	case opPing:
		c.out = appendClientFrame(c.out, opPong, f.payload)
		l.mark(c)
		return nil
	case opClose:
		return fmt.Errorf("%w %s", errClosed, closeReason(f.payload))
	}
	return fmt.Errorf("%w: opcode %#x", errFrame, f.op)
}

// flush writes what was queued.
func (l *loop) flush() error {
	for _, c := range l.dirty {
		c.dirty = false
		if err := c.write(); err != nil {
			return err
		}
		if err := l.arm(c); err != nil {
			return err
		}
	}
	l.dirty = l.dirty[:0]
	return nil
}

// arm has epoll watch for room to write while there is something to write.
func (l *loop) arm(c *conn) error {
	want := len(c.out) > 0
	if want == c.armed {
		return nil
	}
	c.armed = want
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: c.index}
	if want {
		ev.Events |= unix.EPOLLOUT
	}
	return unix.EpollCtl(l.epoll, unix.EPOLL_CTL_MOD, c.fd, &ev)
}
