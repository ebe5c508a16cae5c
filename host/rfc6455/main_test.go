package rfc6455_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/host"
	"github.com/aviary-host/aviary/host/limit"
	"go.uber.org/goleak"
)

// Timeout is how long a test waits for anything before it fails.
const timeout = 20 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, leftByFasthttp()...) }

// leftByFasthttp names the goroutines that outlive a server: its pool of
// workers looks only every ten seconds whether it has been stopped, and its
// clock for the Date header runs for ever.
func leftByFasthttp() []goleak.Option {
	return []goleak.Option{
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
	}
}

// echoer is a native handler that lets everybody join and answers every event
// with its payload.
type echoer struct{}

func (echoer) Implements(cb abi.Callback) bool {
	return cb == abi.CallbackJoin || cb == abi.CallbackHandleIn
}

func (echoer) Handle(req *abi.Request, buf []byte, resp *abi.Response) ([]byte, error) {
	resp.Result = abi.ResultReply
	if req.Callback == abi.CallbackHandleIn {
		resp.Binary, resp.Payload = req.Binary, req.Payload
	}
	return buf, nil
}

// server is a running host that can be reached over TCP and over pipes in
// memory. A write to a pipe is a read of its own at the other end, so there a
// test decides how the stream is cut up.
type server struct {
	*host.Server
	addr  string
	pipes *pipes
	log   *logBuffer
}

// start serves one mount at /socket until the end of the test.
func start(t *testing.T, mount host.Mount) *server {
	t.Helper()
	return startLogging(t, mount, slog.LevelDebug)
}

// startLogging is start with a log from a level on.
func startLogging(t *testing.T, mount host.Mount, level slog.Level) *server {
	t.Helper()
	mount.Path = "/socket"
	log := &logBuffer{}
	mount.Limits = &host.Limits{} // no client is faster than these tests
	h, err := host.New(host.Config{
		Mounts: []host.Mount{mount},
		Routes: []host.Route{{Pattern: "*", Plugin: "echo", Handler: echoer{}}},
		Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: level})),

		ConnectionsPerAddress: -1,
		ConnectionRate:        limit.Rate{Count: -1},
	})
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{Server: h, addr: tcp.Addr().String(), pipes: newPipes(), log: log}
	ended := make(chan error, 2)
	for _, ln := range []net.Listener{tcp, s.pipes} {
		go func() { ended <- h.Serve(ln) }()
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		if err := h.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
		for range 2 {
			if err := <-ended; !errors.Is(err, host.ErrServerClosed) {
				t.Errorf("serve ended with %v", err)
			}
		}
	})
	return s
}

// waitFor polls the server's counts, of which nobody is told.
func (s *server) waitFor(t *testing.T, sockets int, channels int64) {
	t.Helper()
	deadline := time.Now().Add(timeout)
	for {
		i := s.Info()
		if i.Sockets == sockets && i.Channels == channels {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d sockets and %d channels are left, want %d and %d", i.Sockets, i.Channels, sockets, channels)
		}
		time.Sleep(time.Millisecond) // there is nothing to wait on
	}
}

// pipes is a listener whose connections are pairs of net.Pipe.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes {
	return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (p *pipes) dial() (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes", Net: "unix"} }

// logBuffer is a log that tests can look into.
type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// way is how a case's bytes reach the server.
type way struct {
	name string
	tcp  bool
	cut  func(frames [][]byte) [][]byte // into writes
}

// ways are those of Autobahn: all at once, by frame, by octet.
func ways() []way {
	return []way{
		{"whole", true, func(frames [][]byte) [][]byte { return [][]byte{join(frames...)} }},
		{"by frame", false, func(frames [][]byte) [][]byte { return frames }},
		{"by octet", false, chops(1)},
	}
}

// testCase is one dialogue. Its number and section say what it is about.
type testCase struct {
	name    string // with Autobahn's number in front
	section string // of RFC 6455, unless it names another
	script  script
}

func (c *testCase) title() string {
	if strings.HasPrefix(c.section, "RFC") {
		return c.name + ", " + c.section
	}
	return fmt.Sprintf("%s, RFC 6455 %s", c.name, c.section)
}

// script is what happens in a case: frames to send, as []byte, and events to
// expect, as strings (client.event says how they read) or, where the RFC leaves
// a choice that this server may make anew, as oneOf. Frames that follow one
// another are sent together. After the last step the client closes with 1000,
// if nobody has closed so far, and nothing else may come.
type script []any

// oneOf are the events of which one has to come.
type oneOf []string

// run plays cases against a server with mount, in every way.
func run(t *testing.T, mount host.Mount, cases []testCase) {
	t.Helper()
	s := start(t, mount)
	for _, c := range cases {
		t.Run(c.title(), func(t *testing.T) {
			for _, w := range ways() {
				t.Run(w.name, func(t *testing.T) { s.dial(t, w).play(c.script) })
			}
		})
	}
	s.waitFor(t, 0, 0)
}
