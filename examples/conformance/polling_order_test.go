package main

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/aviary-host/aviary/host/hosttest"
)

// event is what each serializer says of a broadcast.
type event struct{ sender, number int }

// observe receives n broadcasts and returns them in the order they came in.
func observe(t *testing.T, c *hosttest.Client, n int) []event {
	t.Helper()
	all := make([]event, n)
	for i := range all {
		m := c.Receive()
		if m.Event != "ext" {
			t.Fatalf("message %d: %s", i, m.Text)
		}
		all[i] = event{number(t, m.Payload, "sender"), number(t, m.Payload, "n")}
	}
	c.ExpectSilence()
	return all
}

// TestPollingAndWebSocketSeeOneOrder: clients on one topic see the same events in
// the same order, whatever carries them and whoever sends at the same time.
func TestPollingAndWebSocketSeeOneOrder(t *testing.T) {
	newPolling(t, "/ws/admin", "2.0.0") // skips with the other kinds of clients
	const topic, rounds, size = "room:quiet-order-of-all", 10, 25
	var observers, senders []*hosttest.Client
	for i, o := range []hosttest.Options{{}, {V1: true}, {LongPoll: true}, {LongPoll: true, V1: true}} {
		c := hosttest.Dial(t, fixtureOf(t).socketURL("/ws/admin", ""), o)
		c.Join(topic, "")
		observers = append(observers, c)
		o.V1 = false // its POSTs have one message each
		c = hosttest.Dial(t, fixtureOf(t).socketURL("/ws/admin", ""), o)
		c.Join(topic+"-sender-"+strconv.Itoa(i), "")
		senders = append(senders, c)
	}
	for round := range rounds {
		for i, c := range senders {
			var frames []string
			for n := round * size; n < (round+1)*size; n++ {
				frames = append(frames, fmt.Sprintf(`["11","%d","%s-sender-%d","ext",{"topic":%q,"sender":%d,"n":%d}]`, n+2, topic, i, topic, i, n))
			}
			c.SendAll(frames...)
		}
	}
	want := observe(t, observers[0], len(senders)*rounds*size)
	next := make([]int, len(senders))
	for _, e := range want {
		if e.number != next[e.sender] {
			t.Fatalf("sender %d: event %d comes where %d is due", e.sender, e.number, next[e.sender])
		}
		next[e.sender]++
	}
	for i, c := range observers[1:] {
		got := observe(t, c, len(want))
		for j := range want {
			if got[j] != want[j] {
				t.Fatalf("observer %d: event %d is %+v, for the first one it was %+v", i+1, j, got[j], want[j])
			}
		}
	}
}
