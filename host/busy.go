package host

import (
	"runtime"
	"time"
)

// A channel whose mailbox never empties, though its callbacks are short, is one that sends to
// itself, or is sent to faster than it works. It does not hold a processor for as long as it likes: after a while it needs a
// turn, of which a tenant has one less than there are processors. So one is free to see what
// clients send: Go looks at sockets when a processor has nothing else to do, else each 10 ms.

const (
	// busyAfter is how long a mailbox is worked on before that takes turns, and how long a
	// turn is.
	busyAfter = time.Millisecond
	// busyPatience is how long somebody waits for a turn. Then it goes on without, for as
	// long as a turn: who has the turn may be a handler in Go that waits for something.
	busyPatience = 100 * time.Millisecond
	// busyLook is after how many messages somebody looks at the clock.
	busyLook = 16
	// busySlow is how long so many take at least where they are no flood of short callbacks:
	// handlers in Go that wait for something need no processor, and guests that compute for
	// long have turns of their own (plugins/fair).
	busySlow = busyLook * 100 * time.Microsecond
)

// busyTurns are the turns of a tenant's busy channels.
type busyTurns chan struct{}

func newBusyTurns() busyTurns { return make(busyTurns, max(1, runtime.GOMAXPROCS(0)-1)) }

// busyRun is one runner's work on a mailbox, from its first message until it is empty.
type busyRun struct {
	turns   busyTurns
	handled int
	since   time.Time // when the work or the turn began
	looked  time.Time // at the clock
	holds   bool
}

// step is called before each message. It may wait for a turn: no lock is held meanwhile, and no
// callback is under way, so whoever has a turn gets on.
func (r *busyRun) step() {
	if r.handled++; r.handled%busyLook != 0 {
		return
	}
	now := time.Now()
	slow := now.Sub(r.looked) > busySlow // as the first look is
	if r.looked = now; slow {
		r.end()
		r.since = now
		return
	}
	if now.Sub(r.since) < busyAfter {
		if r.holds {
			yield()
		}
		return
	}
	r.end()
	r.holds = r.take()
	r.since = time.Now()
	r.looked = r.since
}

// take waits for a turn, and tells whether it came in time.
func (r *busyRun) take() bool {
	select {
	case r.turns <- struct{}{}:
		return true
	default:
	}
	timer := time.NewTimer(busyPatience)
	defer timer.Stop()
	select {
	case r.turns <- struct{}{}:
		return true
	case <-timer.C:
		return false
	}
}

// end gives back the turn, if there is one.
func (r *busyRun) end() {
	if r.holds {
		<-r.turns
		r.holds = false
		yield()
	}
}
