package limit

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"
	"unsafe"
)

const sec = time.Second

// TestBucket: a dialogue for each thing that a bucket has to do. Numbers in the
// names are cases of the beryl reference, section 8.2.
func TestBucket(t *testing.T) {
	type step struct {
		now  time.Duration
		n    int
		ok   bool
		wait time.Duration
	}
	yes := func(now time.Duration, n int) step { return step{now, n, true, 0} }
	no := func(now time.Duration, n int, wait time.Duration) step { return step{now, n, false, wait} }
	for _, tt := range []struct {
		name  string
		rate  Rate
		steps []step
	}{
		{"57 within the limit", Rate{Count: 3}, []step{yes(0, 1), yes(0, 1), yes(0, 1)}},
		{"58 over the limit", Rate{Count: 2}, []step{yes(0, 1), yes(0, 1), no(0, 1, sec/2), no(0, 1, sec/2)}},
		{"60 refill", Rate{Count: 2}, []step{yes(0, 2), no(sec/2-1, 1, 1), yes(sec/2, 1), no(sec/2, 1, sec/2), yes(9*sec, 2), no(9*sec, 1, sec/2)}},
		{"61 no limit", Rate{}, []step{yes(0, 1), yes(0, math.MaxInt), yes(0, 1)}},
		{"65 burst is the rate unless given", Rate{Count: 5}, []step{yes(0, 5), no(0, 1, sec/5)}},
		{"65 burst over the rate", Rate{Count: 5, Burst: 8}, []step{yes(0, 8), no(0, 1, sec/5), yes(sec, 5), no(sec, 1, sec/5)}},
		{"65 burst under the rate", Rate{Count: 5, Burst: 1}, []step{yes(0, 1), no(0, 1, sec/5), yes(sec, 1), no(sec, 1, sec/5)}},
		{"68 not positive is off", Rate{Count: -5, Burst: 1}, []step{yes(0, 100)}},
		{"a refusal costs nothing", Rate{Count: 4}, []step{yes(0, 2), no(0, 3, sec/4), yes(0, 2)}},
		{"nothing is always there", Rate{Count: 1}, []step{yes(0, 1), yes(0, 0), yes(0, -7), no(0, 1, sec)}},
		{"more than it holds", Rate{Count: 4}, []step{no(0, 5, Never), yes(0, 4)}},
		{"it holds no more than its burst", Rate{Count: 1, Burst: 3}, []step{yes(0, 3), yes(time.Hour, 3), no(time.Hour, 1, sec)}},
		{"slow", Rate{Count: 10, Per: time.Minute}, []step{yes(0, 10), no(0, 1, 6*sec), no(5*sec, 1, sec), yes(6*sec, 1)}},
		{"not a whole number of nanoseconds", Rate{Count: 3, Burst: 2}, []step{
			yes(0, 2), no(0, 1, 333_333_334), yes(333_333_334, 1), no(333_333_334, 1, 333_333_333), yes(666_666_667, 1), yes(sec, 1),
		}},
		{"time goes back", Rate{Count: 1}, []step{yes(10*sec, 1), no(0, 1, sec), no(-sec, 1, sec), no(10*sec, 1, sec), yes(11*sec, 1)}},
		{"time before the beginning", Rate{Count: 1}, []step{yes(math.MinInt64, 1), no(-1, 1, sec), yes(sec, 1)}},
		{"the longest time", Rate{Count: 1}, []step{yes(0, 1), yes(math.MaxInt64, 1), no(math.MaxInt64, 1, sec)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b Bucket
			for i, s := range tt.steps {
				if ok, wait := b.Take(tt.rate, s.now, s.n); ok != s.ok || wait != s.wait {
					t.Errorf("step %d: %d at %v: %v, %v; want %v, %v", i+1, s.n, s.now, ok, wait, s.ok, s.wait)
				}
			}
		})
	}
}

func TestBucketSize(t *testing.T) {
	if size := unsafe.Sizeof(Bucket{}); size != 16 {
		t.Errorf("a bucket is %d bytes", size)
	}
}

// TestOtherRate: an empty bucket whose rate has changed gives at most a full one
// of the new rate, and makes nobody wait longer than for that.
func TestOtherRate(t *testing.T) {
	rates := []Rate{{Count: 1}, {Count: 100}, {Count: 1, Per: time.Hour}, {Count: 7, Per: time.Minute, Burst: 70}, {Count: 3_000_000_000}}
	for _, before := range rates {
		for _, after := range rates {
			var b Bucket
			if ok, _ := b.Take(before, sec, before.filled().Burst); !ok {
				t.Fatalf("%v: not full at first", before)
			}
			full := after.filled()
			if ok, wait := b.Take(after, sec, full.Burst); !ok && wait > full.refill() {
				t.Errorf("%v after %v: wait %v, but an empty one is full after %v", after, before, wait, full.refill())
			}
			if before == after && b.debt != full.units(full.Burst) {
				t.Errorf("%v: tokens came from nowhere", after)
			}
			if ok, _ := b.Take(after, sec+full.refill(), full.Burst); !ok {
				t.Errorf("%v after %v: not full after a refill", after, before)
			}
		}
	}
}

// exact is a bucket of fractions: slow, and right without a thought for units or
// sizes of numbers.
type exact struct {
	tokens *big.Rat
	last   time.Duration
}

func (e *exact) take(r Rate, now time.Duration, n int) (ok bool, wait time.Duration) {
	r = r.filled()
	if n <= 0 {
		return true, 0
	}
	if n > r.Burst {
		return false, Never
	}
	burst := big.NewRat(int64(r.Burst), 1)
	perNano := big.NewRat(int64(r.Count), int64(r.Per))
	if e.tokens == nil {
		e.tokens = new(big.Rat).Set(burst)
	}
	if now > e.last {
		gone := new(big.Int).Sub(big.NewInt(int64(now)), big.NewInt(int64(e.last)))
		e.tokens.Add(e.tokens, new(big.Rat).Mul(perNano, new(big.Rat).SetInt(gone)))
		e.last = now
	}
	if e.tokens.Cmp(burst) > 0 {
		e.tokens.Set(burst)
	}
	want := big.NewRat(int64(n), 1)
	missing := new(big.Rat).Sub(want, e.tokens)
	if missing.Sign() <= 0 {
		e.tokens.Sub(e.tokens, want)
		return true, 0
	}
	nanos := missing.Quo(missing, perNano)
	up, rest := new(big.Int).QuoRem(nanos.Num(), nanos.Denom(), new(big.Int))
	if rest.Sign() != 0 {
		up.Add(up, big.NewInt(1))
	}
	return false, time.Duration(up.Int64())
}

// randomRate is any that Check lets pass, the extremes among them.
func randomRate(rng *rand.Rand) Rate {
	periods := []time.Duration{1, 7, time.Microsecond, time.Millisecond, sec, sec + 1, time.Minute, time.Hour, maxPer - 1, maxPer}
	r := Rate{Per: periods[rng.IntN(len(periods))]}
	most := min(maxHeld/int64(r.Per), math.MaxInt)
	small := func() int { return int(min(most, rng.Int64N(10)+1)) }
	large := func() int { return int(most - rng.Int64N(min(most, 10))) }
	pick := []func() int{small, small, large, func() int { return int(rng.Int64N(most) + 1) }}
	r.Count = pick[rng.IntN(len(pick))]()
	if rng.IntN(3) > 0 {
		r.Burst = pick[rng.IntN(len(pick))]()
	}
	return r
}

// randomStep is how much time goes by: often about what brings back a few tokens.
func randomStep(rng *rand.Rand, r Rate) time.Duration {
	switch rng.IntN(6) {
	case 0:
		return 0
	case 1:
		return -time.Duration(rng.Int64N(int64(time.Minute)))
	case 2:
		return time.Duration(rng.Int64N(math.MaxInt64 / 1000))
	case 3:
		return 1
	}
	token := r.comeback(r.units(1))
	return time.Duration(rng.Int64N(3*int64(token)/2 + 1))
}

// TestBucketIsExact compares every answer with fractions, and every wait with
// what comes of it: after it there are tokens, and a nanosecond before there are
// none.
func TestBucketIsExact(t *testing.T) {
	for seed := range uint64(2000) {
		rng := rand.New(rand.NewPCG(seed, 1))
		r := randomRate(rng)
		if err := r.Check(); err != nil {
			t.Fatal(err)
		}
		var b Bucket
		var e exact
		var now time.Duration
		for range 50 {
			now += randomStep(rng, r.filled())
			n := rng.IntN(r.filled().Burst/(rng.IntN(4)+1)+1) + rng.IntN(2)
			ok, wait := b.Take(r, now, n)
			if wantOK, wantWait := e.take(r, now, n); ok != wantOK || wait != wantWait {
				t.Fatalf("seed %d, %v: %d at %v: %v, %v; want %v, %v", seed, r, n, now, ok, wait, wantOK, wantWait)
			}
			if !ok && wait != Never {
				checkWait(t, b, r, n, wait)
			}
		}
	}
}

func checkWait(t *testing.T, b Bucket, r Rate, n int, wait time.Duration) {
	t.Helper()
	early, late := b, b
	if ok, _ := early.Take(r, b.at+wait-1, n); ok {
		t.Errorf("%v: %d are there before %v have gone by", r, n, wait)
	}
	if ok, _ := late.Take(r, b.at+wait, n); !ok {
		t.Errorf("%v: %d are not there after %v", r, n, wait)
	}
}

// TestNoWindowHasMore: over any stretch of time, at most burst and what comes
// back in it.
func TestNoWindowHasMore(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 2))
		r := Rate{Count: rng.IntN(20) + 1, Per: time.Duration(rng.IntN(100) + 1), Burst: rng.IntN(30)}
		var b Bucket
		given := make([]int64, 1000) // by nanosecond
		for now := range given {
			for range rng.IntN(4) {
				n := rng.IntN(3) + 1
				if ok, _ := b.Take(r, time.Duration(now), n); ok {
					given[now] += int64(n)
				}
			}
		}
		burst := int64(r.filled().Burst)
		for from := range given {
			var sum int64
			for to := from; to < len(given); to++ {
				sum += given[to]
				if most := burst + int64(to-from)*int64(r.Count)/int64(r.Per); sum > most {
					t.Fatalf("seed %d, %v: %d from %d to %d, may be %d", seed, r, sum, from, to, most)
				}
			}
		}
	}
}

// TestNoDrift: somebody who takes whatever there is, at odd moments, gets what
// the rate says to the last token, however long it goes on.
func TestNoDrift(t *testing.T) {
	for _, r := range []Rate{
		{Count: 3},
		{Count: 7, Per: time.Minute},
		{Count: 11, Per: time.Hour, Burst: 3},
		{Count: 999_999_937, Burst: 5},
	} {
		var b Bucket
		rng := rand.New(rand.NewPCG(3, uint64(r.Count)))
		f := r.filled()
		gap := int64(f.comeback(f.units(f.Burst - 2))) // it never fills up, or tokens would be lost
		now, given := time.Duration(0), int64(0)
		takeAll := func() {
			for {
				if ok, _ := b.Take(r, now, 1); !ok {
					return
				}
				given++
			}
		}
		for takeAll(); given < 100_000; takeAll() {
			now += time.Duration(rng.Int64N(gap + 1))
		}
		want := new(big.Int).Mul(big.NewInt(int64(now)), big.NewInt(int64(f.Count)))
		want.Quo(want, big.NewInt(int64(f.Per))).Add(want, big.NewInt(int64(f.Burst)))
		if want.Int64() != given {
			t.Errorf("%v: %d in %v, want %d", r, given, now, want)
		}
	}
}

// FuzzBucket: no rate, however mad, and no clock make it panic or exceed its
// bounds, and no debt is forgiven while time stands still.
func FuzzBucket(f *testing.F) {
	for _, r := range unchecked {
		f.Add(r.Count, int64(r.Per), r.Burst, int64(math.MaxInt64), int64(math.MinInt64), math.MaxInt)
	}
	f.Add(3, int64(time.Second), 0, int64(5), int64(9), 2)
	f.Fuzz(func(t *testing.T, count int, per int64, burst int, t1, t2 int64, n int) {
		r := Rate{Count: count, Per: time.Duration(per), Burst: burst}
		var b Bucket
		for _, now := range []int64{t1, t1, t2, t1, t2} {
			before := b.debt
			ok, wait := b.Take(r, time.Duration(now), n)
			if b.debt < 0 || b.debt > maxHeld || wait < 0 || ok != (wait == 0) {
				t.Fatalf("%+v: %d at %d: %v, %v, %+v", r, n, now, ok, wait, b)
			}
			if f := r.filled(); ok && n > 0 && !r.Off() && before > 0 && time.Duration(now) <= 0 && b.debt != before+f.units(n) {
				t.Fatalf("%+v: debt from %d to %d", r, before, b.debt)
			}
		}
	})
}

func TestTakeDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	r := Rate{Count: 7, Per: time.Minute, Burst: 100}
	buckets := make([]Bucket, 4)
	keyed := NewKeyed[string](r, 4)
	counter := NewCounter[string](4)
	keyed.Take("a", 0)
	now := time.Duration(0)
	for name, run := range map[string]func(){
		"Bucket.Take":     func() { now += sec; buckets[1].Take(r, now, 1) },
		"Keyed.Take":      func() { keyed.Take("a", 0) },
		"Counter.Acquire": func() { counter.Acquire("a"); counter.Release("a") },
		"AddressKey":      func() { AddressKey(v6) },
	} {
		if n := testing.AllocsPerRun(200, run); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	if ok, _ := keyed.Take("a", 0); ok {
		t.Error("the run never came to a refusal")
	}
}

func ExampleBucket() {
	rate, err := Parse("2/s burst 3")
	if err != nil {
		panic(err)
	}
	var b Bucket
	for _, now := range []time.Duration{0, 0, 0, 0, 500 * time.Millisecond} {
		fmt.Println(b.Take(rate, now, 1))
	}
	// Output:
	// true 0s
	// true 0s
	// true 0s
	// false 500ms
	// true 0s
}
