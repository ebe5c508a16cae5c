package host

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/wire"
	"github.com/gobwas/ws"
)

// sink is a connection that takes everything and from which nothing comes.
type sink struct{ net.Conn }

func (sink) Write(p []byte) (int, error)      { return len(p), nil }
func (sink) SetReadDeadline(time.Time) error  { return nil }
func (sink) SetWriteDeadline(time.Time) error { return nil }
func (sink) Close() error                     { return nil }

// echoes answers every event with its payload.
type echoes struct{}

func (echoes) Implements(cb abi.Callback) bool {
	return cb == abi.CallbackJoin || cb == abi.CallbackHandleIn
}

func (echoes) Handle(req *abi.Request, buf []byte, resp *abi.Response) ([]byte, error) {
	resp.Result, resp.Payload = abi.ResultReply, req.Payload
	return buf, nil
}

func (e echoes) HandleDetaching(req *abi.Request, buf []byte, resp *abi.Response, _ func()) ([]byte, error) {
	return e.Handle(req, buf, resp)
}

// joinedSocket is a socket on a connection to nowhere that has joined t.
func joinedSocket(tb testing.TB) *stream {
	tb.Helper()
	caps, err := Grants{Serve: []string{"*"}, Broadcast: []string{"room:*"}}.Compile()
	if err != nil {
		tb.Fatal(err)
	}
	s, err := New(Config{Routes: []Route{{Pattern: "*", Handler: echoes{}, Capabilities: caps}}, Mounts: []Mount{{Path: "/socket", Limits: &Limits{}}}})
	if err != nil {
		tb.Fatal(err)
	}
	w := newStream(newSocket(s, &s.cfg.Mounts[0], &connected{version: wire.Version2, socketID: newSocketID(), transport: abi.TransportWebSocket}), sink{}, nil)
	if !w.arrive() {
		tb.Fatal("not let in")
	}
	tb.Cleanup(func() {
		w.endChannels()
		w.depart()
		if err := s.Close(context.Background()); err != nil {
			tb.Error(err)
		}
	})
	w.hear(tb, clientFrame(ws.OpText, true, `["1","1","t","phx_join",{}]`))
	w.channel("t").mail.awaitIdle()
	return w
}

// awaitIdle waits until nobody runs the mailbox.
func (b *mailbox) awaitIdle() {
	b.mu.Lock()
	for b.busy {
		b.waitLocked()
	}
	b.mu.Unlock()
}

// hear does what the read loop does with the frames of one read.
func (w *stream) hear(tb testing.TB, frames []byte) {
	used, _, err := w.handle(frames)
	if used != len(frames) || err != nil {
		tb.Fatal(used, err)
	}
}

// echoPath takes one event from the client and queues its reply.
func echoPath(tb testing.TB) (run func()) {
	w := joinedSocket(tb)
	frame := clientFrame(ws.OpText, true, `["1","2","t","echo",{"n":1}]`)
	buf := make([]byte, len(frame))
	return func() {
		copy(buf, frame)
		w.hear(tb, buf)
	}
}

// broadcastPath brings one broadcast to one client.
func broadcastPath(tb testing.TB) (run func()) {
	w := joinedSocket(tb)
	payload := []byte(`{"text":"hello, everybody who is here"}`)
	return func() {
		w.out.cork()
		w.tenant.pubsub.Broadcast("t", newFanout("t", "new_msg", payload))
		w.uncork()
	}
}

// TestHotPathsAllocateLittle: an event and its reply nothing at all, a broadcast
// itself and its frame, however many it goes to.
func TestHotPathsAllocateLittle(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector has pools forget what is in them")
	}
	for _, tt := range []struct {
		name string
		path func(testing.TB) func()
		want float64
	}{{"echo", echoPath, 0}, {"broadcast", broadcastPath, 2}} {
		run := tt.path(t)
		if n := testing.AllocsPerRun(200, run); n != tt.want {
			t.Errorf("%s: %v allocations, want %v", tt.name, n, tt.want)
		}
	}
}

func BenchmarkPaths(b *testing.B) {
	for name, path := range map[string]func(testing.TB) func(){"echo": echoPath, "broadcast": broadcastPath} {
		b.Run(name, func(b *testing.B) {
			run := path(b)
			b.ReportAllocs()
			for b.Loop() {
				run()
			}
		})
	}
}
