package limit

import (
	"sync"
	"time"
)

// DefaultMaxKeys is the most keys of a [Keyed] that is told none. With
// addresses as keys they take some 10 MiB.
const DefaultMaxKeys = 1 << 16

// wheelSlots is how finely time is divided to find buckets that are full again:
// one is found at the latest a 31st of a refill after it is.
const wheelSlots = 32

// Keyed is a bucket for each key, all with the same rate. It remembers a key for
// as long as its bucket is not full, and for at most a number of keys at once. It
// is safe for concurrent use.
//
// A full bucket is like one that was never used, so forgetting it changes no
// answer. When every key that is remembered matters still and there is no room
// for another, a new key is refused: a flood of addresses must not buy anybody a
// fresh bucket.
//
// Full buckets are found by a wheel. Each entry is in the slot of the time at
// which its bucket would be full by what was known when it was put there; when
// that time has passed, it is forgotten, or put in a later slot if more was
// taken meanwhile. So each Take causes at most one move later on, and there is no
// sweep over all keys. The moves of a slot are made in one go, by the first new
// key after its time.
type Keyed[K comparable] struct {
	rate  Rate          // filled, or off
	max   int           // keys
	width time.Duration // of a slot

	mu      sync.Mutex
	entries map[K]*keyedEntry[K]
	slots   [wheelSlots]*keyedEntry[K]
	tick    int64 // the last slot that was emptied, counted from time 0
	noRoom  uint64
}

type keyedEntry[K comparable] struct {
	bucket Bucket
	key    K
	next   *keyedEntry[K] // in the same slot
}

// NewKeyed returns a Keyed without keys. maxKeys under 1 means [DefaultMaxKeys].
func NewKeyed[K comparable](rate Rate, maxKeys int) *Keyed[K] {
	if maxKeys < 1 {
		maxKeys = DefaultMaxKeys
	}
	k := &Keyed[K]{rate: rate, max: maxKeys}
	if !rate.Off() {
		k.rate = rate.filled()
		k.width = k.rate.refill()/(wheelSlots-1) + 1
		k.entries = make(map[K]*keyedEntry[K])
	}
	return k
}

// Take takes one token of key if there is one. wait is how long it takes until
// there is, or until there may be room for a new key. A key is kept: a string
// must own its bytes.
func (k *Keyed[K]) Take(key K, now time.Duration) (ok bool, wait time.Duration) {
	if k.rate.Off() {
		return true, 0
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if e := k.entries[key]; e != nil {
		return e.bucket.Take(k.rate, now, 1)
	}
	k.advance(now)
	if len(k.entries) >= k.max {
		k.noRoom++
		return false, k.width
	}
	e := &keyedEntry[K]{key: key}
	k.entries[key] = e
	e.bucket.at = k.slotTime(k.tick) // else a clock behind could put it into a slot already emptied
	ok, wait = e.bucket.Take(k.rate, now, 1)
	k.put(e)
	return ok, wait
}

// Len returns how many keys are remembered.
func (k *Keyed[K]) Len() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.entries)
}

// NoRoom returns how many calls of Take were refused because there was no room
// for a new key.
func (k *Keyed[K]) NoRoom() uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.noRoom
}

// advance empties the slots whose time has passed.
func (k *Keyed[K]) advance(now time.Duration) {
	last, tick := k.tick, int64(now/k.width)
	if tick <= last {
		return
	}
	k.tick = tick // what is put back goes behind it
	for t := last + 1; t <= min(tick, last+wheelSlots); t++ {
		slot := &k.slots[t%wheelSlots]
		e := *slot
		*slot = nil
		for e != nil {
			next := e.next
			if e.bucket.fullAt(k.rate) <= now {
				delete(k.entries, e.key)
			} else {
				k.put(e)
			}
			e = next
		}
	}
}

// put puts e into the first slot whose time has passed only when the bucket is
// full. That is one of those behind tick, not more than once around the wheel,
// because no bucket takes longer than a refill.
func (k *Keyed[K]) put(e *keyedEntry[K]) {
	full := e.bucket.fullAt(k.rate)
	tick := int64(full / k.width)
	if k.slotTime(tick) < full {
		tick++
	}
	slot := &k.slots[tick%wheelSlots]
	e.next = *slot
	*slot = e
}

func (k *Keyed[K]) slotTime(tick int64) time.Duration { return time.Duration(tick) * k.width }
