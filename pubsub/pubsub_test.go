package pubsub

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
)

// inbox is a subscriber that keeps what it got. Only the topic's lock protects
// it, so the race detector checks that lock.
type inbox struct {
	got []string
}

func (in *inbox) Deliver(topic string, m string) {
	in.got = append(in.got, topic+"="+m)
}

func (in *inbox) want(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(in.got, want) {
		t.Errorf("got %q, want %q", in.got, want)
	}
}

func TestBroadcastReachesItsTopicOnly(t *testing.T) {
	p := New(Config[string]{})
	var a, b, c inbox
	p.Subscribe("x", &a, nil)
	p.Subscribe("x", &b, nil)
	p.Subscribe("y", &c, nil)
	p.Broadcast("x", "1")
	p.LocalBroadcast("x", "2")
	p.Broadcast("z", "3")
	a.want(t, "x=1", "x=2")
	b.want(t, "x=1", "x=2")
	c.want(t)
}

func TestBroadcastFromSkipsEverySubscriptionOfTheSender(t *testing.T) {
	p := New(Config[string]{})
	var a, b inbox
	p.Subscribe("x", &a, nil)
	p.Subscribe("x", &b, nil)
	p.Subscribe("x", &a, nil)
	p.BroadcastFrom(&a, "x", "1")
	p.LocalBroadcastFrom(&b, "x", "2")
	a.want(t, "x=2", "x=2")
	b.want(t, "x=1")
	if n := p.Delivered(); n != 3 {
		t.Errorf("%d deliveries, want 3", n)
	}
}

func TestSubscribingTwiceDeliversTwice(t *testing.T) {
	p := New(Config[string]{})
	var a inbox
	first := p.Subscribe("x", &a, nil)
	second := p.Subscribe("x", &a, nil)
	p.Broadcast("x", "1")
	first.Cancel()
	p.Broadcast("x", "2")
	second.Cancel()
	p.Broadcast("x", "3")
	a.want(t, "x=1", "x=1", "x=2")
}

func TestOneSubscriberOnTwoTopics(t *testing.T) {
	p := New(Config[string]{})
	var a inbox
	p.Subscribe("x", &a, nil)
	p.Subscribe("y", &a, nil).Cancel()
	p.Broadcast("y", "1")
	p.Broadcast("x", "2")
	a.want(t, "x=2")
}

func TestThenRunsOnceSubscribedAndBeforeAnyMessage(t *testing.T) {
	p := New(Config[string]{})
	var a inbox
	started, done := make(chan struct{}), make(chan struct{})
	p.Subscribe("x", &a, func() {
		go func() {
			close(started)
			p.Broadcast("x", "message") // has to wait for then
			close(done)
		}()
		<-started
		a.got = append(a.got, "reply")
	})
	<-done
	a.want(t, "reply", "x=message")
}

func TestCancelTwiceLeavesTheOthersAlone(t *testing.T) {
	p := New(Config[string]{})
	boxes := make([]inbox, 5)
	subs := make([]*Subscription[string], 5)
	for i := range boxes {
		subs[i] = p.Subscribe("x", &boxes[i], nil)
	}
	for _, i := range []int{1, 1, 4, 1, 0, 4} { // middle, last, first
		subs[i].Cancel()
	}
	p.Broadcast("x", "1")
	for i := range boxes {
		if i == 2 || i == 3 {
			boxes[i].want(t, "x=1")
		} else {
			boxes[i].want(t)
		}
	}
	if n := p.Subscribers("x"); n != 2 {
		t.Errorf("%d subscribers, want 2", n)
	}
}

func TestCancelOfADeadTopicDoesNotTouchItsSuccessor(t *testing.T) {
	p := New(Config[string]{})
	var a, b inbox
	old := p.Subscribe("x", &a, nil)
	old.Cancel()
	p.Subscribe("x", &b, nil)
	old.Cancel()
	p.Broadcast("x", "1")
	b.want(t, "x=1")
}

func TestATopicLivesAsLongAsItsSubscribers(t *testing.T) {
	p := New(Config[string]{})
	var a inbox
	if n := p.Topics(); n != 0 {
		t.Errorf("%d topics at first", n)
	}
	var subs []*Subscription[string]
	for i := range 1000 {
		subs = append(subs, p.Subscribe(fmt.Sprint("topic:", i%500), &a, nil))
	}
	p.Broadcast("nobody", "1")
	if n, m := p.Topics(), p.Subscribers("topic:7"); n != 500 || m != 2 {
		t.Errorf("%d topics, %d subscribers; want 500, 2", n, m)
	}
	for _, s := range subs {
		s.Cancel()
	}
	if n, m := p.Topics(), p.Subscribers("topic:7"); n != 0 || m != 0 {
		t.Errorf("%d topics, %d subscribers left", n, m)
	}
}

func TestACrowdGivesItsMemoryBack(t *testing.T) {
	p := New(Config[string]{})
	var a inbox
	var subs []*Subscription[string]
	for range 10_000 {
		subs = append(subs, p.Subscribe("x", &a, nil))
	}
	for _, s := range subs[1:] {
		s.Cancel()
	}
	if c := cap(subs[0].topic.entries); c > 2*minShrink {
		t.Errorf("room for %d entries kept for one", c)
	}
	p.Broadcast("x", "1")
	a.want(t, "x=1")
}

func TestCancelLetsGoOfTheSubscriber(t *testing.T) {
	p := New(Config[string]{})
	var a inbox
	stay := p.Subscribe("x", &a, nil)
	p.Subscribe("x", &a, nil).Cancel()
	entries := stay.topic.entries
	if left := entries[:2][1]; left.s != nil || left.sub != nil {
		t.Error("the vacated place still holds the subscriber")
	}
}

// A subscriber that panics is our own bug; it must not lock the topic for ever
// if somebody recovers.
func TestAPanicInDeliverLeavesTheTopicUsable(t *testing.T) {
	p := New(Config[string]{})
	sub := p.Subscribe("x", panicker{}, nil)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		p.Broadcast("x", "1")
	}()
	sub.Cancel()
	if n := p.Subscribers("x"); n != 0 {
		t.Errorf("%d subscribers", n)
	}
}

type panicker struct{}

func (panicker) Deliver(string, string) { panic("deliver") }

func TestShardsDoNotShareCacheLines(t *testing.T) {
	if size := reflect.TypeFor[shard[string]]().Size(); size%128 != 0 {
		t.Errorf("a shard is %d bytes, no multiple of 128", size)
	}
}

type sink struct{ n int }

func (s *sink) Deliver(string, *int) { s.n++ }

func TestBroadcastDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	p := New(Config[*int]{})
	sinks := make([]sink, 100)
	for i := range sinks {
		p.Subscribe("x", &sinks[i], nil)
	}
	m := new(int)
	if n := testing.AllocsPerRun(100, func() { p.Broadcast("x", m) }); n != 0 {
		t.Errorf("Broadcast: %v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() { p.BroadcastFrom(&sinks[0], "x", m) }); n != 0 {
		t.Errorf("BroadcastFrom: %v allocations", n)
	}
	if sinks[0].n != 101 || sinks[99].n != 202 { // AllocsPerRun runs once more
		t.Errorf("delivered %d and %d times", sinks[0].n, sinks[99].n)
	}
}

// TestEmptyPubSubIsLight: there is one for each tenant.
func TestEmptyPubSubIsLight(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	var kept *PubSub[*int]
	if n := testing.AllocsPerRun(100, func() { kept = New(Config[*int]{}) }); n != 1 {
		t.Errorf("New: %v allocations", n)
	}
	if size := reflect.TypeFor[PubSub[*int]]().Size(); size > 64 {
		t.Errorf("a PubSub takes %d bytes", size)
	}
	kept.Broadcast("x", new(int))
	if n := kept.Topics() + kept.Subscribers("x"); n != 0 || kept.shards.Load() != nil {
		t.Errorf("%d topics; a broadcast to nobody made shards: %v", n, kept.shards.Load() != nil)
	}
}
