package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"github.com/aviary-host/aviary/host"
	"github.com/aviary-host/aviary/plugins"
)

// defaultModule is where the module of a language lies, "" if there is none.
func defaultModule(language string) string {
	switch language {
	case "", "go":
		return "examples/bench/guest/bench.wasm"
	case "c", "rust":
		return "examples/bench/guest_" + language + "/bench.wasm"
	}
	return ""
}

// register gives srv the handler that HANDLER names. The caller calls stop when
// srv is closed.
func register(ctx context.Context, srv *host.Server, log *slog.Logger, getenv func(string) string) (stop func() error, err error) {
	var h host.Handler
	stop = func() error { return nil }
	name := getenv("HANDLER")
	module := defaultModule(name)
	switch {
	case name == "native":
		h = native{}
	case module != "":
		p, err := loadModule(ctx, srv, log, cmp.Or(getenv("WASM"), module))
		if err != nil {
			return nil, err
		}
		h, stop = p, p.Close
	default:
		return nil, &usageError{fmt.Sprintf("HANDLER %q is unknown; there are go, c, rust and native", name)}
	}
	for _, pattern := range []string{"room:*", "presence:*"} {
		if err := srv.Register(pattern, h); err != nil {
			return nil, errors.Join(err, stop())
		}
	}
	return stop, nil
}

func loadModule(ctx context.Context, srv *host.Server, log *slog.Logger, path string) (*plugins.Plugin, error) {
	wasm, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("module %s does not exist: run `make guests` and start from the top of the repository, or name another with WASM", path)
	}
	if err != nil {
		return nil, err
	}
	return plugins.Load(ctx, wasm, plugins.Config{Name: "bench", Presence: srv.AppendPresences, Logger: log})
}
