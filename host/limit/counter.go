package limit

import "sync"

// Counter counts by key what is there at the same time, such as the open
// connections of an address, up to a maximum for each key. A key is remembered
// only while something of it is there, so there are never more keys than things
// counted. It is safe for concurrent use.
type Counter[K comparable] struct {
	max int

	mu     sync.Mutex
	counts map[K]int
}

// NewCounter returns a Counter with nothing in it. Of each key there can be most
// at once; under 1 there is no maximum, and nothing is counted.
func NewCounter[K comparable](most int) *Counter[K] {
	c := &Counter[K]{max: most}
	if most > 0 {
		c.counts = make(map[K]int)
	}
	return c
}

// Acquire counts one more of key and reports whether there may be; if not, it
// counts nothing. Each Acquire that was ok needs its [Counter.Release]. A key is
// kept: a string must own its bytes.
func (c *Counter[K]) Acquire(key K) bool {
	if c.max <= 0 {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.counts[key]
	if n >= c.max {
		return false
	}
	c.counts[key] = n + 1
	return true
}

// Release counts one less of key. It panics if there is none: as with a mutex
// that is unlocked twice, somebody else's would be given away.
func (c *Counter[K]) Release(key K) {
	if c.max <= 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch n := c.counts[key]; n {
	case 0:
		panic("limit: Release of a key that is not held")
	case 1:
		delete(c.counts, key)
	default:
		c.counts[key] = n - 1
	}
}

// Len returns how many keys something is there of.
func (c *Counter[K]) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.counts)
}
