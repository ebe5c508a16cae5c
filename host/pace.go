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

// pace is for a goroutine that others wait for and that has many short things to do for
// one of them: all messages of one read, all broadcasts of one callback, the mail of one
// channel.
type pace struct {
	steps int
	since time.Time // the first look; zero before
}

// over follows each of the things, and tells whether they have taken longer than most. It
// looks at the clock with every look'th one.
func (p *pace) over(look int, most time.Duration) bool {
	p.steps++
	if p.steps%look != 0 {
		return false
	}
	now := time.Now()
	if p.since.IsZero() {
		p.since = now
		return false
	}
	return now.Sub(p.since) > most
}

// step is over that calls detach, see DetachingHandler, when they have taken long.
func (p *pace) step(look int, detach func()) {
	if p.over(look, longStint) {
		detach()
	}
}
