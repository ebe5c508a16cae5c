package host

import (
	"strconv"
	"time"
)

// maxDelay bounds a send_after; a longer one is shortened to it.
const maxDelay = 30 * 24 * time.Hour

// timer is one pending send_after.
type timer struct {
	key     string // as the guest gave it
	event   string
	payload []byte
	binary  bool

	slot string // its place in pending
	t    *time.Timer
}

// timers are the pending send_afters of a channel, by key. Owned by the
// channel's runner; only the timers' own functions run elsewhere.
type timers struct {
	pending  map[string]*timer
	nameless int
	bytes    int // of the payloads of pending
}

func (ts *timers) len() int { return len(ts.pending) }

// start arms a timer, replacing a pending one of the same key. fire is called
// on a goroutine of its own.
func (ts *timers) start(t *timer, after time.Duration, fire func()) {
	t.slot = t.key
	if t.key == "" {
		// No guest key holds a NUL followed by a number of ours: such a key
		// could at most cancel a nameless timer of its own channel.
		ts.nameless++
		t.slot = "\x00" + strconv.Itoa(ts.nameless)
	}
	ts.cancel(t.slot)
	if ts.pending == nil {
		ts.pending = map[string]*timer{}
	}
	ts.pending[t.slot] = t
	ts.bytes += len(t.payload)
	t.t = time.AfterFunc(after, fire)
}

// take removes a timer that has fired and tells whether it still counted: it
// may have been cancelled or replaced between firing and its turn.
func (ts *timers) take(t *timer) bool {
	if ts.pending[t.slot] != t {
		return false
	}
	delete(ts.pending, t.slot)
	ts.bytes -= len(t.payload)
	return true
}

func (ts *timers) cancel(slot string) {
	if t := ts.pending[slot]; t != nil {
		t.t.Stop()
		ts.bytes -= len(t.payload)
		t.payload = nil // it may have fired, and wait in the mailbox in vain
		delete(ts.pending, slot)
	}
}

func (ts *timers) stop() {
	for _, t := range ts.pending {
		t.t.Stop()
	}
	ts.pending, ts.bytes = nil, 0
}
