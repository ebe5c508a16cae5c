package pubsub

import (
	"fmt"
	"slices"
	"sync"
	"testing"
)

// link is the smallest adapter: it hands messages to the PubSub of one peer,
// and only for topics the peer said it wants.
type link struct {
	peer *link
	pub  *PubSub[string]

	mu     sync.Mutex
	wanted map[string]bool // topics our own node wants
	calls  []string
}

func (l *link) Interest(topic string, on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = append(l.calls, fmt.Sprint(topic, " ", on))
	if l.wanted[topic] == on {
		panic("interest did not alternate")
	}
	l.wanted[topic] = on
}

func (l *link) Publish(topic string, m string) {
	l.peer.mu.Lock()
	wanted := l.peer.wanted[topic]
	l.peer.mu.Unlock()
	if wanted {
		l.peer.pub.LocalBroadcast(topic, m)
	}
}

func linked() (a, b *link) {
	a = &link{wanted: map[string]bool{}}
	b = &link{wanted: map[string]bool{}, peer: a}
	a.peer = b
	a.pub = New(Config[string]{Adapter: a})
	b.pub = New(Config[string]{Adapter: b})
	return a, b
}

func TestAdapterCarriesBroadcastsToTheOtherNode(t *testing.T) {
	a, b := linked()
	var onA, onB inbox
	a.pub.Subscribe("x", &onA, nil)
	b.pub.Subscribe("x", &onB, nil)
	a.pub.Broadcast("x", "1")
	b.pub.Broadcast("x", "2")
	a.pub.LocalBroadcast("x", "3")
	a.pub.Broadcast("y", "4")
	onA.want(t, "x=1", "x=2", "x=3")
	onB.want(t, "x=1", "x=2")
}

func TestAdapterSkipsTheSenderOnItsOwnNodeOnly(t *testing.T) {
	a, b := linked()
	var s inbox
	a.pub.Subscribe("x", &s, nil)
	b.pub.Subscribe("x", &s, nil)
	a.pub.BroadcastFrom(&s, "x", "1")
	a.pub.LocalBroadcastFrom(&s, "x", "2")
	s.want(t, "x=1")
}

func TestAdapterReachesANodeWithoutLocalSubscribers(t *testing.T) {
	a, b := linked()
	var onB inbox
	b.pub.Subscribe("x", &onB, nil)
	a.pub.Broadcast("x", "1")
	onB.want(t, "x=1")
}

func TestInterestFollowsTheFirstAndTheLastSubscriber(t *testing.T) {
	a, _ := linked()
	var s inbox
	one := a.pub.Subscribe("x", &s, func() { a.mu.Lock(); a.calls = append(a.calls, "then"); a.mu.Unlock() })
	two := a.pub.Subscribe("x", &s, nil)
	one.Cancel()
	one.Cancel()
	two.Cancel()
	a.pub.Subscribe("x", &s, nil)
	want := []string{"x true", "then", "x false", "x true"}
	if !slices.Equal(a.calls, want) {
		t.Errorf("got %q, want %q", a.calls, want)
	}
}

// The link panics when two calls for one topic do not alternate.
func TestInterestAlternatesUnderChurn(t *testing.T) {
	a, _ := linked()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			var s inbox
			for range 2000 {
				a.pub.Subscribe("x", &s, nil).Cancel()
			}
		})
	}
	wg.Wait()
	if a.wanted["x"] || a.pub.Topics() != 0 {
		t.Errorf("still wanted %v, %d topics", a.wanted["x"], a.pub.Topics())
	}
}
