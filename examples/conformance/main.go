// Command conformance serves the fixture that the protocol's conformance cases
// talk to, and a control port by which a test makes happen on the server what
// no client can: broadcasts from outside, a crash, a drain.
//
//	PORT=4801 CTL=4802 conformance
//
//	GET /ctl/bcast?topic=T&event=E&payload={}   broadcasts
//	GET /ctl/kill?topic=T                       crashes the channels of a topic
//	GET /ctl/drain                              drains the server, answers when done
//
// Everything listens on the loopback interface only: the control port asks
// nobody who they are. It runs in the foreground until SIGINT or SIGTERM.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/aviary-host/aviary/cmd/aviary/app"
)

// closeTimeout bounds the drain at the end.
const closeTimeout = 5 * time.Second

func main() {
	var o options
	flag.StringVar(&o.config, "config", "", "configuration file (default: aviary.toml beside the program, here, or in examples/conformance)")
	flag.StringVar(&o.http, "http", loopback("PORT", 4801), "address for clients; the default is of port $PORT, else 4801")
	flag.StringVar(&o.ctl, "ctl", loopback("CTL", 4802), "address for control requests; the default is of port $CTL, else 4802")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}

// loopback returns the address of the port that the environment names, or of
// the one given.
func loopback(env string, port int) string {
	text := os.Getenv(env)
	if text == "" {
		text = strconv.Itoa(port)
	}
	return net.JoinHostPort("127.0.0.1", text)
}

func run(o options) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if o.config == "" {
		if o.config, err = findConfig(); err != nil {
			return err
		}
	}
	o.log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	f, err := start(ctx, o)
	if err != nil {
		return err
	}
	o.log.Info("serving", "http", f.PublicAddr(), "ctl", f.ControlAddr())
	<-ctx.Done()
	return f.Close()
}

// findConfig returns the first aviary.toml there is, in the order that the help
// of the flag names.
func findConfig() (string, error) {
	dirs := []string{".", filepath.Join("examples", "conformance")}
	if exe, err := os.Executable(); err == nil {
		dirs = append([]string{filepath.Dir(exe)}, dirs...)
	}
	for _, dir := range dirs {
		path := filepath.Join(dir, "aviary.toml")
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", errors.New("no aviary.toml beside the program, here, or in examples/conformance; name it with -config")
}

// fixture is the running server with its control port.
type fixture struct {
	*app.App

	ctl     *http.Server
	ln      net.Listener
	serving sync.WaitGroup
}

// options are what start needs to know.
type options struct {
	config    string // path of the configuration file
	http, ctl string // addresses; port 0 is any
	log       *slog.Logger

	loadTimeout time.Duration // of the module; 0 means the default
	cacheDir    string        // of the compiled module; empty means what the file says
	presence    *app.Presence // nil means what the file says
}

// start serves the fixture and its control port until Close. On an error
// nothing is left running.
func start(ctx context.Context, o options) (*fixture, error) {
	cfg, err := app.Load(o.config)
	if err != nil {
		return nil, err
	}
	for i := range cfg.Plugins {
		if _, err := os.Stat(cfg.Plugins[i].Path); err != nil {
			return nil, fmt.Errorf("run `make guests` first: %w", err)
		}
	}
	cfg.HTTP.Addr = o.http
	cfg.LoadTimeout = o.loadTimeout
	if o.cacheDir != "" {
		cfg.CacheDir = o.cacheDir
	}
	if o.presence != nil {
		cfg.Presence = *o.presence
	}
	ln, err := net.Listen("tcp", o.ctl)
	if err != nil {
		return nil, fmt.Errorf("control port: %w", err)
	}
	a, err := app.Start(ctx, cfg, o.log)
	if err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	f := &fixture{App: a, ln: ln, ctl: &http.Server{Handler: control(a.Server()), ReadHeaderTimeout: closeTimeout}}
	f.serving.Go(func() {
		if err := f.ctl.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			o.log.Error("control port ended", "err", err)
		}
	})
	return f, nil
}

// ControlAddr returns the host:port of the control requests.
func (f *fixture) ControlAddr() string { return f.ln.Addr().String() }

// Close ends both ports and waits for them.
func (f *fixture) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	err := errors.Join(f.ctl.Shutdown(ctx), f.App.Close(ctx))
	f.serving.Wait()
	return err
}
