package app

import (
	"time"

	"github.com/aviary-host/aviary/host"
	"github.com/aviary-host/aviary/plugins"
)

// pluginStats is a plugin as GET /api/v1/plugins shows it. The figures in front are those
// of the current generation.
type pluginStats struct {
	plugins.Stats
	Generation  int               `json:"generation"` // 0: nothing is loaded
	Generations []generationStats `json:"generations"`
}

// generationStats counts what a generation has done. The names of the JSON are stable.
type generationStats struct {
	Generation int     `json:"generation"`
	Module     string  `json:"module"`        // SHA-256
	State      string  `json:"state"`         // current, trial, old
	Canary     float64 `json:"canary"`        // share of new channels that begin with it on trial
	Source     string  `json:"source"`        // path, address or config
	Key        string  `json:"key,omitempty"` // that it was signed with
	AgeSeconds float64 `json:"age_s"`

	Channels int64 `json:"channels"`           // joined, or with a join under way
	Moved    int64 `json:"moved"`              // that came from another generation, ever
	Declined int64 `json:"code_change_failed"` // that stayed where they were, ever

	Calls    int64            `json:"calls"`
	Failures map[string]int64 `json:"failures"` // by kind; those that have not happened are left out
}

// What generationStats.State may be.
const (
	stateCurrent = "current"
	stateTrial   = "trial"
	stateOld     = "old"
)

// pluginStats counts what the plugins have done, in the order of the file.
func (a *App) pluginStats() any {
	all := make([]pluginStats, len(a.order))
	for i, name := range a.order {
		all[i] = a.lines[name].stats()
	}
	return all
}

func (l *line) stats() pluginStats {
	s := pluginStats{Stats: l.absent.Stats(), Generations: []generationStats{}}
	infos := map[int]host.GenerationInfo{}
	for _, info := range l.handlers.Info() {
		infos[info.Number] = info
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current != nil {
		s.Stats, s.Generation = l.current.Stats(), l.current.number
	}
	for _, g := range l.live {
		s.Generations = append(s.Generations, g.stats(infos[g.number]))
	}
	return s
}

func (g *generation) stats(info host.GenerationInfo) generationStats {
	all := g.Stats()
	s := generationStats{
		Generation: g.number, Module: g.Hash(), State: stateOld, Source: g.from.Source, Key: g.from.Key, AgeSeconds: time.Since(g.since).Seconds(),
		Channels: info.Channels, Moved: info.Moved, Declined: info.Declined, Calls: all.Calls, Failures: map[string]int64{},
	}
	switch {
	case info.Current:
		s.State = stateCurrent
	case info.Share > 0:
		s.State, s.Canary = stateTrial, info.Share
	}
	for kind, n := range all.Failures {
		if n > 0 {
			s.Failures[kind] = n
		}
	}
	return s
}
