package plugins_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/plugins"
)

// The process's own directories, which TestMain makes and removes.
var (
	compiled *plugins.CacheDir // of all modules: see load
	builds   string            // of the guests in Go
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "aviary-plugins-")
	if err == nil {
		builds = dir
		compiled, err = plugins.OpenCacheDir(filepath.Join(dir, "compiled"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "no directory for the tests:", err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if err := os.RemoveAll(dir); err != nil {
			fmt.Fprintln(os.Stderr, "removing the directory of the tests:", err)
			code = 1
		}
		os.Exit(code)
	}))
}

// fault reads testdata/faults/name.wasm.
func fault(t testing.TB, name string) []byte {
	t.Helper()
	wasm, err := os.ReadFile(filepath.Join("testdata", "faults", name+".wasm"))
	if err != nil {
		t.Fatal(err)
	}
	return wasm
}

// load loads a module for the length of the test. Many tests have it fail on
// purpose, so that it has no breaker unless they say so. What one test has compiled the
// others read back, which saves seconds for a guest in Go, and a minute under the race
// detector.
func load(t testing.TB, wasm []byte, cfg plugins.Config) *plugins.Plugin {
	t.Helper()
	if cfg.Name == "" {
		cfg.Name = "chat"
	}
	if cfg.Breaker == (plugins.Breaker{}) {
		cfg.Breaker = plugins.Breaker{Failures: -1}
	}
	if cfg.Cache == nil {
		cfg.Cache = compiled
	}
	p, err := plugins.Load(context.Background(), wasm, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closePlugin(t, p) })
	return p
}

func closePlugin(t testing.TB, p *plugins.Plugin) {
	t.Helper()
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if n := p.Live(); n != 0 {
		t.Errorf("%d instances are left after Close", n)
	}
}

// handle runs one callback with a payload and returns the response's.
func handle(p *plugins.Plugin, c abi.Callback, payload string) (string, error) {
	var resp abi.Response
	_, err := p.Handle(&abi.Request{Callback: c, Payload: []byte(payload)}, nil, &resp)
	return string(resp.Payload), err
}

// mustHandle is handle for calls that must succeed.
func mustHandle(t testing.TB, p *plugins.Plugin, c abi.Callback, payload string) string {
	t.Helper()
	got, err := handle(p, c, payload)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// logLines is a logger's output that may be read while it is written.
type logLines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// lines returns what was logged since the last call, line by line.
func (l *logLines) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := strings.TrimSuffix(l.buf.String(), "\n")
	l.buf.Reset()
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// newLogger returns a logger of all levels, without times, and its output.
func newLogger() (*slog.Logger, *logLines) {
	out := &logLines{}
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	})), out
}
