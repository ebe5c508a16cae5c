package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// openTimeout is how long a run waits while no connection makes progress.
const openTimeout = 10 * time.Second

var errSources = errors.New("too many connections from one address")

// open connects and joins all connections, AtOnce at a time.
func (l *loop) open(ctx context.Context) error {
	if err := l.checkSources(); err != nil {
		return err
	}
	l.joined = 0
	next, told, before := 0, time.Duration(0), 0
	l.tick()
	for moved := l.now; l.joined < len(l.conns); l.tick() {
		for ; next < len(l.conns) && next-l.joined < l.cfg.AtOnce; next++ {
			if err := l.connect(l.conns[next]); err != nil {
				return fmt.Errorf("connection %d: %w", next, err)
			}
		}
		if err := l.step(ctx); err != nil {
			return err
		}
		if l.steps != before {
			before, moved = l.steps, l.now
		}
		if l.now-moved > openTimeout {
			return l.stuck()
		}
		if l.now-told > progressEvery {
			told = l.now
			l.cfg.Progress(fmt.Sprintf("joined %d of %d", l.joined, len(l.conns)))
		}
	}
	return nil
}

// checkSources refuses more connections to elsewhere than our address has ports.
func (l *loop) checkSources() error {
	if n := len(l.conns); n > maxFromOne && !l.to.onLoopback() {
		return fmt.Errorf("%w: %d to %s, more than %d need a server on 127.0.0.1, where the generator has several addresses",
			errSources, n, l.to.addr, maxFromOne)
	}
	return nil
}

// source returns the address that a connection comes from; none to have the
// kernel choose.
func (l *loop) source(index int) [4]byte {
	if len(l.conns) <= l.cfg.perSource || !l.to.onLoopback() {
		return [4]byte{}
	}
	n := index/l.cfg.perSource + 1
	return [4]byte{127, 0, byte(n >> 8), byte(n)}
}

// stuck says what the first connection that is not joined waits for.
func (l *loop) stuck() error {
	for i, c := range l.conns {
		if c.stage != stageJoined {
			return fmt.Errorf("%w: %d of %d joined, connection %d is still %s, %s: nothing came for %s",
				errMissing, l.joined, len(l.conns), i, c.stage, c.topic, openTimeout)
		}
	}
	return nil
}

func (l *loop) connect(c *conn) error {
	l.tick()
	c.began = l.now
	if err := c.connect(l.to, l.source(c.index)); err != nil {
		return err
	}
	request, accept := l.to.handshake()
	c.accept, c.out, c.armed = accept, append(c.out[:0], request...), true
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT, Fd: int32(c.index)}
	return unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, c.fd, &ev)
}

// upgraded takes the answer to the handshake off b and joins.
func (l *loop) upgraded(c *conn, b []byte) ([]byte, error) {
	n, err := checkHandshake(b, c.accept)
	if err != nil || n == 0 {
		return b, err
	}
	c.stage = stageJoining
	l.steps++
	payload := l.cfg.joinPayload(c.index)
	for i := range l.cfg.Channels {
		ref := strconv.Itoa(i + 1)
		c.out = appendClientFrame(c.out, opText, []byte(joinText(ref, l.cfg.topic(c.index, i), payload)))
	}
	l.sent += int64(l.cfg.Channels)
	c.frames += l.cfg.Channels
	l.mark(c)
	return b[n:], nil
}

// joining takes the reply to a join. A server may answer several in any order, and
// push something in between: that is for the workload.
func (l *loop) joining(c *conn, text []byte) error {
	var m []json.RawMessage
	if json.Unmarshal(text, &m) == nil && len(m) == 5 && string(m[3]) != `"phx_reply"` {
		return l.work.message(l, c, text)
	}
	channel, err := l.channelOf(c, m)
	if err != nil {
		return wrong(text, err.Error())
	}
	if err := checkReply(text, l.cfg.topic(c.index, channel), strconv.Itoa(channel+1), ""); err != nil {
		return fmt.Errorf("join: %w", err)
	}
	l.steps++
	c.answered[channel] = true
	if c.joined++; c.joined == l.cfg.Channels {
		c.stage, c.answered = stageJoined, nil
		l.joined++
		l.joins.add(l.now - c.began)
		if l.churn != nil {
			return l.churn.arrived(c)
		}
	}
	return nil
}

// channelOf returns the number of the channel whose join a reply answers.
func (l *loop) channelOf(c *conn, reply []json.RawMessage) (int, error) {
	if len(reply) != 5 {
		return 0, errors.New("is no message of five elements")
	}
	var ref string
	if err := json.Unmarshal(reply[1], &ref); err != nil {
		return 0, errors.New("has no ref, while joins are not answered")
	}
	n, err := strconv.Atoi(ref)
	if err != nil || n < 1 || n > l.cfg.Channels {
		return 0, errors.New("answers no join of ours")
	}
	if c.answered == nil {
		c.answered = make([]bool, l.cfg.Channels)
	}
	if c.answered[n-1] {
		return 0, errors.New("answers a join a second time")
	}
	return n - 1, nil
}
