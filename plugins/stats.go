package plugins

import (
	"sync/atomic"
	"time"
)

// Stats counts what a plugin has done. The names of the JSON are stable. A count is
// of all time, unless it says now.
type Stats struct {
	Name   string `json:"name"`
	State  string `json:"state"`  // now: loading, refused, ready
	Module string `json:"module"` // SHA-256
	Tenant string `json:"tenant"`

	Calls    int64            `json:"calls"`    // callbacks that were run, well or not
	Failures map[string]int64 `json:"failures"` // calls of Handle that failed, by Kind
	Fuel     int64            `json:"fuel"`     // spent, initialisation included

	Instances     int   `json:"instances"`      // now
	InstancesMade int64 `json:"instances_made"` // with the first, of which the others are copies
	Resets        int64 `json:"resets"`         // instances put back after a callback

	Breaker       string `json:"breaker"`        // now: off, closed, open, half_open
	BreakerOpened int64  `json:"breaker_opened"` // how often

	Waits        int64 `json:"waits"`         // for turns beside other guests
	WaitedMicros int64 `json:"waited_micros"` // in these waits, all together
}

// What Stats.State may be.
const (
	stateLoading = "loading"
	stateRefused = "refused"
	stateReady   = "ready"
)

// Stats counts. The figures are read one after the other.
func (p *Plugin) Stats() Stats {
	s := Stats{
		Name: p.name, State: stateReady, Module: p.hash, Tenant: p.tenant.Name(), Failures: map[string]int64{},
		Instances: p.Live(), InstancesMade: p.made.Load(),
		Breaker: p.breaker.at().String(), BreakerOpened: p.breaker.opened.Load(), Calls: p.calls(),
	}
	for _, k := range Kinds() {
		s.Failures[k.String()] = p.failures[k].Load()
	}
	for i := range p.tallies {
		t := &p.tallies[i]
		s.Fuel += t.fuel.Load()
		s.Resets += t.resets.Load()
		s.Waits += t.waits.Load()
		s.WaitedMicros += time.Duration(t.waited.Load()).Microseconds()
	}
	return s
}

// Faults returns how many callbacks failed by the plugin's fault.
func (s *Stats) Faults() (n int64) {
	for _, k := range Kinds() {
		if k.Fault() {
			n += s.Failures[k.String()]
		}
	}
	return n
}

// calls returns how many callbacks were run.
func (p *Plugin) calls() (n int64) {
	for i := range p.tallies {
		n += p.tallies[i].calls.Load()
	}
	return n
}

// tally counts what some instances have done. There is one for each place, on cache
// lines of its own: processors that count do not meet.
type tally struct {
	calls, fuel, resets, waits, waited atomic.Int64
	_                                  [24]byte
}

// newTally returns the tally of a new instance.
func (p *Plugin) newTally() *tally {
	n := p.made.Add(1)
	return &p.tallies[int(n%int64(len(p.tallies)))]
}

// pay tells the tenant what the callback has spent, or the initialisation, and gives
// back its turn. It is called wherever one of them ends; only the first call counts.
func (in *instance) pay() {
	b := &in.call.budget
	if !b.turn.Begun() {
		return
	}
	waits, waited := b.turn.End(b.uncharged())
	t := in.tally
	t.fuel.Add(b.charged)
	if !b.initial && t.calls.Add(1)%callsPerLook == 0 {
		in.plugin.breaker.look()
	}
	if waits > 0 {
		t.waits.Add(int64(waits))
		t.waited.Add(int64(waited))
	}
}
