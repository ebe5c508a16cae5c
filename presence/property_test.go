package presence

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
)

// converged checks that all nodes hold the same, and show what the owners have.
func (w *world) converged() error {
	want := map[Tag]*Item{}
	for _, n := range w.nodes {
		for _, t := range n.self.all().items {
			want[Tag{n.Self(), t.clock}] = t.item
		}
	}
	if !w.same() {
		return errors.New("nodes hold different states")
	}
	for _, n := range w.nodes {
		seen := 0
		for tag, it := range n.Items {
			seen++
			if want[tag] == nil {
				return fmt.Errorf("%v shows the ghost %v", n.Self(), tag)
			}
			if !want[tag].equal(it) {
				return fmt.Errorf("%v has another item %v", n.Self(), tag)
			}
		}
		if seen != len(want) {
			return fmt.Errorf("%v shows %d items of %d", n.Self(), seen, len(want))
		}
	}
	text := w.nodes[0].Full().AppendJSON(nil)
	back, err := DecodeJSON(text)
	if err != nil || !bytes.Equal(back.AppendBinary(nil), w.nodes[0].Full().AppendBinary(nil)) {
		return fmt.Errorf("%s: %w", text, err)
	}
	return nil
}

// runWorld is one run: things happen, all is exchanged, and then what was lost
// arrives after all and changes nothing.
func runWorld(seed uint64) error {
	w := newWorld(seed)
	for range 20 + w.rng.IntN(60) {
		if err := w.step(); err != nil {
			return err
		}
	}
	if err := w.settle(); err != nil {
		return err
	}
	if err := w.converged(); err != nil {
		return err
	}
	if w.bounds.retired == 1 { // what they forgot may come back, until it is retired again
		return nil
	}
	if err := w.late(); err != nil {
		return err
	}
	if slices.ContainsFunc(w.nodes, func(n *simNode) bool { return n.Retired() }) { // for one that lived beside it
		if err := w.settle(); err != nil {
			return err
		}
	}
	if err := w.converged(); err != nil {
		return fmt.Errorf("after what was late: %w", err)
	}
	return nil
}

// TestWorlds interleaves changes, deltas that are lost, repeated and out of order,
// restarts, nodes that are called down and retired or live twice, over 3 to 5 nodes.
// After every step a state must hold what follows from the changes that it has seen, show
// it, have told each difference, and bring nothing back. The number of runs is in
// AVIARY_PRESENCE_RUNS; each is told by its seed.
func TestWorlds(t *testing.T) {
	runs := uint64(2000)
	if text := os.Getenv("AVIARY_PRESENCE_RUNS"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil || n == 0 {
			t.Fatalf("AVIARY_PRESENCE_RUNS=%q is not a number of runs, 1 or more", text)
		}
		runs = n
	}
	var next atomic.Uint64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for seed := next.Add(1) - 1; seed < runs && !t.Failed(); seed = next.Add(1) - 1 {
				if err := runWorld(seed); err != nil {
					t.Errorf("seed %d: %v", seed, err)
				}
			}
		})
	}
	wg.Wait()
	if !t.Failed() {
		t.Logf("%d runs", runs)
	}
}
