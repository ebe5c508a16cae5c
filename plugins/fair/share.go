package fair

import (
	"math"
	"time"
)

const (
	// reviewShift: who is heavy is looked at when a tenant has spent 2 to the power
	// of this more, which takes about 1 ms, and not more often than each reviewPause.
	reviewShift = 20
	reviewPause = time.Millisecond

	// lately is how long what was spent counts, about: its part that still does
	// falls by e in that time.
	lately = 100 * time.Millisecond

	// fuelRate is about what a processor runs in a microsecond.
	fuelRate = 1000

	// idle is how long a tenant has spent nothing that has no share any more. It may be
	// small callbacks a few times a second that the others have to let by.
	idle = time.Second
)

// spend counts fuel of the tenant. It is on the path of every callback.
func (t *Tenant) spend(fuel int64) {
	if fuel == 0 {
		return
	}
	total := t.spent.Add(fuel)
	if t.fuel != nil {
		t.fuel.charge(t.sched.now(), fuel)
	}
	if s := t.sched; total>>reviewShift != (total-fuel)>>reviewShift && s.several.Load() {
		s.mu.Lock()
		s.review(s.now())
		s.mu.Unlock()
	}
}

// review finds out who is heavy: who has used more of what was spent lately than its
// weight among those that have spent. Nobody is while a quarter of the processors
// would do for all. The caller holds mu.
func (s *Scheduler) review(now time.Duration) {
	passed := now - s.reviewed
	if passed < reviewPause {
		return
	}
	s.reviewed = now
	fade := math.Exp(-float64(passed) / float64(lately))
	var spent, weights float64
	for _, t := range s.tenants {
		total := t.spent.Load()
		if total != t.seen {
			t.active = now
		}
		t.recent = t.recent*fade + float64(total-t.seen)
		t.seen = total
		spent += t.recent
		if total > 0 && now-t.active < idle {
			weights += float64(t.weight)
		}
	}
	quarter := float64(s.procs) * fuelRate * float64(lately.Microseconds()) / 4
	for _, t := range s.tenants {
		t.heavy.Store(spent > quarter && t.recent*weights > spent*float64(t.weight))
	}
}
