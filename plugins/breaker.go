package plugins

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// ErrUnavailable tells that a plugin's breaker is open: it failed too often of late.
// A [*CallError] wraps it, with an [*UnavailableError] before it.
var ErrUnavailable = errors.New("plugin is unavailable")

// ErrBreaker is wrapped by the refusals of [ParseBreaker].
var ErrBreaker = errors.New("invalid breaker")

// Breaker says when a plugin that fails is not asked any more for a while: after so
// many failures within the window, if they are also one of a hundred callbacks in it
// at least. The zero value means 5 in 10 s.
type Breaker struct {
	Failures int // less than 0: never
	Window   time.Duration
}

const (
	defaultFailures = 5
	defaultWindow   = 10 * time.Second
	maxFailures     = 1_000_000
	minWindow       = 100 * time.Millisecond
	maxWindow       = time.Hour

	// A breaker is open for firstPause, doubled each time up to lastPause, and up to
	// a quarter more by chance, so that plugins that failed together do not come
	// back together. After quiet without opening it begins with firstPause again.
	firstPause = time.Second
	lastPause  = 30 * time.Second
	quiet      = time.Minute

	// failureShare: fewer failures than one of so many callbacks are a client's
	// doing, not the plugin's.
	failureShare = 100
)

// ParseBreaker reads a breaker as it is written in a configuration: "5/10s" or
// "off". The error wraps ErrBreaker and quotes the text.
func ParseBreaker(text string) (Breaker, error) {
	if text == "off" {
		return Breaker{Failures: -1}, nil
	}
	count, window, _ := strings.Cut(text, "/")
	b := Breaker{}
	var errCount, errWindow error
	b.Failures, errCount = strconv.Atoi(count)
	b.Window, errWindow = time.ParseDuration(window)
	if errCount != nil || errWindow != nil {
		return Breaker{}, fmt.Errorf("%w %q: write failures and a time, such as \"5/10s\", or \"off\"", ErrBreaker, text)
	}
	if b.Failures == 0 { // which would mean the default
		return Breaker{}, fmt.Errorf("%w %q: no failures, at least 1", ErrBreaker, text)
	}
	return b, b.check()
}

// check refuses what would be no breaker.
func (b Breaker) check() error {
	switch {
	case b.Failures < 0 || b == Breaker{}:
		return nil
	case b.Failures > maxFailures:
		return fmt.Errorf("%w: %d failures, at most %d (plugin.breaker)", ErrBreaker, b.Failures, maxFailures)
	case b.Window < minWindow || b.Window > maxWindow:
		return fmt.Errorf("%w: a time of %v, it has to be %v to %v (plugin.breaker)", ErrBreaker, b.Window, minWindow, maxWindow)
	}
	return nil
}

// breakerState is what a breaker lets through.
type breakerState int32

const (
	breakerOff      breakerState = iota // everything, for ever
	breakerClosed                       // everything
	breakerOpen                         // nothing
	breakerHalfOpen                     // one callback that is under way, to see how it ends
)

func (s breakerState) String() string {
	return [...]string{"off", "closed", "open", "half_open"}[s]
}

// breaker stops asking a plugin that fails.
type breaker struct {
	rule  Breaker
	now   func() time.Duration
	extra func(time.Duration) time.Duration // by chance, less than what it is given
	calls func() int64                      // callbacks of the plugin, ever

	state  atomic.Int32 // a breakerState; written with mu held
	opened atomic.Int64 // how often

	mu     sync.Mutex // guards the following
	recent window
	pause  time.Duration // how long it is open, or was
	until  time.Duration // when it is open no more
}

func newBreaker(rule Breaker, calls func() int64) *breaker {
	if rule == (Breaker{}) {
		rule = Breaker{Failures: defaultFailures, Window: defaultWindow}
	}
	began := time.Now()
	b := &breaker{rule: rule, calls: calls, now: func() time.Duration { return time.Since(began) }, extra: rand.N[time.Duration]}
	if rule.Failures > 0 {
		b.state.Store(int32(breakerClosed))
		b.recent.slot = rule.Window / windowSlots
	}
	return b
}

func (b *breaker) at() breakerState { return breakerState(b.state.Load()) }

// let tells whether a callback may be run, else when to try again. A probe is the
// one callback that is let through to see how it ends: its caller has to call ended.
func (b *breaker) let() (probe bool, retryAfter time.Duration) {
	if s := b.at(); s == breakerClosed || s == breakerOff {
		return false, 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch wait := b.until - b.now(); {
	case b.at() == breakerClosed: // just now
		return false, 0
	case b.at() == breakerHalfOpen:
		return false, busyPause
	case wait > 0:
		return false, wait
	}
	b.set(breakerHalfOpen)
	return true, 0
}

func (b *breaker) set(s breakerState) { b.state.Store(int32(s)) }

// outcome is how a callback ended, as far as a breaker is concerned.
type outcome int

const (
	outcomeGood   outcome = iota
	outcomeFailed         // by the plugin's fault
	outcomeUnsaid         // it says nothing: it was not run, or ended by others
)

// ended takes note of a callback that has ended. Good ones that are no probes need
// not be told of.
func (b *breaker) ended(how outcome, probe bool) {
	if b.rule.Failures < 0 || !probe && how != outcomeFailed {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case probe && how == outcomeGood:
		b.set(breakerClosed)
		b.recent.forget(b.now(), b.calls())
	case probe && how == outcomeFailed:
		b.open()
	case probe:
		b.set(breakerOpen) // the next is the probe: until is over
	case b.at() == breakerClosed:
		failures, calls := b.recent.fail(b.now(), b.calls())
		if failures >= int64(b.rule.Failures) && failures*failureShare >= calls {
			b.open()
		}
	}
}

// callsPerLook: after so many callbacks of a tally the breaker has a look at the
// clock, so that it knows how many there were of late when one fails.
const callsPerLook = 1024

func (b *breaker) look() {
	if b.at() != breakerClosed {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.recent.advance(b.now(), b.calls())
}

// open opens the breaker, for longer than the last time unless that is long ago.
func (b *breaker) open() {
	now := b.now()
	if b.pause == 0 || now-b.until > quiet {
		b.pause = firstPause
	} else {
		b.pause = min(2*b.pause, lastPause)
	}
	b.until = now + b.pause + b.extra(b.pause/4)
	b.opened.Add(1)
	b.set(breakerOpen)
}

// windowSlots is how many parts a window has: one leaves it at a time.
const windowSlots = 10

// window counts the failures and the callbacks of the last time. It is told now and
// then how many callbacks there were until then, and takes them to be evenly spread in
// between.
type window struct {
	slot time.Duration // length of a part

	parts [windowSlots]windowPart
	last  time.Duration // when it was told
	calls int64         // callbacks until then
}

// windowPart is one part of the time: the part number n begins at n times slot.
type windowPart struct {
	number   int64
	failures int64
	calls    int64 // callbacks before it
}

// forget begins anew.
func (w *window) forget(now time.Duration, calls int64) {
	*w = window{slot: w.slot, last: now, calls: calls}
	n := int64(now / w.slot)
	w.parts[n%windowSlots] = windowPart{number: n, calls: calls}
}

// advance takes note of how many callbacks there were until now.
func (w *window) advance(now time.Duration, calls int64) {
	n := int64(now / w.slot)
	for k := max(int64(w.last/w.slot)+1, n-windowSlots+1); k <= n; k++ {
		w.parts[k%windowSlots] = windowPart{number: k, calls: w.callsAt(time.Duration(k)*w.slot, now, calls)}
	}
	w.last, w.calls = now, calls
}

// fail adds a failure, and returns how many failures and callbacks the window has.
func (w *window) fail(now time.Duration, calls int64) (failures, callbacks int64) {
	w.advance(now, calls)
	n := int64(now / w.slot)
	w.parts[n%windowSlots].failures++
	first := calls
	for _, p := range w.parts {
		if p.number > n-windowSlots {
			failures += p.failures
			first = min(first, p.calls)
		}
	}
	return failures, calls - first
}

// callsAt is how many callbacks there were at a time since it was told.
func (w *window) callsAt(at, now time.Duration, calls int64) int64 {
	part := float64(at-w.last) / float64(now-w.last)
	return w.calls + int64(part*float64(calls-w.calls))
}
