package presence

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
)

// world is some nodes, what each shows, and the deltas on their way between them.
type world struct {
	rng    *rand.Rand
	nodes  []*simNode
	ghosts []*simNode // live on beside a node of their name until all settles
	flying []*Delta
	log    chronicle
	runs   uint64 // incarnations so far
	twice  bool   // there were ghosts
	refs   int
	bounds bounds
}

// simNode is a node, and a mirror that is fed with its changes only.
type simNode struct {
	*State
	mirror map[Tag]*Item
	past   map[Tag]bool // has been in the state and gone from it
	held   []Tag        // in the state when last looked at, hidden or not
	down   map[Replica]bool
	sent   uint64
}

// newWorld makes nodes that remember little of their history, so that it is often
// not enough; in some worlds they have little room for anything.
func newWorld(seed uint64) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, 6)), log: chronicle{}}
	w.bounds = bounds{spans: maxSpans, gone: maxGone, retired: maxRetired}
	if seed%4 == 1 {
		w.bounds.spans, w.bounds.gone = 1+w.rng.IntN(3), w.rng.IntN(3)
	}
	if seed%8 == 2 {
		w.bounds.retired = 1
	}
	for i := range 3 + w.rng.IntN(3) {
		w.nodes = append(w.nodes, w.start(fmt.Sprint("n", i)))
	}
	return w
}

// roomy tells whether no bound of a replica is near, so that nothing is taken for lost.
func (w *world) roomy() bool { return w.bounds.spans == maxSpans }

func (w *world) start(name string) *simNode {
	w.runs++
	s, err := NewState(Replica{name, w.runs}, 1+w.rng.IntN(4))
	if err != nil {
		panic(err)
	}
	s.bounds = w.bounds
	return &simNode{State: s, mirror: map[Tag]*Item{}, past: map[Tag]bool{}, down: map[Replica]bool{}}
}

func (w *world) item() Item {
	w.refs++
	return Item{Topic: fmt.Sprint("t", w.rng.IntN(3)), Entry: Entry{Key: fmt.Sprint("k", w.rng.IntN(4)), Ref: fmt.Sprint("r", w.refs), Meta: []byte(`{}`)}}
}

// own returns the clock of one of a node's own items, 0 if it has none.
func (w *world) own(n *simNode) uint64 {
	all := n.self.all().items
	if len(all) == 0 {
		return 0
	}
	return all[w.rng.IntN(len(all))].clock
}

// step is one thing that happens to one node.
func (w *world) step() error {
	n := w.any()
	switch k := w.rng.IntN(24); {
	case k < 8:
		return w.change(n)
	case k < 11:
		w.tell(n)
		return nil
	case k < 17: // any delta that is under way: late, early, again or never
		if len(w.flying) == 0 {
			return nil
		}
		return w.merge(n, w.flying[w.rng.IntN(len(w.flying))])
	case k < 20:
		return w.exchange(n, w.any())
	case k == 20:
		return w.orders(n)
	case k < 23:
		return w.downOrUp(n, w.any().Self())
	}
	return w.rare(n)
}

func (w *world) any() *simNode {
	i := w.rng.IntN(len(w.nodes) + len(w.ghosts))
	if i < len(w.nodes) {
		return w.nodes[i]
	}
	return w.ghosts[i-len(w.nodes)]
}

// change adds, updates or removes an item.
func (w *world) change(n *simNode) error {
	old, it := w.own(n), w.item()
	switch k := w.rng.IntN(8); {
	case k < 3 || old == 0:
		clock, err := n.Add(it)
		if err != nil {
			return err
		}
		w.log.add(n.Self(), clock, event{item: &it})
	case k < 6:
		clock, ok, err := n.Update(old, it)
		if err != nil || !ok {
			return fmt.Errorf("%v updates %d: %t, %w", n.Self(), old, ok, err)
		}
		w.log.add(n.Self(), clock, event{item: &it, removed: old})
	default:
		if !n.Remove(old) {
			return fmt.Errorf("%v does not remove %d", n.Self(), old)
		}
		w.log.add(n.Self(), n.Clock(), event{removed: old})
	}
	return w.look(n)
}

// tell sends the latest changes, or more than that, or all, or only clocks.
func (w *world) tell(n *simNode) {
	d := n.Since(n.sent - min(n.sent, uint64(w.rng.IntN(3))))
	switch w.rng.IntN(8) {
	case 0:
		d = n.Full()
	case 1:
		d = n.Clocks()
	case 2:
		d = n.Missing(w.any().Clocks())
	}
	n.sent = n.Clock()
	w.flying = append(w.flying, d)
}

// exchange brings n up to other. Whatever way it is told, the outcome is the same.
func (w *world) exchange(n, other *simNode) error {
	full := n.clone()
	clocks := n.Clocks()
	if w.rng.IntN(4) == 0 {
		if err := w.merge(n, other.Clocks()); err != nil {
			return err
		}
		return w.merge(n, other.Owed(clocks))
	}
	if err := w.merge(n, other.Missing(clocks)); err != nil {
		return err
	}
	if _, err := full.Merge(other.Full()); err != nil {
		return err
	}
	if w.roomy() && w.bounds.retired > 1 && !bytes.Equal(full.Full().AppendBinary(nil), n.Full().AppendBinary(nil)) {
		return fmt.Errorf("%v knows more or less after what it lacked of %v than after all", n.Self(), other.Self())
	}
	return nil
}

// orders merges deltas in two orders and twice.
func (w *world) orders(n *simNode) error {
	if len(w.flying) == 0 || !w.roomy() || w.bounds.retired == 1 {
		return nil
	}
	a, b := n.clone(), n.clone()
	some := make([]*Delta, 4)
	for i := range some {
		some[i] = w.flying[w.rng.IntN(len(w.flying))]
	}
	for i := range some {
		if _, err := a.Merge(some[i]); err != nil {
			return err
		}
		if _, err := b.Merge(some[len(some)-1-i]); err != nil {
			return err
		}
	}
	if !bytes.Equal(a.Full().AppendBinary(nil), b.Full().AppendBinary(nil)) {
		return fmt.Errorf("%v: the order of deltas makes a difference", n.Self())
	}
	for _, d := range some {
		if ch, err := a.Merge(d); err != nil || len(ch.Joins)+len(ch.Leaves) > 0 {
			return fmt.Errorf("%v: a delta again: %v, %w", n.Self(), ch, err)
		}
	}
	return nil
}

func (w *world) downOrUp(n *simNode, r Replica) error {
	if r == n.Self() {
		return nil
	}
	if w.rng.IntN(2) == 0 {
		n.down[r] = true
		return w.see(n, n.Down(r))
	}
	delete(n.down, r)
	return w.see(n, n.Up(r))
}

// rare is a restart, or a retirement and what it leads to.
func (w *world) rare(n *simNode) error {
	i := w.rng.IntN(len(w.nodes))
	switch w.rng.IntN(5) {
	case 0:
		w.nodes[i] = w.start(w.nodes[i].Self().Name)
	case 1:
		w.ghosts = append(w.ghosts, w.nodes[i])
		w.twice = true
		w.nodes[i] = w.start(w.nodes[i].Self().Name)
	case 2: // goes, and says so
		w.flying = append(w.flying, w.nodes[i].Farewell())
		w.nodes[i] = w.start(w.nodes[i].Self().Name)
	case 3:
		r := w.nodes[i].Self()
		if n.Self() == r {
			return nil
		}
		return w.retire(n, r)
	default:
		return w.renew(n)
	}
	return nil
}

func (w *world) retire(n *simNode, r Replica) error {
	n.down[r] = true
	if err := w.see(n, n.Down(r)); err != nil {
		return err
	}
	if err := n.Retire(r); err != nil {
		return err
	}
	if src := n.peers[r.Name]; src != nil && src.replica.Incarnation <= r.Incarnation {
		return fmt.Errorf("%v retired %v and has %v", n.Self(), r, src.replica)
	}
	return w.look(n)
}

// renew lets a node that was retired go on.
func (w *world) renew(n *simNode) error {
	if !n.Retired() {
		return nil
	}
	w.runs += 2 // what was retired has the next number
	n.sent = 0
	old := n.Self()
	ch, err := n.Renew(w.runs)
	if err != nil {
		return err
	}
	w.log[n.Self()] = append([]event(nil), w.log[old]...)
	n.held = nil
	return w.see(n, ch)
}

// settle ends those that live beside a node of their name, lets everyone live again
// and hear everyone, in one of the ways that there are, until all have the same.
func (w *world) settle() error {
	w.ghosts = nil
	way := w.rng.IntN(3)
	if last := len(w.nodes) - 1; last > 2 && !w.twice && w.rng.IntN(3) == 0 { // dies, and some notice by themselves
		r := w.nodes[last].Self()
		w.nodes = w.nodes[:last]
		for _, n := range w.nodes[w.rng.IntN(last):] {
			if err := w.retire(n, r); err != nil {
				return err
			}
		}
	}
	for range 4 {
		for _, n := range w.nodes {
			if err := w.renew(n); err != nil {
				return err
			}
			for _, other := range w.nodes {
				if err := w.hear(n, other, way); err != nil {
					return err
				}
			}
		}
		if w.same() {
			break
		}
	}
	return nil
}

// same tells whether all nodes hold the same, and none is retired.
func (w *world) same() bool {
	full := w.nodes[0].Full().AppendBinary(nil)
	return !slices.ContainsFunc(w.nodes, func(n *simNode) bool {
		return n.Retired() || !bytes.Equal(n.Full().AppendBinary(nil), full)
	})
}

func (w *world) hear(n, other *simNode, way int) error {
	deltas := []*Delta{other.Full()}
	switch way {
	case 1:
		deltas = []*Delta{other.Missing(n.Clocks())}
	case 2:
		deltas = []*Delta{other.Clocks(), other.Owed(n.Clocks())}
	}
	for _, d := range deltas {
		if err := w.merge(n, d); err != nil {
			return err
		}
	}
	if n == other {
		return nil
	}
	delete(n.down, other.Self())
	return w.see(n, n.Up(other.Self()))
}

// late lets all deltas arrive that were ever sent, in any order.
func (w *world) late() error {
	for _, n := range w.nodes {
		for _, i := range w.rng.Perm(len(w.flying)) {
			if err := w.merge(n, w.flying[i]); err != nil {
				return err
			}
		}
	}
	return nil
}
