package app

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/plugins"
)

// loaders is how many plugins of tenants are compiled at a time.
const loaders = 2

// loadOwn makes the lines of all plugins, and loads those of the operator, without which
// the server does not start.
func (a *App) loadOwn(ctx context.Context, cfg *Config) error {
	err := a.makeTenants(cfg)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if a.cache, err = a.openCache(cfg); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if err := a.makeLines(cfg); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if err := a.watchFiles(cfg); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	for i := range cfg.Plugins {
		p := &cfg.Plugins[i]
		if p.Tenant != "" {
			continue
		}
		err := a.lines[p.Name].first(ctx)
		if cause := context.Cause(ctx); err != nil && cause != nil { // not the plugin's fault
			return fmt.Errorf("interrupted while loading plugin %s: %w", p.Name, cause)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// loadOthers begins to load the plugins of tenants. The server serves meanwhile: until
// they are there, or if they are refused, they are unavailable to their own tenant, and
// nobody else notices.
func (a *App) loadOthers(cfg *Config) {
	ctx, cancel := context.WithCancel(context.Background())
	a.stopLoading = cancel
	turns := make(chan struct{}, loaders)
	for i := range cfg.Plugins {
		p := &cfg.Plugins[i]
		if p.Tenant == "" {
			continue
		}
		a.loading.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			if ctx.Err() != nil {
				return // its guest would still get the time for its initialisation
			}
			l := a.lines[p.Name]
			err := l.first(ctx)
			if err == nil || ctx.Err() != nil {
				return
			}
			l.absent.Fail(err)
			a.log.Error("a plugin is not loaded, and nobody can join its topics", "code", "PLUGIN_REFUSED", "plugin", p.Name, "tenant", p.Tenant, "err", err)
		})
	}
}

// Loaded waits until the plugins of tenants are loaded or refused.
func (a *App) Loaded() { a.loading.Wait() }

// checkConnect compares the connect callback of a plugin with the mounts that name it: a
// door that was built and not hung is worth a warning.
func (a *App) checkConnect(cfg *Config, p *plugins.Plugin) error {
	named, has := false, p.Implements(abi.CallbackConnect)
	for i := range cfg.Mounts {
		m := &cfg.Mounts[i]
		if m.Connect != p.Name() {
			continue
		}
		if named = true; !has {
			return fmt.Errorf("mount %s: connect names plugin %q, which has no connect callback", m.at(), m.Connect)
		}
	}
	if has && !named {
		a.log.Warn(fmt.Sprintf("plugin %s has a connect callback, but no mount names it (mount.connect = %q): everybody may connect",
			p.Name(), p.Name()), "code", "CONNECT_UNUSED")
	}
	return nil
}

// load makes a plugin of a module.
func (l *line) load(ctx context.Context, wasm []byte, number int) (*plugins.Plugin, error) {
	a, p := l.app, l.plugin
	g := a.grants[p.Name]
	settings, err := g.settings(p.Settings)
	if err != nil {
		return nil, fmt.Errorf("plugin %s: settings: %w", p.Name, err)
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(l.cfg.LoadTimeout, defaultLoadTimeout))
	defer cancel()
	a.log.Info("loading plugin", "plugin", p.Name, "generation", number, "bytes", len(wasm))
	began := time.Now()
	loaded, err := plugins.Load(ctx, wasm, plugins.Config{
		Name: p.Name, Generation: number, Instances: p.Instances, Settings: settings,
		MemoryPages: uint32((int64(p.Memory) + pageSize - 1) / pageSize),
		Fuel:        uint64(p.Fuel), Deadline: p.Deadline.Duration, Stack: uint32(p.Stack),
		Tenant: a.tenants[p.Tenant], Breaker: p.Breaker.Breaker, Isolation: p.Isolation.Isolation, OnTrap: a.onTrap(p),
		Presence: a.presences(p.Tenant), PresenceDenied: g.host.CheckPresence, LogDenied: g.host.CheckLog(),
		Secrets: g.secrets, Cache: a.cache, Logger: a.log,
	})
	if err != nil {
		return nil, err
	}
	l.logLoaded(loaded, number, time.Since(began))
	a.log.Info("plugin capabilities", "plugin", p.Name, "may", g.String(), "from", g.source,
		"generation", number, "sha", loaded.Hash()[:12])
	return loaded, nil
}

// logLoaded says what was loaded, and what is slow about it.
func (l *line) logLoaded(loaded *plugins.Plugin, number int, took time.Duration) {
	log, p := l.app.log, l.plugin
	reset, whyNot := loaded.Reset()
	log.Info("plugin loaded", "plugin", p.Name, "generation", number, "sha", loaded.Hash()[:12], "bytes", loaded.Size(), "ms", took.Milliseconds(),
		"isolation", p.Isolation.String(), "reset", reset)
	if whyNot != "" && p.Isolation.Isolation != plugins.IsolateInstance {
		log.Warn(fmt.Sprintf("every callback of plugin %s gets an instance of its own, which is slow: %s (plugin.isolation = %q keeps them)",
			p.Name, whyNot, plugins.IsolateInstance), "code", "NOT_RESETTABLE", "plugin", p.Name, "generation", number, "sha", loaded.Hash()[:12])
	}
}
