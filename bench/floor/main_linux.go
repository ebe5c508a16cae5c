package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Getenv("PORT"), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench-floor:", err)
		stop()
		os.Exit(1)
	}
}

// run serves on a port of 127.0.0.1, 0 for a free one, until ctx ends.
func run(ctx context.Context, port string, out io.Writer) (err error) {
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return fmt.Errorf("PORT %q is not a port number", port)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s, bound, err := listen(int(n))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if _, err := fmt.Fprintf(out, "pid %d\nlistening on 127.0.0.1:%d\n", os.Getpid(), bound); err != nil {
		return err
	}
	return s.serve(ctx)
}
