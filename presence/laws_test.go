package presence

import (
	"bytes"
	"testing"
)

// TestMergeLaws: merging is commutative, associative and idempotent, and a state that
// knows nothing changes nothing, for states in the middle of whatever happens to them.
func TestMergeLaws(t *testing.T) {
	for seed := range uint64(1500) {
		w := newWorld(seed * 4) // in these nothing is near a bound
		for range 10 + w.rng.IntN(50) {
			if err := w.step(); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		a, b, c := w.nodes[0].State, w.nodes[1].State, w.nodes[2].State
		want := join(t, join(t, a, b), c)
		for name, got := range map[string]*State{
			"a+(b+c)": join(t, a, join(t, b, c)),
			"(a+c)+b": join(t, join(t, a, c), b),
			"(c+b)+a": join(t, join(t, c, b), a),
			"b+(a+c)": join(t, b, join(t, a, c)),
			"twice":   join(t, want, want),
		} {
			if !bytes.Equal(got.Full().AppendBinary(nil), want.Full().AppendBinary(nil)) {
				t.Fatalf("seed %d: %s\n got %s\nwant %s", seed, name, got.Full().AppendJSON(nil), want.Full().AppendJSON(nil))
			}
		}
		before := a.Full().AppendBinary(nil)
		none := newState(t, "n0", 0, 0)
		if got := join(t, a, none); !bytes.Equal(got.Full().AppendBinary(nil), before) || !bytes.Equal(a.Full().AppendBinary(nil), before) {
			t.Fatalf("seed %d: a state without anything changed one, or a copy its original", seed)
		}
	}
}

// join returns a copy of a that knows what b knows.
func join(t *testing.T, a, b *State) *State {
	t.Helper()
	c := a.clone()
	if _, err := c.Merge(b.Full()); err != nil {
		t.Fatal(err)
	}
	return c
}
