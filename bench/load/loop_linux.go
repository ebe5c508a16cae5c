package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// readSize is the room for what one connection's read brings; a frame has to
	// fit, as the presence_state of a large topic.
	readSize = maxPayload + 64<<10

	// waitMillis bounds a wait for events, so that the end of a phase is seen.
	waitMillis = 5

	// beatEvery is the interval of phoenix.js.
	beatEvery = 30 * time.Second

	progressEvery = 200 * time.Millisecond

	// pacerIndex stands for the timer among the events.
	pacerIndex = -1
)

// workload says what to send and what must come.
type workload interface {
	// begin queues the first pushes.
	begin(l *loop) error
	// message checks a text message to c and queues what it gives rise to.
	message(l *loop, c *conn, text []byte) error
	// outstanding is the number of messages that must still come.
	outstanding() int64
}

// churner is a workload whose connections go and come while it runs.
type churner interface {
	// between is called where no event is under way, so that it may drop connections.
	between() error
	// arrived tells that c was connected and has joined.
	arrived(c *conn) error
	// closed tells that c has ended, of which err is the reason; it returns nil if that
	// was to be expected.
	closed(c *conn, err error) error
}

// loop is the one thread that drives all connections. Nothing in it allocates
// once all are joined.
type loop struct {
	cfg   *Config
	to    endpoint
	work  workload
	conns []*conn
	epoll int
	pacer int           // timer, -1 without
	pace  func() error  // what the timer calls
	churn churner       // nil if connections stay as they are
	beat  time.Duration // when the next heartbeat is due; 0: none yet
	beats int           // heartbeats that were due

	base     time.Time
	now      time.Duration // since base, when the last read returned
	stopping bool          // workloads send nothing new
	joined   int           // connections
	visitors int           // connections at the end of conns, which come and go
	steps    int           // upgrades and joins done: it moves

	hist     histogram
	joins    histogram
	last     histogram // until the last member had a broadcast
	sent     int64
	received int64
	bytes    int64 // payloads of text frames

	dirty  []*conn // with frames to write
	buf    []byte
	events []unix.EpollEvent
}

// newLoop has the connections of cfg, none of which is open. The caller closes it.
func newLoop(cfg *Config, to endpoint) (*loop, error) {
	l := &loop{cfg: cfg, to: to, pacer: -1, base: time.Now(), buf: make([]byte, readSize), events: make([]unix.EpollEvent, 512)}
	var err error
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, err
	}
	l.conns = make([]*conn, cfg.Connections)
	for i := range l.conns {
		l.conns[i] = &conn{fd: -1, index: i, topic: cfg.topic(i, 0)}
	}
	return l, nil
}

// close resets all connections, which leaves no port in TIME_WAIT.
func (l *loop) close() error {
	err := unix.Close(l.epoll)
	if l.pacer >= 0 {
		err = errors.Join(err, unix.Close(l.pacer))
	}
	for _, c := range l.conns {
		if c.fd >= 0 {
			err = errors.Join(err, c.drop(DropReset))
		}
	}
	return err
}

func (l *loop) tick() { l.now = time.Since(l.base) }

// send queues the push of c with its next number. It leaves in one write with
// whatever else this turn brings for c.
func (l *loop) send(c *conn) {
	c.out = c.push.appendTo(c.out, c.sent)
	c.sent++
	c.frames++
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

// until turns for d, or until idle reports true if it is given. It tells what the
// time is spent on, unless that is nothing.
func (l *loop) until(ctx context.Context, d time.Duration, what string, idle func() bool) error {
	l.tick()
	start, told := l.now, l.now
	for ; l.now < start+d; l.tick() {
		if idle != nil && idle() {
			return nil
		}
		if err := l.step(ctx); err != nil {
			return err
		}
		if what != "" && l.now-told > progressEvery {
			told = l.now
			l.cfg.Progress(fmt.Sprintf("%s: %.1f of %.1f s, %d messages", what, (l.now - start).Seconds(), d.Seconds(), l.received))
		}
	}
	return nil
}

func (l *loop) step(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if l.churn != nil {
		if err := l.churn.between(); err != nil {
			return err
		}
	}
	l.heartbeats()
	return l.turn()
}

// heartbeats sends those that are due, spread over the interval: servers close a
// connection that sends nothing, as most members of a fan-out do. Nor should one that
// joined first be closed while the last ones join.
func (l *loop) heartbeats() {
	members := len(l.conns) - l.visitors
	if l.stopping || members == 0 {
		l.beat = 0
		return
	}
	gap := beatEvery / time.Duration(members)
	switch {
	case l.beat == 0 && l.joined < members:
		l.beat = l.now + beatEvery*2/3 // most runs have all joined by then
	case l.beat == 0:
		l.beat = l.now + gap
	}
	for ; l.beat <= l.now; l.beat += gap {
		c := l.conns[l.beats%members]
		l.beats++
		if c.stage == stageJoined {
			l.heartbeat(c)
		}
	}
}

func (l *loop) heartbeat(c *conn) {
	c.out = appendClientFrame(c.out, opText, []byte(heartbeatText))
	c.beats++
	c.frames++
	l.mark(c)
}

// turn waits a little for events and handles them.
func (l *loop) turn() error {
	if err := l.flush(); err != nil {
		return err
	}
	n, err := unix.EpollWait(l.epoll, l.events, waitMillis)
	if err != nil && err != unix.EINTR {
		return fmt.Errorf("epoll: %w", err)
	}
	for i := range max(n, 0) {
		ev := &l.events[i]
		if err := l.event(ev); err != nil {
			return err
		}
		if err := l.flush(); err != nil {
			return err
		}
	}
	return nil
}

func (l *loop) event(ev *unix.EpollEvent) (err error) {
	if ev.Fd == pacerIndex {
		return l.due()
	}
	c := l.conns[ev.Fd]
	if c.fd < 0 { // it ended after the event
		return nil
	}
	if c.stage == stageConnecting {
		if err := c.connected(); err != nil {
			return l.failed(c, err)
		}
		c.stage = stageUpgrading
		l.steps++
	}
	if ev.Events&unix.EPOLLOUT != 0 {
		l.mark(c)
	}
	if ev.Events&^unix.EPOLLOUT != 0 {
		err = l.read(c)
	}
	return l.failed(c, err)
}

// failed says of which connection err is.
func (l *loop) failed(c *conn, err error) error {
	if l.churn != nil && errors.Is(err, errClosed) {
		err = l.churn.closed(c, err)
	}
	if err == nil {
		return nil
	}
	return fmt.Errorf("connection %d, %s, %s: %w", c.index, c.topic, c.stage, err)
}

// read handles all that one read of c brings.
func (l *loop) read(c *conn) error {
	b, err := c.read(l.buf)
	if err != nil || b == nil {
		return err
	}
	l.tick()
	if c.stage == stageUpgrading {
		if b, err = l.upgraded(c, b); err != nil {
			return err
		}
	}
	for c.stage > stageUpgrading && len(b) > 0 {
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
		l.bytes += int64(len(f.payload))
		switch {
		case c.stage == stageJoining:
			return l.joining(c, f.payload)
		case c.beats > 0 && bytes.Contains(f.payload, []byte(`"phoenix","phx_reply"`)):
			c.beats--
			return checkReply(f.payload, "phoenix", heartbeatRef, "")
		}
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
		err := c.write()
		if err == nil {
			err = l.arm(c)
		}
		if err := l.failed(c, err); err != nil {
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
	return l.watch(c)
}

// watch has epoll watch for what c waits for. It always tells of a connection that
// is no more.
func (l *loop) watch(c *conn) error {
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(c.index)}
	if c.deaf {
		ev.Events = unix.EPOLLRDHUP
	}
	if c.armed {
		ev.Events |= unix.EPOLLOUT
	}
	return unix.EpollCtl(l.epoll, unix.EPOLL_CTL_MOD, c.fd, &ev)
}

// every has epoll wake up at an interval and call pace.
func (l *loop) every(interval time.Duration, pace func() error) (err error) {
	l.pace = pace
	if l.pacer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC); err != nil {
		return err
	}
	spec := unix.NsecToTimespec(max(interval.Nanoseconds(), 1))
	if err := unix.TimerfdSettime(l.pacer, 0, &unix.ItimerSpec{Interval: spec, Value: spec}, nil); err != nil {
		return err
	}
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: pacerIndex}
	return unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, l.pacer, &ev)
}

// due takes the timer's event.
func (l *loop) due() error {
	var expired [8]byte
	if _, err := unix.Read(l.pacer, expired[:]); err != nil && err != unix.EAGAIN {
		return fmt.Errorf("timer: %w", err)
	}
	l.tick()
	return l.pace()
}
