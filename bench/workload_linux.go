package main

import (
	"fmt"
	"time"
)

// topicsOf returns the topic that each connection of s joins.
func topicsOf(s scenario) []string {
	topics := make([]string, s.Conns)
	for i := range topics {
		topics[i] = "room:bench"
		if s.Kind == kindEcho {
			topics[i] = fmt.Sprintf("room:%04d", i)
		}
	}
	return topics
}

func newWorkload(s scenario, conns []*conn) (workload, error) {
	if s.Kind == kindEcho {
		return newEcho(s, conns)
	}
	return newFanout(s, conns)
}

// echo: every connection keeps so many pushes in flight. Refs are the pushes'
// numbers; a channel answers in the order of the pushes.
type echo struct {
	inFlight int
	pending  int64
}

func newEcho(s scenario, conns []*conn) (*echo, error) {
	for _, c := range conns {
		var err error
		if c.push, err = newPush(echoText(c.topic)); err != nil {
			return nil, err
		}
		c.sentAt = make([]time.Duration, s.InFlight)
	}
	return &echo{inFlight: s.InFlight}, nil
}

func (e *echo) begin(l *loop) {
	for _, c := range l.conns {
		for range e.inFlight {
			e.send(l, c)
		}
	}
}

func (e *echo) send(l *loop, c *conn) {
	c.sentAt[c.sent%e.inFlight] = l.now
	l.send(c)
	e.pending++
}

func (e *echo) message(l *loop, c *conn, text []byte) error {
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
	if !l.stopping {
		e.send(l, c)
	}
	return nil
}

func (e *echo) outstanding() int64 { return e.pending }

// fanout: one member broadcasts, all must get it.
type fanout struct {
	inFlight int
	members  int
	sender   *conn
	known    pattern // the frame is the same for all members
	sentAt   []time.Duration
	reached  []int // members that have got it, of each broadcast in flight
	pending  int64
}

func newFanout(s scenario, conns []*conn) (*fanout, error) {
	f := &fanout{
		inFlight: s.InFlight, members: len(conns), sender: conns[0],
		sentAt: make([]time.Duration, s.InFlight), reached: make([]int, s.InFlight),
	}
	var err error
	f.sender.push, err = newPush(shoutText(f.sender.topic))
	return f, err
}

func (f *fanout) begin(l *loop) {
	for range f.inFlight {
		f.send(l)
	}
}

func (f *fanout) send(l *loop) {
	i := f.sender.sent % f.inFlight
	f.sentAt[i], f.reached[i] = l.now, 0
	l.send(f.sender)
	f.pending += int64(f.members)
}

func (f *fanout) message(l *loop, c *conn, text []byte) error {
	if c.expect == f.sender.sent {
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
	if f.reached[i] == f.members && !l.stopping {
		f.send(l)
	}
	return nil
}

func (f *fanout) outstanding() int64 { return f.pending }
