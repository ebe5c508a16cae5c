package host

import "time"

// stay is the detach of a goroutine that nobody waits for.
func stay() {}

const (
	// longStint is how long a goroutine that others wait for may be at one thing.
	longStint = time.Millisecond
	// batchLook is after how many messages of a client the clock is looked at.
	batchLook = 16
)

// pace is for a goroutine that others wait for, see DetachingHandler, and that has many
// short things to do for one of them: all messages of one read, all broadcasts of one
// callback.
type pace struct {
	steps int
	since time.Time
}

// step follows each of the things. It calls detach when they have taken long, and looks
// at the clock with every look'th one.
func (p *pace) step(look int, detach func()) {
	p.steps++
	if p.steps%look != 0 {
		return
	}
	now := time.Now()
	if p.since.IsZero() {
		p.since = now
		return
	}
	if now.Sub(p.since) > longStint {
		detach()
	}
}
