// Command aviary serves Phoenix channels whose logic is WebAssembly modules.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/bench/load"
	"github.com/aviary-host/aviary/cmd/aviary/app"
	"github.com/aviary-host/aviary/examples/chat"
	"github.com/aviary-host/aviary/sdk"
)

// Exit codes; 0 is success.
const (
	exitFailure = 1
	exitUsage   = 2
	exitConfig  = 3
	exitPlugin  = 4
)

type cli struct {
	Serve   serveCmd   `cmd:"" help:"Serve the plugins of a configuration file."`
	Demo    demoCmd    `cmd:"" help:"Serve a chat page whose logic is a WebAssembly module. Needs nothing else."`
	New     newCmd     `cmd:"" help:"Begin a project: a directory with a chat, its tests and an SDK. Works offline."`
	Dev     devCmd     `cmd:"" help:"Build and serve a project, again whenever a file is saved; clients stay connected."`
	Build   buildCmd   `cmd:"" help:"Build the module of a project."`
	Test    testCmd    `cmd:"" help:"Build the module of a project and run its cases on it, without a server."`
	Call    callCmd    `cmd:"" help:"Run one callback of a module, without a server."`
	Replay  replayCmd  `cmd:"" help:"Run a callback again that failed on a server."`
	Connect connectCmd `cmd:"" help:"Speak a channel of a server from the terminal: lines of EVENT {JSON}."`
	Check   checkCmd   `cmd:"" help:"Hold a module to the ABI, and measure its callbacks."`
	Abi     abiCmd     `cmd:"" help:"Print the numbers of the ABI as JSON."`
	Bench   benchCmd   `cmd:"" help:"Put load on a server of Phoenix channels and measure it."`
	Version versionCmd `cmd:"" help:"Print versions."`

	ShowVersion kong.VersionFlag `name:"version" help:"Print versions."`
}

type serveCmd struct {
	Config string        `short:"c" default:"aviary.toml" type:"path" placeholder:"FILE" help:"Configuration file; default: aviary.toml here."`
	Drain  time.Duration `default:"30s" help:"How long to wait for clients at the end."`
}

type demoCmd struct {
	Addr string `default:"127.0.0.1:4000" help:"Where to listen."`
}

type versionCmd struct{}

func main() {
	os.Exit(supervise(func(ctx context.Context) int {
		return run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	}))
}

// supervise runs work, whose ctx the first SIGINT or SIGTERM ends, and returns
// its exit code. A second signal does not wait for it: the code is then 128 and
// the signal's number, as shells have it. The signals stay caught to the end: to
// give them back would not do where SIGINT was inherited as ignored.
func supervise(work func(context.Context) int) int {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	done := make(chan int, 1)
	go func() { done <- work(ctx) }()
	select {
	case code := <-done:
		return code
	case sig := <-signals:
		cancel(fmt.Errorf("signal: %s", sig))
	}
	select {
	case code := <-done:
		return code
	case sig := <-signals:
		if number, ok := sig.(syscall.Signal); ok {
			return 128 + int(number)
		}
		return exitFailure
	}
}

// run does what args say until that is done or ctx ends, and returns the exit
// code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var c cli
	exit := -1
	parser, err := kong.New(&c, kong.Name("aviary"), kong.UsageOnError(),
		kong.Description("Phoenix channels whose logic is WebAssembly modules."),
		kong.Vars{"version": versions()},
		kong.Writers(stdout, stderr), kong.Exit(func(code int) { exit = code }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.BindTo(stdout, (*io.Writer)(nil)),
		kong.Bind(slog.New(slog.NewTextHandler(stderr, nil))))
	if err != nil {
		return complain(stderr, err, exitFailure)
	}
	kctx, err := parser.Parse(args)
	if exit >= 0 { // --help or --version has printed itself
		return exit
	}
	if err != nil {
		return complain(stderr, err, exitUsage)
	}
	if err := kctx.Run(); err != nil {
		return complain(stderr, err, exitCode(err))
	}
	return 0
}

// complain says on stderr why the process ends, and returns its exit code.
func complain(stderr io.Writer, err error, code int) int {
	_, _ = fmt.Fprintln(stderr, "aviary:", err) // there is nowhere else to say it
	return code
}

func exitCode(err error) int {
	switch {
	case errors.Is(err, app.ErrConfig):
		return exitConfig
	case errors.Is(err, app.ErrPlugin):
		return exitPlugin
	case errors.Is(err, load.ErrConfig), errors.Is(err, sdk.ErrName), errors.Is(err, sdk.ErrLanguage):
		return exitUsage
	default:
		return exitFailure
	}
}

// Run serves until ctx ends.
func (c *serveCmd) Run(ctx context.Context, log *slog.Logger) error {
	cfg, err := app.Load(c.Config)
	if err != nil {
		return err
	}
	var topics []string
	for i := range cfg.Plugins {
		topics = append(topics, cfg.Plugins[i].Topics...)
	}
	return job{cfg: cfg, drain: c.Drain, ready: func(a *app.App) {
		log.Info("serving", "http", a.PublicAddr(), "clients", strings.Join(a.ClientURLs(), " "),
			"topics", strings.Join(topics, " "), "internal", a.InternalAddr(), "version", version())
	}}.serve(ctx, log)
}

// Validate refuses an address that has no port, or nothing but one.
func (c *demoCmd) Validate() error {
	if _, _, err := net.SplitHostPort(c.Addr); err != nil {
		return fmt.Errorf("--addr %s: it has to be host:port, such as 127.0.0.1:4100", c.Addr)
	}
	return nil
}

// Run serves the embedded chat until ctx ends.
func (c *demoCmd) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	wasm, err := chat.Module()
	if err != nil {
		return err
	}
	may, err := chatMay()
	if err != nil {
		return err
	}
	pages, err := chat.Pages()
	if err != nil {
		return err
	}
	cfg := &app.Config{
		DataDir: demoData(), CacheDir: app.UserCache,
		HTTP:    app.HTTP{Addr: c.Addr},
		Pages:   pages,
		Plugins: []app.Plugin{{Name: "chat", Wasm: wasm, Topics: []string{"room:*"}, Capabilities: may, Payloads: true}},
		Mounts:  []app.Mount{{Path: "/socket", Connect: "chat"}},
	}
	err = job{cfg: cfg, drain: 5 * time.Second, ready: func(a *app.App) {
		if _, err := fmt.Fprintf(out, demoGreeting, a.PublicAddr(), len(wasm)>>10); err != nil {
			log.Warn("cannot print the address", "err", err)
		}
	}}.serve(ctx, log)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s is in use; try: aviary demo --addr 127.0.0.1:0", c.Addr)
	}
	return err
}

// chatMay reads the chat's manifest.
func chatMay() (*app.Capabilities, error) {
	text, err := chat.Manifest()
	if err != nil {
		return nil, err
	}
	return app.ParseManifest(text)
}

// demoData is where the demo keeps records of failures; nowhere if there is no
// directory for such things, as the demo has to run anywhere.
func demoData() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	dir = filepath.Join(dir, "aviary-demo")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return ""
	}
	return dir
}

const demoGreeting = `
  Aviary demo: a chat whose logic is a WebAssembly module.

  open http://%s/

  in two tabs, and talk to yourself. The page uses the official phoenix.js
  client; join, messages, typing and who is online are decided by chat.wasm
  (%d KiB, written in Go: examples/chat/guest). Stop with Ctrl-C.

`

// Run prints the versions.
func (versionCmd) Run(out io.Writer) error {
	_, err := fmt.Fprintln(out, versions())
	return err
}

func versions() string {
	return fmt.Sprintf("aviary %s (abi %d.%d, %s %s/%s)",
		version(), abi.Version, abi.Revision, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// version is the module version that the Go tool recorded.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && !strings.Contains(v, s.Value[:min(len(s.Value), 12)]) {
			v += " " + s.Value[:min(len(s.Value), 12)]
		}
	}
	return v
}

// job is an app to serve and how.
type job struct {
	cfg   *app.Config
	drain time.Duration
	ready func(*app.App) // called once it serves
}

// serve runs the app until ctx ends, then drains it.
func (j job) serve(ctx context.Context, log *slog.Logger) error {
	a, err := app.Start(ctx, j.cfg, log)
	if err != nil {
		return err
	}
	j.ready(a)
	var failed error
	select {
	case <-ctx.Done():
	case failed = <-a.Failed():
	}
	log.Info("draining", "timeout", j.drain.String())
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), j.drain)
	defer cancel()
	began, before := time.Now(), a.Server().Info().Sockets
	err = errors.Join(failed, a.Close(ending))
	log.Info("stopped", "sockets", before, "ms", time.Since(began).Milliseconds(), "in_time", err == nil)
	return err
}
