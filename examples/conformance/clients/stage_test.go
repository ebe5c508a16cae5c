package clients

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aviary-host/aviary/cmd/aviary/app"
	"github.com/aviary-host/aviary/host/hosttest"
	"go.uber.org/goleak"
)

const (
	deadline = 60 * time.Second // of each line, and of the server's end
	mount    = "/socket"
)

func TestMain(m *testing.M) {
	// As in examples/conformance: fasthttp's clock lives on, and its pool of workers
	// notices up to 10 s later that it was stopped.
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

// server is the fixture, which keeps its port over restarts.
type server struct {
	*app.App
	cache string // directory of the compiled module
}

// newServer starts the fixture for as long as the test runs.
func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{cache: filepath.Join(t.TempDir(), "compiled")}
	s.serve(t, "127.0.0.1:0")
	t.Cleanup(func() { s.stop(t) })
	return s
}

func (s *server) serve(t *testing.T, addr string) {
	t.Helper()
	cfg, err := app.Load("../aviary.toml")
	if err != nil {
		t.Fatal(err)
	}
	cfg.HTTP.Addr, cfg.CacheDir = addr, s.cache
	cfg.LoadTimeout = 5 * time.Minute // the race detector makes it ten times as long
	if s.App, err = app.Start(context.Background(), cfg, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatalf("has `make guests` been run? %v", err)
	}
}

func (s *server) stop(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Errorf("closing the server: %v", err)
	}
}

func (s *server) restart(t *testing.T) {
	t.Helper()
	addr := s.PublicAddr()
	s.stop(t)
	s.serve(t, addr)
}

// stage is where the story of one client is played: with its program and somebody
// else.
type stage struct {
	t      *testing.T // of the act being played
	server *server

	program  *exec.Cmd
	stdin    io.WriteCloser // nil until the program is started
	lines    chan string    // what the program says; closed when it ends
	stderr   bytes.Buffer   // to be read when the program is gone
	dialogue []string

	other *hosttest.Client // nil until it joins
}

// newStage makes ready for a program that lives until the end of the test at the
// latest.
func newStage(t *testing.T, srv *server, p program) *stage {
	t.Helper()
	s := &stage{
		server:  srv,
		program: exec.CommandContext(t.Context(), p.argv[0], p.argv[1:]...),
		lines:   make(chan string),
	}
	s.program.Env = append(s.program.Environ(), p.environ("AVIARY_URL=ws://"+srv.PublicAddr()+mount).env...)
	s.program.Stderr = &s.stderr
	t.Cleanup(s.kill)
	return s
}

func (s *stage) start() {
	s.t.Helper()
	stdin, errIn := s.program.StdinPipe()
	stdout, errOut := s.program.StdoutPipe()
	if err := errors.Join(errIn, errOut); err != nil {
		s.t.Fatal(err)
	}
	if err := s.program.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.stdin = stdin
	go func() {
		defer close(s.lines)
		for in := bufio.NewScanner(stdout); in.Scan(); {
			s.lines <- in.Text()
		}
	}()
}

// kill ends the program if it has been started and has not ended.
func (s *stage) kill() {
	if s.stdin == nil {
		return
	}
	_ = s.program.Process.Kill() // it may have ended by itself
	for range s.lines {
	}
	_ = s.program.Wait() // as above
}

// play goes through an act. What happens before the first line of the program
// happens before it starts.
func (s *stage) play(t *testing.T, act string) {
	t.Helper()
	s.t = t
	t.Cleanup(func() {
		if t.Failed() {
			s.kill()
			t.Logf("the story so far:\n%s\nstandard error:\n%s", strings.Join(s.dialogue, "\n"), &s.stderr)
		}
	})
	for line := range strings.Lines(act) {
		line = strings.TrimSuffix(line, "\n")
		if action, ok := strings.CutPrefix(line, "! "); ok {
			s.dialogue = append(s.dialogue, line)
			s.do(action)
			continue
		}
		if s.stdin == nil {
			s.start()
		}
		s.expect(line)
	}
}

func (s *stage) expect(want string) {
	s.t.Helper()
	got, more := s.listen(want)
	if !more {
		s.t.Fatalf("the client ended, want %q", want)
	}
	s.dialogue = append(s.dialogue, got)
	if got != want {
		s.t.Fatalf("the client says %q, want %q", got, want)
	}
}

// expectEnd expects the program to end by itself, and well.
func (s *stage) expectEnd() {
	s.t.Helper()
	if line, more := s.listen("the end"); more {
		s.t.Fatalf("the client says %q, and should have ended", line)
	}
	if err := s.program.Wait(); err != nil {
		s.t.Fatalf("the client ended with %v", err)
	}
}

// listen returns what the program says next, and whether it says anything more.
func (s *stage) listen(want string) (line string, more bool) {
	s.t.Helper()
	select {
	case line, more = <-s.lines:
		return line, more
	case <-time.After(deadline):
		s.t.Fatalf("the client says nothing for %v, want %q", deadline, want)
		return "", false
	}
}

// do makes happen what a story asks for:
//
//	broadcast TOPIC EVENT PAYLOAD   the server broadcasts
//	join TOPIC PAYLOAD              somebody else joins and sees who is present,
//	push TOPIC EVENT PAYLOAD        pushes,
//	leave TOPIC                     and leaves
//	end                             the program's input ends
//
// The restart is not among them: it is for all stories, between their acts.
func (s *stage) do(action string) {
	s.t.Helper()
	verb, rest, _ := strings.Cut(action, " ")
	topic, rest, _ := strings.Cut(rest, " ")
	switch verb {
	case "broadcast":
		event, payload, _ := strings.Cut(rest, " ")
		if err := s.server.Server().Broadcast(topic, event, []byte(payload)); err != nil {
			s.t.Fatalf("%s: %v", action, err)
		}
	case "join":
		s.other = hosttest.Dial(s.t, "ws://"+s.server.PublicAddr()+mount+"/websocket?vsn=2.0.0", hosttest.Options{})
		s.other.SendJoin(topic, rest)
		for s.other.Receive().Event != "presence_state" {
		}
	case "push":
		event, payload, _ := strings.Cut(rest, " ")
		s.other.Push(topic, event, payload)
	case "leave":
		s.other.Push(topic, "phx_leave", "")
	case "end":
		if err := s.stdin.Close(); err != nil {
			s.t.Fatal(err)
		}
	default:
		s.t.Fatalf("the story asks for %q", action)
	}
}
