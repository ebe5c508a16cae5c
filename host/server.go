package host

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aviary-host/aviary/abi"
	"github.com/valyala/fasthttp"
)

// ErrStuck tells that callbacks were still running when the time for the end was
// over. They cannot be interrupted; what they hold is held until the process
// ends.
var ErrStuck = errors.New("callbacks are still running")

// stuckGrace is how long a callback has to come back after the time is over.
const stuckGrace = time.Second

// ErrServerClosed is what Serve returns after Drain or Close.
var ErrServerClosed = errors.New("server closed")

// Server accepts connections and holds all that they share. Its methods may be
// called from any goroutine.
type Server struct {
	// Constant.
	cfg       Config
	log       *slog.Logger
	endpoints *endpoints
	tokens    tokens
	http      *fasthttp.Server
	internal  *fasthttp.Server
	tenants   []*Tenant       // the default one first, then as declared
	ctx       context.Context // ends with Close
	began     time.Time
	addresses *addresses
	cancel    context.CancelFunc

	owners   atomic.Uint64
	draining atomic.Bool
	stats    stats

	// handshakes are the clients that were let in and have no socket yet: by
	// net.Conn, *connected.
	handshakes sync.Map

	scratch sync.Pool // of *scratch
	buffers sync.Pool // of *[]byte
	flates  flates
	loops   loops

	// work counts every goroutine that runs on behalf of a socket.
	work    crew
	runners runners

	suspensions suspensions

	mu        sync.Mutex
	listeners map[*fasthttp.Server][]net.Listener
	closed    bool
}

// stats are the counters of GET /api/v1/info.
type stats struct {
	channels, framesIn, slowClients, infosDropped, undeliverable, crashes, denied, unavailable atomic.Int64
}

// scratch is the room that one callback needs. It is taken for a callback and
// given back after its effects.
type scratch struct {
	req                abi.Request
	resp               abi.Response
	buf                []byte // what a handler reads its response into
	text, frame        []byte // a frame on its way to the outbox
	id, topic, idTopic []byte
}

// New checks cfg and makes a Server. Nothing listens yet.
func New(cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	s := &Server{
		cfg: cfg, log: cfg.Logger, endpoints: newEndpoints(cfg.Mounts), tokens: newTokens(cfg.Secret),
		began: time.Now(), addresses: newAddresses(&cfg),
		listeners: map[*fasthttp.Server][]net.Listener{},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.work.init(s.ctx)
	s.runners.init(&s.work)
	s.scratch.New = func() any { return new(scratch) }
	s.buffers.New = func() any { return new([]byte) }
	if err := s.makeTenants(); err != nil {
		return nil, err
	}
	if err := s.loadSuspensions(); err != nil {
		return nil, err
	}
	s.http = newHTTPServer(s.handleHTTP, bodyLimit)
	s.http.ConnState = s.connState
	s.internal = newHTTPServer(s.handleInternal, internalBodyLimit)
	return s, nil
}

// newHTTPServer makes what serves a port, on which bodies are limited by what the head says.
func newHTTPServer(h fasthttp.RequestHandler, limit func(*fasthttp.RequestHeader) int) *fasthttp.Server {
	return &fasthttp.Server{
		Handler:            h,
		Name:               "aviary",
		ReadTimeout:        10 * time.Second, // of a request; sockets have the mount's timeout
		WriteTimeout:       10 * time.Second,
		IdleTimeout:        60 * time.Second,
		MaxRequestBodySize: maxBody,
		ReadBufferSize:     maxHead,
		HeaderReceived: func(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
			return fasthttp.RequestConfig{MaxRequestBodySize: limit(h)}
		},
		KeepHijackedConns:     true,
		NoDefaultServerHeader: true,
		CloseOnShutdown:       true,
		Logger:                discard{},
		ErrorHandler: func(ctx *fasthttp.RequestCtx, err error) {
			badRequest(ctx, err, limit(&ctx.Request.Header))
		},
	}
}

// badRequest answers what is not even a request, or one whose body is over the limit.
func badRequest(ctx *fasthttp.RequestCtx, err error, limit int) {
	if errors.Is(err, fasthttp.ErrBodyTooLarge) {
		apiError(ctx, fasthttp.StatusRequestEntityTooLarge, "TOO_LARGE", fmt.Sprintf("the body is over %d bytes", limit))
		return
	}
	var small *fasthttp.ErrSmallBuffer
	if errors.As(err, &small) {
		apiError(ctx, fasthttp.StatusRequestHeaderFieldsTooLarge, "TOO_LARGE", fmt.Sprintf("the request line and headers are over %d bytes", maxHead))
		return
	}
	apiError(ctx, fasthttp.StatusBadRequest, "BAD_REQUEST", "not an HTTP request")
}

const (
	// maxBody bounds the body of a request, in bytes.
	maxBody = 1 << 20
	// maxHead bounds its first line and its headers together. A stream keeps a
	// buffer of that size for its life.
	maxHead = 4 << 10
)

func bodyLimit(h *fasthttp.RequestHeader) int {
	path, _, _ := bytes.Cut(h.RequestURI(), []byte("?"))
	if h.IsPost() && bytes.HasSuffix(path, []byte(pathLongPoll)) {
		return maxBatchBody
	}
	return maxBody
}

// discard keeps fasthttp's notes on broken client connections out of the log.
type discard struct{}

func (discard) Printf(string, ...any) {}

// Register binds a topic pattern of the default tenant to a handler, after all
// patterns registered before: the first that fits a topic serves it. Channels that
// are joined keep their handler. Errors wrap ErrInvalidPattern or
// ErrPatternRegistered.
func (s *Server) Register(topicPattern string, h Handler) error {
	return s.home().Register(topicPattern, h)
}

// Serve accepts clients on ln until Drain or Close and then returns
// ErrServerClosed, or the listener's error. The server closes ln.
func (s *Server) Serve(ln net.Listener) error { return s.serve(s.http, ln) }

// ServeInternal answers health checks and the API on ln, likewise.
func (s *Server) ServeInternal(ln net.Listener) error { return s.serve(s.internal, ln) }

func (s *Server) serve(h *fasthttp.Server, ln net.Listener) error {
	s.mu.Lock()
	closed := s.closed || s.draining.Load() && h == s.http
	if !closed {
		s.listeners[h] = append(s.listeners[h], ln)
	}
	s.mu.Unlock()
	if closed {
		return errors.Join(ErrServerClosed, ln.Close())
	}
	if err := h.Serve(ln); err != nil {
		return err
	}
	return ErrServerClosed
}

// stopServing ends a port: fasthttp's own shutdown knows only the listeners
// whose Serve has got going, so they are closed here as well.
func (s *Server) stopServing(ctx context.Context, h *fasthttp.Server) error {
	err := h.ShutdownWithContext(ctx)
	s.mu.Lock()
	listeners := s.listeners[h]
	delete(s.listeners, h)
	s.mu.Unlock()
	for _, ln := range listeners {
		if e := ln.Close(); e != nil && !errors.Is(e, net.ErrClosed) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// call runs the callback prepared in b and checks the form of the answer. detach is
// that of a DetachingHandler.
func (s *Server) call(h Handler, b *scratch, detach func()) (*abi.Response, error) {
	b.resp.Reset()
	var buf []byte
	var err error
	if d, ok := h.(DetachingHandler); ok {
		buf, err = d.HandleDetaching(&b.req, b.buf[:0], &b.resp, detach)
	} else {
		detach() // it may block
		buf, err = h.Handle(&b.req, b.buf[:0], &b.resp)
	}
	if buf != nil {
		b.buf = buf
	}
	if err != nil {
		return nil, err
	}
	if err := b.resp.Check(b.req.Callback); err != nil {
		return nil, err
	}
	return &b.resp, nil
}

// stamp gives a request its time and seed.
func (s *Server) stamp(req *abi.Request) {
	req.TimeMS = time.Now().UnixMilli()
	binary.LittleEndian.PutUint64(req.Seed[:8], rand.Uint64())
	binary.LittleEndian.PutUint64(req.Seed[8:], rand.Uint64())
}

// release gives b back, unless it has grown past what is worth keeping.
func (s *Server) release(b *scratch) {
	if cap(b.buf)+cap(b.text)+cap(b.frame) > 4*keepBuffer {
		return
	}
	b.req = abi.Request{}
	s.scratch.Put(b)
}

// Drain ends the server in order: readiness fails and no new client is let in
// from here on; every socket is told to reconnect elsewhere (close code 1012, as
// phoenix pool_supervisor.ex), in batches, so that not all clients come to the
// other servers at once; when all have ended and their channels have
// terminated, the port closes. When ctx is done it cuts the rest off and returns
// its error, joined with ErrStuck if callbacks do not return even then. The
// internal port answers until Close.
func (s *Server) Drain(ctx context.Context) error {
	s.draining.Store(true) // Tenant.enter lets no socket in from here on
	s.hangUpAll(ctx)
	done := make(chan struct{})
	go func() { s.work.Wait(); close(done) }()
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		err = errors.Join(ctx.Err(), s.cutOff(done))
	}
	return errors.Join(err, s.stopServing(ctx, s.http))
}

// hangUpAll tells all sockets to close, in batches.
func (s *Server) hangUpAll(ctx context.Context) {
	all := s.allSockets()
	for batch := range slices.Chunk(all, s.cfg.DrainBatch) {
		for _, sock := range batch {
			sock.close(statusServiceRestart, "", abi.ReasonDraining)
		}
		all = all[len(batch):]
		if len(all) == 0 {
			return
		}
		// A quarter of chance keeps servers that drain together out of step.
		pause := s.cfg.DrainInterval*3/4 + rand.N(s.cfg.DrainInterval/2+1)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// cutOff ends the connections that are left, and waits a little for callbacks
// to return. What waits for a callback is not begun any more.
func (s *Server) cutOff(done <-chan struct{}) error {
	for _, sock := range s.allSockets() {
		sock.hurry(abi.ReasonDraining)
		sock.link.abort()
	}
	select {
	case <-done:
		return nil
	case <-time.After(stuckGrace):
	}
	for _, sock := range s.allSockets() {
		s.log.Error("a callback does not return", "code", "STUCK", "socket", sock.id, "topics", len(sock.unfinished()))
	}
	return ErrStuck
}

// Close drains within ctx if that has not happened, then ends the internal
// port. Idempotent.
func (s *Server) Close(ctx context.Context) error {
	err := s.Drain(ctx)
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	err = errors.Join(err, s.stopServing(ctx, s.internal))
	for _, t := range s.tenants {
		t.presence.Close()
	}
	s.loops.close()
	return err
}
