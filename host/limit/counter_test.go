package limit

import (
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
)

func TestCounter(t *testing.T) {
	c := NewCounter[string](2)
	for _, s := range []struct {
		do   string
		key  string
		ok   bool
		keys int
	}{
		{"acquire", "a", true, 1},
		{"acquire", "a", true, 1},
		{"acquire", "a", false, 1},
		{"acquire", "b", true, 2},
		{"release", "a", true, 2},
		{"acquire", "a", true, 2}, // a refusal did not count
		{"acquire", "a", false, 2},
		{"release", "b", true, 1},
		{"release", "a", true, 1},
		{"release", "a", true, 0},
		{"acquire", "a", true, 1},
	} {
		ok := true
		if s.do == "acquire" {
			ok = c.Acquire(s.key)
		} else {
			c.Release(s.key)
		}
		if ok != s.ok || c.Len() != s.keys {
			t.Errorf("%s %s: %v with %d keys, want %v with %d", s.do, s.key, ok, c.Len(), s.ok, s.keys)
		}
	}
}

func TestCounterOff(t *testing.T) {
	for _, most := range []int{0, -1} {
		c := NewCounter[string](most)
		c.Release("a") // as there was no maximum, nobody knows better
		for range 100 {
			if !c.Acquire("a") {
				t.Fatal("refused without a maximum")
			}
		}
		if c.Len() != 0 {
			t.Errorf("%d keys", c.Len())
		}
	}
}

func TestReleaseTooMuch(t *testing.T) {
	c := NewCounter[string](1)
	defer func() {
		if recover() == nil {
			t.Error("Release of nothing did not panic")
		}
		if c.Len() != 0 || !c.Acquire("a") {
			t.Error("the panic left something behind, or its lock")
		}
	}()
	c.Release("a")
}

// TestCounterTogether: never more than the maximum at once, and nothing in the
// end.
func TestCounterTogether(t *testing.T) {
	const most, keys = 3, 4
	c := NewCounter[int](most)
	var held [keys]atomic.Int64
	var refused atomic.Int64
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 7))
			var mine []int
			for range 5000 {
				key := rng.IntN(keys)
				if len(mine) > 0 && rng.IntN(2) == 0 {
					held[mine[0]].Add(-1)
					c.Release(mine[0])
					mine = mine[1:]
				} else if c.Acquire(key) {
					mine = append(mine, key)
					if n := held[key].Add(1); n > most {
						t.Errorf("%d of key %d", n, key)
					}
				} else {
					refused.Add(1)
				}
			}
			for _, key := range mine {
				held[key].Add(-1)
				c.Release(key)
			}
		})
	}
	wg.Wait()
	if c.Len() != 0 || refused.Load() == 0 {
		t.Errorf("%d keys left, %d refused", c.Len(), refused.Load())
	}
}

// v6 is an address with a zone, the one whose key takes the most work.
var v6 = netip.MustParseAddr("fe80::1:2:3:4%eth0")

func TestAddressKey(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.1":                       "192.0.2.1/32",
		"::ffff:192.0.2.1":                "192.0.2.1/32",
		"2001:db8:1:2:3:4:5:6":            "2001:db8:1:2::/64",
		"2001:db8:1:2::":                  "2001:db8:1:2::/64",
		"2001:db8:1:3::":                  "2001:db8:1:3::/64",
		"::1":                             "::/64",
		"fe80::1%eth0":                    "fe80::/64",
		"::ffff:192.0.2.1%eth0":           "192.0.2.1/32",
		"::192.0.2.1":                     "::/64",
		"64:ff9b::192.0.2.1":              "64:ff9b::/64",
		"ffff:ffff:ffff:ffff:ffff:ffff::": "ffff:ffff:ffff:ffff::/64",
	} {
		if got := AddressKey(netip.MustParseAddr(addr)); got.String() != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
	if unknown := AddressKey(netip.Addr{}); unknown.IsValid() || unknown == AddressKey(netip.IPv4Unspecified()) {
		t.Errorf("the key of no address is %v", unknown)
	}
}
