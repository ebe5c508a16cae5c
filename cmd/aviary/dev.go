package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os/exec"
	"runtime"

	"github.com/aviary-host/aviary/cmd/aviary/dev"
	"github.com/aviary-host/aviary/examples/chat"
)

type devCmd struct {
	Dir  string `short:"C" default:"." type:"path" placeholder:"DIR" help:"Directory of the project."`
	Addr string `placeholder:"HOST:PORT" help:"Where to listen; default: http.addr of aviary.toml."`
	Open bool   `help:"Open the page in a browser."`
	Logs bool   `help:"Print the server's log too; the page has it in any case."`
}

// Validate refuses an address that has no port, or nothing but one.
func (c *devCmd) Validate() error {
	if c.Addr == "" {
		return nil
	}
	if _, _, err := net.SplitHostPort(c.Addr); err != nil {
		return fmt.Errorf("--addr %s: it has to be host:port, such as 127.0.0.1:4100", c.Addr)
	}
	return nil
}

// Run builds and serves the project until ctx ends, again after each change.
func (c *devCmd) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	client, err := chat.Pages() // phoenix.js is in vendor/
	if err != nil {
		return err
	}
	cfg := dev.Config{Dir: c.Dir, Addr: c.Addr, Client: client, Out: out, Log: warnings{log.Handler()}}
	if c.Logs {
		cfg.Log = log.Handler()
	}
	if c.Open {
		cfg.Ready = func(url string) {
			if err := openBrowser(ctx, url); err != nil {
				log.Warn("cannot open a browser", "url", url, "err", err)
			}
		}
	}
	return dev.Run(ctx, cfg)
}

// warnings is a handler without what is less than one.
type warnings struct{ slog.Handler }

// Enabled implements slog.Handler.
func (warnings) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

// WithAttrs implements slog.Handler.
func (w warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{w.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (w warnings) WithGroup(name string) slog.Handler { return warnings{w.Handler.WithGroup(name)} }

// openBrowser opens a page as the system does, and does not wait for the browser.
func openBrowser(ctx context.Context, url string) error {
	command := []string{"xdg-open", url}
	switch runtime.GOOS {
	case "darwin":
		command[0] = "open"
	case "windows":
		command = []string{"rundll32", "url.dll,FileProtocolHandler", url}
	}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	if err := cmd.Start(); err != nil {
		return err
	}
	return cmd.Process.Release()
}
