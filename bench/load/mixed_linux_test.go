package load

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// hotel is what a fake needs for Mixed: rooms that one can join and leave. Tests
// spoil it.
type hotel struct {
	mu      sync.Mutex
	rooms   map[string][]*guest
	sender  *fakeConn
	shouts  int    // broadcasts so far
	last    string // of them
	joined  int    // joins so far
	replies int    // to leaves
	fills   int    // pushes to fill a connection
	spoils
}

// spoils are what a hotel does otherwise than it should.
type spoils struct {
	maxFills int // after so many pushes that fill a connection it is cut off; 0: never

	deliver func(h *hotel, g *guest, text string) []string // nil: text
	welcome func(h *hotel, topic string) []string          // behind the reply to a join
	leave   func(h *hotel, reply, end string) []string     // nil: both
}

// guest is a member of a room.
type guest struct {
	*fakeConn
	number int // of the join
	got    int // broadcasts
}

func newHotel(t *testing.T, s spoils) (h *hotel, url string) {
	h = &hotel{rooms: map[string][]*guest{}, spoils: s}
	f := newFake(t, func(_ *fake, c *fakeConn, m []json.RawMessage) { h.event(c, m) })
	f.behave(manners{join: h.join})
	return h, f.url
}

func (h *hotel) join(c *fakeConn, m []json.RawMessage) {
	h.mu.Lock()
	defer h.mu.Unlock()
	topic := string(m[2])
	h.joined++
	c.send(fmt.Sprintf(`[%s,%s,%s,"phx_reply",{"status":"ok","response":{}}]`, m[0], m[1], m[2]))
	if h.welcome != nil {
		c.send(h.welcome(h, topic)...)
	}
	h.rooms[topic] = append(h.rooms[topic], &guest{fakeConn: c, number: h.joined})
}

func (h *hotel) event(c *fakeConn, m []json.RawMessage) {
	h.mu.Lock()
	defer h.mu.Unlock()
	topic := string(m[2])
	switch string(m[3]) {
	case `"echo"`:
		if string(m[1]) == `"fill"` { // nobody reads the answer
			if h.fills++; h.maxFills > 0 && h.fills%h.maxFills == 0 {
				c.cut()
			}
			return
		}
		c.send(fmt.Sprintf(`[%s,%s,%s,"phx_reply",{"status":"ok","response":%s}]`, m[0], m[1], m[2], m[4]))
	case `"shout"`:
		h.sender = c
		h.shouts++
		h.last = fmt.Sprintf(`[null,null,%s,"shout",%s]`, m[2], m[4])
		for _, g := range h.rooms[topic] {
			texts := []string{h.last}
			if h.deliver != nil {
				texts = h.deliver(h, g, h.last)
			}
			g.send(texts...)
			g.got++
		}
	case `"heartbeat"`:
		c.send(fmt.Sprintf(`[%s,%s,%s,"phx_reply",{"status":"ok","response":{}}]`, m[0], m[1], m[2]))
	case `"phx_leave"`:
		h.rooms[topic] = slices.DeleteFunc(h.rooms[topic], func(g *guest) bool { return g.fakeConn == c })
		reply := fmt.Sprintf(`[%s,%s,%s,"phx_reply",{"status":"ok","response":{}}]`, m[0], m[1], m[2])
		end := fmt.Sprintf(`[%s,%s,%s,"phx_close",{}]`, m[0], m[0], m[2])
		h.replies++
		if h.leave == nil {
			c.send(reply, end)
		} else {
			c.send(h.leave(h, reply, end)...)
		}
	}
}

// cut ends a connection at once. It may have ended already.
func (c *fakeConn) cut() {
	_ = c.Conn.(*net.TCPConn).SetLinger(0)
	c.end()
}

// busy is a short run of Mixed, in which all that may happen does.
func busy() Config {
	cfg := short(Mixed, 20, 1)
	cfg.Rate, cfg.stay, cfg.fill, cfg.Window = 1000, 4*time.Millisecond, 2, 150*time.Millisecond
	return cfg
}

// longEnough runs cfg for longer and longer, each time in another hotel, until enough
// has happened.
func longEnough(t *testing.T, cfg Config, s spoils, enough func(Result, error) bool) (*hotel, Result, error) {
	t.Helper()
	for {
		var h *hotel
		h, cfg.URL = newHotel(t, s)
		r, err := Run(t.Context(), cfg)
		if enough(r, err) {
			return h, r, err
		}
		if cfg.Window *= 2; cfg.Window > time.Minute {
			t.Fatalf("nothing happened in half a minute: %+v", r.Soak)
		}
	}
}

// TestMixed: those who come and go do, and all is accounted for.
func TestMixed(t *testing.T) {
	cfg := busy()
	cfg.Deaf = 1
	h, r, err := longEnough(t, cfg, spoils{maxFills: 2}, func(r Result, err error) bool {
		return err != nil || r.Soak.Leaves > 0 && r.Soak.Dropped > 2 && r.Soak.CutOff > 0
	})
	if err != nil {
		t.Fatal(err)
	}
	checkSoak(t, &r)
	s := r.Soak
	h.mu.Lock()
	defer h.mu.Unlock()
	if int64(h.shouts) != s.Broadcasts || int64(h.joined) != s.Joins || int64(h.replies) != s.Leaves {
		t.Errorf("the server counts %d broadcasts, %d joins, %d leaves; %+v", h.shouts, h.joined, h.replies, s)
	}
}

// checkSoak holds that the figures of a run fit each other.
func checkSoak(t *testing.T, r *Result) {
	t.Helper()
	s := r.Soak
	if s.Broadcasts == 0 || s.Deliveries < 6*s.Broadcasts || s.Echoes == 0 || s.Joins <= 20 || s.Joins > 20+s.Leaves+s.Dropped+s.CutOff {
		t.Errorf("%+v", s)
	}
	if r.Received != s.Echoes+s.Deliveries || r.CutOff != s.CutOff || r.Messages == 0 || s.Delivery.P50 <= 0 || s.Join.P50 <= 0 || s.Missed == 0 {
		t.Errorf("%+v, %+v", r, s)
	}
}

// TestWrongMixturesFailTheRun: each fake server is right but for one thing.
func TestWrongMixturesFailTheRun(t *testing.T) {
	again := func(g *guest) bool { return g.number > 20 } // it was there before
	for _, tt := range []struct {
		name  string
		want  error
		words string
		spoil spoils
	}{
		{"a member misses one", errWrong, "is not broadcast 00000003, the next", spoils{deliver: func(h *hotel, g *guest, text string) []string {
			if g.fakeConn == h.sender && g.got == 3 {
				return nil
			}
			return []string{text}
		}}},
		{"a member gets one twice", errWrong, "is not broadcast 00000004, the next", spoils{deliver: func(h *hotel, g *guest, text string) []string {
			if g.fakeConn == h.sender && g.got == 3 {
				return []string{text, text}
			}
			return []string{text}
		}}},
		{"one who came misses the first", errWrong, "is not the first broadcast since the join", spoils{deliver: func(_ *hotel, g *guest, text string) []string {
			if again(g) && g.got == 0 {
				return nil
			}
			return []string{text}
		}}},
		{"one who came gets one too many", errWrong, "is not the first broadcast since the join", spoils{welcome: func(h *hotel, topic string) []string {
			if h.shouts > 5 && topic == `"room:bench"` {
				return []string{strings.Replace(h.last, fmt.Sprintf("%08d", h.shouts-1), "00000000", 1)}
			}
			return nil
		}}},
		{"one who came gets none", errMissing, "it is waiting for broadcasts", spoils{deliver: func(_ *hotel, g *guest, text string) []string {
			if again(g) {
				return nil
			}
			return []string{text}
		}}},
		{"a broadcast in a room of one's own", errWrong, "comes when it is joined", spoils{welcome: func(h *hotel, topic string) []string {
			if h.joined > 20 && topic != `"room:bench"` {
				return []string{fmt.Sprintf(`[null,null,%s,"shout",{}]`, topic)}
			}
			return nil
		}}},
		{"no answer to a leave", errMissing, "it is waiting for the reply to its leave", spoils{leave: func(*hotel, string, string) []string { return nil }}},
		{"no close behind a leave", errMissing, "it is waiting for phx_close", spoils{leave: func(_ *hotel, reply, _ string) []string { return []string{reply} }}},
		{"two closes", errWrong, "comes when it is", spoils{leave: func(_ *hotel, reply, end string) []string { return []string{reply, end, end} }}},
		{"a broadcast behind the close", errWrong, "comes when it is away", spoils{leave: func(h *hotel, reply, end string) []string {
			return []string{reply, end, h.last}
		}}},
		{"a leave refused", errWrong, "has not the status ok", spoils{leave: func(_ *hotel, reply, _ string) []string {
			return []string{strings.Replace(reply, `"ok"`, `"error"`, 1)}
		}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := longEnough(t, busy(), tt.spoil, func(_ Result, err error) bool { return err != nil })
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.words) {
				t.Errorf("%v, want %v with %q", err, tt.want, tt.words)
			}
		})
	}
}

// TestWhoIsCutOffWithoutCause: only those that do not read may be.
func TestWhoIsCutOffWithoutCause(t *testing.T) {
	for _, kind := range []Kind{Mixed, Fanout} {
		cfg := busy()
		cfg.Kind = kind
		_, _, err := longEnough(t, cfg, spoils{deliver: func(_ *hotel, g *guest, text string) []string {
			if g.got == 5 {
				g.end()
			}
			return []string{text}
		}}, func(_ Result, err error) bool { return err != nil })
		if !errors.Is(err, errClosed) {
			t.Errorf("%s: %v, want %v", kind, err, errClosed)
		}
	}
}

// TestDeafMembers: a fan-out does not wait for those that do not read, and goes on
// when they are cut off.
func TestDeafMembers(t *testing.T) {
	_, url := newHotel(t, spoils{maxFills: 4})
	cfg := short(Fanout, 5, 2)
	cfg.URL, cfg.Deaf, cfg.fill, cfg.Warmup = url, 2, 4, 0
	r, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if r.Received != 3*r.Sent || r.Deaf != 2 || r.CutOff > 2 {
		t.Errorf("%+v", r)
	}
}

// TestWatch: a server is seen as often as one looks, and what it says is believed.
func TestWatch(t *testing.T) {
	answer, status := `{"goroutines":7,"frames_in":40,"deliveries":5,"more":{}}`, http.StatusOK
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(answer)) // the client's side tells
	}))
	defer srv.Close()
	process := exec.CommandContext(t.Context(), "cat") // until its input ends
	in, err := process.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(in.Close(), process.Wait()); err != nil {
			t.Error(err)
		}
	}()
	w := &watch{cfg: &Config{PID: process.Process.Pid, InfoURL: srv.URL}, began: time.Now()}
	s, err := w.sample(t.Context())
	if err != nil || s.rss == 0 || s.files < 3 || s.threads != 1 || s.goroutines != 7 {
		t.Errorf("%+v, %v", s, err)
	}
	if c, err := w.counters(t.Context()); err != nil || c != (Counters{FramesIn: 40, Deliveries: 5, Goroutines: 7}) {
		t.Errorf("%+v, %v", c, err)
	}
	for _, tt := range []struct {
		answer string
		status int
		want   string
	}{{"no JSON", 200, "invalid character"}, {"", 401, "answers 401 Unauthorized"}} {
		answer, status = tt.answer, tt.status
		if _, err := w.counters(t.Context()); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v, want %q", err, tt.want)
		}
	}
}

// TestInfoThatFailsEndsTheRun: before anything is opened, and while it goes on.
func TestInfoThatFailsEndsTheRun(t *testing.T) {
	_, url := newHotel(t, spoils{})
	for asked := range 2 {
		n := 0
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if n++; n > asked {
				w.WriteHeader(http.StatusTeapot)
			}
			_, _ = w.Write([]byte("{}")) // the client's side tells
		}))
		cfg := busy()
		cfg.URL, cfg.InfoURL, cfg.PID = url, srv.URL, os.Getppid()
		if _, err := Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "418") {
			t.Errorf("after %d answers: %v", asked, err)
		}
		srv.Close()
	}
}

// TestDeliveriesOfMixedAllocateNothing: those that stay are most of the load.
func TestDeliveriesOfMixedAllocateNothing(t *testing.T) {
	m := newMixed(&Config{InFlight: 1, Rate: 1})
	c := &conn{topic: "room:bench", stage: stageJoined, part: part{phase: phaseHere}}
	l := &loop{conns: []*conn{c}, work: m}
	m.l, m.sender, c.sent = l, c, 1000
	text := []byte(fmt.Sprintf(`[null,null,"room:bench","shout",%s]`, shoutBody(formatNumber(0))))
	at := strings.Index(string(text), "00000000")
	n := testing.AllocsPerRun(100, func() {
		number := formatNumber(c.expect)
		copy(text[at:], number[:])
		if err := l.frame(c, frame{op: opText, payload: text}); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 || m.deliveries < 100 {
		t.Errorf("%v allocations, %d deliveries", n, m.deliveries)
	}
}
