package dev

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/aviary-host/aviary/cmd/aviary/app"
	"github.com/aviary-host/aviary/cmd/aviary/project"
	"github.com/aviary-host/aviary/plugins"
)

const (
	defaultLook = 150 * time.Millisecond
	drainTime   = 2 * time.Second
	dataDir     = ".aviary" // in the project; records of failures are in its traps/
	configFile  = "aviary.toml"
)

// Config says what is served, and where. What is shown to people goes to Out, as they
// read it; the log, which is for programs, to Log.
type Config struct {
	Dir    string        // of the project
	Addr   string        // host:port; empty: that of aviary.toml
	Look   time.Duration // how often the sources are looked at; 0 means 150 ms
	Client fs.FS         // with the client library in vendor/
	Out    io.Writer
	Log    slog.Handler
	Ready  func(url string) // called once, when the project is served; may be nil
}

// Run builds the project, serves it, and follows its sources until ctx ends. A first build
// that fails is waited for. The error says why nothing could be served.
func Run(ctx context.Context, cfg Config) error {
	if cfg.Look == 0 {
		cfg.Look = defaultLook
	}
	p, err := project.Open(cfg.Dir)
	if err != nil {
		return err
	}
	if err := p.CheckTools(); err != nil {
		return err
	}
	d := &developer{cfg: cfg, project: p}
	sources, err := d.firstBuild(ctx)
	if err != nil || ctx.Err() != nil {
		return err
	}
	if err := d.start(ctx); err != nil {
		return err
	}
	err = d.follow(ctx, sources)
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	return errors.Join(err, d.app.Close(ending))
}

// sources are the files that a build depends on, and when each was changed.
type sources = map[string]time.Time

// developer is a project that is being served.
type developer struct {
	cfg     Config
	project *project.Project
	app     *app.App
	plugin  app.Plugin // in whose place a build is deployed
	socket  string
	events  events

	mu    sync.Mutex // guards the following
	state state
}

// firstBuild builds until that goes well, and returns of which sources.
func (d *developer) firstBuild(ctx context.Context) (sources, error) {
	for {
		now, err := d.project.Sources()
		if err != nil {
			return nil, err
		}
		err = d.build(ctx)
		if err == nil || ctx.Err() != nil {
			return now, nil
		}
		if err := d.say("waiting for a change"); err != nil {
			return nil, err
		}
		if _, err := d.changed(ctx, now); err != nil {
			return nil, err
		}
	}
}

// build builds the module, and says how that went.
func (d *developer) build(ctx context.Context) error {
	d.update(func(s *state) { s.Building = true })
	d.events.add(Event{Time: time.Now(), Kind: kindBuild, Message: "building"})
	began := time.Now()
	err := d.project.Build(ctx, nil)
	took := time.Since(began)
	d.update(func(s *state) { s.Building, s.BuildMS = false, took.Milliseconds() })
	if err != nil && ctx.Err() == nil {
		d.failed("the build failed", err)
	}
	return err
}

// failed shows why what was saved last is not live.
func (d *developer) failed(what string, err error) {
	text := err.Error()
	var built *project.BuildError
	if errors.As(err, &built) && built.Output != "" {
		text = strings.TrimSpace(built.Output)
	}
	d.update(func(s *state) { s.Failed = text })
	d.events.add(Event{Time: time.Now(), Kind: kindFailed, Level: slog.LevelError.String(), Message: what, Attrs: map[string]any{"error": text}})
	old := "; what was live goes on"
	if d.app == nil {
		old = ""
	}
	_ = d.say("%s%s\n%s", what, old, indent(text)) // what cannot be printed is on the page
}

func indent(text string) string { return "    " + strings.ReplaceAll(text, "\n", "\n    ") }

func (d *developer) say(format string, args ...any) error {
	_, err := fmt.Fprintf(d.cfg.Out, format+"\n", args...)
	return err
}

func (d *developer) update(change func(*state)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(&d.state)
}

// start serves the module that was built.
func (d *developer) start(ctx context.Context) error {
	cfg, err := d.config()
	if err != nil {
		return err
	}
	began := time.Now()
	d.app, err = app.Start(ctx, cfg, slog.New(&handler{next: d.cfg.Log, events: &d.events, explain: d.explain}))
	if err != nil {
		return err
	}
	took := time.Since(began)
	d.update(func(s *state) {
		s.Project, s.Language = d.project.File.Name, d.project.File.Language
		s.Socket, s.Topics, s.Quota = d.socket, d.plugin.Topics, quota(&d.plugin)
		s.Generation, s.DeployMS = 1, took.Milliseconds()
	})
	url := "http://" + d.app.PublicAddr() + "/"
	ours := url
	if projectPage(d.cfg.Dir) != nil {
		ours = url + playground + "/"
	}
	err = d.say("%s is live: generation 1, built in %d ms, loaded in %d ms\n\n  page     %s\n  clients  %s\n  topics   %s\n\nSave a file, and it is live again. Stop with Ctrl-C.\n",
		d.project.File.Name, d.buildMS(), took.Milliseconds(), ours, strings.Join(d.app.ClientURLs(), " "), strings.Join(d.plugin.Topics, " "))
	if err == nil && d.cfg.Ready != nil {
		d.cfg.Ready(ours)
	}
	return err
}

func (d *developer) buildMS() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state.BuildMS
}

func quota(p *app.Plugin) int64 {
	if p.Fuel > 0 {
		return p.Fuel
	}
	return int64(plugins.Defaults().Fuel)
}

// config is that of aviary.toml, or of a server with nothing but the project, made fit for
// development: failures are recorded with all that is needed to run them again.
func (d *developer) config() (*app.Config, error) {
	file := filepath.Join(d.cfg.Dir, configFile)
	cfg, err := app.Load(file)
	if errors.Is(err, fs.ErrNotExist) {
		cfg, err = &app.Config{
			CacheDir: app.UserCache, HTTP: app.HTTP{Addr: "127.0.0.1:4000"},
			Plugins: []app.Plugin{{Name: d.project.File.Name, Path: d.project.Module(), Topics: []string{"*"}}},
			Mounts:  []app.Mount{{Path: "/socket"}},
		}, nil
	}
	if err != nil {
		return nil, err
	}
	if d.cfg.Addr != "" {
		cfg.HTTP.Addr = d.cfg.Addr
	}
	if cfg.DataDir == "" {
		if cfg.DataDir, err = ownData(d.cfg.Dir); err != nil {
			return nil, err
		}
	}
	cfg.Pages = &pages{own: projectPage(d.cfg.Dir), client: d.cfg.Client, state: d.encode}
	d.socket = "/socket"
	if len(cfg.Mounts) > 0 && cfg.Mounts[0].Path != "" {
		d.socket = cfg.Mounts[0].Path
	}
	for i := range cfg.Plugins {
		p := &cfg.Plugins[i]
		if filepath.Clean(p.Path) == filepath.Clean(d.project.Module()) {
			p.Payloads = true
			d.plugin = *p
			return cfg, nil
		}
	}
	return nil, fmt.Errorf("%s: no plugin has the path %q, which is what the project builds (output in aviary.json)", file, d.project.File.Output)
}

// ownData makes the directory of what outlasts the server, which is nothing for a
// repository.
func ownData(project string) (string, error) {
	dir := filepath.Join(project, dataDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, ".gitignore"), []byte("*\n"), 0o600)
}

// encode returns the page's view of things.
func (d *developer) encode() ([]byte, error) {
	d.mu.Lock()
	now := d.state
	d.mu.Unlock()
	now.Plugins, now.Server, now.Events = d.app.PluginStats(), d.app.Server().Info(), d.events.list()
	return now.encode()
}

// follow builds and deploys what is saved, until ctx ends or a port fails.
func (d *developer) follow(ctx context.Context, built sources) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		select {
		case err := <-d.app.Failed():
			cancel(err)
		case <-ctx.Done():
		}
	}()
	defer func() { cancel(nil); <-watching }()
	for {
		now, err := d.changed(ctx, built)
		if ctx.Err() != nil {
			if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) && !strings.HasPrefix(cause.Error(), "signal: ") {
				return cause
			}
			return nil
		}
		if err != nil {
			return err
		}
		built = now
		if err := d.build(ctx); err != nil {
			continue // it was shown
		}
		if err := d.deploy(ctx); err != nil && ctx.Err() == nil {
			d.failed("the module was refused", err)
		}
	}
}

// changed waits until the sources are others than those that were built, and have been
// still for a look: editors save in several steps. The error is that of the end of ctx.
func (d *developer) changed(ctx context.Context, built sources) (sources, error) {
	look := time.NewTicker(d.cfg.Look)
	defer look.Stop()
	before := built
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-look.C:
		}
		now, err := d.project.Sources()
		if err != nil {
			return nil, err
		}
		if !maps.Equal(now, built) && maps.Equal(now, before) {
			return now, nil
		}
		before = now
	}
}

// deploy puts the module that was built in the place of the one that serves.
func (d *developer) deploy(ctx context.Context) error {
	wasm, err := os.ReadFile(d.project.Module())
	if err != nil {
		return err
	}
	before := d.app.Server().Info().Sockets
	done, err := d.app.Deploy(ctx, app.Deployment{Plugin: d.plugin.Name, Wasm: wasm, From: app.Origin{Source: d.project.File.Output}})
	if err != nil {
		return err
	}
	if done.Unchanged {
		d.update(func(s *state) { s.Failed = "" })
		return d.say("built, and the module is the one that is live")
	}
	d.update(func(s *state) {
		s.Failed, s.Generation, s.Module = "", done.Generation, done.Module
		s.DeployMS, s.Channels = done.Took.Milliseconds(), done.Channels
	})
	text := fmt.Sprintf("generation %d (sha %s): built in %d ms, live in %d ms, %d channels moved, %d sockets dropped",
		done.Generation, done.Module[:12], d.buildMS(), done.Took.Milliseconds(), done.Channels, max(before-d.app.Server().Info().Sockets, 0))
	d.events.add(Event{Time: time.Now(), Kind: kindDeploy, Level: slog.LevelInfo.String(), Message: text})
	return d.say("%s", text)
}
