package pubsub

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

const (
	hammerTopics   = 3
	hammerSenders  = 4
	hammerMessages = 3000 // of each sender
	hammerGuests   = 6    // goroutines that come and go
)

// post is message number n of one sender; a sender counts per topic from 1.
type post struct{ sender, n int }

// progress is how far one sender is on one topic.
type progress struct{ begun, ended atomic.Int64 }

// recorder keeps what it was given. Its log is not locked: the topic's lock must
// do, and the race detector watches.
type recorder struct {
	log    []post
	closed bool
	late   int
}

func (r *recorder) Deliver(_ string, m post) {
	if r.closed {
		r.late++
	}
	r.log = append(r.log, m)
}

type hammer struct {
	pub   *PubSub[post]
	state [hammerTopics][hammerSenders]progress
	done  atomic.Bool
}

func topicName(i int) string { return fmt.Sprint("topic:", i) }

func (h *hammer) send(sender int) {
	var n [hammerTopics]int
	for i := range hammerMessages {
		topic := i % hammerTopics
		n[topic]++
		h.state[topic][sender].begun.Add(1)
		h.pub.Broadcast(topicName(topic), post{sender, n[topic]})
		h.state[topic][sender].ended.Add(1)
	}
}

// visit subscribes for a while and checks what it was given. It returns the log.
func (h *hammer) visit(t *testing.T, topic int, stay func()) []post {
	var r recorder
	var before, after [hammerSenders]int64
	sub := h.pub.Subscribe(topicName(topic), &r, nil)
	for i := range before {
		before[i] = h.state[topic][i].begun.Load()
	}
	stay()
	for i := range after {
		after[i] = h.state[topic][i].ended.Load()
	}
	sub.Cancel()
	r.closed = true
	h.check(t, r.log, before, after)
	return r.log
}

// check: of each sender an unbroken run of numbers, and in it all messages that
// began after the subscription and ended before its end.
func (h *hammer) check(t *testing.T, log []post, before, after [hammerSenders]int64) {
	var first, last [hammerSenders]int
	for _, m := range log {
		if first[m.sender] == 0 {
			first[m.sender] = m.n
		} else if m.n != last[m.sender]+1 {
			t.Errorf("sender %d: %d after %d", m.sender, m.n, last[m.sender])
		}
		last[m.sender] = m.n
	}
	for i := range hammerSenders {
		lo, hi := int(before[i])+1, int(after[i])
		if hi >= lo && (first[i] == 0 || first[i] > lo || last[i] < hi) {
			t.Errorf("sender %d: got %d..%d, must have %d..%d", i, first[i], last[i], lo, hi)
		}
	}
}

// run starts senders and visitors and waits for all of them.
func (h *hammer) run(visitor func(rng *rand.Rand)) {
	var senders, visitors sync.WaitGroup
	for i := range hammerSenders {
		senders.Go(func() { h.send(i) })
	}
	for i := range hammerGuests {
		visitors.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 1))
			for !h.done.Load() {
				visitor(rng)
			}
		})
	}
	senders.Wait()
	h.done.Store(true)
	visitors.Wait()
}

// Few topics, so that they die and are born again all the time.
func TestHammerEverySubscriberGetsEachMessageExactlyOnce(t *testing.T) {
	h := &hammer{pub: New(Config[post]{})}
	var received atomic.Int64
	h.run(func(rng *rand.Rand) {
		topic := rng.IntN(hammerTopics)
		until := h.state[topic][0].ended.Load() + int64(rng.IntN(20))
		log := h.visit(t, topic, func() {
			for h.state[topic][0].ended.Load() < until && !h.done.Load() {
				h.pub.Subscribers(topicName(topic))
			}
		})
		received.Add(int64(len(log)))
	})
	if received.Load() == 0 {
		t.Error("nothing was delivered at all: the test tested nothing")
	}
	if n := h.pub.Topics(); n != 0 {
		t.Errorf("%d topics left over", n)
	}
}

func TestHammerNothingArrivesAfterCancel(t *testing.T) {
	h := &hammer{pub: New(Config[post]{})}
	var mu sync.Mutex
	var all []*recorder
	h.run(func(rng *rand.Rand) {
		r := new(recorder)
		sub := h.pub.Subscribe(topicName(rng.IntN(hammerTopics)), r, nil)
		for range rng.IntN(3) {
			h.pub.Topics()
		}
		sub.Cancel()
		r.closed = true // a Deliver running now would be a data race as well
		mu.Lock()
		all = append(all, r)
		mu.Unlock()
	})
	for _, r := range all {
		if r.late > 0 {
			t.Fatalf("%d messages after Cancel", r.late)
		}
	}
}

// A witness who stays the whole time has the topic's one true order; what every
// visitor saw must be a stretch of it.
func TestHammerAllSubscribersSeeOneOrder(t *testing.T) {
	h := &hammer{pub: New(Config[post]{})}
	var witness recorder
	h.pub.Subscribe(topicName(0), &witness, nil)
	var mu sync.Mutex
	var logs [][]post
	h.run(func(rng *rand.Rand) {
		until := h.state[0][0].ended.Load() + int64(rng.IntN(50))
		log := h.visit(t, 0, func() {
			for h.state[0][0].ended.Load() < until && !h.done.Load() {
				h.pub.Subscribers(topicName(0))
			}
		})
		mu.Lock()
		logs = append(logs, log)
		mu.Unlock()
	})
	if want := hammerSenders * hammerMessages / hammerTopics; len(witness.log) != want {
		t.Fatalf("the witness got %d messages of %d", len(witness.log), want)
	}
	place := make(map[post]int)
	for i, m := range witness.log {
		place[m] = i
	}
	for _, log := range logs {
		if len(log) > 0 {
			at := place[log[0]]
			if at+len(log) > len(witness.log) || !slices.Equal(log, witness.log[at:at+len(log)]) {
				t.Fatalf("a visitor saw another order: %v", log)
			}
		}
	}
}
