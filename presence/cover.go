package presence

import "slices"

// cover is the set of clocks of one replica that a state has learnt of: all up to
// context, and the spans in cloud, which lie beyond gaps. It is compact: spans are
// in order, and between two of them, as between context and the first, at least
// one clock is missing. The zero value is empty.
type cover struct {
	context uint64
	cloud   []span
}

// span is the clocks first to last.
type span struct{ first, last uint64 }

// has tells whether clock is in the set.
func (c *cover) has(clock uint64) bool {
	if clock <= c.context {
		return true
	}
	i := c.reaching(clock)
	return i < len(c.cloud) && c.cloud[i].first <= clock
}

// reaching returns the index of the first span that ends at clock or later.
func (c *cover) reaching(clock uint64) int {
	i, _ := slices.BinarySearchFunc(c.cloud, clock, func(s span, clock uint64) int {
		if s.last < clock {
			return -1
		}
		return 1
	})
	return i
}

// includes tells whether all of another cover is in the set.
func (c *cover) includes(o *cover) bool {
	if o.context > c.context {
		return false
	}
	for _, sp := range o.cloud {
		first := max(sp.first, c.context+1)
		if first > sp.last {
			continue
		}
		i := c.reaching(sp.last)
		if i == len(c.cloud) || c.cloud[i].first > first {
			return false
		}
	}
	return true
}

// last returns the highest clock of the set, 0 for none.
func (c *cover) last() uint64 {
	if n := len(c.cloud); n > 0 {
		return c.cloud[n-1].last
	}
	return c.context
}

// add puts the clocks first to last into the set, none if last is less. Clocks
// begin with 1.
func (c *cover) add(first, last uint64) {
	if last < first {
		return
	}
	if first <= c.context+1 {
		c.context = max(c.context, last)
		c.fold()
		return
	}
	i := c.reaching(first - 1) // what ends just before first becomes one with it
	j := i
	for ; j < len(c.cloud) && c.cloud[j].first <= last+1; j++ {
		first = min(first, c.cloud[j].first)
		last = max(last, c.cloud[j].last)
	}
	c.cloud = slices.Replace(c.cloud, i, j, span{first, last})
}

// fold moves into context what has no gap before it any more.
func (c *cover) fold() {
	n := 0
	for n < len(c.cloud) && c.cloud[n].first <= c.context+1 {
		c.context = max(c.context, c.cloud[n].last)
		n++
	}
	c.cloud = slices.Delete(c.cloud, 0, n)
}
