package presence

import (
	"cmp"
	"maps"
	"slices"
)

// Delta is what one state tells another: some changes of one replica, all that a
// state holds, or only how far it is. Nothing in it is ever changed.
type Delta struct {
	clocks   bool      // only how far: covers of all replicas, and no items
	sections []section // by name, each once
	floors   []floor   // by name, those without a section
}

// section is what a delta says of one replica: whatever it did in the changes after
// from, up to to, and in those of the cloud beyond. A change that has no item here
// is one whose item is gone. There is no cloud where from is over 0.
type section struct {
	replica  Replica
	from, to uint64
	cloud    []span
	removed  []uint64     // in order; clocks that are not covered here, but removed by one that is
	items    []taggedItem // in the order of their clocks
}

// taggedItem is an item and its clock.
type taggedItem struct {
	clock uint64
	item  *Item
}

// Empty tells that a delta says nothing.
func (d *Delta) Empty() bool { return len(d.sections)+len(d.floors) == 0 }

// Full returns all that the state holds. What is hidden as down is in it, but not
// that it is.
func (s *State) Full() *Delta {
	return s.collect(func(src *source) (section, bool) { return src.all(), true }, func(floor) bool { return true })
}

// Clocks returns how far the state is, for a peer's Missing. It has no items, and a
// peer that merges it learns only which replicas there are.
func (s *State) Clocks() *Delta {
	d := s.collect(func(src *source) (section, bool) { return src.known(), true }, func(floor) bool { return true })
	d.clocks = true
	return d
}

// collect makes a delta of what of returns for the replicas, and of the floors
// that want is true for.
func (s *State) collect(of func(*source) (section, bool), want func(floor) bool) *Delta {
	d := &Delta{}
	add := func(src *source) {
		if sec, ok := of(src); ok {
			d.sections = append(d.sections, sec)
		}
	}
	for _, src := range s.peers {
		add(src)
	}
	if !s.Retired() {
		add(s.self)
	}
	slices.SortFunc(d.sections, func(a, b section) int { return cmp.Compare(a.replica.Name, b.replica.Name) })
	for name, f := range s.floors {
		if !s.lives(name) && want(f) {
			d.floors = append(d.floors, f)
		}
	}
	slices.SortFunc(d.floors, func(a, b floor) int { return cmp.Compare(a.name, b.name) })
	return d
}

// known returns how much of a replica is known.
func (src *source) known() section {
	return section{replica: src.replica, to: src.context, cloud: slices.Clone(src.cloud)}
}

// all returns all of a replica.
func (src *source) all() section {
	sec := src.known()
	sec.removed = slices.Clone(src.gone)
	if len(src.items) > 0 {
		sec.items = make([]taggedItem, 0, len(src.items))
	}
	for _, clock := range slices.Sorted(maps.Keys(src.items)) {
		sec.items = append(sec.items, taggedItem{clock, src.items[clock]})
	}
	return sec
}

// Since returns what this replica changed after clock, in time that grows with the
// number of these changes only; where so many are no longer remembered, all that it
// has. It is empty where there is nothing, and while the replica is Retired.
func (s *State) Since(clock uint64) *Delta {
	d := &Delta{}
	if sec, ok := s.since(clock); ok && !s.Retired() {
		d.sections = append(d.sections, sec)
	}
	return d
}

func (s *State) since(clock uint64) (sec section, ok bool) {
	switch {
	case clock >= s.self.context:
		return sec, false
	case !s.history.knows(clock):
		return s.self.all(), true
	}
	sec = section{replica: s.self.replica, from: clock, to: s.self.context}
	for c := clock + 1; c <= sec.to; c++ {
		if it := s.self.items[c]; it != nil {
			sec.items = append(sec.items, taggedItem{c, it})
		}
		if gone := s.history.removed(c); gone > 0 && gone <= clock {
			sec.removed = append(sec.removed, gone)
		}
	}
	slices.Sort(sec.removed)
	return sec, true
}

// Missing returns what a peer lacks whose Clocks are given: what Owed returns, of
// every other replica that the peer is behind with all, and what it does not know to
// be retired. Of a delta that is not Clocks it takes the peer to know nothing.
func (s *State) Missing(clocks *Delta) *Delta {
	return s.collect(func(src *source) (section, bool) {
		known, retired := clocks.about(src.replica)
		switch {
		case retired || known != nil && known.includes(&src.cover):
			return section{}, false
		case src == s.self && known != nil:
			return s.since(known.context)
		}
		return src.all(), true
	}, clocks.lacks)
}

// Owed returns what a peer lacks of this replica whose Clocks are given: the changes
// that it has not seen, at the cost of Since, or all if it knows none. It is empty
// where there is nothing, and while the replica is Retired.
func (s *State) Owed(clocks *Delta) *Delta {
	known, retired := clocks.about(s.self.replica)
	switch {
	case retired || s.Retired():
		return &Delta{}
	case known == nil:
		return &Delta{sections: []section{s.self.all()}}
	}
	return s.Since(known.context)
}

// about returns what clocks say of a replica: what is known of it, nil if nothing is,
// and whether it is retired.
func (d *Delta) about(r Replica) (known *cover, retired bool) {
	if !d.clocks {
		return nil, false
	}
	sec := d.section(r.Name)
	switch {
	case sec == nil:
		f := d.floor(r.Name)
		return nil, f != nil && f.below > r.Incarnation
	case sec.replica != r:
		return nil, sec.replica.Incarnation > r.Incarnation
	}
	return &cover{context: sec.to, cloud: sec.cloud}, false
}

// lacks tells whether who sent clocks does not know of a floor.
func (d *Delta) lacks(f floor) bool {
	if !d.clocks {
		return true
	}
	if sec := d.section(f.name); sec != nil {
		return sec.replica.Incarnation < f.below
	}
	known := d.floor(f.name)
	return known == nil || known.below < f.below || known.below == f.below && known.age < f.age
}

// section returns the section of a name, nil if there is none.
func (d *Delta) section(name string) *section {
	i, ok := slices.BinarySearchFunc(d.sections, name, func(s section, name string) int { return cmp.Compare(s.replica.Name, name) })
	if !ok {
		return nil
	}
	return &d.sections[i]
}

// floor returns the floor of a name, nil if there is none.
func (d *Delta) floor(name string) *floor {
	i, ok := slices.BinarySearchFunc(d.floors, name, func(f floor, name string) int { return cmp.Compare(f.name, name) })
	if !ok {
		return nil
	}
	return &d.floors[i]
}

// size returns how many clocks a section covers.
func (sec *section) size() uint64 {
	n := sec.to - sec.from
	for _, sp := range sec.cloud {
		n += sp.last - sp.first + 1
	}
	return n
}

// last returns the highest clock that a section covers, or from if there is none.
func (sec *section) last() uint64 {
	beyond := cover{context: sec.to, cloud: sec.cloud}
	return beyond.last()
}

// covers tells whether a section covers clock.
func (sec *section) covers(clock uint64) bool {
	if sec.from < clock && clock <= sec.to {
		return true
	}
	beyond := cover{context: sec.to, cloud: sec.cloud}
	return clock > sec.to && beyond.has(clock)
}

// find returns the item of clock, nil if there is none.
func (sec *section) find(clock uint64) *Item {
	i, ok := slices.BinarySearchFunc(sec.items, clock, func(t taggedItem, clock uint64) int { return cmp.Compare(t.clock, clock) })
	if !ok {
		return nil
	}
	return sec.items[i].item
}
