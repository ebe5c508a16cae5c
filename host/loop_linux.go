package host

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// loopBuffer is the room for one read of a loop.
	loopBuffer = 64 << 10
	// loopEvents is how many connections are looked at before those are flushed to
	// which something was sent meanwhile.
	loopEvents = 128
	// leastSweep and mostSweep bound the time between two looks at all connections.
	leastSweep = 10 * time.Millisecond
	mostSweep  = time.Second
)

// loops are what the connections of a server are divided between: one for each
// processor. They are started for the first connection.
type loops struct {
	next atomic.Uint64

	mu     sync.Mutex
	all    []*loop
	closed bool
	err    error
}

// loop watches connections with epoll(7), edge-triggered, and reads, handles and
// writes them one after the other. At any time one goroutine leads it. When that
// one is about to be away for long, in a callback, it hands the lead to another and
// sees only its own connection through (worker.leave).
type loop struct {
	srv     *Server
	file    *os.File // of the epoll, which Go's poller watches while nobody has anything to do
	raw     syscall.RawConn
	epoll   int
	wake    int           // eventfd(2)
	ended   chan struct{} // closed by the last leader
	sweep   time.Duration // between two looks at all connections
	workers sync.Pool     // of *worker

	mu      sync.Mutex
	slots   []*looped // by number, which is what epoll knows of a connection
	vacant  []int
	due     []*looped
	asleep  bool // the leader waits for events: whoever makes something due wakes it
	closing bool

	// The leader's.
	events [loopEvents]unix.EpollEvent
	ready  []unix.EpollEvent // of events, those that were not handled yet
	conns  []*looped         // of ready, where the loop has them
	work   []*looped         // taken from due, those that were not handled yet
	spare  []*looped
	swept  time.Duration // when all were last looked at, since the server began
	armed  time.Duration // until when the poller waits at most
}

// worker is a goroutine that leads a loop, or did.
type worker struct {
	loop   *loop
	leads  bool
	now    int64 // nanoseconds since the server began, a little ago; of a leader only
	conn   *looped
	buf    []byte
	detach func() // leave
}

// wakeSlot is the number of the eventfd.
const wakeSlot = -1

// pick returns the loop for one more connection.
func (ls *loops) pick(s *Server) (*loop, error) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.closed {
		return nil, ErrServerClosed
	}
	if ls.all == nil && ls.err == nil {
		for range runtime.GOMAXPROCS(0) {
			l, err := newLoop(s)
			if err != nil {
				ls.err = err
				break
			}
			ls.all = append(ls.all, l)
		}
	}
	if len(ls.all) == 0 {
		return nil, ls.err
	}
	return ls.all[ls.next.Add(1)%uint64(len(ls.all))], nil
}

// close ends the loops, which have no connections any more or whose connections
// cannot be helped, and waits for them.
func (ls *loops) close() {
	ls.mu.Lock()
	all := ls.all
	ls.all, ls.closed = nil, true
	ls.mu.Unlock()
	for _, l := range all {
		l.close()
	}
}

func newLoop(s *Server) (*loop, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err == nil {
		err = unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, wake, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: wakeSlot})
	}
	if err == nil {
		err = unix.SetNonblock(epoll, true) // or Go's poller does not take it
	}
	l := &loop{srv: s, epoll: epoll, wake: wake, sweep: s.sweepInterval(), ended: make(chan struct{})}
	l.file = os.NewFile(uintptr(epoll), "epoll")
	if err == nil {
		l.raw, err = l.file.SyscallConn()
	}
	if err != nil {
		return nil, errors.Join(err, unix.Close(wake), l.file.Close())
	}
	l.workers.New = func() any {
		w := &worker{loop: l, buf: make([]byte, loopBuffer)}
		w.detach = w.leave
		return w
	}
	go l.lead()
	return l, nil
}

// sweepInterval is how often idle connections are looked for.
func (s *Server) sweepInterval() time.Duration {
	least := mostSweep
	for i := range s.cfg.Mounts {
		least = min(least, s.cfg.Mounts[i].IdleTimeout/8)
	}
	return max(least, leastSweep)
}

// add has the loop watch a connection from here on.
func (l *loop) add(c *looped) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.vacant); n > 0 {
		c.slot, l.vacant = l.vacant[n-1], l.vacant[:n-1]
	} else {
		c.slot = len(l.slots)
		l.slots = append(l.slots, nil)
	}
	l.slots[c.slot] = c
	if l.closing { // the descriptor may be another's by now
		return ErrServerClosed
	}
	c.heard.Store(int64(time.Since(l.srv.began)))
	event := unix.EpollEvent{Events: watched, Fd: int32(c.slot)}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, c.fd, &event))
}

// watched are the events of every connection.
const watched = unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET

// remove forgets a connection, whose descriptor is about to be closed.
func (l *loop) remove(c *looped) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.slots[c.slot] = nil
	l.vacant = append(l.vacant, c.slot)
}

// watch watches for more events on a connection. If they are there already, they
// come at once.
func (l *loop) watch(c *looped, more uint32) {
	if !c.acquire() {
		return
	}
	defer c.release()
	if err := l.modify(c, watched|more); err != nil {
		c.log.Error("a connection cannot be watched", "code", "EPOLL", "err", err)
		c.cut()
	}
}

func (l *loop) modify(c *looped, events uint32) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closing { // only a callback that nobody waited for still writes
		return nil
	}
	return unix.EpollCtl(l.epoll, unix.EPOLL_CTL_MOD, c.fd, &unix.EpollEvent{Events: events, Fd: int32(c.slot)})
}

// schedule has the leader see to a connection soon.
func (l *loop) schedule(c *looped, why uint32) {
	c.wakeup.Or(why)
	if c.due.Swap(true) {
		return
	}
	l.mu.Lock()
	l.due = append(l.due, c)
	if l.asleep && !l.closing {
		l.rouse()
	}
	l.asleep = false
	l.mu.Unlock()
}

// rouse ends the leader's wait. close waits for l.mu, so that the eventfd is there.
func (l *loop) rouse() {
	one := [8]byte{1}
	if _, err := unix.Write(l.wake, one[:]); err != nil && !errors.Is(err, unix.EAGAIN) {
		l.srv.log.Error("a loop cannot be woken", "code", "EVENTFD", "err", err)
	}
}

// lead leads the loop until it is closed, or until somebody else does.
func (l *loop) lead() {
	w := l.workers.Get().(*worker)
	defer l.workers.Put(w)
	w.leads = true
	for w.leads && l.wait(w) {
		for w.leads && len(l.ready) > 0 {
			l.event(w)
		}
		for w.leads && len(l.work) > 0 {
			l.tend(w)
		}
		if w.leads {
			l.lookAtAll(w)
		}
	}
	if w.leads {
		close(l.ended)
	}
}

// wait returns when there is something to do; false when the loop is closed.
func (l *loop) wait(w *worker) bool {
	if len(l.ready) == 0 && len(l.work) == 0 {
		l.poll()
	}
	w.now = int64(time.Since(l.srv.began))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asleep = false
	l.conns = l.conns[:0]
	for i := range l.ready {
		l.conns = append(l.conns, l.connOf(&l.ready[i]))
	}
	if len(l.work) == 0 {
		l.work, l.due, l.spare = l.due, l.spare[:0], l.due
	}
	return !l.closing
}

// connOf returns the connection that an event is about, nil if it has none any more.
func (l *loop) connOf(e *unix.EpollEvent) *looped {
	if e.Fd < 0 || int(e.Fd) >= len(l.slots) {
		return nil
	}
	return l.slots[e.Fd]
}

// poll waits for events or for something due, until the next sweep at most.
func (l *loop) poll() {
	next := l.swept + l.sweep
	if next != l.armed {
		l.armed = next
		if err := l.file.SetReadDeadline(l.srv.began.Add(next)); err != nil {
			l.srv.log.Error("a loop cannot wait", "code", "EPOLL", "err", err)
		}
	}
	err := l.raw.Read(l.take)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		l.srv.log.Error("a loop cannot wait", "code", "EPOLL", "err", err)
	}
}

// take takes events, if there are any; true if the leader need not wait.
func (l *loop) take(epoll uintptr) bool {
	n, err := unix.EpollWait(int(epoll), l.events[:], 0)
	if err != nil || n < 0 {
		n = 0
	}
	l.ready = l.events[:n]
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asleep = n == 0 && len(l.due) == 0 && !l.closing
	return !l.asleep
}

// event handles the first of the events that are ready.
func (l *loop) event(w *worker) {
	e, c := &l.ready[0], l.conns[0]
	events := e.Events
	if e.Fd == wakeSlot {
		var count [8]byte
		_, _ = unix.Read(l.wake, count[:]) // it is there to be read
	}
	l.ready, l.conns = l.ready[1:], l.conns[1:]
	if c == nil {
		return
	}
	if events&unix.EPOLLOUT != 0 {
		c.roomAgain()
	}
	if events&(unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		if events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
			c.fin.Store(true)
		}
		c.read(w)
	}
}

// tend sees to the first of the connections that are due.
func (l *loop) tend(w *worker) {
	c := l.work[0]
	l.work[0] = nil
	l.work = l.work[1:]
	c.due.Store(false)
	why := c.wakeup.Swap(0)
	if why&dueFlush != 0 {
		c.flush()
	}
	if why&dueRead != 0 {
		c.read(w)
	}
}

// lookAtAll looks at all connections now and then.
func (l *loop) lookAtAll(w *worker) {
	now := time.Duration(w.now)
	if now-l.swept < l.sweep {
		return
	}
	l.swept = now
	const some = 256 // that the lock is held for
	for from := 0; ; from += some {
		l.mu.Lock()
		if from >= len(l.slots) {
			l.mu.Unlock()
			return
		}
		l.conns = append(l.conns[:0], l.slots[from:min(from+some, len(l.slots))]...)
		l.mu.Unlock()
		for _, c := range l.conns {
			if c != nil {
				c.look(now)
			}
		}
	}
}

// leave hands the lead to another goroutine, as the connection at hand may take
// long. What waits for its reader to write does not wait any more.
func (w *worker) leave() {
	w.conn.unplug()
	if !w.leads {
		return
	}
	w.leads = false
	go w.loop.lead()
}

// time returns the nanoseconds since the server began.
func (w *worker) time() int64 {
	if w.leads {
		return w.now
	}
	return int64(time.Since(w.loop.srv.began))
}

// close ends the loop. It does not wait for those who lead no more: their callbacks may
// be stuck.
func (l *loop) close() {
	l.mu.Lock()
	l.closing = true
	l.rouse()
	l.mu.Unlock()
	<-l.ended
	if err := errors.Join(unix.Close(l.wake), l.file.Close()); err != nil {
		l.srv.log.Error("closing a loop failed", "code", "EPOLL", "err", err)
	}
}
