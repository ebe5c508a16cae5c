package load

import (
	"fmt"
	"time"
)

// mostBehind is how many broadcasts of an open loop may be on the way.
const mostBehind = 1 << 16

func newWorkload(cfg *Config) workload {
	switch cfg.Kind {
	case Echo:
		return &echo{inFlight: cfg.InFlight}
	case Fanout:
		return newFanout(cfg)
	case Presence:
		return &presence{users: cfg.Connections}
	case Mixed:
		return newMixed(cfg)
	}
	return &silence{}
}

// echo: every connection keeps so many pushes in flight. Refs are the pushes'
// numbers; a channel answers in the order of the pushes.
type echo struct {
	inFlight int
	pending  int64
}

func (e *echo) begin(l *loop) error {
	for _, c := range l.conns {
		if err := e.prepare(c); err != nil {
			return err
		}
	}
	for _, c := range l.conns {
		for range e.inFlight {
			e.send(l, c)
		}
	}
	return nil
}

func (e *echo) prepare(c *conn) (err error) {
	c.sentAt = make([]time.Duration, e.inFlight)
	c.push, err = newPush(echoText(c.topic))
	return err
}

func (e *echo) send(l *loop, c *conn) {
	c.sentAt[c.sent%e.inFlight] = l.now
	l.send(c)
	e.pending++
}

func (e *echo) message(l *loop, c *conn, text []byte) error {
	if err := e.answered(l, c, text); err != nil {
		return err
	}
	if !l.stopping {
		e.send(l, c)
	}
	return nil
}

// answered takes the reply to the oldest push of c that has none.
func (e *echo) answered(l *loop, c *conn, text []byte) error {
	if c.expect == c.sent {
		return wrong(text, "comes when nothing is asked")
	}
	ref := formatNumber(c.expect)
	if !c.known.is(text, ref) {
		if err := checkReply(text, c.topic, string(ref[:]), echoBody()); err != nil {
			return err
		}
		c.known.learn(text, ref)
	}
	l.got(c.sentAt[c.expect%e.inFlight])
	c.expect++
	e.pending--
	return nil
}

func (e *echo) outstanding() int64 { return e.pending }

// fanout: one member broadcasts, all must get it.
type fanout struct {
	inFlight int     // room for so many; without a rate also kept so many
	rate     float64 // broadcasts per second; 0: the next when one is over
	members  int
	sender   *conn
	known    pattern // the frame is the same for all members
	start    time.Duration
	sentAt   []time.Duration // or when it was due
	reached  []int           // members that have got it, of each broadcast in flight
	over     int             // broadcasts that all have got
	pending  int64
	cut      int64 // members that do not read and that the server has ended
}

// A fan-out only loses those that it wants to lose.
var _ churner = (*fanout)(nil)

func (*fanout) between() error      { return nil }
func (*fanout) arrived(*conn) error { return nil }

func (f *fanout) closed(c *conn, err error) error {
	if !c.deaf {
		return err
	}
	f.cut++
	return c.drop(DropReset)
}

func newFanout(cfg *Config) *fanout {
	f := &fanout{inFlight: cfg.InFlight, rate: cfg.Rate, members: cfg.Connections - cfg.Deaf}
	if f.rate > 0 {
		f.inFlight = mostBehind
	}
	f.sentAt, f.reached = make([]time.Duration, f.inFlight), make([]int, f.inFlight)
	return f
}

func (f *fanout) begin(l *loop) (err error) {
	f.sender, f.start, l.churn = l.conns[0], l.now, f
	for _, c := range l.conns[f.members:] {
		if err := l.deafen(c); err != nil {
			return err
		}
	}
	if f.sender.push, err = newPush(shoutText(f.sender.topic)); err != nil {
		return err
	}
	if f.rate > 0 {
		return l.every(time.Duration(float64(time.Second)/f.rate), func() error { return f.due(l) })
	}
	for range f.inFlight {
		f.send(l, l.now)
	}
	return nil
}

// due sends what is due by the rate.
func (f *fanout) due(l *loop) error {
	for !l.stopping {
		at := f.start + time.Duration(float64(f.sender.sent)/f.rate*float64(time.Second))
		if at > l.now {
			break
		}
		if f.sender.sent-f.over == f.inFlight {
			return fmt.Errorf("%w: the server is %d broadcasts behind; the rate %v is too much for it", errMissing, f.inFlight, f.rate)
		}
		f.send(l, at)
	}
	return nil
}

func (f *fanout) send(l *loop, at time.Duration) {
	i := f.sender.sent % f.inFlight
	f.sentAt[i], f.reached[i] = at, 0
	l.send(f.sender)
	f.pending += int64(f.members)
}

func (f *fanout) message(l *loop, c *conn, text []byte) error {
	if c.deaf { // it was cut off, and this is what was left
		return nil
	}
	if f.sender == nil || c.expect == f.sender.sent {
		return wrong(text, "comes when nothing is broadcast")
	}
	n := formatNumber(c.expect)
	if !f.known.is(text, n) {
		if err := checkShout(text, c.topic, n); err != nil {
			return err
		}
		f.known.learn(text, n)
	}
	i := c.expect % f.inFlight
	l.got(f.sentAt[i])
	c.expect++
	f.pending--
	f.reached[i]++
	// Members get broadcasts in order, so the oldest is the first to be over.
	if f.reached[i] == f.members {
		f.over++
		l.last.add(l.now - f.sentAt[i])
		if !l.stopping && f.rate == 0 {
			f.send(l, l.now)
		}
	}
	return nil
}

func (f *fanout) outstanding() int64 { return f.pending }
