package host_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/host"
	"github.com/aviary-host/aviary/host/hosttest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// fasthttp's pool of workers looks only every ten seconds whether it
		// has been stopped; there is one such goroutine for each server closed
		// within the last ten seconds.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
		// fasthttp keeps one clock per process for the Date header, for ever.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"))
}

var errScript = errors.New("the script failed on purpose")

// script is a native handler made of one function for each thing it does.
// Missing callbacks do the least they can.
type script struct {
	connect   func(*abi.Request, *abi.Response) error
	join      func(*abi.Request, *abi.Response) error
	in        map[string]func(*abi.Request, *abi.Response) error
	info      func(*abi.Request, *abi.Response) error
	out       func(*abi.Request, *abi.Response) error
	terminate func(*abi.Request, *abi.Response) error
	change    func(*abi.Request, *abi.Response) error
	fetch     func(*abi.Request, *abi.Response) error
}

func (s *script) Implements(cb abi.Callback) bool {
	switch cb {
	case abi.CallbackConnect:
		return s.connect != nil
	case abi.CallbackHandleIn:
		return s.in != nil
	case abi.CallbackHandleInfo:
		return s.info != nil
	case abi.CallbackHandleOut:
		return s.out != nil
	case abi.CallbackTerminate:
		return s.terminate != nil
	case abi.CallbackCodeChange:
		return s.change != nil
	case abi.CallbackPresenceFetch:
		return s.fetch != nil
	}
	return cb == abi.CallbackJoin
}

func (s *script) Handle(req *abi.Request, buf []byte, resp *abi.Response) ([]byte, error) {
	return buf, s.function(req)(req, resp)
}

func (s *script) function(req *abi.Request) func(*abi.Request, *abi.Response) error {
	switch req.Callback {
	case abi.CallbackConnect:
		return s.connect
	case abi.CallbackJoin:
		if s.join != nil {
			return s.join
		}
		return accept
	case abi.CallbackHandleIn:
		if f := s.in[string(req.Event)]; f != nil {
			return f
		}
		return fail
	case abi.CallbackHandleInfo:
		return s.info
	case abi.CallbackHandleOut:
		return s.out
	case abi.CallbackCodeChange:
		return s.change
	case abi.CallbackPresenceFetch:
		return s.fetch
	}
	return s.terminate
}

func accept(_ *abi.Request, resp *abi.Response) error {
	resp.Result = abi.ResultReply
	return nil
}

func fail(*abi.Request, *abi.Response) error { return errScript }

func echo(req *abi.Request, resp *abi.Response) error {
	resp.Result, resp.Payload = abi.ResultReply, req.Payload
	return nil
}

// state replies with the channel's state, as a JSON string.
func state(req *abi.Request, resp *abi.Response) error {
	resp.Result, resp.Payload = abi.ResultReply, quote(string(req.State))
	return nil
}

func quote(s string) []byte {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return b
}

// reply is the frame of an ok reply.
func reply(joinRef, ref, topic, response string) string {
	return fmt.Sprintf(`[%q,%q,%q,"phx_reply",{"status":"ok","response":%s}]`, joinRef, ref, topic, response)
}

// effects answers with a list of effects and nothing else.
func effects(list ...abi.Effect) func(*abi.Request, *abi.Response) error {
	return func(_ *abi.Request, resp *abi.Response) error {
		resp.Effects = append(resp.Effects, list...)
		return nil
	}
}

// replyWith is effects, and a reply by which the client knows that they have
// taken place.
func replyWith(list ...abi.Effect) func(*abi.Request, *abi.Response) error {
	return func(_ *abi.Request, resp *abi.Response) error {
		resp.Result, resp.Effects = abi.ResultReply, append(resp.Effects, list...)
		return nil
	}
}

func push(event, payload string) abi.Effect {
	return abi.Effect{Kind: abi.EffectPush, Event: []byte(event), Payload: []byte(payload)}
}

// infoToPush pushes what handle_info was given.
func infoToPush(req *abi.Request, resp *abi.Response) error {
	kind := map[uint32]string{1: "message", 2: "timer", 3: "broadcast"}[req.Reason]
	body := `{"kind":"` + kind + `","event":` + string(quote(string(req.Event))) +
		`,"source":` + string(quote(string(req.Source))) + `,"payload":` + string(req.Payload) + `}`
	resp.Effects = append(resp.Effects, push("info", body))
	return nil
}

// server is a running host for one test.
type server struct {
	*host.Server
	url      string // of the mount /socket
	internal string
	log      *logBuffer
}

// start serves h for all topics.
func start(t *testing.T, h host.Handler, mount host.Mount) *server {
	t.Helper()
	mount.Path = "/socket"
	return startConfig(t, h, host.Config{Mounts: []host.Mount{mount}})
}

// startConfig serves h for all topics, unless there are routes; the first mount
// has to be /socket.
func startConfig(t *testing.T, h host.Handler, cfg host.Config) *server {
	t.Helper()
	for i := range cfg.Mounts {
		m := &cfg.Mounts[i]
		if s, ok := h.(*script); ok && s.connect != nil {
			m.Connect = h
		}
		if m.Limits == nil {
			m.Limits = &host.Limits{} // tests say when they want some
		}
	}
	if cfg.PresenceTick == 0 {
		cfg.PresenceTick = -1 // so that frames have one order
	}
	log := &logBuffer{}
	if cfg.Routes == nil {
		cfg.Routes = []host.Route{{Pattern: "*", Plugin: "script", Handler: h}}
	}
	for _, tenant := range cfg.Tenants {
		cfg.Routes = append(cfg.Routes, host.Route{Tenant: tenant.Name, Pattern: "*", Plugin: "script", Handler: h})
	}
	cfg.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s, err := host.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	srv := &server{Server: s, log: log}
	srv.url = "ws://" + listen(t, s.Serve) + "/socket/websocket?vsn=2.0.0"
	srv.internal = "http://" + listen(t, s.ServeInternal)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return srv
}

func listen(t *testing.T, serve func(net.Listener) error) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- serve(ln) }()
	t.Cleanup(func() {
		if err := <-done; !errors.Is(err, host.ErrServerClosed) {
			t.Errorf("serve ended with %v", err)
		}
	})
	return ln.Addr().String()
}

func (s *server) dial(t *testing.T) *hosttest.Client {
	t.Helper()
	return hosttest.Dial(t, s.url, hosttest.Options{})
}

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

func readAll(t *testing.T, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return string(b)
}
