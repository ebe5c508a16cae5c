package load

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"time"
)

// silence asks for nothing. What a server pushes after a join is its affair.
type silence struct{}

func (*silence) begin(*loop) error { return nil }

func (*silence) message(_ *loop, _ *conn, text []byte) error {
	m, err := parseMessage(text)
	if err == nil && m.ref != nil || m.event == "phx_error" || m.event == "phx_close" {
		return wrong(text, "comes when nothing is asked")
	}
	return err
}

func (*silence) outstanding() int64 { return 0 }

// presence: everybody must come to know everybody.
type presence struct {
	users   int
	done    int // connections that have seen all
	entries int64
}

func (*presence) begin(*loop) error { return nil }

// message counts the users that a presence_state or the joins of a presence_diff
// name. There are N x N of them, so texts are searched for the keys, which are of a
// form of their own, and not taken apart.
func (p *presence) message(l *loop, c *conn, text []byte) error {
	state := bytes.Contains(text, []byte(`,"presence_state",{`))
	switch {
	case !state && !bytes.Contains(text, []byte(`,"presence_diff",{`)):
		return wrong(text, "is neither presence_state nor presence_diff")
	case !state && !bytes.Contains(text, []byte(`"leaves":{}`)):
		return wrong(text, "has somebody leave, and nobody did")
	}
	if c.seen == nil {
		c.seen = make([]uint64, (p.users+63)/64)
	}
	for {
		n, rest, found := nextUser(text)
		if !found {
			break
		}
		if n >= p.users {
			return wrong(text, fmt.Sprintf("names user %d of %d", n, p.users))
		}
		p.entries++
		if bit := uint64(1) << (n % 64); c.seen[n/64]&bit == 0 {
			c.seen[n/64] |= bit
			if c.users++; c.users == p.users {
				p.done++
			}
		}
		text = rest
	}
	l.got(c.began)
	return nil
}

// nextUser finds the next key "u" and a number, and returns what is behind it.
func nextUser(text []byte) (n int, rest []byte, found bool) {
	for {
		at := bytes.Index(text, []byte(`":{`))
		if at < 0 {
			return 0, nil, false
		}
		key := text[:at]
		text = text[at+3:]
		if len(key) < digits+2 || string(key[len(key)-digits-2:len(key)-digits]) != `"u` {
			continue
		}
		if n, ok := parseNumber(key[len(key)-digits:]); ok {
			return n, text, true
		}
	}
}

func (p *presence) outstanding() int64 { return int64(p.users - p.done) }

// storms are the workloads that are over when their work is done.

// join connects and joins, then holds the connections.
func (l *loop) join(ctx context.Context, r *Result) error {
	if err := l.opening(ctx, r); err != nil {
		return err
	}
	before, err := readUsage(l.cfg.PID)
	if err != nil {
		return err
	}
	l.tick()
	start := l.now
	if err := l.until(ctx, l.cfg.Window, "holding", nil); err != nil {
		return err
	}
	after, err := readUsage(l.cfg.PID)
	r.HoldCPU, r.Hold = after.server-before.server, l.now-start
	return err
}

// reconnect drops all connections and makes them again.
func (l *loop) reconnect(ctx context.Context, r *Result) error {
	if err := l.open(ctx); err != nil {
		return err
	}
	l.joins.reset()
	l.sent = 0
	ctx, cancel := context.WithTimeoutCause(ctx, l.cfg.Window,
		fmt.Errorf("%w: not all were joined again within %s", errMissing, l.cfg.Window))
	defer cancel()
	return l.opening(ctx, r)
}

// opening measures how all connections are made, after those that there are have
// been dropped.
func (l *loop) opening(ctx context.Context, r *Result) error {
	base, err := l.residentBytes()
	if err != nil {
		return err
	}
	return l.measured(r, func() error {
		for _, c := range l.conns {
			if c.fd >= 0 {
				if err := c.drop(l.cfg.Drop); err != nil {
					return l.failed(c, err)
				}
			}
		}
		if err := l.open(ctx); err != nil {
			if cause := context.Cause(ctx); cause != nil {
				return cause
			}
			return err
		}
		l.received = l.joins.count * int64(l.cfg.Channels)
		r.Messages, r.Latency = l.received, l.joins.percentiles()
		after, err := l.residentBytes()
		r.ServerGrowth = after - base
		return err
	})
}

// presence has all join, until all have seen all, and visitors then, if there is a rate.
func (l *loop) presence(ctx context.Context, r *Result) error {
	p, within := l.work.(*presence), l.cfg.Window
	if l.cfg.Rate > 0 {
		within = openWithin
	}
	err := l.measured(r, func() error {
		if err := l.open(ctx); err != nil {
			return err
		}
		if err := l.until(ctx, within, "presences", func() bool { return p.done == p.users }); err != nil {
			return err
		}
		if p.done < p.users {
			return fmt.Errorf("%w: after %s %d of %d connections had seen all %d users: presences have to be tracked by a key "+
				"that the join's payload gives as user", errMissing, within, p.done, p.users, p.users)
		}
		r.Messages, r.Latency, r.Bytes, r.Entries = l.hist.count, l.hist.percentiles(), l.bytes, p.entries
		return nil
	})
	if err != nil || l.cfg.Rate == 0 {
		return err
	}
	return l.visits(ctx, r)
}

// measured has r say what work cost.
func (l *loop) measured(r *Result, work func() error) error {
	l.tick()
	start := l.now
	before, err := readUsage(l.cfg.PID)
	if err != nil {
		return err
	}
	if err := work(); err != nil {
		return err
	}
	after, err := readUsage(l.cfg.PID)
	if err != nil {
		return err
	}
	l.tick()
	r.Elapsed = max(l.now-start, time.Nanosecond)
	r.ServerCPU, r.ClientCPU = after.server-before.server, after.client-before.client
	r.ServerRSS, err = l.residentBytes()
	return err
}

// residentBytes is the server's memory, 0 without a pid.
func (l *loop) residentBytes() (int64, error) {
	if l.cfg.PID == 0 {
		return 0, nil
	}
	return residentBytes(l.cfg.PID)
}

// checkPID refuses a process that is not there before anything is measured.
func checkPID(pid int) error {
	if pid == 0 {
		return nil
	}
	if pid < 0 || pid == os.Getpid() {
		return fmt.Errorf("%w: pid %d is not that of a server", ErrConfig, pid)
	}
	if _, err := processCPU(pid); err != nil {
		return fmt.Errorf("%w: pid %d: %w", ErrConfig, pid, err)
	}
	return nil
}
