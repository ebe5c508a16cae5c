package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/aviary-host/aviary/host"
	"github.com/aviary-host/aviary/plugins"
	"github.com/aviary-host/aviary/plugins/history"
)

// line is a plugin in its generations. The newest is made wholly beside the others,
// which go on until then, and if it is refused.
type line struct {
	// Constant.
	app      *App
	cfg      *Config
	plugin   *Plugin
	absent   *plugins.Absent
	handlers *host.Generations

	deploying sync.Mutex     // one deployment at a time; guards the following
	newest    int            // number of a generation, ever
	kept      *history.Store // the last modules

	mu      sync.Mutex // guards the following
	live    []*generation
	current *generation // nil before there is one
	trial   *generation // nil unless there is one
	verdict func()      // ends the watch over the trial
}

// generation is a module that is loaded.
type generation struct {
	*plugins.Plugin
	number int
	from   Origin
	since  time.Time
	wasm   []byte // of one on trial
}

// makeLines makes the lines of all plugins, in which nothing is loaded. What was kept of
// them is opened.
func (a *App) makeLines(cfg *Config) error {
	a.lines = map[string]*line{}
	for i := range cfg.Plugins {
		p := &cfg.Plugins[i]
		l := &line{app: a, cfg: cfg, plugin: p, absent: plugins.NewAbsent(p.Name)}
		l.handlers = host.NewGenerations(host.Version{Handler: l.absent}, host.GenerationsConfig{
			OnUpdate: p.OnUpdate.OnUpdate, MaxOldAge: p.MaxOldAge.Duration, Retired: l.retired,
		})
		var err error
		if l.kept, err = history.Open(historyDir(cfg.DataDir, p.Name)); err != nil {
			return fmt.Errorf("plugin %q: %w", p.Name, err)
		}
		l.newest = l.kept.Newest()
		a.lines[p.Name] = l
		a.order = append(a.order, p.Name)
	}
	return nil
}

// build makes a generation that could serve.
func (l *line) build(ctx context.Context, wasm []byte, number int, from Origin) (*generation, error) {
	loaded, err := l.load(ctx, wasm, number)
	l.app.trimCache(l.cfg)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPlugin, err)
	}
	err = l.app.checkConnect(l.cfg, loaded)
	if err == nil {
		err = ctx.Err() // nobody waits for it any more
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrConfig, err), loaded.Close())
	}
	return &generation{Plugin: loaded, number: number, from: from, since: time.Now()}, nil
}

// swap makes a generation the current one. A trial that is on is over.
func (l *line) swap(next *generation) {
	l.newest = max(l.newest, next.number)
	l.endTrial()
	l.mu.Lock()
	l.live = append(l.live, next)
	l.current = next
	l.mu.Unlock()
	l.handlers.Swap(next.version())
}

func (g *generation) version() host.Version {
	return host.Version{Number: g.number, Module: g.Hash(), Handler: g.Plugin}
}

// serving returns the current generation, nil if there is none yet.
func (l *line) serving() *generation {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current
}

// channels returns how many there are.
func (l *line) channels() (n int64) {
	for _, g := range l.handlers.Info() {
		n += g.Channels
	}
	return n
}

// retired closes a generation that nobody uses any more.
func (l *line) retired(number int) {
	l.mu.Lock()
	at := slices.IndexFunc(l.live, func(g *generation) bool { return g.number == number })
	if at < 0 { // of what stood in for the plugin
		l.mu.Unlock()
		return
	}
	g := l.live[at]
	l.live = slices.Delete(l.live, at, at+1)
	l.mu.Unlock()
	l.app.retiring.Go(func() {
		log := l.app.log.With("plugin", l.plugin.Name, "generation", number, "sha", g.Hash()[:12])
		if err := g.Close(); err != nil {
			log.Error("closing a generation failed", "code", "NOT_CLOSED", "err", err)
			return
		}
		log.Info("generation closed: nobody uses it any more", "calls", g.Stats().Calls)
	})
}

// close closes the generations that are left, when the server has ended.
func (l *line) close() (err error) {
	l.mu.Lock()
	live := l.live
	l.live = nil
	l.mu.Unlock()
	for _, g := range live {
		err = errors.Join(err, g.Close())
	}
	return err
}

// OnUpdate is "migrate", "keep" or "rejoin".
type OnUpdate struct{ host.OnUpdate }

// UnmarshalText reads one of the three.
func (o *OnUpdate) UnmarshalText(text []byte) error {
	for _, u := range []host.OnUpdate{host.UpdateMigrate, host.UpdateKeep, host.UpdateRejoin} {
		if u.String() == string(text) {
			o.OnUpdate = u
			return nil
		}
	}
	return fmt.Errorf("%q is neither %q, %q nor %q", text, host.UpdateMigrate, host.UpdateKeep, host.UpdateRejoin)
}
