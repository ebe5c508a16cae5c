package limit

import (
	"math"
	"math/bits"
	"time"
)

// Never is the wait for more tokens than a full bucket has.
const Never time.Duration = math.MaxInt64

// Bucket is a token bucket. The zero value is full. It does not hold its rate,
// so that a million of them cost 16 bytes each: the owner gives the same rate to
// every call. Where the rate has changed in between, what was taken before counts
// for something between nothing and a whole bucket.
//
// A Bucket is not safe for concurrent use.
type Bucket struct {
	debt int64         // taken and not come back, in units (package comment)
	at   time.Duration // when debt was right
}

// Take takes n tokens if there are as many, else none. wait is how long it takes
// until there are, if nobody takes any meanwhile: [Never] where n is more than
// the bucket can hold. With n under 1, or a rate that is off, it takes nothing
// and reports ok.
func (b *Bucket) Take(r Rate, now time.Duration, n int) (ok bool, wait time.Duration) {
	if r.Off() || n <= 0 {
		return true, 0
	}
	r = r.filled()
	if n > r.Burst {
		return false, Never
	}
	capacity := r.units(r.Burst)
	b.settle(r, now, capacity)
	debt := b.debt + r.units(n)
	if debt > capacity {
		return false, r.comeback(debt - capacity)
	}
	b.debt = debt
	return true, 0
}

// settle takes off the debt what came back until now.
func (b *Bucket) settle(r Rate, now time.Duration, capacity int64) {
	b.debt = min(b.debt, capacity) // more only after a change of rate
	if now <= b.at {
		return
	}
	// As unsigned numbers the difference is right even where it exceeds an int64.
	hi, lo := bits.Mul64(uint64(now)-uint64(b.at), uint64(r.Count))
	b.at = now
	if hi != 0 || lo >= uint64(b.debt) {
		b.debt = 0
		return
	}
	b.debt -= int64(lo)
}

// fullAt returns when the bucket is full again; r is filled and not off.
func (b *Bucket) fullAt(r Rate) time.Duration {
	at := b.at + r.comeback(b.debt)
	if at < b.at {
		return math.MaxInt64
	}
	return at
}
