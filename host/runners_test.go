package host

import (
	"slices"
	"testing"
)

// waitingChannels are channels of tenants that runners know by name.
func waitingChannels(names ...string) (all []*Channel) {
	tenants := map[string]*Tenant{}
	for _, name := range names {
		if tenants[name] == nil {
			tenants[name] = &Tenant{name: name}
		}
		all = append(all, &Channel{socket: &Socket{tenant: tenants[name]}})
	}
	return all
}

// TestRunnersTakeTurns: tenants in turn, whatever one of them leaves, and the channels
// of a tenant in the order in which they came.
func TestRunnersTakeTurns(t *testing.T) {
	rs := &runners{free: 1}
	all := waitingChannels("a", "a", "a", "b", "c", "c")
	if !rs.enter(all[0]) {
		t.Fatal("no runner, though one is free")
	}
	for _, c := range all[1:] {
		if rs.enter(c) {
			t.Fatal("more runners than there are")
		}
	}
	var got []*Channel
	for c := rs.next(all[0]); c != nil; c = rs.next(nil) { // whose turn is over, and has more
		got = append(got, c)
	}
	want := []*Channel{all[1], all[3], all[4], all[2], all[5], all[0]}
	if !slices.Equal(got, want) {
		t.Errorf("not in turn: %v, want %v", places(all, got), places(all, want))
	}
	if rs.free != 1 || rs.othersWait() {
		t.Errorf("%d free, %d tenants wait", rs.free, len(rs.waiting))
	}
}

func places(all, of []*Channel) (at []int) {
	for _, c := range of {
		at = append(at, slices.Index(all, c))
	}
	return at
}

// TestRunnerThatIsAwayDoesNotCount: once, however often it says so.
func TestRunnerThatIsAwayDoesNotCount(t *testing.T) {
	rs := &runners{}
	r := runner{runners: rs, counts: true}
	r.begin()
	if r.over() {
		t.Error("a turn is over with its first message")
	}
	r.leave()
	r.leave()
	if rs.free != 1 || !r.over() {
		t.Errorf("%d free, over: %v", rs.free, r.over())
	}
}
