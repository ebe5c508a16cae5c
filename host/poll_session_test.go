package host

import (
	"context"
	"testing"
	"time"

	"github.com/aviary-host/aviary/wire"
)

// openSession begins a session on a server of its own whose polls wait for long.
func openSession(t *testing.T) *pollSession {
	t.Helper()
	s, err := New(Config{Mounts: []Mount{{Path: "/socket", LongPoll: true, PollWindow: time.Minute}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	p := newPollSession(newSocket(s, &s.cfg.Mounts[0], &connected{version: wire.Version2, socketID: newSocketID()}))
	if !p.open() {
		t.Fatal("not let in")
	}
	return p
}

// pollAnswer is what a GET got.
type pollAnswer struct {
	status   pollStatus
	messages string
}

// pollLater makes a GET and returns when it waits.
func (p *pollSession) pollLater(hungUp func() bool) (answer chan pollAnswer) {
	p.mu.Lock()
	before := p.gets
	p.mu.Unlock()
	answer = make(chan pollAnswer, 1)
	go func() {
		status, messages := p.poll(hungUp)
		answer <- pollAnswer{status, string(messages)}
	}()
	for {
		p.mu.Lock()
		waits := p.gets > before && p.wake != nil
		p.mu.Unlock()
		if waits {
			return answer
		}
		time.Sleep(time.Millisecond) // there is nothing to wait on
	}
}

// TestPollSession is what only timing decides between requests: who gets a
// message when more than one GET is there, and what becomes of it when nobody is.
func TestPollSession(t *testing.T) {
	stays := func() bool { return false }
	leaves := func() (hungUp func() bool) { // there at first, gone when a message comes
		asked := 0
		return func() bool { asked++; return asked > 1 }
	}
	one := pollAnswer{pollOK, `"1"`}
	nothing := pollAnswer{status: pollNothing}

	p := openSession(t)
	first := p.pollLater(stays)
	second := p.pollLater(stays)
	p.push(false, []byte("1"))
	if got := <-second; got != one {
		t.Errorf("the later of two: %+v", got)
	}
	gone := p.pollLater(leaves())
	p.push(false, []byte("1"))
	if got := <-gone; got != nothing {
		t.Errorf("one whose client has gone: %+v", got)
	}
	if status, messages := p.poll(func() bool { return true }); status != pollNothing || messages != nil {
		t.Errorf("one whose client has gone before its turn: %d %s", status, messages)
	}
	if status, messages := p.poll(stays); status != pollOK || string(messages) != `"1"` {
		t.Errorf("the next: %d %s", status, messages)
	}
	p.push(false, []byte("2"))
	p.push(false, []byte(`["3"]`))
	if status, messages := p.poll(stays); status != pollOK || string(messages) != `"2","[\"3\"]"` {
		t.Errorf("two messages: %d %s", status, messages)
	}
	select {
	case got := <-first: // not before its window is over, or a client with two would poll without rest
		t.Errorf("the earlier of two: %+v", got)
	default:
	}
	last := p.pollLater(stays)
	p.abort()
	for _, answer := range []chan pollAnswer{first, last} {
		if got := <-answer; got != nothing {
			t.Errorf("one that waited for a session that was ended: %+v", got)
		}
	}
}
