package presence

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// world is some nodes, what each shows, and the deltas on their way between them.
type world struct {
	rng    *rand.Rand
	nodes  []*simNode
	flying []*Delta
	runs   uint64 // incarnations so far
	refs   int
}

// simNode is a node and a mirror that is fed with its changes only.
type simNode struct {
	*State
	mirror map[Tag]*Item
	sent   uint64
}

func newWorld(seed uint64) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, 6))}
	for i := range 3 + w.rng.IntN(3) {
		w.nodes = append(w.nodes, w.start(fmt.Sprint("n", i)))
	}
	return w
}

func (w *world) start(name string) *simNode {
	w.runs += 2 // an incarnation is higher than one that was retired, by more than one
	s, err := NewState(Replica{name, w.runs}, 1+w.rng.IntN(4))
	if err != nil {
		panic(err)
	}
	return &simNode{State: s, mirror: map[Tag]*Item{}}
}

func (w *world) item() Item {
	w.refs++
	return Item{Topic: fmt.Sprint("t", w.rng.IntN(3)), Entry: Entry{Key: fmt.Sprint("k", w.rng.IntN(4)), Ref: fmt.Sprint("r", w.refs), Meta: []byte(`{}`)}}
}

// own returns one of a node's own items, 0 for none: the lowest, so that runs repeat.
func (n *simNode) own(nth int) uint64 {
	all := n.self.all().items
	if len(all) == 0 {
		return 0
	}
	return all[nth%len(all)].clock
}

func (n *simNode) see(ch Changes) error {
	for _, c := range ch.Joins {
		if n.mirror[c.Tag] != nil {
			return fmt.Errorf("%v joins %v twice", n.Self(), c.Tag)
		}
		n.mirror[c.Tag] = c.Item
	}
	for _, c := range ch.Leaves {
		if n.mirror[c.Tag] == nil {
			return fmt.Errorf("%v: %v leaves and was not there", n.Self(), c.Tag)
		}
		delete(n.mirror, c.Tag)
	}
	return n.compare()
}

// compare checks that the changes so far add up to what is in view.
func (n *simNode) compare() error {
	seen := 0
	for tag, it := range n.Items {
		if tag.Replica == n.Self() {
			continue
		}
		seen++
		if m := n.mirror[tag]; m == nil || !m.equal(it) {
			return fmt.Errorf("%v shows %v, changes do not", n.Self(), tag)
		}
	}
	if seen != len(n.mirror) {
		return fmt.Errorf("%v shows %d items, changes add up to %d", n.Self(), seen, len(n.mirror))
	}
	return nil
}

// merge hands a delta over as the network would: encoded.
func (n *simNode) merge(d *Delta) error {
	b := d.AppendBinary(nil)
	back, err := DecodeDelta(b)
	if err != nil {
		return err
	}
	if again := back.AppendBinary(nil); !bytes.Equal(again, b) {
		return fmt.Errorf("%x decodes to %x", b, again)
	}
	ch, err := n.Merge(back)
	if err != nil {
		return err
	}
	return n.see(ch)
}

func (w *world) step() error {
	i := w.rng.IntN(len(w.nodes))
	n, other := w.nodes[i], w.nodes[w.rng.IntN(len(w.nodes))]
	switch w.rng.IntN(20) {
	case 0, 1, 2, 3:
		_, err := n.Add(w.item())
		return err
	case 4, 5:
		_, _, err := n.Update(n.own(w.rng.IntN(8)), w.item())
		return err
	case 6, 7:
		n.Remove(n.own(w.rng.IntN(8)))
	case 8, 9, 10: // tell of the latest changes, or of more than that
		w.flying = append(w.flying, n.Since(n.sent-min(n.sent, uint64(w.rng.IntN(3)))))
		n.sent = n.Clock()
	case 11, 12, 13, 14: // any delta that is under way: late, early, again or never
		if len(w.flying) > 0 {
			return n.merge(w.flying[w.rng.IntN(len(w.flying))])
		}
	case 15:
		w.flying = append(w.flying, n.Full())
	case 16:
		return n.merge(other.Missing(n.Clocks()))
	case 17:
		return n.see(n.Down(other.Self()))
	case 18:
		return n.see(n.Up(other.Self()))
	default:
		return w.rare(i, n, other)
	}
	return nil
}

// rare is a restart, or a retirement and what it leads to.
func (w *world) rare(i int, n, other *simNode) error {
	switch w.rng.IntN(3) {
	case 0:
		w.nodes[i] = w.start(n.Self().Name)
	case 1:
		if n == other || n.Retired() {
			return nil
		}
		if err := n.see(n.Down(other.Self())); err != nil {
			return err
		}
		return n.Retire(other.Self())
	default:
		return w.renew(n)
	}
	return nil
}

func (w *world) renew(n *simNode) error {
	if !n.Retired() {
		return nil
	}
	w.runs += 2 // an incarnation is higher than one that was retired, by more than one
	n.sent = 0
	ch, err := n.Renew(w.runs)
	if err != nil {
		return err
	}
	return n.see(ch)
}

// settle lets all deltas arrive, everyone live again, and everyone hear everyone.
func (w *world) settle() error {
	for round := range 4 {
		for _, n := range w.nodes {
			if err := w.renew(n); err != nil {
				return err
			}
			for _, d := range w.flying {
				if err := n.merge(d); err != nil {
					return err
				}
			}
			for _, other := range w.nodes {
				d := other.Full()
				if round%2 == 1 {
					d = other.Missing(n.Clocks())
				}
				if err := n.merge(d); err != nil {
					return err
				}
				if err := n.see(n.Up(other.Self())); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// check compares all nodes with what the owners have.
func (w *world) check() error {
	want := map[Tag]*Item{}
	for _, n := range w.nodes {
		for _, t := range n.self.all().items {
			want[Tag{n.Self(), t.clock}] = t.item
		}
	}
	full := w.nodes[0].Full().AppendBinary(nil)
	for _, n := range w.nodes {
		if b := n.Full().AppendBinary(nil); !bytes.Equal(b, full) {
			return fmt.Errorf("%v and %v hold different states", n.Self(), w.nodes[0].Self())
		}
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
		text := n.Full().AppendJSON(nil)
		back, err := DecodeJSON(text)
		if err != nil || !bytes.Equal(back.AppendBinary(nil), full) {
			return fmt.Errorf("%s: %w", text, err)
		}
	}
	return nil
}

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
	return w.check()
}

// TestWorlds interleaves changes, deltas that are lost, repeated and out of order,
// restarts, nodes that are called down and retired, over 3 to 5 nodes. The number of
// runs is in AVIARY_PRESENCE_RUNS; each is told by its seed.
func TestWorlds(t *testing.T) {
	runs := uint64(2000)
	if text := os.Getenv("AVIARY_PRESENCE_RUNS"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil || n == 0 {
			t.Fatalf("AVIARY_PRESENCE_RUNS=%q is not a number of runs, 1 or more", text)
		}
		runs = n
	}
	for seed := range runs {
		if err := runWorld(seed); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}
