package presence

import (
	"cmp"
	"fmt"
	"slices"
)

// Merge takes in what another state tells and returns what came into view and what
// went out of it. Merging a delta again, or one that is older than what is known,
// changes nothing. It takes time that grows with the delta only; a delta of all
// that a replica has is as large as that.
//
// It fails with [ErrConflict] if the delta says something else of an item that is
// known, or tells of changes of this replica that it did not make; then nothing has
// changed.
func (s *State) Merge(d *Delta) (Changes, error) {
	var ch Changes
	for i := range d.sections {
		if err := s.checkSection(&d.sections[i]); err != nil {
			return ch, err
		}
	}
	for _, f := range d.floors {
		s.raise(f, &ch)
	}
	for i := range d.sections {
		sec := &d.sections[i]
		if src := s.peer(sec.replica, &ch); src != nil && !d.clocks {
			src.merge(sec, s.bounds, &ch)
		}
	}
	s.forget()
	return ch, nil
}

// checkSection finds what must not be merged.
func (s *State) checkSection(sec *section) error {
	src := s.peers[sec.replica.Name]
	if sec.replica == s.self.replica {
		src = s.self
		if last := sec.last(); last > src.context {
			return fmt.Errorf("%w: %v made %d changes and not a change %d", ErrConflict, sec.replica, src.context, last)
		}
	}
	if src == nil || src.replica != sec.replica {
		return nil
	}
	for _, t := range sec.items {
		if known := src.items[t.clock]; known != nil && !known.equal(t.item) {
			return fmt.Errorf("%w: item %d of %v is %.40q on %.40q and %.40q on %.40q", ErrConflict, t.clock, sec.replica,
				known.Key, known.Topic, t.item.Key, t.item.Topic)
		}
	}
	return nil
}

// merge takes in a section about the replica.
func (src *source) merge(sec *section, b bounds, ch *Changes) {
	if sec = src.within(sec, b); sec == nil {
		return
	}
	src.drop(sec, ch)
	for _, t := range sec.items {
		if src.has(t.clock) || src.isGone(t.clock) { // there already, or gone since
			continue
		}
		src.items[t.clock] = t.item
		if !src.down {
			ch.Joins = append(ch.Joins, src.change(t.clock))
		}
	}
	src.add(sec.from+1, sec.to)
	for _, sp := range sec.cloud {
		src.add(sp.first, sp.last)
	}
	src.bury(sec.removed)
}

// within returns the part of a section that stays within the bounds, nil if that is
// none.
func (src *source) within(sec *section, b bounds) *section {
	spans := len(src.cloud) + len(sec.cloud)
	if sec.from > src.context {
		spans++
	}
	gone := len(src.gone)
	for _, clock := range sec.removed {
		if !src.has(clock) && !src.isGone(clock) {
			gone++
		}
	}
	switch {
	case spans <= b.spans && gone <= b.gone:
		return sec
	case sec.from > src.context:
		return nil
	}
	// What has no gap before it needs no bounds: all that it removed is covered.
	n := 0
	for n < len(sec.items) && sec.items[n].clock <= sec.to {
		n++
	}
	return &section{replica: sec.replica, from: sec.from, to: sec.to, items: sec.items[:n]}
}

// drop takes out the items that the section knows to be gone.
func (src *source) drop(sec *section, ch *Changes) {
	first := len(ch.Leaves)
	src.suspects(sec, func(clock uint64) {
		if src.items[clock] == nil || sec.find(clock) != nil {
			return
		}
		if !src.down {
			ch.Leaves = append(ch.Leaves, src.change(clock))
		}
		delete(src.items, clock)
	})
	slices.SortFunc(ch.Leaves[first:], func(a, b Change) int { return cmp.Compare(a.Tag.Clock, b.Tag.Clock) })
}

// suspects calls look with the clocks of which a section may know that they are gone:
// its own, or the items that are known if those are fewer, and what it removed.
func (src *source) suspects(sec *section, look func(clock uint64)) {
	for _, clock := range sec.removed {
		look(clock)
	}
	if sec.size() > uint64(len(src.items)) {
		for clock := range src.items {
			if sec.covers(clock) {
				look(clock)
			}
		}
		return
	}
	for clock := sec.from + 1; clock <= sec.to; clock++ {
		look(clock)
	}
	for _, sp := range sec.cloud {
		for clock := sp.first; clock <= sp.last; clock++ {
			look(clock)
		}
	}
}

// isGone tells whether the item of a clock was removed before it came.
func (src *source) isGone(clock uint64) bool {
	_, ok := slices.BinarySearch(src.gone, clock)
	return ok
}

// bury remembers what was removed and is not covered yet, as its item may be on the
// way. It cannot be put into the cover: nothing is known of what that change removed
// in turn.
func (src *source) bury(removed []uint64) {
	for _, clock := range removed {
		if clock > src.context {
			src.gone = append(src.gone, clock)
		}
	}
	if len(src.gone) == 0 {
		return
	}
	slices.Sort(src.gone)
	src.gone = slices.DeleteFunc(slices.Compact(src.gone), src.has)
}
