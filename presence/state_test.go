package presence

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func newState(t testing.TB, name string, incarnation uint64, keep int) *State {
	t.Helper()
	s, err := NewState(Replica{name, incarnation}, keep)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// add puts an item into the set whose ref is the replica's name and the item's clock.
func add(t testing.TB, s *State, topic, key string) uint64 {
	t.Helper()
	clock, err := s.Add(testItem(s, topic, key))
	if err != nil {
		t.Fatal(err)
	}
	return clock
}

func testItem(s *State, topic, key string) Item {
	ref := fmt.Sprint(s.Self().Name, s.Clock()+1)
	return Item{Topic: topic, Entry: Entry{Key: key, Ref: ref, Meta: []byte(`{}`)}}
}

func update(t testing.TB, s *State, old uint64, topic, key string) uint64 {
	t.Helper()
	clock, ok, err := s.Update(old, testItem(s, topic, key))
	if err != nil || !ok {
		t.Fatalf("update %d: %t, %v", old, ok, err)
	}
	return clock
}

// merged merges a delta and returns what came of it, as text.
func merged(t testing.TB, s *State, d *Delta) string {
	t.Helper()
	ch, err := s.Merge(d)
	if err != nil {
		t.Fatal(err)
	}
	return changesText(ch)
}

// changesText lists changes: +topic/key:ref for a join, - for a leave.
func changesText(ch Changes) string {
	var all []string
	for _, c := range ch.Leaves {
		all = append(all, "-"+itemText(c.Item))
	}
	for _, c := range ch.Joins {
		all = append(all, "+"+itemText(c.Item))
	}
	return strings.Join(all, " ")
}

func itemText(it *Item) string { return it.Topic + "/" + it.Key + ":" + it.Ref }

// list returns what is in view, in order.
func list(s *State) string {
	var all []string
	for _, it := range s.Items {
		all = append(all, itemText(it))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func want(t testing.TB, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s\n got %q\nwant %q", what, got, want)
	}
}

func TestStateTellsAndIsTold(t *testing.T) {
	a, b := newState(t, "a", 1, 0), newState(t, "b", 1, 0)
	want(t, "a new state", list(a), "")
	want(t, "all of nothing", merged(t, a, b.Full()), "")
	ann := add(t, a, "t", "ann")
	add(t, a, "u", "ann")
	add(t, a, "t", "ann") // a second tab
	want(t, "its own", list(a), "t/ann:a1 t/ann:a3 u/ann:a2")
	if a.Clock() != 3 || a.Len() != 3 {
		t.Errorf("%d changes, %d items", a.Clock(), a.Len())
	}
	want(t, "joins", merged(t, b, a.Since(0)), "+t/ann:a1 +u/ann:a2 +t/ann:a3")
	want(t, "again", merged(t, b, a.Full()), "")
	if !a.Remove(ann) || a.Remove(ann) || a.Remove(99) {
		t.Error("an item is removed once")
	}
	want(t, "a leave", merged(t, b, a.Since(3)), "-t/ann:a1")
	update(t, a, 3, "t", "ann")
	want(t, "an update is in both", merged(t, b, a.Since(4)), "-t/ann:a3 +t/ann:a5")
	want(t, "nothing new", merged(t, b, a.Since(5)), "")
	want(t, "the same", list(b), list(a))
	if _, ok, err := a.Update(1, testItem(a, "t", "ann")); ok || err != nil {
		t.Errorf("an update of what is gone: %t, %v", ok, err)
	}
	if b.Remove(5) || b.Remove(2) {
		t.Error("an item of another replica was removed")
	}
}

func TestAddRefusesWhatPeersWould(t *testing.T) {
	s := newState(t, "a", 1, 0)
	clock := add(t, s, "t", "ann")
	bad := testItem(s, strings.Repeat("t", maxTopic+1), "ann")
	if _, err := s.Add(bad); !errors.Is(err, ErrItem) {
		t.Error(err)
	}
	if _, ok, err := s.Update(clock, bad); !ok || !errors.Is(err, ErrItem) {
		t.Error(ok, err)
	}
	want(t, "nothing has changed", list(s), "t/ann:a1")
	for _, r := range []Replica{{}, {"\xff", 1}, {strings.Repeat("a", maxReplicaName+1), 1}} {
		if _, err := NewState(r, 0); !errors.Is(err, ErrItem) {
			t.Errorf("%v: %v", r, err)
		}
		if ch := s.Down(r); len(s.Peers()) != 0 || changesText(ch) != "" {
			t.Errorf("%v is a peer", r)
		}
	}
	_, err := NewState(Replica{"a", 1<<63 - 1}, 0)
	if !errors.Is(err, ErrIncarnation) || !strings.Contains(err.Error(), "9223372036854775807 of \"a\" is over 9223372036854775806") {
		t.Error(err)
	}
	if _, err := s.Renew(1<<63 - 1); !errors.Is(err, ErrIncarnation) {
		t.Error(err)
	}
}

// A chain of updates, each removing the one before: where the middle is lost, the
// end must not hide that the beginning is gone.
func TestLostUpdateLeavesNoGhost(t *testing.T) {
	a, b, c := newState(t, "a", 1, 0), newState(t, "b", 1, 0), newState(t, "c", 1, 0)
	clock := add(t, a, "t", "ann")
	merged(t, b, a.Since(0))
	clock = update(t, a, clock, "t", "ann")
	middle := a.Since(1)
	update(t, a, clock, "t", "ann")
	want(t, "the end", merged(t, b, a.Since(2)), "+t/ann:a3")
	want(t, "what is told on", merged(t, c, b.Full()), "+t/ann:a1 +t/ann:a3")
	for _, s := range []*State{b, c} {
		want(t, "what was missing", merged(t, s, a.Owed(s.Clocks())), "-t/ann:a1")
		want(t, "what was lost, late", merged(t, s, middle), "")
		want(t, "the list", list(s), "t/ann:a3")
		if len(s.peers["a"].gone)+len(s.peers["a"].cloud) != 0 {
			t.Errorf("%+v is not compact", s.peers["a"])
		}
	}
}

func TestRemovalBeforeItsItemArrives(t *testing.T) {
	a, b, c := newState(t, "a", 1, 0), newState(t, "b", 1, 0), newState(t, "c", 1, 0)
	clock := add(t, a, "t", "ann")
	join := a.Since(0)
	add(t, a, "t", "bob")
	a.Remove(clock)
	want(t, "the removal", merged(t, b, a.Since(2)), "")
	merged(t, c, b.Full()) // what was told on must hold there as well
	want(t, "the item", merged(t, b, join), "")
	want(t, "the item", merged(t, c, join), "")
	want(t, "the rest", merged(t, c, a.Owed(c.Clocks())), "+t/bob:a2")
}

func TestSplitHealsThroughOthers(t *testing.T) {
	a, b, c := newState(t, "a", 1, 0), newState(t, "b", 1, 0), newState(t, "c", 1, 0)
	ann := add(t, a, "t", "ann")
	want(t, "a to b", merged(t, b, a.Full()), "+t/ann:a1")
	want(t, "b to c", merged(t, c, b.Full()), "+t/ann:a1")
	a.Remove(ann)
	add(t, c, "t", "zoe")
	want(t, "a to b", merged(t, b, a.Full()), "-t/ann:a1")
	want(t, "b to c", merged(t, c, b.Missing(c.Clocks())), "-t/ann:a1")
	want(t, "c to b", merged(t, b, c.Missing(b.Clocks())), "+t/zoe:c1")
	want(t, "b to a", merged(t, a, b.Missing(a.Clocks())), "+t/zoe:c1")
	if d := c.Missing(b.Clocks()); !d.Empty() {
		t.Errorf("still missing: %s", d.AppendJSON(nil))
	}
	want(t, "what was late", merged(t, c, b.Full()), "")
}

func TestDownHidesAndUpShows(t *testing.T) {
	a, b := newState(t, "a", 1, 0), newState(t, "b", 1, 0)
	add(t, a, "t", "ann")
	add(t, b, "t", "bob")
	merged(t, b, a.Full())
	want(t, "down", changesText(b.Down(a.Self())), "-t/ann:a1")
	want(t, "down again", changesText(b.Down(a.Self())), "")
	want(t, "down itself", changesText(b.Down(b.Self())), "")
	want(t, "the list", list(b), "t/bob:b1")
	add(t, a, "t", "amy")
	want(t, "merged while down", merged(t, b, a.Full()), "")
	if p := b.Peers(); len(p) != 1 || p[0] != (Peer{a.Self(), true, 2}) || b.Len() != 3 {
		t.Errorf("peers %v, %d items", p, b.Len())
	}
	c := newState(t, "c", 1, 0)
	want(t, "down is not told", merged(t, c, b.Full()), "+t/ann:a1 +t/amy:a2 +t/bob:b1")
	want(t, "up", changesText(b.Up(a.Self())), "+t/ann:a1 +t/amy:a2")
	want(t, "up again", changesText(b.Up(a.Self())), "")
	want(t, "down before it is known", changesText(b.Down(Replica{"d", 5})), "")
	d := newState(t, "d", 5, 0)
	add(t, d, "t", "dan")
	want(t, "and then heard of", merged(t, b, d.Full()), "")
	want(t, "up", changesText(b.Up(d.Self())), "+t/dan:d1")
}

func TestRestartEndsWhatWas(t *testing.T) {
	a, b := newState(t, "a", 1, 0), newState(t, "b", 1, 0)
	for _, key := range []string{"ann", "amy", "abe"} {
		add(t, a, "t", key)
	}
	old := a.Full()
	merged(t, b, old)
	again := newState(t, "a", 2, 0)
	add(t, again, "t", "ann")
	want(t, "the node hears of its past", merged(t, again, b.Full()), "")
	want(t, "peers hear of it", merged(t, b, again.Since(0)), "-t/ann:a1 -t/amy:a2 -t/abe:a3 +t/ann:a1")
	want(t, "what is late", merged(t, b, old), "")
	want(t, "the list", list(b), "t/ann:a1")
	merged(t, a, b.Full())
	if !a.Retired() || again.Retired() {
		t.Error("the run that is over is retired, the other is not")
	}
	if !a.Since(0).Empty() || !a.Owed(b.Clocks()).Empty() || !a.Owed(newState(t, "c", 1, 0).Clocks()).Empty() {
		t.Error("a replica that is retired has nothing to tell of itself")
	}
}

func TestRetiredNeverComesBack(t *testing.T) {
	a, b, c := newState(t, "a", 3, 0), newState(t, "b", 1, 0), newState(t, "c", 1, 0)
	add(t, a, "t", "ann")
	merged(t, b, a.Full())
	merged(t, c, a.Full())
	if err := b.Retire(a.Self()); !errors.Is(err, ErrUp) {
		t.Error(err)
	}
	if err := b.Retire(b.Self()); !errors.Is(err, ErrSelf) {
		t.Error(err)
	}
	want(t, "down", changesText(b.Down(a.Self())), "-t/ann:a1")
	for range 2 {
		if err := b.Retire(a.Self()); err != nil {
			t.Error(err)
		}
	}
	want(t, "a state that is late", merged(t, b, c.Full()), "")
	want(t, "down and up of what is retired", changesText(b.Down(a.Self()))+changesText(b.Up(a.Self())), "")
	want(t, "c hears of it", merged(t, c, b.Missing(c.Clocks())), "-t/ann:a1")
	if !b.Missing(c.Clocks()).Empty() || !c.Missing(b.Clocks()).Empty() {
		t.Error("both know all")
	}

	merged(t, a, b.Full()) // it lives
	sent := a.Clock()
	if ch, err := a.Renew(4); !errors.Is(err, ErrIncarnation) || changesText(ch) != "" {
		t.Error(err)
	}
	if _, err := a.Renew(5); err != nil || a.Retired() || a.Self() != (Replica{"a", 5}) {
		t.Error(a.Self(), err)
	}
	if !a.Remove(1) || a.Clock() != sent+1 {
		t.Error("the clocks do not go on")
	}
	add(t, a, "t", "abe")
	want(t, "all of it", merged(t, b, a.Since(0)), "+t/abe:a3")
	want(t, "some of it, as if c had the rest", merged(t, c, a.Since(sent)), "+t/abe:a3")
	want(t, "what c lacks", merged(t, c, a.Owed(c.Clocks()))+list(c), "t/abe:a3")
}

func TestFarewellEndsAtOnce(t *testing.T) {
	a, b, c := newState(t, "a", 3, 0), newState(t, "b", 1, 0), newState(t, "c", 1, 0)
	add(t, a, "t", "ann")
	merged(t, b, a.Full())
	want(t, "farewell", merged(t, b, a.Farewell()), "-t/ann:a1")
	want(t, "what is late", merged(t, b, a.Full()), "")
	want(t, "told on", merged(t, c, b.Clocks()), "")
	want(t, "what is late", merged(t, c, a.Full()), "")
	if a.Retired() {
		t.Error("the state itself goes on")
	}
}

// Two nodes that both say they are a@1.
func TestConflictsAreRefusedWhole(t *testing.T) {
	a, twin, b := newState(t, "a", 1, 0), newState(t, "a", 1, 0), newState(t, "b", 1, 0)
	add(t, a, "t", "ann")
	add(t, twin, "t", "zoe")
	merged(t, b, a.Full())
	if ch, err := b.Merge(twin.Full()); !errors.Is(err, ErrConflict) || changesText(ch) != "" {
		t.Error(err)
	}
	want(t, "as before", list(b), "t/ann:a1")
	if _, err := twin.Merge(b.Full()); !errors.Is(err, ErrConflict) {
		t.Error(err)
	}
	same := newState(t, "a", 1, 0)
	add(t, same, "t", "ann")
	want(t, "the same", merged(t, a, same.Full()), "")
	lost := newState(t, "a", 1, 0) // lost its clock, and would use tags again
	for name, d := range map[string]*Delta{"all": b.Full(), "clocks": b.Clocks()} {
		if _, err := lost.Merge(d); !errors.Is(err, ErrConflict) || !strings.Contains(err.Error(), "a@1 made 0 changes and not a change 1") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := lost.Renew(2); err != nil {
		t.Error(err)
	}
	want(t, "with a name of its own", merged(t, lost, b.Full()), "")
}

func TestClocksTellNoItems(t *testing.T) {
	a, b := newState(t, "a", 1, 0), newState(t, "b", 1, 0)
	add(t, a, "t", "ann")
	want(t, "clocks", merged(t, b, a.Clocks()), "")
	if p := b.Peers(); len(p) != 1 || p[0] != (Peer{Replica: a.Self()}) {
		t.Errorf("peers %v", p)
	}
	want(t, "and then all", merged(t, b, a.Missing(b.Clocks())), "+t/ann:a1")
	if full := a.Full().AppendBinary(nil); !bytes.Equal(a.Missing(b.Full()).AppendBinary(nil), full) {
		t.Error("what is not clocks tells nothing of what is known")
	}
}

func TestHistoryThatIsTooShortTellsAll(t *testing.T) {
	a, b := newState(t, "a", 1, 2), newState(t, "b", 1, 0)
	merged(t, b, a.Full())
	clock := add(t, a, "t", "ann")
	want(t, "the first", merged(t, b, a.Since(0)), "+t/ann:a1")
	for range 10 {
		clock = update(t, a, clock, "t", "ann")
	}
	for since := range a.Clock() {
		s := b.clone()
		want(t, fmt.Sprint("since ", since), merged(t, s, a.Since(since)), map[bool]string{
			true: "-t/ann:a1 +t/ann:a11", false: "+t/ann:a11",
		}[since < 8])
	}
}

// What there is no room for is not taken by halves: neither what follows a gap, nor of
// a whole state what does.
func TestBeyondTheBoundsIsTakenForLost(t *testing.T) {
	a, b := newState(t, "a", 1, 0), newState(t, "b", 1, 0)
	b.bounds = bounds{spans: 1, gone: 1, retired: 1}
	c := newState(t, "c", 1, 0)
	var parts []*Delta
	for _, key := range []string{"ann", "abe", "amy", "ada", "art", "ari", "asa"} {
		add(t, a, "t", key)
		parts = append(parts, a.Since(a.Clock()-1))
	}
	want(t, "beyond a gap", merged(t, b, parts[2]), "+t/amy:a3")
	want(t, "beyond two", merged(t, b, parts[4]), "")
	for _, i := range []int{0, 1, 4, 6} {
		merged(t, c, parts[i])
	}
	want(t, "of all, what has no gap before it", merged(t, b, c.Full()), "+t/ann:a1 +t/abe:a2")
	want(t, "there is room again", merged(t, b, parts[4]), "+t/art:a5")
	a.Remove(3)
	want(t, "a removal beyond two", merged(t, b, a.Since(7)), "")
	want(t, "in the end", merged(t, b, a.Owed(b.Clocks())), "-t/amy:a3 +t/ada:a4 +t/ari:a6 +t/asa:a7")
}

// More is removed before it came than there is room for.
func TestTooManyRemovalsBeforeTheirItemsAreTakenForLost(t *testing.T) {
	a, b := newState(t, "a", 1, 0), newState(t, "b", 1, 0)
	b.bounds.gone = 2
	for range 3 {
		add(t, a, "t", "ann")
	}
	join := a.Since(0)
	for clock := range uint64(3) {
		a.Remove(clock + 1)
	}
	merged(t, b, a.Since(3))
	want(t, "all of them", merged(t, b, join), "+t/ann:a1 +t/ann:a2 +t/ann:a3")
	want(t, "and again", merged(t, b, a.Owed(b.Clocks())), "-t/ann:a1 -t/ann:a2 -t/ann:a3")

	c := newState(t, "c", 1, 0)
	c.bounds.gone = 3
	merged(t, c, a.Since(3))
	want(t, "as many as there is room for", merged(t, c, join), "")
}

// The names of nodes that never come back do not add up for ever.
func TestRetiredNamesAreBounded(t *testing.T) {
	const names = maxRetired + 100
	b, c := newState(t, "b", 1, 0), newState(t, "c", 1, 0)
	states := []*State{b, c}
	for i := range names {
		r := Replica{fmt.Sprintf("pod%05d", i), 1}
		for j, s := range states { // one after the other, so that they do not agree on when
			if i%50 == 49-j {
				merged(t, s, states[1-j].Clocks())
			}
			s.Down(r)
			if err := s.Retire(r); err != nil {
				t.Fatal(err)
			}
		}
	}
	merged(t, b, c.Full())
	merged(t, c, b.Full())
	if !bytes.Equal(b.Full().AppendBinary(nil), c.Full().AppendBinary(nil)) || !b.Missing(c.Clocks()).Empty() {
		t.Error("they do not agree")
	}
	if n := len(b.Full().floors); n != maxRetired {
		t.Errorf("%d names, want %d", n, maxRetired)
	}
	if b.floors["pod00000"].below != 0 || b.floors[fmt.Sprintf("pod%05d", names-1)].below != 2 {
		t.Error("the last to be retired is remembered, and the first is not")
	}
}

// What a node that is lost for good said of itself last must not cost a delta for ever.
func TestGapThatNobodyCanFillIsNotAskedForAgain(t *testing.T) {
	a, b, c := newState(t, "a", 1, 0), newState(t, "b", 1, 0), newState(t, "c", 1, 0)
	add(t, a, "t", "ann")
	merged(t, b, a.Since(0))
	add(t, a, "t", "amy")
	add(t, a, "t", "abe")
	merged(t, b, a.Since(2)) // and the second is lost with the node
	merged(t, c, b.Missing(c.Clocks()))
	merged(t, b, c.Clocks())
	want(t, "the list", list(c), "t/abe:a3 t/ann:a1")
	if !b.Missing(c.Clocks()).Empty() || !c.Missing(b.Clocks()).Empty() {
		t.Error("both know all that is left")
	}
}
