package presence

import (
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
		s.raise(f.name, f.below, &ch)
	}
	for i := range d.sections {
		sec := &d.sections[i]
		if src := s.peer(sec.replica, &ch); src != nil {
			src.merge(sec, &ch)
		}
	}
	return ch, nil
}

// checkSection finds what must not be merged.
func (s *State) checkSection(sec *section) error {
	src := s.peers[sec.replica.Name]
	if sec.replica == s.self.replica {
		src = s.self
		if sec.to > src.context || len(sec.cloud) > 0 {
			return fmt.Errorf("%w: %v did not make the change %d", ErrConflict, sec.replica, max(sec.to, src.context+1))
		}
	}
	if src == nil || src.replica != sec.replica {
		return nil
	}
	for _, t := range sec.items {
		if known := src.items[t.clock]; known != nil && !known.equal(t.item) {
			return fmt.Errorf("%w: item %d of %v is %q on %q and %q on %q", ErrConflict, t.clock, sec.replica,
				known.Key, known.Topic, t.item.Key, t.item.Topic)
		}
	}
	return nil
}

// merge takes in a section about the replica.
func (src *source) merge(sec *section, ch *Changes) {
	if sec = src.within(sec); sec == nil {
		return
	}
	src.drop(sec, ch)
	for _, t := range sec.items {
		if src.has(t.clock) { // there already, or gone since
			continue
		}
		src.items[t.clock] = t.item
		if !src.down {
			ch.Joins = append(ch.Joins, src.change(t.clock))
		}
	}
	for _, clock := range sec.removed {
		src.add(clock, clock) // its item may be on the way yet
	}
	src.add(sec.from+1, sec.to)
	for _, sp := range sec.cloud {
		src.add(sp.first, sp.last)
	}
}

// within returns the part of a section that leaves no more gaps than there may be,
// nil if that is none.
func (src *source) within(sec *section) *section {
	gaps := len(src.cloud)
	if sec.from > src.context {
		gaps += len(sec.removed) + 1
	}
	switch {
	case gaps+len(sec.cloud) <= maxGaps:
		return sec
	case sec.from > src.context:
		return nil
	}
	part := *sec
	part.cloud = nil
	n := 0
	for n < len(sec.items) && sec.items[n].clock <= sec.to {
		n++
	}
	part.items = sec.items[:n]
	return &part
}

// drop takes out the items that the section knows to be gone.
func (src *source) drop(sec *section, ch *Changes) {
	var gone []uint64
	check := func(clock uint64) {
		if src.items[clock] != nil && sec.find(clock) == nil {
			gone = append(gone, clock)
		}
	}
	for _, clock := range sec.removed {
		check(clock)
	}
	if sec.size() > uint64(len(src.items)) {
		for clock := range src.items {
			if sec.covers(clock) {
				check(clock)
			}
		}
		slices.Sort(gone)
	} else {
		for clock := sec.from + 1; clock <= sec.to; clock++ {
			check(clock)
		}
		for _, sp := range sec.cloud {
			for clock := sp.first; clock <= sp.last; clock++ {
				check(clock)
			}
		}
	}
	for _, clock := range gone {
		if !src.down {
			ch.Leaves = append(ch.Leaves, src.change(clock))
		}
		delete(src.items, clock)
	}
}
