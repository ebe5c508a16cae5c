package presence

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Errors of [State].
var (
	// ErrConflict: two states disagree about what only one replica may say, so two
	// nodes have one name and incarnation, or a node lost its clock. If the replica is
	// the state's own, [State.Renew] sets them apart.
	ErrConflict = errors.New("presence: conflicting states")
	// ErrItem: an item is larger than peers would take, or not valid.
	ErrItem = errors.New("presence: invalid item")
	// ErrSelf: a state cannot retire its own replica, only say farewell.
	ErrSelf = errors.New("presence: a state does not retire itself")
	// ErrUp: a replica that is up cannot be retired.
	ErrUp = errors.New("presence: the replica is not down")
	// ErrIncarnation: an incarnation is not higher than those known of its name, or
	// higher than peers would take.
	ErrIncarnation = errors.New("presence: incarnation")
)

// Replica is one run of a node. A node that starts again is another replica under
// the same name, with a higher incarnation; the lower ones end with it.
type Replica struct {
	Name        string // 1 to 255 bytes of UTF-8
	Incarnation uint64 // up to 1<<63-2; the time of the start in nanoseconds will do
}

// String returns the name and the incarnation as name@1.
func (r Replica) String() string { return fmt.Sprintf("%s@%d", r.Name, r.Incarnation) }

// Tag says which change of which replica an item came from: an item's identity.
type Tag struct {
	Replica Replica
	Clock   uint64 // from 1
}

// Item is one version of one meta on a topic. Nothing in it is ever changed.
type Item struct {
	Topic string
	Entry
}

// equal tells whether two items are the same in all they say.
func (it *Item) equal(o *Item) bool {
	return it == o || it.Topic == o.Topic && it.Entry.equal(&o.Entry)
}

// Change is an item that came into view or went out of it.
type Change struct {
	Tag  Tag
	Item *Item
}

// Changes is what a call changed of what [State.Items] shows. No tag is in both; a ref
// may be, where a replica has renewed, and it may come back when Up shows it again.
type Changes struct {
	Joins, Leaves []Change
}

// State is an add-wins observed-remove set of items that replicas hold in common.
// Each adds and removes only items of its own, so a removal never meets a
// concurrent change of the same item; states that have seen the same deltas, in
// whatever order and however often, are equal. Make one with [NewState].
//
// A State is not safe for concurrent use. The package comment tells how it works.
type State struct {
	self    *source
	peers   map[string]*source // the latest incarnation of each other name
	floors  map[string]floor   // by name; that of one that lives is its incarnation
	age     uint64             // the highest of a floor so far
	history history
	bounds  bounds
}

// source is what a state holds of one replica.
type source struct {
	replica Replica
	down    bool // local view, never told to others
	cover
	gone  []uint64         // in order; clocks that are not covered yet, but removed by one that is
	items map[uint64]*Item // by clock
}

// NewState returns an empty state of a replica. keep is how many of its own
// changes it remembers at least to make small deltas of, 0 for 4096; each takes up
// to 16 bytes once there are as many. It fails with [ErrItem] if the name is not 1
// to 255 bytes of UTF-8 and with [ErrIncarnation] if the incarnation is over 1<<63-2.
func NewState(self Replica, keep int) (*State, error) {
	if err := checkReplica(self); err != nil {
		return nil, err
	}
	s := &State{
		peers:   map[string]*source{},
		floors:  map[string]floor{self.Name: {name: self.Name, below: self.Incarnation}},
		history: newHistory(keep),
		bounds:  bounds{spans: maxSpans, gone: maxGone, retired: maxRetired},
	}
	s.self = newSource(self)
	return s, nil
}

func newSource(r Replica) *source { return &source{replica: r, items: map[uint64]*Item{}} }

func (src *source) change(clock uint64) Change {
	return Change{Tag{src.replica, clock}, src.items[clock]}
}

// Self returns the replica that the state is of.
func (s *State) Self() Replica { return s.self.replica }

// Clock returns how many changes this replica made.
func (s *State) Clock() uint64 { return s.self.context }

// Len returns the number of items, of all replicas, those that are down included.
func (s *State) Len() int {
	n := len(s.self.items)
	for _, src := range s.peers {
		n += len(src.items)
	}
	return n
}

// Add puts an item into the set and returns its clock. The same item may be added
// several times. It fails with [ErrItem], and then nothing has changed.
func (s *State) Add(it Item) (clock uint64, err error) {
	if err := checkItem(&it); err != nil {
		return 0, err
	}
	return s.put(&it, 0), nil
}

// Update replaces an item of this replica, in one change. ok is false where it has
// no item of that clock.
func (s *State) Update(old uint64, it Item) (clock uint64, ok bool, err error) {
	if s.self.items[old] == nil {
		return 0, false, nil
	}
	if err := checkItem(&it); err != nil {
		return 0, true, err
	}
	return s.put(&it, old), true, nil
}

// Remove takes an item of this replica out of the set; false where there is none.
// The removal takes a clock of its own, so that a peer that missed it can tell.
func (s *State) Remove(clock uint64) bool {
	if s.self.items[clock] == nil {
		return false
	}
	s.put(nil, clock)
	return true
}

// put makes one change: an item comes, another one goes, or both.
func (s *State) put(it *Item, old uint64) uint64 {
	clock := s.self.context + 1
	s.self.context = clock
	delete(s.self.items, old)
	if it != nil {
		s.self.items[clock] = it
	}
	s.history.add(old)
	return clock
}

// Items calls yield with every item in view, in no order, until it returns false.
func (s *State) Items(yield func(Tag, *Item) bool) {
	if !s.self.yield(yield) {
		return
	}
	for _, src := range s.peers {
		if !src.down && !src.yield(yield) {
			return
		}
	}
}

func (src *source) yield(yield func(Tag, *Item) bool) bool {
	for clock, it := range src.items {
		if !yield(Tag{src.replica, clock}, it) {
			return false
		}
	}
	return true
}

// appendAll appends all items of a replica, the oldest first.
func (src *source) appendAll(to []Change) []Change {
	for _, clock := range slices.Sorted(maps.Keys(src.items)) {
		to = append(to, src.change(clock))
	}
	return to
}

// Down hides the items of a replica that cannot be heard, those that come later
// as well. They stay in the set. Another call, or one for this replica, a retired one
// or one that cannot be, changes nothing. Whether a replica is down is never told to
// others.
func (s *State) Down(r Replica) Changes {
	var ch Changes
	if src := s.heard(r, &ch); src != nil && !src.down {
		src.down = true
		ch.Leaves = src.appendAll(ch.Leaves)
	}
	return ch
}

// Up shows again what Down hid. A replica that nobody called down is up.
func (s *State) Up(r Replica) Changes {
	var ch Changes
	if src := s.heard(r, &ch); src != nil && src.down {
		src.down = false
		ch.Joins = src.appendAll(ch.Joins)
	}
	return ch
}

// heard is peer for what comes from no delta. What peers would refuse must not get in.
func (s *State) heard(r Replica, ch *Changes) *source {
	if checkReplica(r) != nil {
		return nil
	}
	return s.peer(r, ch)
}

// Peer is what a state knows of another replica.
type Peer struct {
	Replica Replica
	Down    bool
	Items   int
}

// Peers returns the other replicas that are not retired, by name.
func (s *State) Peers() []Peer {
	all := make([]Peer, 0, len(s.peers))
	for _, src := range s.peers {
		all = append(all, Peer{src.replica, src.down, len(src.items)})
	}
	slices.SortFunc(all, func(a, b Peer) int { return cmp.Compare(a.Replica.Name, b.Replica.Name) })
	return all
}
