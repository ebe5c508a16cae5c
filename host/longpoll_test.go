package host_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/host"
	"github.com/aviary-host/aviary/host/hosttest"
)

// session is a long-polling session of which a test makes each request itself.
type session struct {
	t     *testing.T
	url   string
	token string
	http  http.Client
}

// poller begins a session.
func (s *server) poller(t *testing.T) *session {
	t.Helper()
	p := &session{t: t, url: strings.Replace(strings.Replace(s.url, "ws://", "http://", 1), "/websocket", "/longpoll", 1)}
	p.http = http.Client{Timeout: hosttest.Timeout, Transport: &http.Transport{}}
	t.Cleanup(p.http.CloseIdleConnections)
	a := p.get()
	if a.Status != http.StatusGone || a.Token == "" {
		t.Fatalf("got %+v, want a session", a)
	}
	p.token = a.Token
	return p
}

// host returns the address of the server.
func (p *session) host() string { return strings.Split(p.url, "/")[2] }

func (p *session) get() *hosttest.PollAnswer {
	p.t.Helper()
	return p.request(http.MethodGet, "")
}

// post posts messages as a batch.
func (p *session) post(messages ...string) *hosttest.PollAnswer {
	p.t.Helper()
	return p.request(http.MethodPost, strings.Join(messages, "\n"))
}

func (p *session) request(method, body string) *hosttest.PollAnswer {
	p.t.Helper()
	a, err := p.ask(method, body)
	if err != nil {
		p.t.Fatal(err)
	}
	return a
}

// ask is request for other goroutines than the test's.
func (p *session) ask(method, body string) (*hosttest.PollAnswer, error) {
	req, err := http.NewRequest(method, p.url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	req.Header.Set("X-Phoenix-Longpoll-Token", p.token)
	return hosttest.Poll(&p.http, req)
}

// postLater posts messages and reports the status, 0 if there is no answer.
func (p *session) postLater(messages ...string) (status chan int) {
	status = make(chan int, 1)
	go func() {
		a, err := p.ask(http.MethodPost, strings.Join(messages, "\n"))
		if err != nil {
			status <- 0
			return
		}
		status <- a.Status
	}()
	return status
}

// expect polls until as many messages as wanted have come, and compares.
func (p *session) expect(want ...string) {
	p.t.Helper()
	var got []string
	for end := time.Now().Add(hosttest.Timeout); len(got) < len(want) && time.Now().Before(end); {
		a := p.get()
		if a.Status == http.StatusGone {
			p.t.Fatalf("the session is gone; got %q, want %q", got, want)
		}
		got = append(got, a.Messages...)
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		p.t.Fatalf("got  %q\nwant %q", got, want)
	}
}

// expectGone polls until the session is gone and expects no messages.
func (p *session) expectGone() {
	p.t.Helper()
	for end := time.Now().Add(hosttest.Timeout); time.Now().Before(end); {
		a := p.get()
		switch {
		case a.Status == http.StatusGone || a.HTTPStatus == http.StatusServiceUnavailable:
			return
		case len(a.Messages) > 0:
			p.t.Fatalf("got %q, want the session to be gone", a.Messages)
		}
	}
	p.t.Fatal("the session lives on")
}

// join joins topic with join_ref 11.
func (p *session) join(topic string) {
	p.t.Helper()
	p.post(fmt.Sprintf(`["11","1",%q,"phx_join",{}]`, topic))
	p.expect(fmt.Sprintf(`["11","1",%q,"phx_reply",{"status":"ok","response":{}}]`, topic))
}

// eventually waits for a condition that nothing announces.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(hosttest.Timeout); !condition(); {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(time.Millisecond) // there is nothing to wait on
	}
}

// TestPollKeepsMessagesOfAGetWhoseClientHasGone: a client that gives up a request
// and makes another gets what came in between, whichever of the two the server
// has seen when the message comes.
func TestPollKeepsMessagesOfAGetWhoseClientHasGone(t *testing.T) {
	s := start(t, &script{}, host.Mount{LongPoll: true, PollWindow: 3 * time.Second})
	p := s.poller(t)
	p.join("t")
	for n := range 20 {
		conn, err := net.Dial("tcp", p.host())
		if err != nil {
			t.Fatal(err)
		}
		_, err = fmt.Fprintf(conn, "GET /socket/longpoll?vsn=2.0.0&token=%s HTTP/1.1\r\nHost: x\r\n\r\n", p.token)
		if err := errors.Join(err, conn.Close()); err != nil {
			t.Fatal(err)
		}
		publish(t, s, "t", "e", fmt.Sprintf(`{"n":%d}`, n))
		p.expect(fmt.Sprintf(`[null,null,"t","e",{"n":%d}]`, n))
	}
}

// TestPollHandsOutEachMessageOnce: of several GETs at once each message goes to
// one, and those of an answer are a piece of the whole without a gap.
func TestPollHandsOutEachMessageOnce(t *testing.T) {
	const total = 2000
	s := start(t, &script{}, host.Mount{LongPoll: true, PollWindow: 2 * time.Second})
	p := s.poller(t)
	p.join("t")
	var mu sync.Mutex
	seen, left := make([]int, total), total
	var pollers sync.WaitGroup
	for range 3 {
		pollers.Go(func() {
			for {
				a, err := p.ask(http.MethodGet, "")
				if err != nil {
					t.Error(err)
					return
				}
				numbers := numbersOf(t, a.Messages)
				mu.Lock()
				for i, n := range numbers {
					seen[n]++
					left--
					if i > 0 && n != numbers[i-1]+1 {
						t.Errorf("%d comes after %d in one answer", n, numbers[i-1])
					}
				}
				done := left <= 0 || a.Status == http.StatusGone
				mu.Unlock()
				if done {
					return
				}
			}
		})
	}
	for n := range total {
		publish(t, s, "t", "e", fmt.Sprintf(`{"n":%d}`, n))
	}
	pollers.Wait()
	for n, times := range seen {
		if times != 1 {
			t.Errorf("message %d came %d times", n, times)
		}
	}
}

// numbersOf returns the member n of each message's payload.
func numbersOf(t *testing.T, messages []string) []int {
	numbers := make([]int, len(messages))
	for i, text := range messages {
		var payload struct{ N int }
		frame := []any{nil, nil, nil, nil, &payload}
		if err := json.Unmarshal([]byte(text), &frame); err != nil {
			t.Errorf("message %s: %v", text, err)
		}
		numbers[i] = payload.N
	}
	return numbers
}

// TestPollShowsNothingBehindAGap: a client that was cut off because it does not
// fetch gets none of what comes later, which would look to it as if it were all.
func TestPollShowsNothingBehindAGap(t *testing.T) {
	finish := make(chan struct{})
	s := start(t, &script{terminate: func(req *abi.Request, _ *abi.Response) error {
		if req.Reason != uint32(abi.ReasonHeartbeatTimeout) {
			return fmt.Errorf("terminated for %d", req.Reason)
		}
		<-finish
		return nil
	}}, host.Mount{LongPoll: true, QueueBytes: 1000, PollWindow: 500 * time.Millisecond})
	p := s.poller(t)
	p.join("t")
	for n := 0; s.Info().SlowClients == 0; n++ {
		if n == 100 {
			t.Fatal("not cut off")
		}
		publish(t, s, "t", "e", `{"x":"`+strings.Repeat("x", 100)+`"}`)
	}
	publish(t, s, "t", "e", `{"behind":"the gap"}`)
	if a := p.get(); len(a.Messages) > 0 {
		t.Errorf("got %q", a.Messages)
	}
	close(finish)
	p.expectGone()
	eventually(t, "the socket is forgotten", func() bool { return s.Info().Sockets == 1 }) // that of the last GET
	if text := s.log.String(); !strings.Contains(text, "SLOW_CLIENT") || strings.Contains(text, "CALLBACK_FAILED") {
		t.Errorf("the log says\n%s", text)
	}
}

// TestPollEndsWithoutGets: a session to which no GET comes ends, although POSTs
// do, and its channels are told.
func TestPollEndsWithoutGets(t *testing.T) {
	ended := make(chan uint32, 1)
	s := start(t, &script{
		in: steps{"echo": echo},
		terminate: func(req *abi.Request, _ *abi.Response) error {
			ended <- req.Reason
			return nil
		},
	}, host.Mount{LongPoll: true, PollWindow: 100 * time.Millisecond})
	p := s.poller(t)
	began := time.Now()
	p.join("t")
	for {
		a := p.post(`["11","2","t","echo",{}]`)
		if a.Status == http.StatusGone {
			break
		}
		if a.Status != http.StatusOK || time.Since(began) > hosttest.Timeout {
			t.Fatalf("status %d after %s", a.Status, time.Since(began))
		}
	}
	if lived := time.Since(began); lived < 150*time.Millisecond {
		t.Errorf("the session lived for %s only", lived)
	}
	if why := <-ended; abi.Reason(why) != abi.ReasonHeartbeatTimeout {
		t.Errorf("terminated for %d", why)
	}
}

// TestPollDrainLetsTheClientFetch: what accepted messages and terminate bring is
// fetched by the client of a server that drains, which then lets nobody in.
func TestPollDrainLetsTheClientFetch(t *testing.T) {
	slow, entered, finish := blocking()
	s := start(t, &script{in: steps{"slow": slow}, terminate: func(_ *abi.Request, r *abi.Response) error {
		r.Effects = append(r.Effects, push("bye", ""))
		return nil
	}}, host.Mount{LongPoll: true, PollWindow: time.Second})
	p := s.poller(t)
	p.join("t")
	posted := p.postLater(`["11","2","t","slow",{}]`)
	<-entered
	drained := make(chan error, 1)
	go func() { drained <- s.Drain(t.Context()) }()
	eventually(t, "the drain begins", func() bool { return s.Info().Draining })
	if r := hosttest.DialRefused(t, s.url, hosttest.Options{LongPoll: true}); r.Status != 0 {
		t.Errorf("a new session got status %d in the body, want HTTP 503 without one", r.Status)
	}
	close(finish)
	<-posted // 200 or 410: whether the socket was told before it had taken the message
	p.expect(reply("11", "2", "t", `{}`), `["11",null,"t","bye",{}]`)
	if err := <-drained; err != nil {
		t.Error(err)
	}
}

// TestPollDrainIsOverInTime: a GET that waits for a session whose callback is
// stuck is answered when the time is over.
func TestPollDrainIsOverInTime(t *testing.T) {
	slow, entered, finish := blocking()
	s := start(t, &script{in: steps{"slow": slow}}, host.Mount{LongPoll: true, PollWindow: hosttest.Timeout})
	p := s.poller(t)
	p.join("t")
	posted := p.postLater(`["11","2","t","slow",{}]`)
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Drain(ctx); !errors.Is(err, host.ErrStuck) {
		t.Errorf("drain: %v, want ErrStuck", err)
	}
	close(finish)
	<-posted
}

// TestPollTakesLongBatches: a hundred messages of an allowed length are one batch
// of phoenix.js.
func TestPollTakesLongBatches(t *testing.T) {
	s := start(t, &script{in: steps{"length": func(req *abi.Request, r *abi.Response) error {
		r.Result, r.Payload = abi.ResultReply, fmt.Appendf(nil, "%d", len(req.Payload))
		return nil
	}}}, host.Mount{LongPoll: true})
	p := s.poller(t)
	p.join("t")
	const size = 60_000
	var batch, want []string
	for n := range 100 {
		batch = append(batch, fmt.Sprintf(`["11","%d","t","length","%s"]`, n, strings.Repeat("x", size)))
		want = append(want, reply("11", fmt.Sprint(n), "t", fmt.Sprint(size+2)))
	}
	if a := p.post(batch...); a.Status != http.StatusOK {
		t.Fatalf("got HTTP %d, status %d", a.HTTPStatus, a.Status)
	}
	p.expect(want...)

	// A longer one is refused before a byte of it is read.
	conn, err := net.Dial("tcp", p.host())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := fmt.Fprint(conn, "POST /socket/longpoll HTTP/1.1\r\nHost: x\r\nContent-Length: 8000001\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if body := readAll(t, resp); resp.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(body, "8000000") {
		t.Errorf("a longer one: HTTP %d %s", resp.StatusCode, body)
	}
}

// TestPollAnswersWhileAMessageIsHandled: what others send is fetched while a
// callback keeps a POST waiting.
func TestPollAnswersWhileAMessageIsHandled(t *testing.T) {
	slow, entered, finish := blocking()
	s := start(t, &script{in: steps{"slow": slow}}, host.Mount{LongPoll: true})
	p := s.poller(t)
	p.join("t")
	posted := p.postLater(`["11","2","t","slow",{}]`)
	<-entered
	publish(t, s, "t", "e", `{}`)
	p.expect(`[null,null,"t","e",{}]`)
	close(finish)
	if status := <-posted; status != http.StatusOK {
		t.Errorf("the POST got %d", status)
	}
	p.expect(reply("11", "2", "t", `{}`))
}

// TestPollTokenOfAnotherServer: it is worth as much as none.
func TestPollTokenOfAnotherServer(t *testing.T) {
	mount := host.Mount{LongPoll: true}
	here, there := start(t, &script{}, mount).poller(t), start(t, &script{}, mount).poller(t)
	foreign := there.token
	there.token = here.token
	if a := there.post(`[null,"1","phoenix","heartbeat",{}]`); a.Status != http.StatusGone {
		t.Errorf("POST: status %d, want 410", a.Status)
	}
	if a := there.get(); a.Status != http.StatusGone || a.Token == "" || a.Token == here.token || a.Token == foreign {
		t.Errorf("GET: %+v, want a session", a)
	}
}

// TestPollConnectSeesTheRequest is for cases 92 to 95: what connect sees of a
// client that polls is what it sees of one on a WebSocket.
func TestPollConnectSeesTheRequest(t *testing.T) {
	type request struct {
		transport       abi.Transport
		params, headers string
	}
	seen := make(chan request, 1)
	s := start(t, &script{connect: func(req *abi.Request, resp *abi.Response) error {
		seen <- request{req.Transport, string(req.Params), string(req.Headers)}
		resp.Result = abi.ResultReply
		return nil
	}}, host.Mount{LongPoll: true, AuthToken: true, Headers: []string{"x-*", "traceparent", "user-agent", ":path", ":authority", ":scheme", ":peer"}})
	p := &session{t: t, url: strings.Replace(strings.Replace(s.url, "ws://", "http://", 1), "/websocket", "/longpoll", 1) + "&user_id=5"}
	p.http = http.Client{Timeout: hosttest.Timeout, Transport: &http.Transport{DisableKeepAlives: true}}
	req, err := http.NewRequest(http.MethodGet, p.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"X-Application": "Phoenix", "Traceparent": "00-0af7", "Tracestate": "not allowed", "User-Agent": "test", "X-Phoenix-AuthToken": "secret",
	} {
		req.Header.Set(name, value)
	}
	if a, err := hosttest.Poll(&p.http, req); err != nil || a.Status != http.StatusGone {
		t.Fatalf("got %+v %v, want a session", a, err)
	}
	got := <-seen
	var headers map[string]string
	if err := json.Unmarshal([]byte(got.headers), &headers); err != nil {
		t.Fatal(err)
	}
	if peer := headers[":peer"]; !strings.HasPrefix(peer, "127.0.0.1:") {
		t.Errorf(":peer is %q", peer)
	}
	delete(headers, ":peer")
	want := map[string]string{
		":auth_token": "secret", ":path": "/socket/longpoll?vsn=2.0.0&user_id=5", ":authority": p.host(), ":scheme": "http",
		"x-application": "Phoenix", "traceparent": "00-0af7", "user-agent": "test", "x-phoenix-authtoken": "secret",
	}
	if !maps.Equal(headers, want) {
		t.Errorf("headers %v, want %v", headers, want)
	}
	if got.transport != abi.TransportLongPoll || got.params != `{"user_id":"5","vsn":"2.0.0"}` {
		t.Errorf("transport %s, params %s", got.transport, got.params)
	}
}
