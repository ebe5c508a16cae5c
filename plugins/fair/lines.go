package fair

import (
	"sync"
	"time"
)

// Log lines of a tenant whose configuration names none.
const (
	defaultLogLines = 200 // a second
	defaultLogBurst = 2000
)

// lines bounds what the guests of a tenant log.
type lines struct {
	every time.Duration // one line in that time; 0: no limit
	burst time.Duration // as many as come in that time

	mu     sync.Mutex // guards the following
	full   time.Duration
	hidden int // not written since the last that was
}

func newLines(perSecond, burst int) lines {
	if perSecond < 0 {
		return lines{}
	}
	if perSecond == 0 {
		perSecond = defaultLogLines
	}
	if burst <= 0 {
		burst = max(perSecond, defaultLogBurst)
	}
	every := max(1, time.Second/time.Duration(perSecond))
	return lines{every: every, burst: every * time.Duration(burst)}
}

// Line tells whether a line of a guest may be written, and if so how many have not
// been since the last one.
func (t *Tenant) Line() (hidden int, ok bool) {
	l := &t.lines
	if l.every == 0 {
		return 0, true
	}
	now := t.sched.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.full = max(l.full, now)
	if l.full+l.every > now+l.burst {
		l.hidden++
		return 0, false
	}
	l.full += l.every
	hidden, l.hidden = l.hidden, 0
	return hidden, true
}
