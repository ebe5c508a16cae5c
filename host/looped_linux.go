package host

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// errCut tells that the connection was given up while it was being read.
var errCut = errors.New("cut off")

// looped carries a webSocket by a loop, which has many. While nothing happens it
// holds no goroutine and no buffer.
//
// The descriptor is closed when nobody uses it any more: open counts who may, which
// are the reader until it has ended, the connection until it is cut, and each call
// of the system under way.
type looped struct {
	webSocket
	loop *loop // constant
	fd   int   // constant
	slot int   // in loop.slots; loop.mu

	open   users
	isCut  atomic.Bool
	due    atomic.Bool   // waits in loop.due
	turn   atomic.Uint32 // of reading: one of the turns below
	wakeup atomic.Uint32 // what it is due for: bits
	heard  atomic.Int64  // when something last came, in nanoseconds of the server's clock
	fin    atomic.Bool   // the client's side has ended, which epoll says once: whoever reads comes upon it

	// Owned by the reader.
	rest  *[]byte // a frame of which a part has come; nil without one
	early bool    // rest was read during the handshake, and nobody has looked at it
	wound bool    // the goroutine that winds down was started
}

// Turns of reading. Whoever has changed idle to busy reads, and is the reader.
const (
	turnIdle  = iota
	turnBusy  // somebody reads
	turnAgain // and has to look again
)

// What a connection is due for.
const (
	dueFlush = 1 << iota
	dueRead
)

// sliceReads is how often a connection is read before others have their turn.
const sliceReads = 4

// newLooped gives s its link over fd, which it owns from here on. early is what was
// read of it during the handshake. Nobody reads before begin.
func newLooped(l *loop, s *Socket, fd int, early []byte) *looped {
	c := &looped{loop: l, fd: fd}
	c.init(s, c, c)
	c.turn.Store(turnBusy)
	c.open.Store(2)
	if len(early) > 0 {
		c.rest, c.early = c.srv.takeBuffer(len(early)), true
		*c.rest = append(*c.rest, early...)
	}
	return c
}

// bareConn is a connection that has a descriptor, and nothing between that and the
// client.
type bareConn interface {
	net.Conn
	syscall.Conn
}

// detachConn takes the descriptor of bare out of Go's hands, and what of its bytes
// conn has read already. If err is errors of the system, bare is closed all the same.
func detachConn(conn net.Conn, bare bareConn) (fd int, early []byte, err error) {
	raw, err := bare.SyscallConn()
	if err != nil {
		return 0, nil, err
	}
	var dupErr error
	if err = raw.Control(func(old uintptr) { fd, dupErr = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0) }); err == nil {
		err = dupErr
	}
	if err != nil {
		return 0, nil, err
	}
	// From here on Go's poller does not know it. What fasthttp has read comes out of its
	// buffer before the error of a closed connection.
	if err = bare.Close(); err == nil {
		early, err = io.ReadAll(conn)
	}
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return 0, nil, errors.Join(err, unix.Close(fd))
	}
	return fd, early, nil
}

// acquire keeps the descriptor from being closed; false if it is.
func (c *looped) acquire() bool { return c.open.acquire() }

// release closes the descriptor if nobody uses it any more.
func (c *looped) release() {
	if c.open.release() {
		c.closeConn()
		c.srv.work.Done()
	}
}

func (c *looped) closeConn() {
	c.loop.remove(c)
	if err := unix.Close(c.fd); err != nil {
		c.log.Debug("closing the connection failed", "err", err)
	}
}

func (c *looped) attend() { c.loop.schedule(c, dueFlush) }

// wind has it read again, at which the reader looks whether it is to close.
func (c *looped) wind() { c.loop.schedule(c, dueRead) }

func (c *looped) cut() {
	if c.isCut.Swap(true) {
		return
	}
	if err := unix.Shutdown(c.fd, unix.SHUT_RDWR); err != nil && !errors.Is(err, unix.ENOTCONN) {
		c.log.Debug("shutting the connection down failed", "err", err)
	}
	c.wind() // the reader may wait for nothing
	c.release()
}

// write writes as much of chunks as the connection takes.
func (c *looped) write(chunks [][]byte) (rest [][]byte, err error) {
	if !c.acquire() {
		return nil, net.ErrClosed
	}
	defer c.release()
	for len(chunks) > 0 {
		var n int
		if len(chunks) == 1 {
			n, err = unix.Write(c.fd, chunks[0])
		} else {
			n, err = unix.Writev(c.fd, chunks[:min(len(chunks), maxVector)])
		}
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			return chunks, nil
		case err != nil:
			return nil, err
		}
		chunks = behind(chunks, n)
	}
	return nil, nil
}

// maxVector is the most pieces that one write may have (IOV_MAX).
const maxVector = 1024

// behind returns what is left of chunks behind n bytes.
func behind(chunks [][]byte, n int) [][]byte {
	for n > 0 {
		if n < len(chunks[0]) {
			chunks[0] = chunks[0][n:]
			break
		}
		n -= len(chunks[0])
		chunks[0] = nil
		chunks = chunks[1:]
	}
	return chunks
}

func (c *looped) awaitRoom() { c.loop.watch(c, unix.EPOLLOUT) }

// roomAgain goes on writing.
func (c *looped) roomAgain() {
	c.loop.watch(c, 0)
	c.wrote(c.out.resume())
}

// flush writes what is queued; the caller is the outbox's writer.
func (c *looped) flush() { c.wrote(c.out.writeBatch()) }

// read makes the caller the reader, unless somebody is: then that one will look
// again.
func (c *looped) read(w *worker) {
	for {
		switch {
		case c.turn.CompareAndSwap(turnIdle, turnBusy):
			c.serve(w)
			return
		case c.turn.CompareAndSwap(turnBusy, turnAgain) || c.turn.Load() == turnAgain:
			return
		}
	}
}

// serve reads until nothing is left, or for a while.
func (c *looped) serve(w *worker) {
	w.conn = c
	c.detach = w.detach
	thorough := false
	for reads := 0; ; reads++ {
		if w.leads && reads >= sliceReads {
			c.turn.Store(turnIdle)
			c.wind()
			break
		}
		drained, err := c.readOnce(w, thorough)
		if err != nil {
			c.end(err) // its turn stays busy
			break
		}
		if !drained {
			continue
		}
		if c.turn.CompareAndSwap(turnBusy, turnIdle) {
			break
		}
		c.turn.Store(turnBusy)
		thorough = true // there may be an end behind what was read
	}
	w.conn = nil
}

// end ends the socket on a goroutine of its own: callbacks may have to end first.
func (c *looped) end(err error) {
	c.dropRest()
	c.detach = stay
	c.srv.work.Go(func() {
		defer c.release()
		defer c.depart()
		c.finish(err)
		if !c.isCut.Load() { // the writer is still at it, for a client that may read a little now and then
			time.AfterFunc(writeTimeout, c.cut)
		}
	})
}

// readOnce handles what one read brings. drained tells that there is no more, as
// far as can be told without trying: thorough tries.
func (c *looped) readOnce(w *worker, thorough bool) (drained bool, err error) {
	c.windOnce()
	buf, have := w.buf, 0
	if c.rest != nil {
		buf, have = (*c.rest)[:cap(*c.rest)], len(*c.rest)
	}
	if c.early {
		c.early = false
		return false, c.digest(buf, have)
	}
	if c.isCut.Load() {
		return false, errCut
	}
	n, err := unix.Read(c.fd, buf[have:])
	switch {
	case errors.Is(err, unix.EAGAIN):
		c.fin.Store(false) // it was said of another that had this one's slot
		return true, nil
	case errors.Is(err, unix.EINTR):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("read: %w", err)
	case n == 0:
		return false, io.EOF
	}
	c.heard.Store(w.time())
	short := have+n < len(buf)
	return short && !thorough && !c.fin.Load(), c.digest(buf, have+n)
}

// digest handles the first n bytes of buf, which is the room of rest or the worker's,
// and keeps what is left of them.
func (c *looped) digest(buf []byte, n int) error {
	used, need, err := c.handle(buf[:n])
	if err != nil {
		return err
	}
	left := buf[used:n]
	if len(left) == 0 {
		c.dropRest()
		return nil
	}
	// To declare a long frame costs a client nothing, so the room for it grows with
	// what has come.
	want := max(min(need, 2*len(left)), readBufferSize)
	if c.rest != nil && cap(*c.rest) >= want {
		if used > 0 { // else the race detector would look at all of it, for each piece of a long frame
			copy(buf, left)
		}
		*c.rest = buf[:len(left)]
		return nil
	}
	old := c.rest
	c.rest = c.srv.takeBuffer(want)
	*c.rest = append(*c.rest, left...)
	recycle(&c.srv.buffers, old)
	return nil
}

func (c *looped) dropRest() {
	recycle(&c.srv.buffers, c.rest)
	c.rest = nil
}

// windOnce winds down a socket that was told to close, on a goroutine of its own.
func (c *looped) windOnce() {
	if c.wound || !c.closing.Load() {
		return
	}
	c.wound = true
	c.srv.work.Go(func() {
		c.windDown()
		time.AfterFunc(closeWait, c.cut)
	})
}

// look is what the loop does with each connection now and then.
func (c *looped) look(now time.Duration) {
	if c.out.isStuck(c.srv.began.Add(now - writeTimeout)) {
		c.log.Warn("client cut off: it has read nothing for long", "code", "SLOW_CLIENT", "limit", writeTimeout)
		c.srv.stats.slowClients.Add(1)
		c.cut()
	}
	// While somebody reads, what has come since may wait behind a callback.
	if now-time.Duration(c.heard.Load()) > c.mount.IdleTimeout && c.turn.Load() == turnIdle && !c.closing.Load() {
		c.tooIdle()
	}
}

// adopt gives a connection to a loop; false if none can watch it.
func (ls *loops) adopt(m *Mount, from *connected, conn, bare net.Conn) bool {
	s := m.tenant.srv
	b, ok := bare.(bareConn)
	if !ok {
		return false
	}
	l, err := ls.pick(s)
	if err != nil {
		s.log.Error("no loop for a connection", "code", "EPOLL", "err", err)
		return false
	}
	fd, early, err := detachConn(conn, b)
	sock := newSocket(s, m, from)
	if err != nil {
		sock.log.Debug("connection is gone already", "err", err)
		sock.giveBack()
		return true
	}
	newLooped(l, sock, fd, early).begin()
	return true
}

// begin lets the connection in. The loop watches it before anybody else knows of it:
// what happens to it from then on waits until it is read.
func (c *looped) begin() {
	if err := c.loop.add(c); err != nil {
		c.log.Error("a connection cannot be watched", "code", "EPOLL", "err", err)
		c.giveBack()
		c.forget()
		return
	}
	if !c.arrive() { // draining began during the handshake, or the tenant was suspended
		c.forget()
		return
	}
	// Until release. There is the socket, so it is not the first that Drain waits for; and
	// nobody has read, so the last release is to come.
	c.srv.work.Add(1)
	early := c.early // the next reader's, in a moment
	if c.turn.Swap(turnIdle) == turnAgain || early {
		c.wind()
	}
}

// forget closes a connection that nobody knows but its loop.
func (c *looped) forget() {
	c.dropRest()
	c.open.Store(0)
	c.closeConn()
}
