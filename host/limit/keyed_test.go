package limit

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// checkWheel: every entry is in one slot, none would be found too late, and there
// are no more than may be.
func checkWheel[K comparable](t *testing.T, k *Keyed[K]) {
	t.Helper()
	inSlots := 0
	for i, e := range k.slots {
		for ; e != nil; e = e.next {
			inSlots++
			if k.entries[e.key] != e {
				t.Fatalf("%v is in slot %d and not in the map", e.key, i)
			}
			if full := e.bucket.fullAt(k.rate); full <= k.slotTime(k.tick) {
				t.Fatalf("%v was full at %v and is still there at %v", e.key, full, k.slotTime(k.tick))
			}
		}
	}
	if inSlots != len(k.entries) || inSlots > k.max {
		t.Fatalf("%d keys in the slots, %d in the map, at most %d", inSlots, len(k.entries), k.max)
	}
}

// TestKeyedForgetsNothing compares a Keyed with buckets that are kept forever:
// that it forgets full ones must not change an answer.
func TestKeyedForgetsNothing(t *testing.T) {
	shrank := 0
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 4))
		r := randomRate(rng)
		k := NewKeyed[int](r, 1000)
		kept := map[int]*Bucket{}
		var now time.Duration
		before := 0
		for range 500 {
			now += max(0, randomStep(rng, r.filled())/4)
			key := rng.IntN(30)
			if kept[key] == nil {
				kept[key] = new(Bucket)
			}
			ok, wait := k.Take(key, now)
			if wantOK, wantWait := kept[key].Take(r, now, 1); ok != wantOK || wait != wantWait {
				t.Fatalf("seed %d, %v: key %d at %v: %v, %v; want %v, %v", seed, r, key, now, ok, wait, wantOK, wantWait)
			}
			checkWheel(t, k)
			if k.Len() < before {
				shrank++
			}
			before = k.Len()
		}
	}
	if shrank < 1000 {
		t.Errorf("keys were forgotten only %d times", shrank)
	}
}

// TestKeyedIsBounded: under a flood of keys it holds as many as it may, a known
// key goes on as before, and room is made when the first of them are full again,
// not before.
func TestKeyedIsBounded(t *testing.T) {
	const most = 1000
	r := Rate{Count: 10, Burst: 20} // a token is back after 100 ms
	k := NewKeyed[int](r, most)
	for range 15 {
		if ok, _ := k.Take(-1, 0); !ok { // back after 1.5 s
			t.Fatal("-1 was refused")
		}
	}
	for key := range 10 * most {
		ok, wait := k.Take(key, time.Millisecond)
		if ok != (key < most-1) {
			t.Fatalf("key %d: %v with %d keys", key, ok, k.Len())
		}
		if !ok && (wait <= 0 || wait > 2*sec/(wheelSlots-1)+1) {
			t.Fatalf("key %d: wait %v", key, wait)
		}
	}
	checkWheel(t, k)
	if k.Len() != most || k.NoRoom() != 9*most+1 {
		t.Errorf("%d keys, %d refused", k.Len(), k.NoRoom())
	}
	if ok, _ := k.Take(-1, time.Millisecond); !ok {
		t.Error("a known key was refused for want of room")
	}
	if ok, _ := k.Take(most, 100*time.Millisecond); ok {
		t.Error("room was made at the cost of a bucket that is not full")
	}
	if ok, _ := k.Take(most, 101*time.Millisecond+k.width); !ok || k.Len() != 2 {
		t.Errorf("%v: %d keys are left where one was in use", ok, k.Len())
	}
	if ok, _ := k.Take(most+1, time.Hour); !ok || k.Len() != 1 {
		t.Errorf("%v: %d keys are left after an hour", ok, k.Len())
	}
}

// TestKeyedRefusesOnlyWithReason: a new key is refused only while as many others
// are not full, but for the width of a slot.
func TestKeyedRefusesOnlyWithReason(t *testing.T) {
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 5))
		r := Rate{Count: rng.IntN(10) + 1, Burst: rng.IntN(10) + 1}
		k := NewKeyed[int](r, 10)
		var now time.Duration
		refused := 0
		for range 1000 {
			now += time.Duration(rng.Int64N(int64(sec) / 20))
			key := rng.IntN(40)
			_, known := k.entries[key]
			ok, _ := k.Take(key, now)
			checkWheel(t, k)
			if known || ok {
				continue
			}
			refused++
			for key, e := range k.entries {
				if full := e.bucket.fullAt(k.rate); full <= now-k.width {
					t.Fatalf("seed %d: refused at %v, and %d has been full since %v", seed, now, key, full)
				}
			}
		}
		if k.NoRoom() != uint64(refused) {
			t.Errorf("seed %d: counted %d of %d", seed, k.NoRoom(), refused)
		}
	}
}

// TestKeyed: cases 59, 61 and 66 of the beryl reference, section 8.2, and 64:
// beside a key that is removed, here because it is idle, the others stay.
func TestKeyed(t *testing.T) {
	k := NewKeyed[string](Rate{Count: 1}, 0)
	if k.max != DefaultMaxKeys {
		t.Errorf("%d keys by default", k.max)
	}
	for _, key := range []string{"a", "b", ""} {
		first, _ := k.Take(key, 0)
		second, wait := k.Take(key, sec/2)
		if !first || second || wait != sec/2 {
			t.Errorf("%q: %v, then %v, %v", key, first, second, wait)
		}
	}
	k.Take("b", sec)
	k.Take("new", 3*sec/2)
	if ok, _ := k.Take("b", 3*sec/2); ok || k.Len() != 2 {
		t.Errorf("b: %v, with %d keys", ok, k.Len())
	}
	off := NewKeyed[string](Rate{}, 1)
	for i := range 10 {
		if ok, wait := off.Take(fmt.Sprint(i), 0); !ok || wait != 0 {
			t.Errorf("off: %v, %v", ok, wait)
		}
	}
	if off.Len() != 0 || off.NoRoom() != 0 {
		t.Errorf("off: %d keys, %d refused", off.Len(), off.NoRoom())
	}
}

// TestKeyedClocks: a clock that goes wrong, and rates that Check refuses, cost
// nobody more than waiting.
func TestKeyedClocks(t *testing.T) {
	for _, r := range append(unchecked, Rate{Count: 1}, Rate{Count: 3_000_000_000, Burst: 1}) {
		k := NewKeyed[int](r, 3)
		for i, now := range []time.Duration{math.MinInt64, 5, -1, time.Hour, 0, math.MaxInt64 - 1, 7, math.MaxInt64, math.MinInt64} {
			for key := range 4 {
				k.Take(i+key, now)
				if k.Len() > 3 {
					t.Fatalf("%+v: %d keys", r, k.Len())
				}
			}
		}
	}
	k := NewKeyed[int](Rate{Count: 1}, 0)
	k.Take(1, time.Hour)
	k.Take(2, 0)
	checkWheel(t, k)
	for key := range 2 {
		if ok, _ := k.Take(key+1, sec); ok {
			t.Errorf("%d got a second token out of a clock that went back", key+1)
		}
	}
}

// TestKeyedTogether: goroutines that share keys and see different times get
// together what one would.
func TestKeyedTogether(t *testing.T) {
	const workers, each, keys = 8, 5000, 20
	r := Rate{Count: 1000, Burst: 50}
	k := NewKeyed[int](r, keys/2)
	var clock, given atomic.Int64
	var perKey [keys]atomic.Int64
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 6))
			for range each {
				now := time.Duration(clock.Add(5000))
				key := rng.IntN(keys)
				if ok, _ := k.Take(key, now); ok {
					perKey[key].Add(1)
					given.Add(1)
				}
				if n := k.Len(); n > keys/2 {
					t.Errorf("%d keys", n)
				}
			}
		})
	}
	wg.Wait()
	checkWheel(t, k)
	most := int64(r.Burst) + clock.Load()*int64(r.Count)/int64(sec)
	for key := range perKey {
		if n := perKey[key].Load(); n > most {
			t.Errorf("key %d got %d, may get %d", key, n, most)
		}
	}
	if given.Load() < most || k.NoRoom() == 0 {
		t.Errorf("%d given, %d without room: the test tested nothing", given.Load(), k.NoRoom())
	}
}

func ExampleKeyed() {
	rate, err := Parse("1/s")
	if err != nil {
		panic(err)
	}
	connects := NewKeyed[netip.Prefix](rate, 0)
	for _, addr := range []string{"192.0.2.1", "192.0.2.1", "2001:db8::1", "2001:db8::2"} {
		ok, wait := connects.Take(AddressKey(netip.MustParseAddr(addr)), 0)
		fmt.Println(addr, ok, wait)
	}
	// Output:
	// 192.0.2.1 true 0s
	// 192.0.2.1 false 1s
	// 2001:db8::1 true 0s
	// 2001:db8::2 false 1s
}
