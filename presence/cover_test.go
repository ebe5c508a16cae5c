package presence

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// Against a plain set of clocks: the same members, and as few spans as there can be.
func TestCoverIsASetOfClocks(t *testing.T) {
	for seed := range uint64(3000) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var c, o cover
		set, other := map[uint64]bool{}, map[uint64]bool{}
		for range 12 {
			addSpan(rng, &c, set)
			if rng.IntN(2) == 0 {
				addSpan(rng, &o, other)
			}
			checkSet(t, &c, set)
			want := true
			for clock := range other {
				want = want && set[clock]
			}
			if got := c.includes(&o); got != want {
				t.Fatalf("seed %d: %v includes %v: %t, want %t", seed, c, o, got, want)
			}
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func addSpan(rng *rand.Rand, c *cover, set map[uint64]bool) {
	first := uint64(1 + rng.IntN(40))
	last := first - 1 + uint64(rng.IntN(4)) // sometimes none
	c.add(first, last)
	for clock := first; clock <= last; clock++ {
		set[clock] = true
	}
}

func checkSet(t *testing.T, c *cover, set map[uint64]bool) {
	t.Helper()
	for clock := range uint64(50) {
		if c.has(clock) != (set[clock] || clock == 0) {
			t.Errorf("%v has %d: %t", c, clock, c.has(clock))
		}
	}
	if all := slices.Sorted(maps.Keys(set)); len(all) > 0 && c.last() != all[len(all)-1] {
		t.Errorf("%v ends at %d, want %d", c, c.last(), all[len(all)-1])
	}
	before := c.context
	for _, sp := range c.cloud {
		if sp.first < before+2 || sp.last < sp.first {
			t.Errorf("%v is not compact", c)
		}
		before = sp.last
	}
}
