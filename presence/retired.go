package presence

import (
	"cmp"
	"fmt"
	"slices"
)

// floor retires the incarnations of a name below it. Of a name without a higher one
// it says when that was: higher than the ages of all that whoever retired it knew of.
type floor struct {
	name       string
	below, age uint64
}

// peer returns what is held of a replica, nil if it is retired or this one. It
// makes room for one that was not known, and ends lower incarnations of it.
func (s *State) peer(r Replica, ch *Changes) *source {
	if r == s.self.replica || r.Incarnation < s.floors[r.Name].below {
		return nil
	}
	src := s.peers[r.Name]
	if src == nil || src.replica != r {
		s.end(r.Name, ch)
		src = newSource(r)
		s.peers[r.Name] = src
		s.floors[r.Name] = floor{name: r.Name, below: r.Incarnation}
	}
	return src
}

// end drops what is held of another replica.
func (s *State) end(name string, ch *Changes) {
	if src := s.peers[name]; src != nil {
		if !src.down {
			ch.Leaves = src.appendAll(ch.Leaves)
		}
		delete(s.peers, name)
	}
}

// raise takes in a floor.
func (s *State) raise(f floor, ch *Changes) {
	s.age = max(s.age, f.age)
	old, known := s.floors[f.name]
	switch {
	case known && f.below < old.below:
	case known && f.below == old.below && (s.lives(f.name) || f.age <= old.age):
	default:
		s.end(f.name, ch)
		s.floors[f.name] = f
	}
}

// lives tells whether some incarnation of a name is not retired.
func (s *State) lives(name string) bool {
	return s.peers[name] != nil || name == s.self.replica.Name && !s.Retired()
}

// forget leaves no more names without a replica than there may be, beside its own:
// the oldest go. All states agree which those are.
func (s *State) forget() {
	own := s.self.replica.Name
	kept := len(s.peers)
	if s.peers[own] == nil {
		kept++
	}
	if len(s.floors)-kept <= s.bounds.retired {
		return
	}
	var all []floor
	for name, f := range s.floors {
		if name != own && s.peers[name] == nil {
			all = append(all, f)
		}
	}
	slices.SortFunc(all, func(a, b floor) int {
		return cmp.Or(cmp.Compare(b.age, a.age), cmp.Compare(a.name, b.name))
	})
	for _, f := range all[s.bounds.retired:] {
		delete(s.floors, f.name)
	}
}

// Retire drops a replica that is down for good, and so do all who hear of it: no
// state that is late can bring its items back, until 4096 more names are retired and
// have no replica since. The node, if it lives, finds itself [State.Retired]. Retire
// fails with [ErrSelf] and, where the replica is not down, [ErrUp].
func (s *State) Retire(r Replica) error {
	if r == s.self.replica {
		return ErrSelf
	}
	if r.Incarnation < s.floors[r.Name].below {
		return nil
	}
	if src := s.peers[r.Name]; src == nil || src.replica != r || !src.down {
		return fmt.Errorf("%w: %v", ErrUp, r)
	}
	s.raise(s.ended(r), new(Changes)) // its items are hidden already
	s.forget()
	return nil
}

// ended returns the floor that retires a replica now.
func (s *State) ended(r Replica) floor {
	return floor{r.Name, r.Incarnation + 1, min(s.age+1, maxClock)}
}

// Farewell returns a delta that retires this replica everywhere, for a node that
// goes. This state itself goes on as before.
func (s *State) Farewell() *Delta {
	return &Delta{floors: []floor{s.ended(s.self.replica)}}
}

// Retired tells that others have retired this replica, or that its name is now that
// of a higher incarnation. What it adds, nobody takes until it has called Renew.
func (s *State) Retired() bool {
	return s.self.replica.Incarnation < s.floors[s.self.replica.Name].below
}

// Renew goes on as another incarnation of the same name, with the same items and
// their clocks. Others know nothing of it yet: tell them Since(0). It fails with [ErrIncarnation] if it is not higher than all that are
// known. Items that another node had under this name leave with it.
func (s *State) Renew(incarnation uint64) (Changes, error) {
	var ch Changes
	next := Replica{s.self.replica.Name, incarnation}
	if err := checkReplica(next); err != nil {
		return ch, err
	}
	if least := s.floors[next.Name].below; incarnation <= least {
		return ch, fmt.Errorf("%w: %v is not higher than %d", ErrIncarnation, next, least)
	}
	s.end(next.Name, &ch)
	s.floors[next.Name] = floor{name: next.Name, below: incarnation}
	s.self.replica = next
	return ch, nil
}
