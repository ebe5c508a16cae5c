package fair

import (
	"errors"
	"fmt"
	"time"
)

// ErrBusy is wrapped by the error of a callback that waited too long for its turn.
var ErrBusy = errors.New("busy")

// Turn is the part of a callback in its tenant's share. It belongs to one goroutine
// at a time, and is used for one callback after the other.
type Turn struct {
	tenant   *Tenant
	in       *turns        // of which it holds one, nil: none
	used     int64         // fuel, since it has that
	total    int64         // fuel, since Begin
	patience time.Duration // how long it may still wait
	waits    int
	waited   time.Duration
	ticket   ticket
}

// Begin begins a callback of a tenant that may wait for turns for so long in all.
func (t *Turn) Begin(tenant *Tenant, patience time.Duration) {
	t.tenant, t.patience = tenant, patience
	t.total, t.waits, t.waited = 0, 0, 0
}

// Begun tells whether a callback has begun and not ended.
func (t *Turn) Begun() bool { return t.tenant != nil }

// Enter takes the turn that the callback of a heavy tenant needs before it begins.
// It blocks until it has one. The error wraps [ErrBusy]; the callback has to end.
func (t *Turn) Enter() error {
	s := t.tenant.sched
	s.mu.Lock()
	s.review(s.now())
	got := s.gate.ask(&t.tenant.gated, &t.ticket)
	s.mu.Unlock()
	return t.hold(&s.gate, &t.tenant.gated, got)
}

// Slice is called at the end of each slice of fuel, with what has been spent since
// the last call. It blocks until the callback may go on. The error wraps [ErrBusy]; the
// callback has to end.
func (t *Turn) Slice(fuel int64) error {
	s := t.tenant.sched
	t.tenant.spend(fuel)
	t.used += fuel
	t.total += fuel
	if t.in == &s.hogs && t.used < s.hogs.quantum {
		yield() // to short callbacks of others
		return nil
	}
	var got bool
	s.mu.Lock()
	if t.in == &s.hogs {
		got = s.hogs.again(&t.tenant.hogging, &t.ticket, t.used)
	} else {
		t.leaveGate()
		got = s.hogs.ask(&t.tenant.hogging, &t.ticket)
	}
	s.mu.Unlock()
	err := t.hold(&s.hogs, &t.tenant.hogging, got)
	if err == nil {
		yield()
	}
	return err
}

// leaveGate gives back what Enter took: it would keep others waiting who are short.
func (t *Turn) leaveGate() {
	if t.in != nil {
		t.in.give(&t.tenant.gated, t.used)
		t.in = nil
	}
}

// End ends the callback, with what has been spent since the last Slice. It gives
// back what the callback holds, and tells how often and how long it has waited.
// After the first call it does nothing until the next Begin.
func (t *Turn) End(fuel int64) (waits int, waited time.Duration) {
	if t.tenant == nil {
		return 0, 0
	}
	t.tenant.spend(fuel)
	if q := t.tenant.fuel; q != nil {
		q.learn(t.total + fuel)
	}
	if t.in != nil {
		s := t.tenant.sched
		s.mu.Lock()
		if t.in == &s.hogs {
			s.hogs.give(&t.tenant.hogging, t.used+fuel)
		} else {
			s.gate.give(&t.tenant.gated, t.used+fuel)
		}
		s.mu.Unlock()
	}
	t.tenant, t.in, t.used = nil, nil, 0
	return t.waits, t.waited
}

// hold waits for a turn that was asked for, unless it was got.
func (t *Turn) hold(in *turns, a *account, got bool) error {
	t.in, t.used = nil, 0
	if !got {
		if err := t.wait(in, a); err != nil {
			return err
		}
	}
	t.in = in
	return nil
}

func (t *Turn) wait(in *turns, a *account) error {
	t.waits++
	select {
	case <-t.ticket.ready: // at once, as when the tenant is the next again
		return nil
	default:
	}
	s := t.tenant.sched
	began := s.now()
	timer := time.NewTimer(t.patience - t.waited)
	defer timer.Stop()
	var gaveUp bool
	select {
	case <-t.ticket.ready:
	case <-timer.C:
		s.mu.Lock()
		gaveUp = in.leave(a, &t.ticket)
		s.mu.Unlock()
		if !gaveUp { // it has come just now
			<-t.ticket.ready
		}
	}
	t.waited += s.now() - began
	if gaveUp {
		return fmt.Errorf("%w: tenant %s waits for others that compute, over %v", ErrBusy, t.tenant.name, t.patience)
	}
	return nil
}
