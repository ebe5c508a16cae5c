package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aviary-host/aviary/host/hosttest"
	"go.uber.org/goleak"
)

// The fixture that all tests share, started by the first that asks for it, and
// its log. A test that ends the server starts one of its own.
var (
	sharedOnce sync.Once
	shared     *fixture
	errShared  error
	sharedLog  lockedBuffer
)

// clientKind is how the clients of the tests speak to the server. The suite is
// written in terms of serializer 2.0.0 over a WebSocket; TestOtherClients runs it
// again with the others.
var clientKind = flag.String("client", "v2", "v2, v1, poll-v2 or poll-v1")

// cacheDir is where the module is kept once it is compiled, for all fixtures of a
// run and for the processes that it starts.
var cacheDir = flag.String("cache", "", "directory of the compiled module (default: one for this run)")

func clientOptions() hosttest.Options {
	return hosttest.Options{
		V1:       strings.HasSuffix(*clientKind, "v1"),
		LongPoll: polls(),
	}
}

// transportName is how the fixture names the transport of the clients.
func transportName() string {
	if polls() {
		return ":longpoll"
	}
	return ":websocket"
}

func polls() bool { return strings.HasPrefix(*clientKind, "poll") }

// webSocketOnly leaves a test out for clients that poll, with what there is only
// on a WebSocket.
func webSocketOnly(t *testing.T, why string) {
	t.Helper()
	if polls() {
		t.Skipf("long polling has no %s", why)
	}
}

// v2Only leaves a test out for clients of serializer 1.0.0, with what that
// does not have.
func v2Only(t *testing.T, why string) {
	t.Helper()
	if clientOptions().V1 {
		t.Skipf("serializer 1.0.0 has no %s", why)
	}
}

func TestMain(m *testing.M) {
	flag.Parse()
	if *cacheDir != "" {
		os.Exit(runAll(m))
	}
	dir, err := os.MkdirTemp("", "aviary-conformance-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "no directory for the compiled module:", err)
		os.Exit(1)
	}
	*cacheDir = dir
	code := runAll(m)
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, "removing the compiled module:", err)
		code = 1
	}
	os.Exit(code)
}

// runAll runs the tests, closes what they share, and looks for what they have left.
func runAll(m *testing.M) (code int) {
	code = m.Run()
	if shared != nil {
		if err := shared.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "closing the fixture:", err)
			code = 1
		}
	}
	http.DefaultClient.CloseIdleConnections()
	if code != 0 {
		return code
	}
	// fasthttp keeps one clock for as long as the process lives, and its pool of
	// workers notices up to 10 s later that it was stopped.
	err := goleak.Find(
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "goroutines left behind:", err)
		return 1
	}
	return 0
}

// lockedBuffer is a log that several goroutines write.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func startTest(log *slog.Logger) (*fixture, error) {
	return start(context.Background(), testOptions(log))
}

func testOptions(log *slog.Logger) options {
	return options{
		config: "aviary.toml", http: "127.0.0.1:0", ctl: "127.0.0.1:0", log: log,
		loadTimeout: 5 * time.Minute, cacheDir: *cacheDir,
	}
}

// fixtureOf returns the shared fixture.
func fixtureOf(t *testing.T) *fixture {
	t.Helper()
	sharedOnce.Do(func() {
		shared, errShared = startTest(slog.New(slog.NewTextHandler(&sharedLog, &slog.HandlerOptions{Level: slog.LevelDebug})))
	})
	if errShared != nil {
		t.Fatal(errShared)
	}
	return shared
}

// ownFixture starts a fixture for one test.
func ownFixture(t *testing.T, log *slog.Logger) *fixture {
	t.Helper()
	return ownFixtureWith(t, testOptions(log))
}

func ownFixtureWith(t *testing.T, o options) *fixture {
	t.Helper()
	f, err := start(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Errorf("closing the fixture: %v", err)
		}
	})
	return f
}

// socketURL returns where clients of a mount connect; query is "" or more
// parameters.
func (f *fixture) socketURL(mount, query string) string {
	u := "ws://" + f.PublicAddr() + mount + "/websocket?vsn=2.0.0"
	if query != "" {
		u += "&" + query
	}
	return u
}

// connect opens a connection on /socket of the shared fixture.
func connect(t *testing.T) *hosttest.Client {
	t.Helper()
	return connectTo(t, "/socket", "")
}

func connectTo(t *testing.T, mount, query string) *hosttest.Client {
	t.Helper()
	return hosttest.Dial(t, fixtureOf(t).socketURL(mount, query), clientOptions())
}

// control makes a control request and expects it to succeed.
func (f *fixture) control(t *testing.T, what string, params url.Values) {
	t.Helper()
	resp, err := http.Get("http://" + f.ControlAddr() + "/ctl/" + what + "?" + params.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // read to its end
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusNoContent {
		t.Fatalf("/ctl/%s %v: %s %s %v", what, params, resp.Status, body, err)
	}
}

// broadcast broadcasts from outside of any channel.
func broadcast(t *testing.T, topic, event, payload string) {
	t.Helper()
	fixtureOf(t).control(t, "bcast", url.Values{"topic": {topic}, "event": {event}, "payload": {payload}})
}

func kill(t *testing.T, topic string) {
	t.Helper()
	fixtureOf(t).control(t, "kill", url.Values{"topic": {topic}})
}
