package presence

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
)

// chronicle is everything that each replica ever did, by clock from 1. A state must
// show what follows from the changes that it says it has seen, and nothing else.
type chronicle map[Replica][]event

// event is one change: an item that came, the clock of one that went, or both.
type event struct {
	item    *Item
	removed uint64
}

func (c chronicle) add(r Replica, clock uint64, e event) {
	if uint64(len(c[r])) != clock-1 {
		panic(fmt.Sprint(r, " made change ", clock, " after ", len(c[r])))
	}
	c[r] = append(c[r], e)
}

// check compares what is held of a replica with what it did in the changes covered.
func (c chronicle) check(src *source) error {
	events := c[src.replica]
	if last := src.last(); last > uint64(len(events)) {
		return fmt.Errorf("%v covers change %d of %d", src.replica, last, len(events))
	}
	gone := make([]bool, len(events)+1)
	for i, e := range events {
		if src.has(uint64(i) + 1) {
			gone[e.removed] = true // of none, it is 0
		}
	}
	items, open := 0, 0
	for i, e := range events {
		clock := uint64(i) + 1
		switch held := src.items[clock]; {
		case gone[clock] && !src.has(clock):
			open++
			if !slices.Contains(src.gone, clock) {
				return fmt.Errorf("%v: %d is not known to be gone: %v", src.replica, clock, src)
			}
		case e.item != nil && src.has(clock) && !gone[clock]:
			items++
			if held == nil || !held.equal(e.item) {
				return fmt.Errorf("%v: item %d is %v, want %v: %v", src.replica, clock, held, e.item, src)
			}
		}
	}
	if items != len(src.items) || open != len(src.gone) || !slices.IsSorted(src.gone) {
		return fmt.Errorf("%v: %d items and %d gone are too many or out of order: %v", src.replica, items, open, src)
	}
	return nil
}

// merge hands a delta over as the network would, encoded, and looks what has become
// of the node.
func (w *world) merge(n *simNode, d *Delta) error {
	if w.rng.IntN(4) == 0 {
		b := d.AppendBinary(nil)
		back, err := DecodeDelta(b)
		if err != nil {
			return err
		}
		if again := back.AppendBinary(nil); !bytes.Equal(again, b) {
			return fmt.Errorf("%x decodes to %x", b, again)
		}
		d = back
	}
	before := n.covers()
	ch, err := n.Merge(d)
	if err != nil {
		return err
	}
	if err := w.see(n, ch); err != nil {
		return err
	}
	return w.learnt(n, d, before)
}

// covers returns a copy of all covers.
func (s *State) covers() map[Replica]cover {
	all := map[Replica]cover{}
	for _, src := range s.peers {
		all[src.replica] = cover{src.context, slices.Clone(src.cloud)}
	}
	return all
}

// learnt checks that a node has forgotten nothing and learnt all that it was told.
func (w *world) learnt(n *simNode, d *Delta, before map[Replica]cover) error {
	for r, old := range before {
		if src := n.peers[r.Name]; src != nil && src.replica == r && !src.includes(&old) {
			return fmt.Errorf("%v knew %v of %v and then %v", n.Self(), old, r, src.cover)
		}
	}
	for _, f := range d.floors {
		if src := n.peers[f.name]; src != nil && src.replica.Incarnation < f.below {
			return fmt.Errorf("%v was told that %q is retired below %d and has %v", n.Self(), f.name, f.below, src.replica)
		}
	}
	for i := range d.sections {
		if err := w.learntSection(n, &d.sections[i], d.clocks); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) learntSection(n *simNode, sec *section, clocks bool) error {
	if sec.replica.Name == n.Self().Name && sec.replica.Incarnation <= n.Self().Incarnation {
		return nil
	}
	src := n.peers[sec.replica.Name]
	if src == nil || src.replica.Incarnation < sec.replica.Incarnation {
		if n.floors[sec.replica.Name].below > sec.replica.Incarnation || w.bounds.retired == 1 {
			return nil
		}
		return fmt.Errorf("%v was told of %v and does not know it", n.Self(), sec.replica)
	}
	if src.replica != sec.replica || clocks || !w.roomy() {
		return nil
	}
	for clock := sec.from + 1; clock <= sec.last(); clock++ {
		if sec.covers(clock) && !src.has(clock) {
			return fmt.Errorf("%v was told of change %d of %v and does not know it", n.Self(), clock, sec.replica)
		}
	}
	return nil
}

// see replays changes over the mirror; then it must be what is in view.
func (w *world) see(n *simNode, ch Changes) error {
	for _, c := range ch.Joins {
		if n.mirror[c.Tag] != nil {
			return fmt.Errorf("%v: %v joins twice", n.Self(), c.Tag)
		}
		n.mirror[c.Tag] = c.Item
	}
	for _, c := range ch.Leaves {
		if n.mirror[c.Tag] == nil {
			return fmt.Errorf("%v: %v leaves and was not there", n.Self(), c.Tag)
		}
		delete(n.mirror, c.Tag)
	}
	return w.look(n)
}

// look checks all of a node: what it holds, what it shows, and what came back.
func (w *world) look(n *simNode) error {
	for _, tag := range n.held {
		if n.get(tag) == nil {
			n.past[tag] = true
		}
	}
	n.held = n.held[:0]
	for r := range n.down { // what has ended is not down if it comes back
		if src := n.peers[r.Name]; src == nil || src.replica != r {
			delete(n.down, r)
		}
	}
	shown := len(n.self.items)
	for _, src := range append(slices.Collect(maps.Values(n.peers)), n.self) {
		if err := w.log.check(src); err != nil {
			return fmt.Errorf("%v holds of %w", n.Self(), err)
		}
		if len(src.cloud) > w.bounds.spans || len(src.gone) > w.bounds.gone {
			return fmt.Errorf("%v: more than %v: %v", n.Self(), w.bounds, src)
		}
		for clock := range src.items {
			tag := Tag{src.replica, clock}
			if n.past[tag] && w.bounds.retired > 1 {
				return fmt.Errorf("%v has %v back", n.Self(), tag)
			}
			n.held = append(n.held, tag)
		}
		if src != n.self && !n.down[src.replica] {
			shown += len(src.items)
		}
	}
	return n.compare(shown)
}

// get returns an item that is held, hidden or not.
func (n *simNode) get(tag Tag) *Item {
	if tag.Replica == n.Self() {
		return n.self.items[tag.Clock]
	}
	if src := n.peers[tag.Replica.Name]; src != nil && src.replica == tag.Replica {
		return src.items[tag.Clock]
	}
	return nil
}

// compare checks that what is not hidden, which is so many items, is in view, and that
// the changes so far add up to those of it that others have.
func (n *simNode) compare(want int) error {
	shown, own := 0, 0
	for tag, it := range n.Items {
		shown++
		if n.down[tag.Replica] || n.get(tag) != it {
			return fmt.Errorf("%v shows %v, which it hides or does not have", n.Self(), tag)
		}
		if tag.Replica == n.Self() {
			own++
		} else if m := n.mirror[tag]; m == nil || !m.equal(it) {
			return fmt.Errorf("%v shows %v, changes do not", n.Self(), tag)
		}
	}
	if shown != want || shown-own != len(n.mirror) {
		return fmt.Errorf("%v shows %d items of %d, %d its own; changes add up to %d", n.Self(), shown, want, own, len(n.mirror))
	}
	return nil
}

// clone returns a copy that shares nothing which changes, but the history, which
// Merge does not use.
func (s *State) clone() *State {
	c := *s
	c.peers = map[string]*source{}
	for name, src := range s.peers {
		copied := *src
		copied.cloud, copied.gone, copied.items = slices.Clone(src.cloud), slices.Clone(src.gone), maps.Clone(src.items)
		c.peers[name] = &copied
	}
	c.floors = maps.Clone(s.floors)
	return &c
}
