package app

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// Two connections echo, each so often.
const (
	echoConns = 2
	echoEvery = 2 * time.Millisecond
	echoCalls = 10 // where nothing is measured
)

// mostMemory is what an attack may leave behind: an instance with its memory, and noise.
const mostMemory = 48 << 20

// report is what others noticed of an attack.
type report struct {
	name        string
	quiet, p99  time.Duration
	worst       time.Duration
	heap, rss   int64 // bytes more than before
	measurement bool
}

// report runs an attack, which goes on until a time, while the good plugin's clients echo.
// It fails the test if they notice too much, each time that it is tried, or if memory is
// not given back.
func (s *stage) report(t *testing.T, name string, attack func(until time.Time)) *report {
	t.Helper()
	r := &report{name: name, measurement: s.measured}
	heap, rss := memory(t)
	for try := range tries {
		if r.measurement {
			r.quiet, _ = figures(s.echoFor(t, func() { <-time.After(quietTime) }))
		}
		r.p99, r.worst = figures(s.echoFor(t, func() { attack(time.Now().Add(attackTime)) }))
		if !r.measurement || r.good() {
			break
		}
		t.Logf("try %d: quiet p99 %v, p99 %v, max %v", try+1, r.quiet, r.p99, r.worst)
		if try == tries-1 {
			r.check(t)
		}
	}
	heapNow, rssNow := memory(t)
	r.heap, r.rss = heapNow-heap, rssNow-rss
	if !raceEnabled && max(r.heap, r.rss) > mostMemory {
		t.Errorf("%d KiB of heap and %d KiB in all were not given back", r.heap>>10, r.rss>>10)
	}
	return r
}

// good tells whether others noticed no more than they may.
func (r *report) good() bool { return r.p99 <= mostTimes*r.quiet && r.worst <= mostEcho }

// check fails the test if they did.
func (r *report) check(t *testing.T) {
	t.Helper()
	if !r.good() {
		t.Errorf("the others' p99 is %v, %v without the attack, and the longest echo %v; at most %d times and %v",
			r.p99, r.quiet, r.worst, mostTimes, mostEcho)
	}
}

// print writes a row of the table of make hostile.
func (r *report) print(err string) {
	if !r.measurement {
		return
	}
	fmt.Printf("| %-40s | %-60.60s | %8.3f | %8.3f | %8.3f | %8d |\n", r.name, err, ms(r.quiet), ms(r.p99), ms(r.worst), r.rss>>10)
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// figures returns the 99th percentile and the longest.
func figures(all []time.Duration) (p99, worst time.Duration) {
	if len(all) == 0 {
		return 0, 0
	}
	slices.Sort(all)
	return all[len(all)*99/100], all[len(all)-1]
}

// memory returns how much the heap has, and how much the process takes, once both have given
// back what they need not keep.
func memory(t *testing.T) (heap, rss int64) {
	t.Helper()
	runtime.GC() // pools are emptied in two steps
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if text, err := os.ReadFile("/proc/self/statm"); err == nil { // of Linux
		rss = statm(t, string(text))
	}
	return int64(m.HeapAlloc), rss
}

// statm reads what /proc says of the memory of a process: the bytes that are there.
func statm(t *testing.T, text string) int64 {
	t.Helper()
	var total, resident int64
	if _, err := fmt.Sscan(text, &total, &resident); err != nil {
		t.Fatal(err)
	}
	return resident * int64(os.Getpagesize())
}

// echoFor has the clients of the good plugin echo while f runs, at least echoCalls times each,
// and returns how long the echoes took.
func (s *stage) echoFor(t *testing.T, f func()) []time.Duration {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	type result struct {
		took []time.Duration
		err  error
	}
	results := make(chan result, echoConns)
	for i := range echoConns {
		e, err := dialEcho(ctx, s.url, "", fmt.Sprintf("echo:%d", i))
		if err != nil {
			t.Error(err)
			continue
		}
		go func() {
			took, err := e.run(ctx)
			results <- result{took, err}
		}()
	}
	func() {
		defer cancel() // f may fail the test
		f()
	}()
	var all []time.Duration
	for range echoConns {
		r := <-results
		if r.err != nil {
			t.Error("an echo failed: ", r.err)
		}
		all = append(all, r.took...)
	}
	return all
}

// echo is a client that sends at a steady rate. It is lean, since it runs in the process that
// is measured.
type echo struct {
	net.Conn
	topic string
}

// dialEcho connects to a host, that of url if it is empty, and joins.
func dialEcho(ctx context.Context, url, host, topic string) (*echo, error) {
	conn, rest, _, err := (&ws.Dialer{Host: host}).Dial(ctx, url)
	if err != nil {
		return nil, err
	}
	if rest != nil {
		return nil, fmt.Errorf("the server speaks first: %d bytes", rest.Buffered())
	}
	e := &echo{Conn: conn, topic: topic}
	if err := e.call("phx_join", "{}"); err != nil {
		return nil, err
	}
	return e, nil
}

// call sends an event and reads its reply.
func (e *echo) call(event, payload string) error {
	if err := e.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	if err := wsutil.WriteClientText(e, fmt.Appendf(nil, `["1","1",%q,%q,%s]`, e.topic, event, payload)); err != nil {
		return err
	}
	got, err := wsutil.ReadServerText(e)
	want := fmt.Sprintf(`["1","1",%q,"phx_reply",{"status":"ok","response":%s}]`, e.topic, payload)
	if err == nil && !bytes.Equal(got, []byte(want)) && !strings.Contains(string(got), `"response":`+payload) {
		err = fmt.Errorf("got %s, want %s", got, want)
	}
	return err
}

// run echoes until the end of ctx, and returns how long each took from when it was due: who
// was held up by the one before has waited too.
func (e *echo) run(ctx context.Context) (took []time.Duration, err error) {
	defer func() { _ = e.Close() }()
	began := time.Now()
	for n := 0; n < echoCalls || ctx.Err() == nil; n++ {
		due := began.Add(time.Duration(n) * echoEvery)
		if measuring() {
			<-time.After(time.Until(due))
		} else {
			due = time.Now()
		}
		if err := e.call("e", fmt.Sprintf(`{"n":%d}`, n)); err != nil {
			return took, err
		}
		took = append(took, time.Since(due))
	}
	return took, nil
}
