package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/aviary-host/aviary/host"
	"github.com/aviary-host/aviary/plugins"
)

// Errors of [App.Deploy] and its like.
var (
	// ErrNoPlugin tells that no plugin of that name is declared.
	ErrNoPlugin = errors.New("no such plugin")
	// ErrClosing tells that the server is going down.
	ErrClosing = errors.New("the server is going down")
)

// Where a module comes from, as logs and GET /api/v1/plugins say.
const (
	sourceConfig = "config" // plugin.path, at the start
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

	deploying sync.Mutex // one deployment at a time; guards the following
	newest    int        // number of a generation, ever

	mu      sync.Mutex // guards the following
	live    []*generation
	current *generation // nil before there is one
}

// generation is a module that is loaded.
type generation struct {
	*plugins.Plugin
	number int
	source string
	since  time.Time
}

// makeLines makes the lines of all plugins, in which nothing is loaded.
func (a *App) makeLines(cfg *Config) {
	a.lines = map[string]*line{}
	for i := range cfg.Plugins {
		p := &cfg.Plugins[i]
		l := &line{app: a, cfg: cfg, plugin: p, absent: plugins.NewAbsent(p.Name)}
		l.handlers = host.NewGenerations(host.Version{Handler: l.absent}, host.GenerationsConfig{
			OnUpdate: p.OnUpdate.OnUpdate, MaxOldAge: p.MaxOldAge.Duration, Retired: l.retired,
		})
		a.lines[p.Name] = l
		a.order = append(a.order, p.Name)
	}
}

// Deployment is a module that is to be a plugin's next generation.
type Deployment struct {
	Plugin string
	Wasm   []byte
	Source string // where it comes from, for the log: a path, or who sent it
}

// Deployed is what came of a deployment.
type Deployed struct {
	Plugin     string
	Generation int
	Module     string        // SHA-256 in hexadecimal digits
	Took       time.Duration // to make it and to swap
	Channels   int64         // that were joined, and are with the new generation from their next callback on
	Unchanged  bool          // the module is that of the current generation already: nothing was done
}

// Deploy makes a module the next generation of a plugin: it is read, checked and
// compiled beside the one that serves, and takes its place when all of that is done. The
// error says why it was refused, and wraps ErrPlugin if that is the module's fault; the
// plugin then is as it was. Deployments of one plugin wait for each other. The end of ctx
// ends it before the swap.
func (a *App) Deploy(ctx context.Context, d Deployment) (Deployed, error) {
	l := a.lines[d.Plugin]
	if l == nil {
		return Deployed{}, fmt.Errorf("%w: %q", ErrNoPlugin, d.Plugin)
	}
	if !a.deploys.enter() {
		return Deployed{}, ErrClosing
	}
	defer a.deploys.leave()
	ctx, cancel := a.deploys.bound(ctx)
	defer cancel()
	return l.deploy(ctx, &d)
}

// Reload is [App.Deploy] of the file at plugin.path, as it is now.
func (a *App) Reload(ctx context.Context, plugin string) (Deployed, error) {
	l := a.lines[plugin]
	if l == nil {
		return Deployed{}, fmt.Errorf("%w: %q", ErrNoPlugin, plugin)
	}
	wasm, err := l.plugin.module()
	if err != nil {
		a.log.Error("deployment refused", "code", "DEPLOY_REFUSED", "plugin", plugin, "source", l.plugin.Path, "err", err)
		return Deployed{}, err
	}
	return a.Deploy(ctx, Deployment{Plugin: plugin, Wasm: wasm, Source: l.plugin.Path})
}

// module returns what is at plugin.path, or was given in its place.
func (p *Plugin) module() ([]byte, error) {
	if p.Wasm != nil {
		return p.Wasm, nil
	}
	wasm, err := os.ReadFile(p.Path)
	if err != nil {
		return nil, fmt.Errorf("%w: plugin %s: plugin.path: %w", ErrPlugin, p.Name, err)
	}
	return wasm, nil
}

func (l *line) deploy(ctx context.Context, d *Deployment) (Deployed, error) {
	l.deploying.Lock()
	defer l.deploying.Unlock()
	sum := sha256.Sum256(d.Wasm)
	out := Deployed{Plugin: l.plugin.Name, Module: hex.EncodeToString(sum[:])}
	if now := l.serving(); now != nil && now.Hash() == out.Module {
		out.Generation, out.Unchanged = now.number, true
		return out, nil
	}
	began := time.Now()
	next, err := l.build(ctx, d, l.newest+1)
	if err != nil {
		l.app.log.Error("deployment refused", "code", "DEPLOY_REFUSED", "plugin", out.Plugin, "sha", out.Module[:12], "source", d.Source, "err", err)
		return out, err
	}
	out.Generation, out.Channels = next.number, l.channels()
	l.swap(next)
	out.Took = time.Since(began)
	l.app.log.Info("plugin deployed", "plugin", out.Plugin, "generation", next.number, "sha", out.Module[:12],
		"source", d.Source, "ms", out.Took.Milliseconds(), "channels", out.Channels)
	return out, nil
}

// first loads the generation that the server starts with.
func (l *line) first(ctx context.Context) error {
	l.deploying.Lock()
	defer l.deploying.Unlock()
	if l.serving() != nil {
		return nil // its file has changed already
	}
	wasm, err := l.plugin.module()
	if err != nil {
		return err
	}
	next, err := l.build(ctx, &Deployment{Plugin: l.plugin.Name, Wasm: wasm, Source: sourceConfig}, l.newest+1)
	if err != nil {
		return err
	}
	l.swap(next)
	return nil
}

// build makes a generation that could serve.
func (l *line) build(ctx context.Context, d *Deployment, number int) (*generation, error) {
	loaded, err := l.load(ctx, d.Wasm, number)
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
	return &generation{Plugin: loaded, number: number, source: d.Source, since: time.Now()}, nil
}

// swap makes a generation the current one.
func (l *line) swap(next *generation) {
	l.newest = next.number
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

// deploys are the deployments under way.
type deploys struct {
	mu     sync.Mutex
	ended  context.Context // nil before the first
	cancel context.CancelFunc
	count  sync.WaitGroup
}

func (d *deploys) init() { d.ended, d.cancel = context.WithCancel(context.Background()) }

// enter counts a deployment, unless there are to be no more.
func (d *deploys) enter() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended.Err() != nil {
		return false
	}
	d.count.Add(1)
	return true
}

func (d *deploys) leave() { d.count.Done() }

// bound returns a context that ends with ctx, or with the server.
func (d *deploys) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(d.ended, cancel)
	return ctx, func() { stop(); cancel() }
}

// end lets no deployment in any more, and has those under way come to nothing.
func (d *deploys) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cancel()
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
