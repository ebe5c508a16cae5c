package app

import (
	"fmt"
	"slices"
	"time"

	"github.com/aviary-host/aviary/host"
	"github.com/aviary-host/aviary/plugins"
)

// A trial is looked at each trialPause. The module is withdrawn after so many failures, if
// they are one of a hundred of its callbacks at least, and so many times as frequent as
// those of the module that serves; and when its breaker opens.
const (
	trialPause    = time.Second
	trialFailures = 5
	trialShare    = 100
	trialTimes    = 2
)

// try has a share of new channels begin with a generation.
func (l *line) try(next *generation, share float64) {
	l.newest = max(l.newest, next.number)
	l.endTrial()
	stop, ended := make(chan struct{}), make(chan struct{})
	before := l.serving().Stats()
	l.mu.Lock()
	l.live = append(l.live, next)
	l.trial = next
	l.verdict = func() { close(stop); <-ended }
	l.mu.Unlock()
	l.handlers.Try(next.version(), share)
	go func() {
		defer close(ended)
		l.watchTrial(next, &before, stop)
	}()
}

// onTrial returns the generation on trial, nil if there is none.
func (l *line) onTrial() *generation {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.trial
}

// endTrial ends the watch over a trial, if there is one.
func (l *line) endTrial() {
	l.mu.Lock()
	verdict := l.verdict
	l.trial, l.verdict = nil, nil
	l.mu.Unlock()
	if verdict != nil {
		verdict()
	}
}

// watchTrial withdraws the generation on trial when it is worse than the one that serves,
// of which before was counted at the beginning.
func (l *line) watchTrial(g *generation, before *plugins.Stats, stop <-chan struct{}) {
	tick := time.NewTicker(trialPause)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		if why := l.judge(g, before); why != "" {
			l.withdraw(g, why)
			return
		}
	}
}

// tries tells whether new channels begin with a generation on trial.
func (l *line) tries(g *generation) bool {
	return slices.ContainsFunc(l.handlers.Info(), func(i host.GenerationInfo) bool { return i.Number == g.number && i.Share > 0 })
}

// judge says why a generation on trial is to be withdrawn; "" if it is not.
func (l *line) judge(g *generation, before *plugins.Stats) string {
	old, tried := l.serving().Stats(), g.Stats()
	if tried.BreakerOpened > 0 {
		return "its breaker opened"
	}
	return worse(tally{old.Calls - before.Calls, old.Faults() - before.Faults()}, tally{tried.Calls, tried.Faults()})
}

// tally is how many callbacks there were, and how many of them failed.
type tally struct{ calls, failures int64 }

// worse says how the failures of a generation on trial are too many beside those of the one
// that serves, "" if they are not.
func worse(old, tried tally) string {
	if tried.failures < trialFailures || tried.failures*trialShare < tried.calls || tried.failures*old.calls <= trialTimes*old.failures*tried.calls && old.calls > 0 {
		return ""
	}
	return fmt.Sprintf("%d of its %d callbacks failed, of the serving module's %d of %d", tried.failures, tried.calls, old.failures, old.calls)
}

// withdraw ends the trial of a generation, whose channels go back.
func (l *line) withdraw(g *generation, why string) {
	if !l.handlers.Withdraw(g.number) {
		return
	}
	l.mu.Lock()
	if l.trial == g {
		l.trial = nil
	}
	l.mu.Unlock()
	l.app.log.Warn("trial withdrawn: the module that serves takes its channels back", "code", "TRIAL_WITHDRAWN",
		"plugin", l.plugin.Name, "generation", g.number, "sha", g.Hash()[:12], "why", why)
}

// promote has the generation on trial serve all.
func (l *line) promote(from Origin) (Deployed, error) {
	g := l.onTrial()
	if g == nil {
		return Deployed{}, fmt.Errorf("plugin %s: %w", l.plugin.Name, ErrNoTrial)
	}
	l.endTrial() // from here on nobody else withdraws it
	if !l.tries(g) {
		return Deployed{}, fmt.Errorf("plugin %s: %w: it was withdrawn just now", l.plugin.Name, ErrNoTrial)
	}
	if err := l.keep(g, g.wasm); err != nil {
		l.withdraw(g, err.Error())
		return Deployed{}, err
	}
	out := Deployed{Plugin: l.plugin.Name, Generation: g.number, Module: g.Hash(), Channels: l.channels()}
	l.handlers.Promote(g.number)
	g.wasm = nil
	l.mu.Lock()
	l.current = g
	l.mu.Unlock()
	l.audit("plugin promoted", &out, from)
	return out, nil
}
