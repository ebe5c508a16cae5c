package presence

import (
	"fmt"
	"testing"
)

// pair returns a state with n items and one that knows them; the items are on 100
// topics.
func pair(tb testing.TB, n int) (a, b *State) {
	a, b = newState(tb, "a", 1, 0), newState(tb, "b", 1, 0)
	for i := range n {
		it := Item{Topic: fmt.Sprint("room:", i%100), Entry: Entry{Key: fmt.Sprint("user:", i), Ref: "GLmfa3d6yQABZ4sT", Meta: benchMeta()}}
		if _, err := a.Add(it); err != nil {
			tb.Fatal(err)
		}
	}
	merged(tb, b, a.Full())
	return a, b
}

// churn is a join, an update and a leave, and a delta of the three.
func (c *costs) churn(tb testing.TB, a *State) *Delta {
	clock, err := a.Add(c.item)
	if err != nil {
		tb.Fatal(err)
	}
	clock, _, err = a.Update(clock, c.item)
	if err != nil || !a.Remove(clock) {
		tb.Fatal(err)
	}
	return a.Since(clock - 2)
}

// costs is what such a delta takes: the items that a merge of it looks at, its bytes,
// and the allocations of making, sending and merging it.
type costs struct {
	item          Item
	looked, bytes int
	allocs        float64
}

func costBeside(t *testing.T, n int) costs {
	a, b := pair(t, n)
	c := costs{item: Item{Topic: "room:1", Entry: Entry{Key: "ann", Ref: "GLmfa3d6yQABZ4sT", Meta: benchMeta()}}}
	d := c.churn(t, a)
	b.peers["a"].suspects(&d.sections[0], func(uint64) { c.looked++ })
	c.bytes = len(d.AppendBinary(nil))
	merged(t, b, d)
	c.allocs = testing.AllocsPerRun(100, func() {
		d, err := DecodeDelta(c.churn(t, a).AppendBinary(nil))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Merge(d); err != nil {
			t.Fatal(err)
		}
	})
	if list(a) != list(b) {
		t.Error("the delta did not tell all")
	}
	return c
}

// A delta costs what changed, and nothing for what did not: as much beside 50 000
// items as beside 100.
func TestDeltaCostsWhatItChangesOnly(t *testing.T) {
	small, large := costBeside(t, 100), costBeside(t, 50_000)
	if small.looked != 3 || large.looked != 3 {
		t.Errorf("3 changes look at %d items beside 100, at %d beside 50 000", small.looked, large.looked)
	}
	if large.bytes > small.bytes+4 { // a clock has two bytes more
		t.Errorf("%d bytes beside 100 items, %d beside 50 000", small.bytes, large.bytes)
	}
	if !raceEnabled && (large.allocs > small.allocs+1 || small.allocs > 40) {
		t.Errorf("%v allocations beside 100 items, %v beside 50 000, want 40 at most", small.allocs, large.allocs)
	}
}

// BenchmarkSince must not grow with the items already there.
func BenchmarkSince(b *testing.B) {
	benchBeside(b, func(b *testing.B, s, _ *State, c *costs) {
		for b.Loop() {
			c.churn(b, s)
		}
	})
}

// BenchmarkMerge merges a delta that joins, updates and leaves, and must not grow
// with the items already there.
func BenchmarkMerge(b *testing.B) {
	benchBeside(b, func(b *testing.B, s, peer *State, c *costs) {
		for b.Loop() {
			if _, err := peer.Merge(c.churn(b, s)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDeltaCodec(b *testing.B) {
	benchBeside(b, func(b *testing.B, s, _ *State, _ *costs) {
		d := s.Since(s.Clock() - 10) // 10 joins
		var buf []byte
		for b.Loop() {
			buf = d.AppendBinary(buf[:0])
			if _, err := DecodeDelta(buf); err != nil {
				b.Fatal(err)
			}
		}
		b.SetBytes(int64(len(buf)))
	})
}

func benchBeside(b *testing.B, run func(b *testing.B, s, peer *State, c *costs)) {
	for _, n := range []int{100, 100_000} {
		b.Run(fmt.Sprint("beside", n), func(b *testing.B) {
			s, peer := pair(b, n)
			c := costs{item: Item{Topic: "room:1", Entry: Entry{Key: "ann", Ref: "GLmfa3d6yQABZ4sT", Meta: benchMeta()}}}
			b.ReportAllocs()
			run(b, s, peer, &c)
		})
	}
}

// BenchmarkFull is what a node that starts is told of 10 000 items, from the state of
// one to the changes at the other.
func BenchmarkFull(b *testing.B) {
	s, _ := pair(b, 10_000)
	b.ReportAllocs()
	for b.Loop() {
		d, err := DecodeDelta(s.Full().AppendBinary(nil))
		if err != nil {
			b.Fatal(err)
		}
		fresh := newState(b, "b", 1, 0)
		if ch, err := fresh.Merge(d); err != nil || len(ch.Joins) != 10_000 {
			b.Fatal(len(ch.Joins), err)
		}
	}
}
