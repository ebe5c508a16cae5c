package pubsub

import "sync"

// minShrink is the slice capacity below which a topic never gives memory back.
const minShrink = 64

// gone is the index of a cancelled subscription.
const gone = -1

// topic is the set of subscriptions of one name. It dies with its last one; a
// later subscriber makes a new topic.
type topic[M any] struct {
	name string
	home *PubSub[M]

	mu      sync.Mutex // guards all below, and Subscription.index of its entries
	dead    bool       // has left the map for good
	entries []entry[M]
}

// entry keeps the subscriber next to its subscription, so that a broadcast walks
// one slice and touches no Subscription.
type entry[M any] struct {
	s   Subscriber[M]
	sub *Subscription[M]
}

// Subscription is one subscriber's place in one topic. Made by
// [PubSub.Subscribe].
type Subscription[M any] struct {
	topic *topic[M]
	index int // place in topic.entries, or gone
}

// Cancel ends the subscription. When it returns no Deliver for it is running or
// will run. It may be called more than once and from any goroutine, but not from
// inside Deliver or then. It waits for a broadcast on the topic under way and
// takes constant time besides, amortised.
func (s *Subscription[M]) Cancel() {
	t := s.topic
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.index == gone {
		return
	}
	t.removeLocked(s)
	if len(t.entries) == 0 {
		t.home.remove(t)
	}
}

func (t *topic[M]) addLocked(s Subscriber[M]) *Subscription[M] {
	sub := &Subscription[M]{topic: t, index: len(t.entries)}
	t.entries = append(t.entries, entry[M]{s: s, sub: sub})
	return sub
}

// removeLocked moves the last entry into the place of s. The order of entries
// means nothing: each subscriber still sees messages in order.
func (t *topic[M]) removeLocked(s *Subscription[M]) {
	last := len(t.entries) - 1
	moved := t.entries[last]
	t.entries[s.index] = moved
	moved.sub.index = s.index
	s.index = gone
	t.entries[last] = entry[M]{} // let go of the subscriber
	t.entries = t.entries[:last]
	if cap(t.entries) > minShrink && last < cap(t.entries)/4 {
		// A topic that was crowded once should not pay for it for ever. Halving
		// at a quarter keeps the copying amortised.
		t.entries = append(make([]entry[M], 0, cap(t.entries)/2), t.entries...)
	}
}

func (t *topic[M]) deliverLocked(from Subscriber[M], m M) {
	t.home.delivered.Add(int64(len(t.entries))) // first: who has got it and asks finds it counted
	skipped := 0
	for i := range t.entries {
		if s := t.entries[i].s; s != from {
			s.Deliver(t.name, m)
		} else {
			skipped++
		}
	}
	if skipped > 0 {
		t.home.delivered.Add(int64(-skipped))
	}
}
