package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"github.com/aviary-host/aviary/host"
	"github.com/aviary-host/aviary/plugins"
)

const defaultModule = "examples/bench/guest/bench.wasm"

// register gives srv the handler that HANDLER names. The caller calls stop when
// srv is closed.
func register(ctx context.Context, srv *host.Server, log *slog.Logger, getenv func(string) string) (stop func() error, err error) {
	var h host.Handler
	stop = func() error { return nil }
	switch name := getenv("HANDLER"); name {
	case "native":
		h = native{}
	case "", "go":
		p, err := loadModule(ctx, srv, log, getenv("WASM"))
		if err != nil {
			return nil, err
		}
		h, stop = p, p.Close
	case "c", "rust":
		return nil, &usageError{fmt.Sprintf("HANDLER=%s needs a guest written with sdk/%s, which does not exist yet; there are go and native", name, name)}
	default:
		return nil, &usageError{fmt.Sprintf("HANDLER %q is unknown; there are go and native", name)}
	}
	for _, pattern := range []string{"room:*", "presence:*"} {
		if err := srv.Register(pattern, h); err != nil {
			return nil, errors.Join(err, stop())
		}
	}
	return stop, nil
}

func loadModule(ctx context.Context, srv *host.Server, log *slog.Logger, path string) (*plugins.Plugin, error) {
	if path == "" {
		path = defaultModule
	}
	wasm, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("module %s does not exist: run `make guests` and start from the top of the repository, or name another with WASM", path)
	}
	if err != nil {
		return nil, err
	}
	return plugins.Load(ctx, wasm, plugins.Config{Name: "bench", Presence: srv.AppendPresences, Logger: log})
}
