package presence

import (
	"cmp"
	"maps"
	"slices"
)

// Delta is what one state tells another: some changes of one replica, all that a
// state holds, or only how far it is. Nothing in it is ever changed.
type Delta struct {
	sections []section // by name, each once
	floors   []floor   // by name, those without a section
}

// section is what a delta says of one replica: whatever it did in the changes after
// from, up to to, and in those of the cloud beyond. A change that has no item here
// is one whose item is gone.
type section struct {
	replica  Replica
	from, to uint64
	cloud    []span
	removed  []uint64     // in order; clocks up to from whose items went since
	items    []taggedItem // in the order of their clocks
}

// taggedItem is an item and its clock.
type taggedItem struct {
	clock uint64
	item  *Item
}

// floor retires the incarnations of a name below it.
type floor struct {
	name  string
	below uint64
}

// Empty tells that a delta says nothing.
func (d *Delta) Empty() bool { return len(d.sections)+len(d.floors) == 0 }

// Full returns all that the state holds. What is hidden as down is in it, but not
// that it is.
func (s *State) Full() *Delta {
	return s.collect(func(src *source) (section, bool) { return src.all(), true }, func(floor) bool { return true })
}

// Clocks returns how far the state is, for a peer's Missing. It has no items.
func (s *State) Clocks() *Delta {
	return s.collect(func(src *source) (section, bool) {
		return section{replica: src.replica, from: src.context, to: src.context}, true
	}, func(floor) bool { return true })
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
	for name, below := range s.floors {
		if f := (floor{name, below}); !s.lives(name) && want(f) {
			d.floors = append(d.floors, f)
		}
	}
	slices.SortFunc(d.floors, func(a, b floor) int { return cmp.Compare(a.name, b.name) })
	return d
}

// lives tells whether some incarnation of a name is not retired.
func (s *State) lives(name string) bool {
	return s.peers[name] != nil || name == s.self.replica.Name && !s.Retired()
}

// all returns all of a replica.
func (src *source) all() section {
	sec := section{replica: src.replica, to: src.context, cloud: slices.Clone(src.cloud)}
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

// Farewell returns a delta that retires this replica everywhere, for a node that
// goes. This state itself goes on as before.
func (s *State) Farewell() *Delta {
	r := s.self.replica
	return &Delta{floors: []floor{{r.Name, r.Incarnation + 1}}}
}

// Missing returns what a peer lacks whose Clocks are given: of this replica the
// changes that it has not seen, of another one that it is behind with all, and what
// it does not know to be retired.
func (s *State) Missing(clocks *Delta) *Delta {
	return s.collect(func(src *source) (section, bool) {
		at := clocks.at(src.replica.Name)
		switch {
		case at.replica.Incarnation < src.replica.Incarnation || at.replica.Name == "":
			return src.all(), true
		case at.replica.Incarnation > src.replica.Incarnation || at.to >= src.last():
			return section{}, false
		case src == s.self:
			return s.since(at.to)
		}
		return src.all(), true
	}, func(f floor) bool { return clocks.at(f.name).replica.Incarnation < f.below })
}

// at returns the section of a name. Where the name is only retired, that is one of
// the lowest incarnation that is not, with nothing in it; without either, it has no
// name.
func (d *Delta) at(name string) section {
	i, ok := slices.BinarySearchFunc(d.sections, name, func(s section, name string) int { return cmp.Compare(s.replica.Name, name) })
	if ok {
		return d.sections[i]
	}
	i, ok = slices.BinarySearchFunc(d.floors, name, func(f floor, name string) int { return cmp.Compare(f.name, name) })
	if ok {
		return section{replica: Replica{name, d.floors[i].below}}
	}
	return section{}
}

// size returns how many clocks a section covers.
func (sec *section) size() uint64 {
	n := sec.to - sec.from
	for _, sp := range sec.cloud {
		n += sp.last - sp.first + 1
	}
	return n
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
