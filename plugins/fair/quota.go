package fair

import (
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"
)

// ErrQuota is wrapped by a [QuotaError].
var ErrQuota = errors.New("over quota")

// maxFuelRate is more than the largest machine runs in a second.
const maxFuelRate = 1_000_000_000_000

// Bounds on the callbacks that wait for fuel of their tenant.
const (
	maxQuotaWait  = 2 * time.Second
	maxQuotaQueue = 1024
)

// QuotaError tells that a tenant has used up what it may use in a while.
type QuotaError struct {
	Tenant     string
	Limit      int64         // fuel per second
	RetryAfter time.Duration // until there is some again, if nobody comes meanwhile
}

// Error names the tenant, the limit and its key.
func (e *QuotaError) Error() string {
	return fmt.Sprintf("tenant %s is over its fuel of %d per second (tenant.fuel_per_second)", e.Tenant, e.Limit)
}

// Unwrap returns ErrQuota.
func (e *QuotaError) Unwrap() error { return ErrQuota }

// quota is a bucket of fuel, as a time: that at which it is full again if nothing is
// taken any more (the virtual scheduling algorithm of ITU-T I.371). So taking is one
// swap, and who comes while it is empty knows at once how long to wait: whoever came
// before has moved the time by what a callback takes.
type quota struct {
	rate    float64 // fuel in a nanosecond
	limit   int64   // fuel in a second
	burst   time.Duration
	full    atomic.Int64 // a time.Duration of the clock
	typical atomic.Int64 // fuel of a callback, about
	queue   atomic.Int64 // callbacks that wait
}

func newQuota(perSecond, burst int64) *quota {
	if perSecond == 0 {
		return nil
	}
	if burst == 0 {
		burst = perSecond
	}
	q := &quota{rate: float64(perSecond) / 1e9, limit: perSecond}
	q.burst = q.time(burst)
	return q
}

// time is how long it takes until so much fuel is there.
func (q *quota) time(fuel int64) time.Duration {
	return time.Duration(math.Ceil(float64(fuel) / q.rate))
}

// reserve takes what a callback takes, to be used after wait. It takes nothing if
// that were over most.
func (q *quota) reserve(now, most time.Duration) (fuel int64, wait time.Duration, ok bool) {
	fuel = q.typical.Load()
	cost := q.time(fuel)
	for {
		full := q.full.Load()
		wait = max(0, time.Duration(full)-q.burst-now)
		if wait > most {
			return 0, wait, false
		}
		if q.full.CompareAndSwap(full, max(full, int64(now))+int64(cost)) {
			return fuel, wait, true
		}
	}
}

// charge takes fuel that has been spent; less than 0 gives it back.
func (q *quota) charge(now time.Duration, fuel int64) {
	cost := int64(q.time(fuel))
	for {
		full := q.full.Load()
		next := full + cost
		if cost > 0 {
			next = max(full, int64(now)) + cost
		}
		if q.full.CompareAndSwap(full, next) {
			return
		}
	}
}

// Admit lets a callback of the tenant begin, as far as its fuel per second is
// concerned. Where that is used up it blocks, for up to 2 s, and no more than 1024
// callbacks do so at a time; the others get a [*QuotaError]. What it returns has to be given to
// [Tenant.Refund] when the callback has ended. Before it blocks it calls detach, unless
// that is nil.
func (t *Tenant) Admit(detach func()) (prepaid int64, err error) {
	q := t.fuel
	if q == nil {
		return 0, nil
	}
	most := maxQuotaWait
	if q.queue.Load() >= maxQuotaQueue {
		most = 0
	}
	prepaid, wait, ok := q.reserve(t.sched.now(), most)
	if !ok {
		return 0, &QuotaError{Tenant: t.name, Limit: q.limit, RetryAfter: wait}
	}
	if wait > 0 {
		if detach != nil {
			detach()
		}
		q.queue.Add(1)
		t.sched.sleep(wait)
		q.queue.Add(-1)
	}
	return prepaid, nil
}

// Refund gives back what Admit took, since what the callback has spent was charged
// by its [Turn].
func (t *Tenant) Refund(prepaid int64) {
	q := t.fuel
	if q == nil {
		return
	}
	q.charge(t.sched.now(), -prepaid)
}

// learn keeps in mind what a callback took.
func (q *quota) learn(fuel int64) {
	before := q.typical.Load()
	q.typical.Store(before + (fuel-before)/8) // one of two at once may be lost
}
