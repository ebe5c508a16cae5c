package app

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aviary-host/aviary/cmd/aviary/watch"
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
	lines     map[string]*line        // by plugin
	order     []string                // of the plugins, as in the file
	tenants   map[string]*fair.Tenant // who pays for plugins, by name; "" for those that name none
	cache     *plugins.CacheDir
	traps     *traps.Store // nil: records of failures are not kept
	verifiers []*auth.Verifier
	public    net.Listener
	internal  net.Listener
	urls      []string
	log       *slog.Logger
	grants    map[string]*grant // by plugin

	loading     sync.WaitGroup // of the plugins of tenants
	stopLoading context.CancelFunc
	deploys     deploys
	deployKeys  map[string]ed25519.PublicKey // by name; none: what is sent need not be signed
	retiring    sync.WaitGroup               // generations that are being closed
	watcher     *watch.Watcher               // of the modules' files; nil if none is watched

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
	a.deploys.init()
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
	var err error
	if a.deployKeys, err = cfg.Internal.DeployKeys.read(); err != nil {
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
	if err := a.loadOwn(ctx, cfg); err != nil {
		return err
	}
	hc, err := a.hostConfig(cfg)
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
	a.loadOthers(cfg)
	return nil
}

func (a *App) hostConfig(cfg *Config) (host.Config, error) {
	trusted, err := proxies(cfg.HTTP.TrustedProxies)
	if err != nil {
		return host.Config{}, err
	}
	hc := host.Config{
		Pages: cfg.Pages, Token: cfg.Internal.Token, Secret: cfg.HTTP.Secret, Logger: a.log,
		ConnectionsPerAddress: cfg.HTTP.ConnectionsPerAddress, LogOnly: cfg.HTTP.LogOnly, TrustedProxies: trusted,
		ConnectionRate: cfg.HTTP.ConnectionRate.or(host.DefaultConnectionRate()),
		DrainBatch:     cfg.Drain.Batch, DrainInterval: cfg.Drain.Interval.Duration,
		PresenceTick: cfg.Presence.Tick.Duration, PresencePage: int(cfg.Presence.Page),
		PluginStats: a.pluginStats, PluginCall: a.pluginCall,
		LogLine: func(tenant string) (int, bool) { return a.tenants[tenant].Line() },
	}
	for i := range cfg.Tenants {
		hc.Tenants = append(hc.Tenants, cfg.Tenants[i].host())
	}
	for i := range cfg.Plugins {
		p := &cfg.Plugins[i]
		for _, topic := range p.Topics {
			hc.Routes = append(hc.Routes, host.Route{
				Tenant: p.Tenant, Pattern: topic, Plugin: p.Name, Generations: a.lines[p.Name].handlers, Capabilities: a.grants[p.Name].host,
			})
		}
	}
	for i := range cfg.Mounts {
		m, err := a.hostMount(&cfg.Mounts[i])
		if err != nil {
			return hc, fmt.Errorf("mount %s: %w", cfg.Mounts[i].at(), err)
		}
		hc.Mounts = append(hc.Mounts, m)
	}
	return hc, nil
}

func (a *App) hostMount(m *Mount) (host.Mount, error) {
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
		hm.ConnectGenerations, hm.ConnectCapabilities = a.lines[m.Connect].handlers, a.grants[m.Connect].host
	}
	return hm, nil
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
	if a.stopLoading != nil {
		a.stopLoading() // ahead of the drain, which may take long
	}
	a.deploys.end()
	err = errors.Join(err, a.stopWatching())
	if a.server != nil {
		err = errors.Join(err, a.server.Close(ctx))
	}
	err = errors.Join(err, closeListener(a.public), closeListener(a.internal))
	a.serving.Wait()
	a.loading.Wait()
	a.deploys.count.Wait()
	for _, l := range a.lines {
		l.endTrial()
	}
	for _, v := range a.verifiers {
		err = errors.Join(err, v.Close())
	}
	if errors.Is(err, host.ErrStuck) {
		return err // a plugin's Close would wait for the callbacks that do not end
	}
	for _, name := range a.order {
		err = errors.Join(err, a.lines[name].close())
	}
	a.retiring.Wait()
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
