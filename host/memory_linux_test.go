package host

import (
	"fmt"
	"os"
	"testing"
)

// idleBudget is the most that a socket that has joined a topic may take of the heap,
// with its connection, in bytes.
const idleBudget = 1536

// TestMemoryOfConnections: what carries a socket by a loop takes little beside it. All
// is real but the descriptor.
func TestMemoryOfConnections(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector takes memory of its own")
	}
	const n = 2000
	h := fill(t, crowdShape{"one topic", n, 1, false})
	l := &loop{srv: h.srv}
	before := heap()
	for _, s := range h.all {
		c := newLooped(l, s, -1, nil)
		l.slots = append(l.slots, c)
	}
	conn := heap().since(before, n)
	all := conn.bytes + h.perSock.bytes + h.perChan.bytes
	if text := os.Getenv("AVIARY_CHANNELS"); text != "" {
		fmt.Printf("connection of a loop: %.0f B; with its socket and a channel: %.0f B, and %d at most\n", conn.bytes, all, idleBudget)
	}
	if len(l.slots) != n || conn.bytes < 100 || all > idleBudget {
		t.Errorf("%.0f bytes a connection and %.0f with socket and channel, want %d at most", conn.bytes, all, idleBudget)
	}
	for i, s := range h.all {
		s.link = &h.links[i] // which has a way to end
	}
}
