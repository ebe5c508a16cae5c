package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/host"
	"github.com/aviary-host/aviary/host/auth"
	"github.com/aviary-host/aviary/plugins"
	"github.com/aviary-host/aviary/plugins/fair"
	"github.com/aviary-host/aviary/plugins/traps"
)

// ErrPlugin is wrapped when a plugin could not be read or was refused.
var ErrPlugin = errors.New("cannot load")

// defaultLoadTimeout bounds reading and compiling one plugin.
const defaultLoadTimeout = 60 * time.Second

const pageSize = 64 << 10 // of WebAssembly memory

// App is a running server with its plugins and listeners.
type App struct {
	server    *host.Server
	plugins   []*plugins.Plugin
	tenants   map[string]*fair.Tenant // who pays for plugins, by name; "" for those that name none
	cache     *plugins.CacheDir
	traps     *traps.Store // nil: records of failures are not kept
	verifiers []*auth.Verifier
	public    net.Listener
	internal  net.Listener
	urls      []string
	log       *slog.Logger
	grants    map[string]*grant // by plugin

	serving sync.WaitGroup
	failed  chan error
	close   sync.Once
	closed  error
}

// Start listens, loads the plugins, and serves until Close. On an error nothing
// is left running; it wraps ErrConfig or ErrPlugin where one of them is to
// blame. The end of ctx ends the loading only.
func Start(ctx context.Context, cfg *Config, log *slog.Logger) (*App, error) {
	a := &App{log: log, failed: make(chan error, 2)}
	if err := a.start(ctx, cfg); err != nil {
		return nil, errors.Join(err, a.Close(ctx))
	}
	return a, nil
}

func (a *App) start(ctx context.Context, cfg *Config) error {
	if err := cfg.check(); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if err := a.grant(cfg); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	suspensions, err := suspensionStore(cfg.DataDir)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	// A port that is taken is known at once, a module only after seconds of
	// compiling. Who connects meanwhile waits.
	if err := a.listen(cfg); err != nil {
		return err
	}
	a.urls = clientURLs(a.public.Addr(), cfg.Mounts)
	if err := a.openTraps(cfg); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	handlers, err := a.loadPlugins(ctx, cfg)
	if err != nil {
		return err
	}
	if err := a.checkConnect(cfg, handlers); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	hc, err := a.hostConfig(cfg, handlers)
	if hc.Suspensions = suspensions; err == nil {
		a.server, err = host.New(hc)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if a.internal != nil {
		a.serve("internal", a.internal, a.server.ServeInternal)
	}
	a.serve("public", a.public, a.server.Serve)
	return nil
}

func (a *App) hostConfig(cfg *Config, handlers map[string]*plugins.Plugin) (host.Config, error) {
	trusted, err := proxies(cfg.HTTP.TrustedProxies)
	if err != nil {
		return host.Config{}, err
	}
	hc := host.Config{
		Pages: cfg.Pages, Token: cfg.Internal.Token, Secret: cfg.HTTP.Secret, Logger: a.log,
		ConnectionsPerAddress: cfg.HTTP.ConnectionsPerAddress, LogOnly: cfg.HTTP.LogOnly, TrustedProxies: trusted,
		ConnectionRate: cfg.HTTP.ConnectionRate.or(host.DefaultConnectionRate()),
		DrainBatch:     cfg.Drain.Batch, DrainInterval: cfg.Drain.Interval.Duration,
		PluginStats: a.pluginStats,
	}
	for i := range cfg.Tenants {
		hc.Tenants = append(hc.Tenants, cfg.Tenants[i].host())
	}
	for i := range cfg.Plugins {
		p := &cfg.Plugins[i]
		for _, topic := range p.Topics {
			hc.Routes = append(hc.Routes, host.Route{
				Tenant: p.Tenant, Pattern: topic, Plugin: p.Name, Handler: handlers[p.Name], Capabilities: a.grants[p.Name].host,
			})
		}
	}
	for i := range cfg.Mounts {
		m, err := a.hostMount(&cfg.Mounts[i], handlers)
		if err != nil {
			return hc, fmt.Errorf("mount %s: %w", cfg.Mounts[i].at(), err)
		}
		hc.Mounts = append(hc.Mounts, m)
	}
	return hc, nil
}

func (a *App) hostMount(m *Mount, handlers map[string]*plugins.Plugin) (host.Mount, error) {
	hm := host.Mount{
		Path: m.at(), Hosts: m.Hosts, Tenant: m.Tenant, ConnectPlugin: m.Connect, MaxChannels: m.MaxChannels,
		IdleTimeout: m.IdleTimeout.Duration, MaxFrame: int(m.MaxFrame),
		QueueBytes: int(m.QueueBytes), Subprotocols: m.Subprotocols,
		LongPoll: m.LongPoll, PollWindow: m.PollWindow.Duration,
		AuthToken: m.AuthToken, Headers: m.Headers, AnswerMalformed: m.OnMalformed == malformedReply,
		Compress: m.Compress, Limits: m.Limits.host(),
	}
	var err error
	if hm.Origins, err = m.Origins.policy(); err != nil {
		return hm, fmt.Errorf("origins: %w", err)
	}
	if m.JWT != nil {
		hm.TokenParam, hm.IDPrefix = m.JWT.Param, m.JWT.IDPrefix
		if hm.Auth, err = a.verifier(m.JWT); err != nil {
			return hm, fmt.Errorf("jwt: %w", err)
		}
	}
	if m.Connect != "" {
		hm.Connect, hm.ConnectCapabilities = handlers[m.Connect], a.grants[m.Connect].host
	}
	return hm, nil
}

// checkConnect compares the connect callbacks that there are with those that
// the mounts name: a door that was built and not hung is worth a warning.
func (a *App) checkConnect(cfg *Config, handlers map[string]*plugins.Plugin) error {
	named := map[string]bool{}
	for i := range cfg.Mounts {
		m := &cfg.Mounts[i]
		if m.Connect != "" && !handlers[m.Connect].Implements(abi.CallbackConnect) {
			return fmt.Errorf("mount %s: connect names plugin %q, which has no connect callback", m.at(), m.Connect)
		}
		named[m.Connect] = true
	}
	for i := range cfg.Plugins {
		name := cfg.Plugins[i].Name
		if !named[name] && handlers[name].Implements(abi.CallbackConnect) {
			a.log.Warn(fmt.Sprintf("plugin %s has a connect callback, but no mount names it (mount.connect = %q): everybody may connect",
				name, name), "code", "CONNECT_UNUSED")
		}
	}
	return nil
}

func (a *App) loadPlugins(ctx context.Context, cfg *Config) (map[string]*plugins.Plugin, error) {
	err := a.makeTenants(cfg)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if a.cache, err = a.openCache(cfg); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	handlers := map[string]*plugins.Plugin{}
	for i := range cfg.Plugins {
		p, err := a.loadPlugin(ctx, &cfg.Plugins[i], cmp.Or(cfg.LoadTimeout, defaultLoadTimeout))
		if cause := context.Cause(ctx); err != nil && cause != nil { // not the plugin's fault
			return nil, fmt.Errorf("interrupted while loading plugin %s: %w", cfg.Plugins[i].Name, cause)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrPlugin, err)
		}
		a.plugins = append(a.plugins, p)
		handlers[p.Name()] = p
	}
	return handlers, nil
}

func (a *App) loadPlugin(ctx context.Context, p *Plugin, timeout time.Duration) (*plugins.Plugin, error) {
	wasm := p.Wasm
	if wasm == nil {
		var err error
		if wasm, err = os.ReadFile(p.Path); err != nil {
			return nil, fmt.Errorf("plugin %s: plugin.path: %w", p.Name, err)
		}
	}
	g := a.grants[p.Name]
	settings, err := g.settings(p.Settings)
	if err != nil {
		return nil, fmt.Errorf("plugin %s: settings: %w", p.Name, err)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	a.log.Info("loading plugin", "plugin", p.Name, "bytes", len(wasm))
	began := time.Now()
	loaded, err := plugins.Load(ctx, wasm, plugins.Config{
		Name: p.Name, Instances: p.Instances, Settings: settings,
		MemoryPages: uint32((int64(p.Memory) + pageSize - 1) / pageSize),
		Fuel:        uint64(p.Fuel), Deadline: p.Deadline.Duration, Stack: uint32(p.Stack),
		Tenant: a.tenants[p.Tenant], Breaker: p.Breaker.Breaker, Isolation: p.Isolation.Isolation, OnTrap: a.onTrap(p),
		Presence: a.presences(p.Tenant), PresenceDenied: g.host.CheckPresence, LogDenied: g.host.CheckLog(),
		Secrets: g.secrets, Cache: a.cache, Logger: a.log,
	})
	if err != nil {
		return nil, err
	}
	a.logLoaded(loaded, p, time.Since(began))
	a.log.Info("plugin capabilities", "plugin", p.Name, "may", g.String(), "from", g.source)
	return loaded, nil
}

// logLoaded says what was loaded, and what is slow about it.
func (a *App) logLoaded(loaded *plugins.Plugin, p *Plugin, took time.Duration) {
	reset, whyNot := loaded.Reset()
	a.log.Info("plugin loaded", "plugin", p.Name, "sha", loaded.Hash()[:12], "bytes", loaded.Size(), "ms", took.Milliseconds(),
		"isolation", p.Isolation.String(), "reset", reset)
	if whyNot != "" && p.Isolation.Isolation != plugins.IsolateInstance {
		a.log.Warn(fmt.Sprintf("every callback of plugin %s gets an instance of its own, which is slow: %s (plugin.isolation = %q keeps them)",
			p.Name, whyNot, plugins.IsolateInstance), "code", "NOT_RESETTABLE", "plugin", p.Name)
	}
}

// pluginStats counts what the plugins have done, in the order of the file.
func (a *App) pluginStats() any {
	all := make([]plugins.Stats, len(a.plugins))
	for i, p := range a.plugins {
		all[i] = p.Stats()
	}
	return all
}

func (a *App) listen(cfg *Config) (err error) {
	addr := cfg.HTTP.Addr
	if addr == "" {
		addr = defaultAddr
	}
	if a.public, err = net.Listen("tcp", addr); err != nil {
		return fmt.Errorf("http.addr: %w", err)
	}
	if cfg.Internal.Addr == "" {
		return nil
	}
	if a.internal, err = net.Listen("tcp", cfg.Internal.Addr); err != nil {
		return fmt.Errorf("internal.addr: %w", err)
	}
	return nil
}

// clientURLs are for people to copy: where every address is listened on, they
// name this machine.
func clientURLs(addr net.Addr, mounts []Mount) []string {
	at := addr.String()
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		at = net.JoinHostPort("localhost", strconv.Itoa(tcp.Port))
	}
	if len(mounts) == 0 {
		mounts = []Mount{{}}
	}
	urls := make([]string, len(mounts))
	for i := range mounts {
		urls[i] = "ws://" + mounts[i].authority(at) + strings.TrimSuffix(mounts[i].at(), "/") + "/websocket"
	}
	return urls
}

func (a *App) serve(port string, ln net.Listener, serve func(net.Listener) error) {
	a.serving.Go(func() {
		if err := serve(ln); err != nil && !errors.Is(err, host.ErrServerClosed) {
			a.failed <- fmt.Errorf("%s port: %w", port, err)
		}
	})
}

// Server returns the host, for its API.
func (a *App) Server() *host.Server { return a.server }

// PublicAddr returns the host:port that clients connect to.
func (a *App) PublicAddr() string { return a.public.Addr().String() }

// ClientURLs returns where clients connect, by mount, as seen from this machine.
func (a *App) ClientURLs() []string { return slices.Clone(a.urls) }

// InternalAddr returns the host:port of the internal API, "" without one.
func (a *App) InternalAddr() string {
	if a.internal == nil {
		return ""
	}
	return a.internal.Addr().String()
}

// Failed delivers the error of a port that stopped serving by itself.
func (a *App) Failed() <-chan error { return a.failed }

// Close drains the server within ctx, ends the ports, then the plugins.
// Idempotent; every call returns what the first did.
func (a *App) Close(ctx context.Context) error {
	a.close.Do(func() { a.closed = a.shutdown(ctx) })
	return a.closed
}

func (a *App) shutdown(ctx context.Context) error {
	var err error
	if a.server != nil {
		err = a.server.Close(ctx)
	}
	err = errors.Join(err, closeListener(a.public), closeListener(a.internal))
	a.serving.Wait()
	for _, v := range a.verifiers {
		err = errors.Join(err, v.Close())
	}
	if errors.Is(err, host.ErrStuck) {
		return err // a plugin's Close would wait for the callbacks that do not end
	}
	for _, p := range a.plugins {
		err = errors.Join(err, p.Close())
	}
	return err
}

// closeListener closes a port that the server has not been given, or has not
// closed yet.
func closeListener(ln net.Listener) error {
	if ln == nil {
		return nil
	}
	if err := ln.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
