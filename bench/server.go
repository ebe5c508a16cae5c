package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	startTimeout = 60 * time.Second // a guest is compiled first
	stopTimeout  = 10 * time.Second
)

// server is a child process that serves examples/bench, or the floor.
type server struct {
	target
	internal string // address of its API, "" without
	cmd      *exec.Cmd
	stderr   bytes.Buffer // read it after the process has ended
	output   sync.WaitGroup
}

// startServer starts the program at path with a handler, on a free port, and
// returns when it listens. env is more of its environment. The caller stops it.
func startServer(ctx context.Context, path, handler string, env ...string) (*server, error) {
	s := &server{cmd: exec.Command(path)}
	s.cmd.Env = append(append(os.Environ(), "PORT=0", "HANDLER="+handler), env...)
	s.cmd.Stderr = &s.stderr
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the server (`make %s` builds it): %w", path, err)
	}
	listening := make(chan addresses, 1)
	s.output.Go(func() { readAddresses(stdout, listening) })
	var at addresses
	select {
	case at = <-listening:
	case <-time.After(startTimeout):
		err = fmt.Errorf("server does not listen after %s", startTimeout)
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err == nil && at.public == "" {
		err = errors.New("server ended before it listened")
	}
	if err == nil {
		s.url, s.internal = "ws://"+at.public+"/socket", at.internal
	}
	if err != nil {
		return nil, errors.Join(err, s.stop())
	}
	s.pid = s.cmd.Process.Pid
	return s, nil
}

// addresses are where a server listens; internal is "" if nowhere.
type addresses struct{ public, internal string }

// readAddresses sends the addresses that a server prints, or none if it ends before,
// and reads on so that the server never waits for us.
func readAddresses(r io.Reader, listening chan<- addresses) {
	var at addresses
	lines := bufio.NewScanner(r)
	for at.public == "" && lines.Scan() {
		if addr, ok := strings.CutPrefix(lines.Text(), "internal on "); ok {
			at.internal = addr
		}
		if addr, ok := strings.CutPrefix(lines.Text(), "listening on "); ok {
			at.public = addr
		}
	}
	listening <- at
	_, _ = io.Copy(io.Discard, r) // an error means the server has gone, which Wait tells
}

// stop ends the server and returns what is wrong with the way it ended.
func (s *server) stop() error {
	// An error means that it has ended already, which Wait tells.
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(stopTimeout, func() { _ = s.cmd.Process.Kill() }) // likewise
	defer kill.Stop()
	s.output.Wait()
	if err := s.cmd.Wait(); err != nil {
		return fmt.Errorf("server: %w: %s", err, bytes.TrimSpace(s.stderr.Bytes()))
	}
	return nil
}
