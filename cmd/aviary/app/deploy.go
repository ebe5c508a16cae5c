package app

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/aviary-host/aviary/plugins/history"
)

// Errors of [App.Deploy] and its like.
var (
	// ErrNoPlugin tells that no plugin of that name is declared.
	ErrNoPlugin = errors.New("no such plugin")
	// ErrNoOlder tells that there is no module to go back to.
	ErrNoOlder = errors.New("no older module is kept")
	// ErrNoTrial tells that no module is on trial.
	ErrNoTrial = errors.New("no module is on trial")
	// ErrNotKept tells that a module could not be put on the disk, and so was not put into
	// service.
	ErrNotKept = errors.New("the module could not be kept (data_dir)")
	// ErrClosing tells that the server is going down.
	ErrClosing = errors.New("the server is going down")
)

// Origin is where a module comes from, and who put it into service: for the log.
type Origin struct {
	Source string // a path, an address, or the word config
	Key    string // name of the key that it was signed with; empty for none
}

// sourceConfig is the source of what a server starts with.
const sourceConfig = "config"

// Deployment is a module that is to be a plugin's next generation.
type Deployment struct {
	Plugin string
	Wasm   []byte
	From   Origin

	// Canary is the share of new channels, up to 1, that begin with the module at first. 0
	// means that it serves all at once, as does one that is the first. A module on trial is withdrawn when it fails more
	// often than the one that serves; App.Promote has it serve all.
	Canary float64
}

// Deployed is what came of a deployment. The names of the JSON are stable.
type Deployed struct {
	Plugin     string        `json:"plugin"`
	Generation int           `json:"generation"`
	Module     string        `json:"module"`    // SHA-256 in hexadecimal digits
	Took       time.Duration `json:"-"`         // to make it and to swap
	Channels   int64         `json:"channels"`  // that were joined, and are with it from their next callback on
	Unchanged  bool          `json:"unchanged"` // the module serves already: nothing was done
	Canary     float64       `json:"canary"`    // it is on trial
}

// Deploy makes a module the next generation of a plugin: it is read, checked and
// compiled beside the one that serves, kept on the disk, and takes its place when all of
// that is done. The error says why it was refused, and wraps ErrPlugin if that is the
// module's fault; the plugin then is as it was. Deployments of one plugin wait for each
// other. The end of ctx ends it before the swap.
func (a *App) Deploy(ctx context.Context, d Deployment) (Deployed, error) {
	return a.change(ctx, d.Plugin, func(ctx context.Context, l *line) (Deployed, error) {
		out, err := l.deploy(ctx, &d)
		if err != nil {
			a.log.Error("deployment refused", "code", "DEPLOY_REFUSED", "plugin", d.Plugin, "sha", out.Module[:12],
				"source", d.From.Source, "key", d.From.Key, "err", err)
		}
		return out, err
	})
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
	return a.Deploy(ctx, Deployment{Plugin: plugin, Wasm: wasm, From: Origin{Source: l.plugin.Path}})
}

// Rollback withdraws the module that is on trial, or, if none is, goes back to the one that
// was deployed before the one that serves, as the next generation. Of those before, two are
// kept.
func (a *App) Rollback(ctx context.Context, plugin string, from Origin) (Deployed, error) {
	return a.change(ctx, plugin, func(ctx context.Context, l *line) (Deployed, error) {
		out, err := l.rollback(ctx, from)
		if err != nil {
			a.log.Error("rollback refused", "code", "ROLLBACK_REFUSED", "plugin", plugin, "source", from.Source, "key", from.Key, "err", err)
		}
		return out, err
	})
}

// Promote has the module that is on trial serve all.
func (a *App) Promote(ctx context.Context, plugin string, from Origin) (Deployed, error) {
	return a.change(ctx, plugin, func(_ context.Context, l *line) (Deployed, error) { return l.promote(from) })
}

// change does something about the generations of a plugin.
func (a *App) change(ctx context.Context, plugin string, do func(context.Context, *line) (Deployed, error)) (Deployed, error) {
	l := a.lines[plugin]
	if l == nil {
		return Deployed{}, fmt.Errorf("%w: %q", ErrNoPlugin, plugin)
	}
	if !a.deploys.enter() {
		return Deployed{}, ErrClosing
	}
	defer a.deploys.leave()
	ctx, cancel := a.deploys.bound(ctx)
	defer cancel()
	l.deploying.Lock()
	defer l.deploying.Unlock()
	return do(ctx, l)
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

func hashOf(wasm []byte) string {
	sum := sha256.Sum256(wasm)
	return hex.EncodeToString(sum[:])
}

func (l *line) deploy(ctx context.Context, d *Deployment) (Deployed, error) {
	out := Deployed{Plugin: l.plugin.Name, Module: hashOf(d.Wasm)}
	now := l.serving()
	if now != nil && now.Hash() == out.Module {
		out.Generation, out.Unchanged = now.number, true
		return out, nil
	}
	began := time.Now()
	next, err := l.build(ctx, d.Wasm, l.newest+1, d.From)
	if err != nil {
		return out, err
	}
	out.Generation = next.number
	if d.Canary > 0 && now != nil {
		next.wasm, out.Canary = bytes.Clone(d.Wasm), d.Canary
		l.try(next, d.Canary)
	} else {
		if err := l.keep(next, d.Wasm); err != nil {
			return out, errors.Join(err, next.Close())
		}
		out.Channels = l.channels()
		l.swap(next)
	}
	out.Took = time.Since(began)
	l.audit("plugin deployed", &out, d.From)
	return out, nil
}

// audit says in the log who has put what into service.
func (l *line) audit(msg string, d *Deployed, from Origin) {
	l.app.log.Info(msg, "plugin", d.Plugin, "generation", d.Generation, "sha", d.Module[:12], "module", d.Module,
		"source", from.Source, "key", from.Key, "ms", d.Took.Milliseconds(), "channels", d.Channels, "canary", d.Canary)
}

func (l *line) rollback(ctx context.Context, from Origin) (Deployed, error) {
	if t := l.onTrial(); t != nil {
		l.withdraw(t, "rollback")
		now := l.serving()
		out := Deployed{Plugin: l.plugin.Name, Generation: now.number, Module: now.Hash(), Channels: l.channels()}
		l.audit("trial withdrawn", &out, from)
		return out, nil
	}
	e, ok := l.kept.Before()
	if !ok {
		return Deployed{}, fmt.Errorf("plugin %s: %w", l.plugin.Name, ErrNoOlder)
	}
	began := time.Now()
	wasm, err := l.kept.Module(e.Module)
	if err != nil {
		return Deployed{}, fmt.Errorf("plugin %s: generation %d: %w", l.plugin.Name, e.Generation, err)
	}
	next, err := l.build(ctx, wasm, l.newest+1, from)
	if err != nil {
		return Deployed{}, err
	}
	e.Generation, e.Time = next.number, next.since.UTC()
	if err := l.kept.Go(e, l.configured()); err != nil {
		return Deployed{}, errors.Join(fmt.Errorf("plugin %s: %w: %w", l.plugin.Name, ErrNotKept, err), next.Close())
	}
	out := Deployed{Plugin: l.plugin.Name, Generation: next.number, Module: e.Module, Channels: l.channels()}
	l.swap(next)
	out.Took = time.Since(began)
	l.audit("plugin rolled back", &out, from)
	return out, nil
}

// keep puts a generation on the disk, from where a restart comes back with it.
func (l *line) keep(g *generation, wasm []byte) error {
	e := history.Entry{Module: g.Hash(), Generation: g.number, Source: g.from.Source, Time: g.since.UTC()}
	if err := l.kept.Keep(e, wasm, l.configured()); err != nil {
		return fmt.Errorf("plugin %s: %w: %w", l.plugin.Name, ErrNotKept, err)
	}
	return nil
}

// deploys are the deployments under way.
type deploys struct {
	ended  context.Context // with the server
	cancel context.CancelFunc
	count  sync.WaitGroup

	mu sync.Mutex // held by who counts one, and by who ends them
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
