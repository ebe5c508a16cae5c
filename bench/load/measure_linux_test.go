package load

import (
	"bufio"
	"cmp"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// short is a run against a fake server.
func short(kind Kind, connections, inFlight int) Config {
	return Config{
		Kind: kind, Connections: connections, InFlight: inFlight, Warmup: time.Millisecond,
		Window: 50 * time.Millisecond, Drain: 200 * time.Millisecond,
	}
}

// TestWrongEchoesFailTheRun: each fake server is right but for one thing, and
// from the fifth message on, when the fast comparison is at work.
func TestWrongEchoesFailTheRun(t *testing.T) {
	for _, tt := range []struct {
		name  string
		want  error
		spoil func(n int, reply string) []string
	}{
		{"nothing wrong", nil, func(_ int, reply string) []string { return []string{reply} }},
		{"another ref", errWrong, from(5, func(reply string) []string {
			return []string{strings.Replace(reply, `"00000`, `"99999`, 1)}
		})},
		{"another status", errWrong, from(5, func(reply string) []string {
			return []string{strings.Replace(reply, `"ok"`, `"error"`, 1)}
		})},
		{"another payload", errWrong, from(5, func(reply string) []string {
			return []string{strings.Replace(reply, "xx", "xy", 1)}
		})},
		{"every reply twice", errWrong, from(5, func(reply string) []string { return []string{reply, reply} })},
		{"no more replies", errMissing, from(5, func(string) []string { return nil })},
		{"the first reply is wrong", errWrong, from(0, func(string) []string { return []string{"[]"} })},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t, func(_ *fake, c *fakeConn, m []json.RawMessage) {
				reply := fmt.Sprintf(`[%s,%s,%s,"phx_reply",{"status":"ok","response":%s}]`, m[0], m[1], m[2], m[4])
				c.send(tt.spoil(c.next(), reply)...)
			})
			check(t, f, short(Echo, 2, 3), tt.want)
		})
	}
}

func TestWrongDeliveriesFailTheRun(t *testing.T) {
	for _, tt := range []struct {
		name    string
		want    error
		deliver func(n, member int, text string) []string
	}{
		{"nothing wrong", nil, func(_, _ int, text string) []string { return []string{text} }},
		{"a member is left out", errMissing, func(n, member int, text string) []string {
			if n >= 5 && member == 1 {
				return nil
			}
			return []string{text}
		}},
		{"a member misses one", errWrong, func(n, member int, text string) []string {
			if n == 5 && member == 1 {
				return nil
			}
			return []string{text}
		}},
		{"a member gets one twice", errWrong, func(n, member int, text string) []string {
			if n == 5 && member == 1 {
				return []string{text, text}
			}
			return []string{text}
		}},
		{"a reply to the sender", errWrong, func(_, member int, text string) []string {
			if member == 0 {
				return []string{`["1","s","room:bench","phx_reply",{"status":"ok","response":{}}]`, text}
			}
			return []string{text}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t, func(f *fake, c *fakeConn, m []json.RawMessage) {
				n := c.next()
				for i, member := range f.all() {
					member.send(tt.deliver(n, i, fmt.Sprintf(`[null,null,%s,"shout",%s]`, m[2], m[4]))...)
				}
			})
			check(t, f, short(Fanout, 3, 2), tt.want)
		})
	}
}

func from(first int, spoil func(string) []string) func(int, string) []string {
	return func(n int, reply string) []string {
		if n < first {
			return []string{reply}
		}
		return spoil(reply)
	}
}

func check(t *testing.T, f *fake, cfg Config, want error) {
	t.Helper()
	cfg.URL = f.url
	r, err := Run(t.Context(), cfg)
	if want == nil && (err != nil || r.Messages == 0 || r.ServerCPU != 0) || !errors.Is(err, want) {
		t.Errorf("%+v, %v; want error %v", r, err, want)
	}
}

func TestClosedConnectionFailsTheRun(t *testing.T) {
	f := newFake(t, func(_ *fake, c *fakeConn, _ []json.RawMessage) {
		c.write([]byte("\x88\x06\x03\xf3oops"))
	})
	check(t, f, short(Echo, 1, 1), errClosed)
	f = newFake(t, func(_ *fake, c *fakeConn, _ []json.RawMessage) { c.end() })
	check(t, f, short(Echo, 1, 1), errClosed)
}

// TestPingsAreAnswered: the fake answers the echo only once its ping was.
func TestPingsAreAnswered(t *testing.T) {
	f := newFake(t, func(_ *fake, c *fakeConn, m []json.RawMessage) {
		c.write([]byte("\x89\x02hi"))
		if op, payload, err := c.read(); err != nil || op != opPong || string(payload) != "hi" {
			t.Errorf("answer to a ping: %#x %q, %v", op, payload, err)
		}
		c.send(fmt.Sprintf(`[%s,%s,%s,"phx_reply",{"status":"ok","response":%s}]`, m[0], m[1], m[2], m[4]))
	})
	check(t, f, short(Echo, 2, 1), nil)
}

// fake is a server that accepts every join and leaves the rest to a test.
type fake struct {
	url   string
	event func(f *fake, c *fakeConn, m []json.RawMessage)
	wg    sync.WaitGroup

	mu    sync.Mutex
	conns []*fakeConn
	manners
}

// manners are what else a test may want of a fake.
type manners struct {
	// welcome gives what a connection gets after its join, if it is there.
	welcome func(topic json.RawMessage, n int) string
	// came and went are told of joins, with their payload, and of ends.
	came func(c *fakeConn, payload json.RawMessage)
	went func(c *fakeConn)
	// refuse is what the fake does not grant: upgrade, silent end or join.
	refuse, answer string
	// join takes the place of all that is done for one, if it is there.
	join func(c *fakeConn, m []json.RawMessage)
}

func (f *fake) behave(m manners) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.manners = m
}

func (f *fake) behaviour() manners {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.manners
}

type fakeConn struct {
	net.Conn
	in *bufio.Reader

	mu sync.Mutex
	n  int
}

func newFake(t *testing.T, event func(f *fake, c *fakeConn, m []json.RawMessage)) *fake {
	t.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{url: "ws://" + ln.Addr().String() + "/socket", event: event}
	f.wg.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			f.wg.Go(func() { f.serve(&fakeConn{Conn: nc, in: bufio.NewReader(nc)}) })
		}
	})
	t.Cleanup(func() {
		if err := ln.Close(); err != nil {
			t.Error(err)
		}
		f.wg.Wait()
	})
	return f
}

func (f *fake) all() []*fakeConn {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.conns)
}

// serve ends with the connection: a failed read or write is how that shows.
func (f *fake) serve(c *fakeConn) {
	defer c.end()
	req, err := http.ReadRequest(c.in)
	if err != nil {
		return
	}
	if m := f.behaviour(); m.refuse != "" && m.refuse != "join" {
		c.write([]byte(m.answer))
		return
	}
	sum := sha1.Sum([]byte(req.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	c.write(fmt.Appendf(nil, "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: %s\r\n\r\n", base64.StdEncoding.EncodeToString(sum[:])))
	f.mu.Lock()
	f.conns = append(f.conns, c)
	f.mu.Unlock()
	for {
		_, text, err := c.read()
		var m []json.RawMessage
		if err != nil || json.Unmarshal(text, &m) != nil || len(m) != 5 {
			if b := f.behaviour(); b.went != nil {
				b.went(c)
			}
			return
		}
		if string(m[3]) == `"phx_join"` {
			f.join(c, m)
			continue
		}
		f.event(f, c, m)
	}
}

func (f *fake) join(c *fakeConn, m []json.RawMessage) {
	b := f.behaviour()
	if b.join != nil {
		b.join(c, m)
		return
	}
	c.send(fmt.Sprintf(`[%s,%s,%s,"phx_reply",{"status":%q,"response":{}}]`, m[0], m[1], m[2], cmp.Or(b.answer, "ok")))
	if b.welcome != nil {
		c.send(b.welcome(m[2], slices.Index(f.all(), c)))
	}
	if b.came != nil {
		b.came(c, m[4])
	}
}

// next counts the messages of c from 0.
func (c *fakeConn) next() int {
	c.n++
	return c.n - 1
}

// end closes the connection, which may be closed already.
func (c *fakeConn) end() { _ = c.Close() }

func (c *fakeConn) read() (op byte, payload []byte, err error) {
	var head [6]byte
	if _, err := io.ReadFull(c.in, head[:2]); err != nil {
		return 0, nil, err
	}
	op = head[0] &^ finBit
	n := int(head[1] &^ maskBit)
	if n == 126 {
		if _, err := io.ReadFull(c.in, head[:2]); err != nil {
			return 0, nil, err
		}
		n = int(binary.BigEndian.Uint16(head[:2]))
	}
	key, payload := head[2:6], make([]byte, n)
	if _, err := io.ReadFull(c.in, key); err != nil {
		return 0, nil, err
	}
	if _, err := io.ReadFull(c.in, payload); err != nil {
		return 0, nil, err
	}
	for i := range payload {
		payload[i] ^= key[i%4]
	}
	return op, payload, nil
}

// send writes texts as frames, split in the middle of each.
func (c *fakeConn) send(texts ...string) {
	for _, text := range texts {
		b := []byte{finBit | opText, byte(len(text))}
		if len(text) > 125 {
			b = binary.BigEndian.AppendUint16([]byte{finBit | opText, 126}, uint16(len(text)))
		}
		c.write(append(b, text...))
	}
}

func (c *fakeConn) write(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	half := len(b) / 2
	if _, err := c.Write(b[:half]); err == nil {
		_, _ = c.Write(b[half:]) // the client has gone: the next read tells
	}
}

// TestOpenLoop: each member gets everything.
func TestOpenLoop(t *testing.T) {
	f := newFake(t, shoutToAll)
	cfg := short(Fanout, 3, 1)
	cfg.URL, cfg.Rate, cfg.Warmup = f.url, 1000, 0
	r, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if r.Received != 3*r.Sent || r.Last.Max < r.Last.P50 || r.Last.P50 <= 0 {
		t.Errorf("%+v", r)
	}
}

// TestRate: by the clock of the loop, what is due leaves, no matter what is
// still on its way, until the server is hopelessly behind.
func TestRate(t *testing.T) {
	sender := &conn{topic: "room:bench"}
	l := &loop{conns: []*conn{sender}, now: time.Minute}
	f := newFanout(&Config{Connections: 1, Rate: 500})
	f.sender, f.start = sender, l.now
	var err error
	if sender.push, err = newPush(shoutText(sender.topic)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		after time.Duration
		want  int
	}{{0, 1}, {time.Millisecond, 1}, {2 * time.Millisecond, 2}, {11 * time.Millisecond, 6}, {mostBehind*2*time.Millisecond - 1, mostBehind}} {
		l.now = time.Minute + tt.after
		if err := f.due(l); err != nil || sender.sent != tt.want || int(f.pending) != tt.want {
			t.Fatalf("after %s: %v, sent %d, want %d", tt.after, err, sender.sent, tt.want)
		}
	}
	if at := f.sentAt[5]; at != time.Minute+10*time.Millisecond {
		t.Errorf("the sixth was due at %s", at)
	}
	l.now += time.Millisecond
	if err := f.due(l); !errors.Is(err, errMissing) {
		t.Errorf("%v, want that the server is behind", err)
	}
}

func shoutToAll(f *fake, _ *fakeConn, m []json.RawMessage) {
	for _, member := range f.all() {
		member.send(fmt.Sprintf(`[null,null,%s,"shout",%s]`, m[2], m[4]))
	}
}

func TestJoinCountsChannels(t *testing.T) {
	f := newFake(t, nil)
	cfg := short(Join, 20, 1)
	cfg.URL, cfg.Channels, cfg.AtOnce, cfg.perSource = f.url, 3, 4, 6
	r, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if r.Messages != 60 || r.Sent != 60 || r.Hold < cfg.Window || r.Latency.P50 <= 0 {
		t.Errorf("%+v", r)
	}
	sources := map[string]int{}
	for _, c := range f.all() {
		host, _, err := net.SplitHostPort(c.RemoteAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		sources[host]++
	}
	if want := map[string]int{"127.0.0.1": 6, "127.0.0.2": 6, "127.0.0.3": 6, "127.0.0.4": 2}; !maps.Equal(sources, want) {
		t.Errorf("connections come from %v, want %v", sources, want)
	}
}

func TestReconnectJoinsAllAgain(t *testing.T) {
	for _, drop := range []Drop{DropReset, DropEnd, DropClose} {
		f := newFake(t, nil)
		cfg := short(Reconnect, 10, 1)
		cfg.URL, cfg.Drop, cfg.Window = f.url, drop, time.Minute
		r, err := Run(t.Context(), cfg)
		if err != nil {
			t.Fatalf("%s: %v", drop, err)
		}
		if r.Messages != 10 || r.Sent != 10 || len(f.all()) != 20 {
			t.Errorf("%s: %d connections in all, %+v", drop, len(f.all()), r)
		}
	}
}

// TestPresence: the fake tells the first who comes of the second, and so on.
func TestPresence(t *testing.T) {
	const state, diff = `["1",null,%s,"presence_state",{%s}]`, `["1",null,%s,"presence_diff",{"joins":{%s},"leaves":{%s}}]`
	const both = `"u00000000":{"metas":[{"phx_ref":"a"}]},"u00000001":{"metas":[{"user":"u00000001"}]}`
	for _, tt := range []struct {
		name  string
		push  func(topic json.RawMessage, n int) string
		want  error
		words string
	}{
		{"all at once", func(topic json.RawMessage, _ int) string { return fmt.Sprintf(state, topic, both) }, nil, ""},
		{"by a diff", func(topic json.RawMessage, _ int) string { return fmt.Sprintf(diff, topic, both, "") }, nil, ""},
		{"one is not seen", func(topic json.RawMessage, n int) string {
			return fmt.Sprintf(state, topic, fmt.Sprintf(`"u%08d":{"metas":[]}`, n))
		}, errMissing, "0 of 2 connections had seen all"},
		{"one too many", func(topic json.RawMessage, _ int) string {
			return fmt.Sprintf(state, topic, `"u00000002":{"metas":[]}`)
		}, errWrong, "names user 2 of 2"},
		{"somebody leaves", func(topic json.RawMessage, _ int) string {
			return fmt.Sprintf(diff, topic, "", both)
		}, errWrong, "has somebody leave"},
		{"something else", func(topic json.RawMessage, _ int) string {
			return fmt.Sprintf(`["1",null,%s,"other",{}]`, topic)
		}, errWrong, "is neither"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t, nil)
			f.behave(manners{welcome: tt.push})
			cfg := short(Presence, 2, 1)
			cfg.URL = f.url
			if tt.want == nil {
				cfg.Window = time.Minute
			}
			r, err := Run(t.Context(), cfg)
			if !errors.Is(err, tt.want) || tt.want != nil && !strings.Contains(err.Error(), tt.words) {
				t.Fatalf("%v, want %v with %q", err, tt.want, tt.words)
			}
			if tt.want == nil && (r.Messages != 2 || r.Entries != 4 || r.Bytes == 0) {
				t.Errorf("%+v", r)
			}
		})
	}
}

// TestServersWords: what a server refuses with is in the error.
func TestServersWords(t *testing.T) {
	for _, tt := range []struct {
		name, answer, want string
	}{
		{"upgrade", "HTTP/1.1 403 Forbidden\r\n\r\nnot you", "connection 0, room:0000, waiting for the upgrade: handshake failed: HTTP/1.1 403 Forbidden"},
		{"silent end", "", "connection 0, room:0000, waiting for the upgrade: server closed the connection"},
		{"join", "error", `has not the status ok`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t, nil)
			f.behave(manners{refuse: tt.name, answer: tt.answer})
			cfg := short(Join, 1, 1)
			cfg.URL = f.url
			if _, err := Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

// TestJoinsInAnyOrder: servers need not answer joins in their order, but each once.
func TestJoinsInAnyOrder(t *testing.T) {
	for _, tt := range []struct {
		name string
		refs []int
		want error
		is   stage
	}{
		{"in order", []int{1, 2, 3}, nil, stageJoined},
		{"another order", []int{3, 1, 2}, nil, stageJoined},
		{"not all", []int{3, 1}, nil, stageJoining},
		{"one twice", []int{2, 2}, errWrong, stageJoining},
		{"another's", []int{4}, errWrong, stageJoining},
		{"none", []int{0}, errWrong, stageJoining},
	} {
		cfg, err := Config{Kind: Join, Connections: 1, Channels: 3, Window: 1}.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		l, c := &loop{cfg: &cfg, work: &silence{}}, &conn{stage: stageJoining}
		for _, ref := range tt.refs {
			text := fmt.Sprintf(`["%d","%d","room:0000-%d","phx_reply",{"status":"ok","response":{}}]`, ref, ref, ref-1)
			err = errors.Join(err, l.joining(c, []byte(text)))
		}
		if !errors.Is(err, tt.want) || c.stage != tt.is {
			t.Errorf("%s: %s, %v", tt.name, c.stage, err)
		}
	}
}

func TestUnansweredJoin(t *testing.T) {
	l := &loop{cfg: &Config{}, conns: []*conn{{stage: stageJoined}, {topic: "room:1", stage: stageJoining}}, joined: 1}
	if err := l.stuck(); !errors.Is(err, errMissing) || !strings.Contains(err.Error(), "1 of 2 joined, connection 1 is still joining, room:1") {
		t.Error(err)
	}
}

func TestManyConnectionsNeedLoopback(t *testing.T) {
	l := &loop{cfg: &Config{perSource: 25_000}, conns: make([]*conn, maxFromOne+1)}
	for url, want := range map[string]error{"ws://127.0.0.1:1/s": nil, "ws://192.0.2.1:1/s": errSources} {
		var err error
		if l.to, err = parseEndpoint(url, nil); err != nil {
			t.Fatal(err)
		}
		if err := l.checkSources(); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", url, err, want)
		}
	}
}

// TestHeartbeats: they are due by the clock of the loop, once each interval, for
// every connection in turn.
func TestHeartbeats(t *testing.T) {
	joined := func() *conn { return &conn{stage: stageJoined} }
	l := &loop{conns: []*conn{joined(), joined(), joined(), {}}, joined: 3, visitors: 1, now: time.Second}
	l.heartbeats()
	for _, want := range []int{1, 2, 3, 4} {
		l.now += beatEvery / 3
		l.heartbeats()
		if l.beats != want {
			t.Fatalf("%d heartbeats, want %d", l.beats, want)
		}
	}
	if l.conns[0].beats != 2 || l.conns[1].beats != 1 || l.conns[2].beats != 1 || l.conns[3].beats != 0 {
		t.Errorf("%+v", l.conns)
	}
	// While some join, those that have joined are not forgotten.
	l = &loop{conns: []*conn{joined(), {}}, joined: 1, now: time.Second}
	for range 4 {
		l.heartbeats()
		l.now += beatEvery / 2
	}
	if l.conns[0].beats != 1 || l.conns[1].beats != 0 {
		t.Errorf("while one joins: %+v", l.conns)
	}
	text := fmt.Sprintf(`[null,%q,"phoenix","phx_reply",{"status":"ok","response":{}}]`, heartbeatRef)
	if err := l.frame(&conn{stage: stageJoined, beats: 1}, frame{op: opText, payload: []byte(text)}); err != nil {
		t.Error(err)
	}
}

// TestMessagesAllocateNothing: a generator that collects garbage would measure
// itself.
func TestMessagesAllocateNothing(t *testing.T) {
	c := &conn{topic: "room:0000", stage: stageJoined}
	l := &loop{conns: []*conn{c}, work: &echo{inFlight: 4}}
	if err := l.work.begin(l); err != nil {
		t.Fatal(err)
	}
	reply := []byte(fmt.Sprintf(`["1","%s","room:0000","phx_reply",{"status":"ok","response":%s}]`, formatNumber(0), echoBody()))
	n := testing.AllocsPerRun(100, func() {
		ref := formatNumber(c.expect)
		copy(reply[len(`["1","`):], ref[:])
		if err := l.frame(c, frame{op: opText, payload: reply}); err != nil {
			t.Fatal(err)
		}
		c.out, c.dirty, l.dirty = c.out[:0], false, l.dirty[:0]
	})
	if n != 0 || l.received < 100 {
		t.Errorf("%v allocations, %d messages", n, l.received)
	}
}

// FuzzNextUser: whatever a server sends is searched to its end.
func FuzzNextUser(f *testing.F) {
	f.Add([]byte(`{"u00000001":{"metas":[]},"u00000002":{}}`))
	f.Add([]byte(`":{":{"u0000000":{`))
	f.Fuzz(func(t *testing.T, text []byte) {
		for left := len(text); ; {
			n, rest, found := nextUser(text)
			if !found {
				return
			}
			if len(rest) >= left || n < 0 {
				t.Fatalf("%d with %d of %d bytes left", n, len(rest), left)
			}
			text, left = rest, len(rest)
		}
	})
}

func FuzzNextFrame(f *testing.F) {
	for _, tt := range serverFrames() {
		f.Add([]byte(tt.wire))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		fr, n, err := nextFrame(b)
		if n < 0 || n > len(b) || n > 0 && (err != nil || len(fr.payload) > n) {
			t.Fatalf("took %d of %d, %v", n, len(b), err)
		}
	})
}
