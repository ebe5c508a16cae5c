package host

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/host/limit"
	"github.com/valyala/fasthttp"
)

// This file measures what sockets and channels take of the heap where nothing is
// on the way: all is real but the connection, whose place a memoryLink takes.

// memoryLink is a link to nowhere that counts what it is given.
type memoryLink struct{ pushes, shared, bytes int }

func (l *memoryLink) push(_ bool, text []byte) { l.pushes++; l.bytes += len(text) }
func (l *memoryLink) pushShared(e *encoded)    { l.shared++; l.bytes += len(e.text) }
func (*memoryLink) hangUp(*farewell)           {}
func (*memoryLink) abort()                     {}

// crowdShape is how many sockets there are and what they join.
type crowdShape struct {
	name     string
	sockets  int
	channels int  // of each socket
	apart    bool // each socket has topics of its own, else all have the same
}

func (c crowdShape) topic(socket, channel int) string {
	if c.apart {
		return fmt.Sprintf("user:%d:%d", socket, channel)
	}
	return fmt.Sprintf("room:%d", channel)
}

// hall is a server full of sockets that do nothing.
type hall struct {
	crowdShape
	srv     *Server
	links   []memoryLink
	all     []*Socket
	perSock taken         // connected
	perChan taken         // joined, beside that
	talked  taken         // more, after a push, a broadcast and an answer
	joining time.Duration // for each channel
}

// taken is what one socket or channel takes.
type taken struct{ bytes, objects float64 }

// heap returns what is reachable on the heap.
func heap() taken {
	runtime.GC()
	runtime.GC() // what was in pools goes with the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return taken{float64(m.HeapAlloc), float64(m.HeapObjects)}
}

// since returns what each of n took since before.
func (t taken) since(before taken, n int) taken {
	return taken{(t.bytes - before.bytes) / float64(n), (t.objects - before.objects) / float64(n)}
}

// fill lets the sockets of a crowd in and has them join.
func fill(tb testing.TB, c crowdShape) *hall {
	tb.Helper()
	srv, err := New(Config{
		Routes: []Route{{Pattern: "*", Handler: echoes{}, Plugin: "echoes"}},

		ConnectionRate: limit.Rate{Count: -1},
		Logger:         slog.New(slog.NewTextHandler(io.Discard, nil)), // one that has to keep what it is given
	})
	if err != nil {
		tb.Fatal(err)
	}
	h := &hall{crowdShape: c, srv: srv, links: make([]memoryLink, c.sockets), all: make([]*Socket, c.sockets)}
	tb.Cleanup(func() { h.empty(tb) })
	empty := heap()
	for i := range h.all {
		h.all[i] = h.letIn(tb, i, &h.links[i])
	}
	connected := heap()
	h.perSock = connected.since(empty, c.sockets)
	began := time.Now()
	for channel := range c.channels {
		for socket := range h.all {
			h.hear(tb, socket, channel, `["7","7",%q,"phx_join",{}]`)
		}
	}
	h.joining = time.Since(began) / time.Duration(c.sockets*c.channels)
	h.perChan = heap().since(connected, c.sockets*c.channels)
	h.expect(tb, "joined", memoryLink{pushes: c.channels})
	return h
}

// letIn makes a socket of a client that asks to be let in, as upgrade does. Of each
// address there come a thousand.
func (h *hall) letIn(tb testing.TB, i int, l link) *Socket {
	tb.Helper()
	var req fasthttp.Request
	req.SetRequestURI("/socket/websocket?vsn=2.0.0")
	v := &visitor{
		ctx: new(fasthttp.RequestCtx), mount: &h.srv.cfg.Mounts[0], transport: abi.TransportWebSocket,
		client: netip.AddrFrom4([4]byte{10, byte(i / 256_000), byte(i / 1000)}), scheme: "http",
	}
	v.ctx.Init(&req, nil, nil)
	c, refused := h.srv.admit(v)
	if refused != nil {
		tb.Fatal(refused.body)
	}
	s := newSocket(h.srv, v.mount, c)
	s.link = l
	if !s.arrive() {
		tb.Fatal("not let in")
	}
	return s
}

// hear has a socket receive a message about one of its topics, and waits until
// its channel has nothing to do.
func (h *hall) hear(tb testing.TB, socket, channel int, frame string) {
	topic, s := h.topic(socket, channel), h.all[socket]
	if err := s.receive(fmt.Appendf(nil, frame, topic), false); err != nil {
		tb.Fatal(err)
	}
	s.channel(topic).mail.awaitIdle()
}

// expect holds that each link got as many messages as it says since it was last
// asked, and has them begin anew.
func (h *hall) expect(tb testing.TB, what string, want memoryLink) {
	tb.Helper()
	for i := range h.links {
		l := &h.links[i]
		if l.pushes != want.pushes || l.shared != want.shared || l.bytes == 0 {
			tb.Fatalf("%s: client %d got %+v, want %+v", what, i, *l, want)
		}
		*l = memoryLink{}
	}
}

// talk pushes to each channel, then broadcasts to each topic and has each client
// answer. It returns what each of the two took for a channel.
func (h *hall) talk(tb testing.TB) (push, answered time.Duration) {
	tb.Helper()
	before, n := heap(), time.Duration(h.sockets*h.channels)
	began := time.Now()
	for socket, s := range h.all {
		for channel := range h.channels {
			topic := h.topic(socket, channel)
			if err := h.srv.Push(s.id, topic, "news", []byte(`{"n":1}`)); err != nil {
				tb.Fatal(err)
			}
			s.channel(topic).mail.awaitIdle()
		}
	}
	push = time.Since(began) / n
	h.expect(tb, "pushed to", memoryLink{pushes: h.channels})

	began = time.Now()
	for socket := range h.all {
		for channel := range h.channels {
			if err := h.srv.Broadcast(h.topic(socket, channel), "news", []byte(`{"n":2}`)); err != nil {
				tb.Fatal(err)
			}
		}
		if !h.apart {
			break // they all hear the first one's
		}
	}
	h.expect(tb, "broadcast to", memoryLink{shared: h.channels})
	for socket := range h.all {
		for channel := range h.channels {
			h.hear(tb, socket, channel, `["7","8",%q,"seen",{"n":2}]`)
		}
	}
	answered = time.Since(began) / n
	h.expect(tb, "answered", memoryLink{pushes: h.channels})
	h.talked = heap().since(before, h.sockets*h.channels)
	return push, answered
}

// empty ends everything, after which nothing is counted any more.
func (h *hall) empty(tb testing.TB) {
	for _, s := range h.all {
		s.endChannels()
		s.depart()
	}
	if info := h.srv.Info(); info.Sockets != 0 || info.Channels != 0 || info.Topics != 0 {
		tb.Errorf("left behind: %+v", info)
	}
	if err := h.srv.Close(context.Background()); err != nil {
		tb.Error(err)
	}
}

// The most that an idle socket and an idle channel may take of the heap, in
// bytes: about a tenth more than they do. A channel with a topic of its own has
// the topic's share, too, and one that was talked to the bucket of its rate. With
// its connection, a socket that has joined is to stay below 1536.
const (
	socketBudget  = 460
	channelBudget = 330
	topicBudget   = 120
	talkBudget    = 52
)

// TestIdleMemory: what does nothing takes little.
func TestIdleMemory(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector takes memory of its own")
	}
	for _, c := range []crowdShape{
		{"one topic", 2000, 1, false},
		{"own topics", 2000, 1, true},
		{"many topics", 100, 50, false},
	} {
		h := fill(t, c)
		h.talk(t)
		t.Logf("%s: %.0f bytes in %.1f objects a socket, %.0f in %.1f a channel, %.0f in %.1f more when talked to", c.name,
			h.perSock.bytes, h.perSock.objects, h.perChan.bytes, h.perChan.objects, h.talked.bytes, h.talked.objects)
		most := float64(channelBudget)
		if c.apart {
			most += topicBudget
		}
		if h.perSock.bytes > socketBudget || h.perChan.bytes > most || h.talked.bytes > talkBudget {
			t.Errorf("%s: %.0f bytes a socket, %.0f a channel and %.0f when talked to, want %d, %.0f and %d at most", c.name,
				h.perSock.bytes, h.perChan.bytes, h.talked.bytes, socketBudget, most, talkBudget)
		}
	}
}

// TestMemory prints what as many joined channels as AVIARY_CHANNELS says take, in
// crowds of several shapes.
func TestMemory(t *testing.T) {
	text := os.Getenv("AVIARY_CHANNELS")
	if text == "" {
		t.Skip("takes gigabytes: make memory")
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 100 {
		t.Fatalf("AVIARY_CHANNELS %q is not a number of channels, 100 at least", text)
	}
	fmt.Println("shape            sockets  channels  B/socket  B/channel  B/talked  objects  join us  push us  answer us  heap MiB")
	for _, c := range []crowdShape{
		{"one topic", n, 1, false},
		{"own topics", n, 1, true},
		{"10 topics", n / 10, 10, false},
		{"100 topics", n / 100, 100, false},
	} {
		h := fill(t, c)
		push, answered := h.talk(t)
		us := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
		fmt.Printf("%-14s %9d %9d %9.0f %10.0f %9.0f %8.1f %8.2f %8.2f %10.2f %9.0f\n", c.name, c.sockets, c.sockets*c.channels,
			h.perSock.bytes, h.perChan.bytes, h.talked.bytes, h.perSock.objects+h.perChan.objects, us(h.joining), us(push), us(answered),
			heap().bytes/(1<<20))
		h.empty(t)
		h.all, h.links = nil, nil
	}
}

// BenchmarkJoin is a socket that comes, joins and goes.
func BenchmarkJoin(b *testing.B) {
	h := fill(b, crowdShape{name: "room", sockets: 1, channels: 1})
	link := new(memoryLink)
	frame := []byte(`["1","1","room:0","phx_join",{}]`)
	b.ReportAllocs()
	for b.Loop() {
		s := h.letIn(b, 0, link)
		if err := s.receive(frame, false); err != nil {
			b.Fatal(err)
		}
		s.channel("room:0").mail.awaitIdle()
		s.endChannels()
		s.depart()
	}
}

// BenchmarkHandshake is what the host adds to an HTTP request that becomes a
// WebSocket, up to its answer.
func BenchmarkHandshake(b *testing.B) {
	h := fill(b, crowdShape{name: "room", sockets: 1, channels: 1})
	var req fasthttp.Request
	req.SetRequestURI("/socket/websocket?vsn=2.0.0")
	for name, value := range map[string]string{
		"Host": "127.0.0.1:4000", "Origin": "http://127.0.0.1:4000", "Connection": "Upgrade", "Upgrade": "websocket",
		"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
	} {
		req.Header.Set(name, value)
	}
	var ctx fasthttp.RequestCtx
	b.ReportAllocs()
	for b.Loop() {
		ctx.Init(&req, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, nil)
		ctx.Response.Reset()
		h.srv.handleHTTP(&ctx)
		if ctx.Response.StatusCode() != fasthttp.StatusSwitchingProtocols {
			b.Fatal(&ctx.Response)
		}
	}
}
