// Command bench is the server that the benchmark in the directory bench loads:
// the same small channel logic as a guest, or as native Go, which shows what
// the sandbox costs.
//
//	PORT=4900 HANDLER=native bench-server
//
// Environment:
//
//	PORT         port on 127.0.0.1; 0 picks a free one; default 4900
//	INTERNAL     port on 127.0.0.1 of the internal API, likewise; default none
//	HANDLER      go, c, rust: the module built from guest, guest_c or guest_rust;
//	             native: the same in Go, of the host; default go
//	WASM         another module than examples/bench/guest/bench.wasm and its like
//	BENCH_PPROF  loopback address, such as 127.0.0.1:6060, to serve net/http/pprof on
//
// It mounts /socket, prints `pid N`, `internal on 127.0.0.1:INTERNAL` if there is
// one and `listening on 127.0.0.1:PORT` on its standard output, and runs in the
// foreground until SIGINT or SIGTERM.
//
// The logic: room:* answers echo with its payload, broadcasts shout to
// everybody including the sender, and sends push back as a push; presence:*
// tracks the user that the join names and pushes the presence_state. The guests
// in C and Rust have no SDK and know only room:*; guests.sh compiles them.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/aviary-host/aviary/host"
)

// closeTimeout bounds the drain at the end.
const closeTimeout = 5 * time.Second

// Exit codes.
const (
	exitFailed = 1
	exitUsage  = 2 // the environment asks for something there is not
)

// usageError is a problem that another environment would solve.
type usageError struct{ problem string }

func (e *usageError) Error() string { return e.problem }

func main() {
	if err := run(os.Getenv); err != nil {
		fmt.Fprintln(os.Stderr, "bench-server:", err)
		var usage *usageError
		if errors.As(err, &usage) {
			os.Exit(exitUsage)
		}
		os.Exit(exitFailed)
	}
}

func run(getenv func(string) string) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	port, err := parsePort("PORT", getenv("PORT"))
	if err != nil {
		return err
	}
	internal, err := parsePort("INTERNAL", getenv("INTERNAL"))
	if err != nil {
		return err
	}
	if err := servePprof(getenv("BENCH_PPROF")); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	srv, err := host.New(host.Config{
		Mounts: []host.Mount{{Path: "/socket", Limits: &host.Limits{}}}, // what is measured is how fast it goes
		Logger: log,
	})
	if err != nil {
		return err
	}
	stopHandler, err := register(ctx, srv, log, getenv)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopHandler()) }()
	return serve(ctx, srv, port, internal)
}

// none is the port of what is not asked for.
const none = -1

// parsePort reads the environment variable of that name.
func parsePort(name, text string) (int, error) {
	if text == "" && name == "PORT" {
		return 4900, nil
	}
	if text == "" {
		return none, nil
	}
	port, err := strconv.Atoi(text)
	if err != nil || port < 0 || port > 65535 {
		return 0, &usageError{fmt.Sprintf("%s %q is not a port number", name, text)}
	}
	return port, nil
}

// serve answers until ctx is done, then drains.
func serve(ctx context.Context, srv *host.Server, port, internal int) error {
	fmt.Printf("pid %d\n", os.Getpid())
	ended := make(chan error, 2)
	serving := 0
	listen := func(name string, port int, serve func(net.Listener) error) error {
		ln, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			return err
		}
		serving++
		go func() { ended <- serve(ln) }()
		fmt.Printf("%s on %s\n", name, ln.Addr())
		return nil
	}
	var err error
	if internal != none {
		err = listen("internal", internal, srv.ServeInternal)
	}
	if err == nil {
		err = listen("listening", port, srv.Serve)
	}
	if err == nil {
		select {
		case err = <-ended:
			serving--
		case <-ctx.Done():
		}
	}
	closing, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	err = errors.Join(err, srv.Close(closing))
	for range serving {
		if served := <-ended; !errors.Is(served, host.ErrServerClosed) {
			err = errors.Join(err, served)
		}
	}
	return err
}
