package host

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// runners run the channels to which mail has come from elsewhere: timers, messages
// and broadcasts for handle_info and handle_out, and what waited for a callback.
//
// There is one less of them than processors, since Go looks at connections when a
// processor has nothing else to do, else each 10 ms: modules that send to themselves
// without end, each callback within its budget, would keep all clients waiting for
// that. Tenants take turns, and the channels of a tenant among themselves. A callback
// that waits, or computes for longer than a slice of its fuel, is not counted from
// there on ([DetachingHandler]): those take turns elsewhere (plugins/fair).
type runners struct {
	work *crew
	ever atomic.Uint32 // messages that were handled

	mu      sync.Mutex
	free    int
	waiting []*Tenant // those that have some, in the order of their turns
}

// A turn on a runner is over when so much time has gone by and others wait. After so
// many messages the clock is looked at, and others are let by.
const (
	runnerTurn = time.Millisecond
	runnerLook = 8
)

func (rs *runners) init(work *crew) {
	rs.work, rs.free = work, max(1, runtime.GOMAXPROCS(0)-1)
}

// start has a channel run, of whose mailbox the caller is the runner and is not any
// more. It does not block.
func (rs *runners) start(c *Channel) {
	if rs.enter(c) {
		rs.work.Go(func() { rs.run(c) })
	}
}

// enter takes a runner for c, or leaves c to wait for one.
func (rs *runners) enter(c *Channel) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.free > 0 {
		rs.free--
		return true
	}
	rs.queueLocked(c)
	return false
}

func (rs *runners) queueLocked(c *Channel) {
	t := c.socket.tenant
	if len(t.waiting) == 0 {
		rs.waiting = append(rs.waiting, t)
	}
	t.waiting = append(t.waiting, c)
}

// next returns the channel whose turn is next, behind which c is to wait if it is not
// nil. Without one the runner is free, and the caller is none any more.
func (rs *runners) next(c *Channel) *Channel {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if c != nil {
		rs.queueLocked(c)
	}
	if len(rs.waiting) == 0 {
		rs.free++
		return nil
	}
	t := rs.waiting[0]
	rs.waiting[0] = nil
	rs.waiting = rs.waiting[1:]
	first := t.waiting[0]
	t.waiting[0] = nil
	if t.waiting = t.waiting[1:]; len(t.waiting) > 0 {
		rs.waiting = append(rs.waiting, t)
	}
	return first
}

// othersWait tells whether a turn may end.
func (rs *runners) othersWait() bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return len(rs.waiting) > 0
}

// run runs c, then others, as long as there are some and no callback takes long.
func (rs *runners) run(c *Channel) {
	r := runner{runners: rs, counts: true}
	detach := r.leave
	for c != nil {
		c.detach = detach
		more := c.runFor(&r)
		if !more {
			c = nil
		}
		if r.counts {
			c = rs.next(c)
			continue
		}
		if c != nil {
			rs.start(c)
		}
		return
	}
}

// runner is a goroutine that runs channels.
type runner struct {
	*runners
	counts bool // among those of which there are few
	turn   pace // of the messages of the channel at hand
}

// leave lets another goroutine be a runner in the place of this one.
func (r *runner) leave() {
	if !r.counts {
		return
	}
	r.counts = false
	if c := r.next(nil); c != nil {
		r.work.Go(func() { r.run(c) })
	}
}

// over tells, behind a message, whether the turn is over.
func (r *runner) over() bool {
	if !r.counts {
		return true // that took long
	}
	if r.ever.Add(1)%runnerLook == 0 {
		yield() // also where each mailbox has had but one
	}
	return r.turn.over(runnerLook, runnerTurn) && r.othersWait()
}

// begin begins a turn.
func (r *runner) begin() { r.turn = pace{} }
