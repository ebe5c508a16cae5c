package host_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/host"
	"github.com/aviary-host/aviary/host/hosttest"
	"github.com/gobwas/ws"
)

// blocking is an event handler that tells when it has begun and waits.
func blocking() (f func(*abi.Request, *abi.Response) error, entered, finish chan struct{}) {
	entered, finish = make(chan struct{}), make(chan struct{})
	return func(_ *abi.Request, resp *abi.Response) error {
		close(entered)
		<-finish
		resp.Result = abi.ResultReply
		return nil
	}, entered, finish
}

// TestBroadcastsPassARunningCallback: while a callback keeps the reader, what
// others send to the client still reaches it, and it is not taken for slow.
func TestBroadcastsPassARunningCallback(t *testing.T) {
	slow, entered, finish := blocking()
	s := start(t, &script{in: steps{"slow": slow}}, host.Mount{QueueBytes: 1 << 20})
	c := s.dial(t)
	c.Join("a", "")
	c.Join("b", "")
	ref := c.Push("a", "slow", "")
	<-entered
	payload := `{"x":"` + strings.Repeat("x", 60_000) + `"}`
	for range 40 { // more than the queue holds
		publish(t, s, "b", "e", payload)
		c.Expect(`[null,null,"b","e",{"x":"<any>"}]`)
	}
	close(finish)
	c.Expect(reply("11", ref, "a", `{}`))
	if n := s.Info().SlowClients; n > 0 {
		t.Errorf("%d clients that read were cut off as slow", n)
	}
}

// TestOneFrameOverTheQueueLimit: a frame may be longer than queue_bytes; that
// does not make an idle client slow.
func TestOneFrameOverTheQueueLimit(t *testing.T) {
	s := start(t, &script{}, host.Mount{QueueBytes: 1000})
	c := s.dial(t)
	c.Join("t", "")
	publish(t, s, "t", "e", `{"x":"`+strings.Repeat("x", 5000)+`"}`)
	c.Expect(`[null,null,"t","e",{"x":"<any>"}]`)
	c.ExpectSilence()
}

// TestAnswerMayBeAViewIntoTheOldState: Handler allows it, so the state must not
// be overwritten before the answer has been used.
func TestAnswerMayBeAViewIntoTheOldState(t *testing.T) {
	s := start(t, &script{
		join: func(_ *abi.Request, r *abi.Response) error {
			r.Result, r.HasState, r.State = abi.ResultReply, true, []byte(`"old"`)
			return nil
		},
		in: steps{"swap": func(req *abi.Request, r *abi.Response) error {
			r.Result, r.Payload = abi.ResultReply, req.State
			r.HasState, r.State = true, req.Payload
			return nil
		}},
	}, host.Mount{})
	c := s.dial(t)
	c.Join("t", "")
	c.Expect(reply("11", c.Push("t", "swap", `"new"`), "t", `"old"`))
	c.Expect(reply("11", c.Push("t", "swap", `"x"`), "t", `"new"`))
}

// endingChannel returns a client that has read the phx_close of its channel t,
// whose terminate runs on another goroutine until finish is closed, and then
// pushes end.
func endingChannel(t *testing.T) (s *server, c *hosttest.Client, finish chan struct{}) {
	t.Helper()
	terminating, finish := make(chan struct{}), make(chan struct{})
	s = start(t, &script{
		in: steps{"later": effects(abi.Effect{Kind: abi.EffectSendInfo, Event: []byte("x")}), "echo": echo},
		info: func(_ *abi.Request, resp *abi.Response) error {
			resp.Result, resp.Number = abi.ResultStop, uint32(abi.ReasonNormal)
			return nil
		},
		terminate: func(req *abi.Request, resp *abi.Response) error {
			if abi.Reason(req.Reason) != abi.ReasonNormal {
				return nil
			}
			close(terminating)
			<-finish
			resp.Effects = append(resp.Effects, push("end", ""))
			return nil
		},
	}, host.Mount{})
	c = s.dial(t)
	c.Join("t", "")
	c.Push("t", "later", "")
	c.Expect(`["11","11","t","phx_close",{}]`)
	<-terminating
	return s, c, finish
}

// TestTheLastFrameFreesTheTopic: who has read phx_close or phx_error finds the
// topic free, also while the old channel's terminate runs on another goroutine;
// the end of the old channel leaves the new one alone.
func TestTheLastFrameFreesTheTopic(t *testing.T) {
	s, c, finish := endingChannel(t)
	ref := c.Push("t", "echo", "")
	c.Expect(fmt.Sprintf(`[null,%q,"t","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}]`, ref))
	c.Join("t", "")
	if n := s.Info().Channels; n != 1 {
		t.Errorf("%d channels are joined, want 1", n)
	}
	close(finish)
	c.Expect(`["11",null,"t","end",{}]`)
	ref = c.Push("t", "echo", `"still here"`)
	c.Expect(reply("12", ref, "t", `"still here"`))
}

// TestDrainWaitsForAnEndingChannel: what terminate pushes after phx_close still
// reaches the client of a server that drains meanwhile.
func TestDrainWaitsForAnEndingChannel(t *testing.T) {
	s, c, finish := endingChannel(t)
	drained := make(chan error, 1)
	go func() { drained <- s.Drain(t.Context()) }()
	close(finish)
	c.Expect(`["11",null,"t","end",{}]`)
	c.ExpectClose(1012)
	if err := <-drained; err != nil {
		t.Fatal(err)
	}
}

// TestRefusedJoinReplyComesLast is SPEC.md section 4.2: only an accepted join
// has its reply before its effects.
func TestRefusedJoinReplyComesLast(t *testing.T) {
	s := start(t, &script{join: func(req *abi.Request, r *abi.Response) error {
		r.Result = abi.ResultReply
		if string(req.Topic) == "b" {
			r.Result = abi.ResultReplyError
			r.Effects = append(r.Effects, abi.Effect{Kind: abi.EffectBroadcast, Topic: []byte("a"), Event: []byte("refused")})
		}
		return nil
	}}, host.Mount{})
	c := s.dial(t)
	c.Join("a", "")
	c.SendJoin("b", "")
	c.Expect(`[null,null,"a","refused",{}]`)
	c.Expect(`["12","2","b","phx_reply",{"status":"error","response":{}}]`)
}

// TestDrainOwesTheReplyOfAJoin: a join that was accepted before the drain gets
// its reply, then its channel terminates, then the socket closes.
func TestDrainOwesTheReplyOfAJoin(t *testing.T) {
	slow, entered, finish := blocking()
	s := start(t, &script{join: slow, terminate: func(req *abi.Request, r *abi.Response) error {
		r.Effects = append(r.Effects, push("bye", ""))
		return nil
	}}, host.Mount{})
	c := s.dial(t)
	joinRef, ref := c.SendJoin("t", "")
	<-entered
	drained := make(chan error, 1)
	go func() { drained <- s.Drain(t.Context()) }()
	for !s.Info().Draining {
		time.Sleep(time.Millisecond) // there is nothing to wait on
	}
	close(finish)
	c.Expect(reply(joinRef, ref, "t", `{}`))
	c.Expect(`["11",null,"t","bye",{}]`)
	c.ExpectClose(1012)
	if err := <-drained; err != nil {
		t.Error(err)
	}
}

// TestDrainIsNotHeldUpByAHalfRequest: a connection that has sent a byte of a
// request does not keep the sockets from being told.
func TestDrainIsNotHeldUpByAHalfRequest(t *testing.T) {
	s := start(t, &script{}, host.Mount{})
	c := s.dial(t)
	c.Join("t", "")
	addr, _, _ := strings.Cut(strings.TrimPrefix(s.url, "ws://"), "/")
	half, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := half.Write([]byte("G")); err != nil {
		t.Fatal(err)
	}
	drained := make(chan error, 1)
	go func() { drained <- s.Drain(t.Context()) }()
	c.ExpectClose(1012) // while the drain still waits for the request
	select {
	case err := <-drained:
		t.Error("the drain did not wait for the request:", err)
	default:
	}
	if err := half.Close(); err != nil {
		t.Error(err)
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
}

// TestDrainComesBack: a callback that does not return is named, and does not
// hold the drain for longer than its context and a grace.
func TestDrainComesBack(t *testing.T) {
	slow, entered, finish := blocking()
	s := start(t, &script{in: steps{"slow": slow}}, host.Mount{})
	c := s.dial(t)
	c.Join("t", "")
	c.Push("t", "slow", "")
	<-entered
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := s.Drain(ctx)
	closeErr := s.Close(ctx) // waits for nobody either
	close(finish)
	for _, err := range []error{err, closeErr} {
		if !errors.Is(err, host.ErrStuck) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("ended with %v", err)
		}
	}
	if !strings.Contains(s.log.String(), "STUCK") {
		t.Error("the log does not say so")
	}
}

// TestDrainLeavesWhatWaits: when the time is over, what waits for a callback is
// not begun any more.
func TestDrainLeavesWhatWaits(t *testing.T) {
	g := &gatedJoin{running: make(chan struct{}, 1), gate: make(chan struct{})}
	never := func(*abi.Request, *abi.Response) error {
		t.Error("a callback began after the time for the drain was over")
		return nil
	}
	s := start(t, &script{join: g.join, in: steps{"event": never}}, host.Mount{})
	conn := handshake(t, s, "127.0.0.1")
	var frames []byte
	for _, text := range []string{`["1","1","slow","phx_join",{}]`, `["1","2","slow","event",{}]`, `["1","3","slow","event",{}]`} {
		frames = append(frames, ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte(text))))...)
	}
	if _, err := conn.Write(frames); err != nil {
		t.Fatal(err)
	}
	<-g.running
	for s.Info().FramesIn < 3 {
		runtime.Gosched()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	drained := make(chan error, 1)
	go func() { drained <- s.Drain(ctx) }()
	if _, err := io.Copy(io.Discard, conn); err != nil { // until it is cut off
		t.Error(err)
	}
	close(g.gate)
	if err := <-drained; !errors.Is(err, context.Canceled) || errors.Is(err, host.ErrStuck) {
		t.Errorf("drain: %v", err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
}

// TestGuestTextIsCutInTheLog is SPEC.md section 8.
func TestGuestTextIsCutInTheLog(t *testing.T) {
	long := bytes.Repeat([]byte("L"), 100_000)
	s := start(t, &script{in: steps{
		"log":  effects(abi.Effect{Kind: abi.EffectLog, Payload: long}),
		"stop": effects(abi.Effect{Kind: abi.EffectStop, Number: uint32(abi.ReasonError), Payload: long}),
	}}, host.Mount{})
	c := s.dial(t)
	c.Join("t", "")
	c.Push("t", "log", "")
	c.Push("t", "stop", "")
	c.Expect(`["11","11","t","phx_error",{"reason":"channel_crash"}]`)
	if n := strings.Count(s.log.String(), "L"); n < 2048 || n > 2200 {
		t.Errorf("%d bytes of two texts in the log, want 1 KiB each", n)
	}
}

// TestWebPagesMayNotCallTheAPI: without a token the API is for programs of this
// machine, and a browser runs programs of others.
func TestWebPagesMayNotCallTheAPI(t *testing.T) {
	s := start(t, &script{}, host.Mount{})
	for name, change := range map[string]func(*http.Request){
		"origin":     func(r *http.Request) { r.Header.Set("Origin", "https://example.com") },
		"other name": func(r *http.Request) { r.Host = "example.com" },
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.internal+"/api/v1/broadcast", strings.NewReader(`{"topic":"t","event":"e"}`))
		if err != nil {
			t.Fatal(err)
		}
		change(req)
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if body := readAll(t, resp); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", name, resp.StatusCode, body)
		}
	}
}

// TestTooLargeABodyIsRefused before it is read.
func TestTooLargeARequestIsRefused(t *testing.T) {
	s := start(t, &script{}, host.Mount{})
	for _, tt := range []struct {
		head   string
		status int
		limit  string
	}{
		{"Content-Length: 2000000", http.StatusRequestEntityTooLarge, "1048576"},
		{"Cookie: " + strings.Repeat("c", 5000), http.StatusRequestHeaderFieldsTooLarge, "4096"},
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.internal, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fprintf(conn, "POST /api/v1/broadcast HTTP/1.1\r\nHost: localhost\r\n%s\r\n\r\n", tt.head); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if body := readAll(t, resp); resp.StatusCode != tt.status || !strings.Contains(body, `"TOO_LARGE"`) || !strings.Contains(body, tt.limit) {
			t.Errorf("%.20s: %d %s", tt.head, resp.StatusCode, body)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestPresencesOfAChannelAreBounded, like its timers and subscriptions.
func TestPresencesOfAChannelAreBounded(t *testing.T) {
	n := 0
	s := start(t, &script{in: steps{"track": func(_ *abi.Request, r *abi.Response) error {
		for range 40 {
			n++
			r.Effects = append(r.Effects, abi.Effect{Kind: abi.EffectPresenceTrack, Topic: []byte("other"), Key: fmt.Append(nil, n)})
		}
		return nil
	}}}, host.Mount{})
	c := s.dial(t)
	c.Join("t", "")
	c.Push("t", "track", "")
	c.ExpectSilence()
	c.Push("t", "track", "")
	c.Expect(`["11","11","t","phx_error",{"reason":"channel_crash"}]`)
	if left := string(s.AppendPresences(nil, "other")); left != "{}" {
		t.Errorf("left behind: %s", left)
	}
}

// TestInterceptedFloodEndsTheChannel: a channel whose handle_out is slower than
// the broadcasts it intercepts ends with an error, and its mailbox stays
// bounded. What its client has sent meanwhile is answered all the same.
func TestInterceptedFloodEndsTheChannel(t *testing.T) {
	entered, finish := make(chan struct{}), make(chan struct{})
	first := true
	s := start(t, &script{
		join: func(_ *abi.Request, r *abi.Response) error {
			r.Result = abi.ResultReply
			r.Effects = append(r.Effects, abi.Effect{Kind: abi.EffectIntercept, Event: []byte("e")})
			return nil
		},
		out: func(_ *abi.Request, r *abi.Response) error {
			if first {
				first = false
				close(entered)
				<-finish
			}
			r.Result = abi.ResultPass
			return nil
		},
		in: steps{"echo": echo},
	}, host.Mount{})
	c := s.dial(t)
	c.Join("t", "")
	publish(t, s, "t", "e", `{"n":0}`)
	<-entered
	event := c.Push("t", "echo", "")
	leave := c.Push("t", "phx_leave", "")
	c.ExpectSilence()
	for range 1025 {
		publish(t, s, "t", "e", `{"n":1}`)
	}
	close(finish)
	c.Expect(`[null,null,"t","e",{"n":0}]`)
	c.Expect(`["11","11","t","phx_error",{"reason":"channel_crash"}]`)
	c.Expect(unmatched(event, "t"))
	c.Expect(reply("11", leave, "t", `{}`))
}

// TestClientsCloseIsAnsweredBehindAWrite: the answer to a client's close frame
// comes also when somebody else is writing to it.
func TestClientsCloseIsAnsweredBehindAWrite(t *testing.T) {
	s := start(t, &script{}, host.Mount{QueueBytes: 64 << 20})
	payload := `{"x":"` + strings.Repeat("x", 100_000) + `"}`
	const frames = 10
	for range 10 {
		c := hosttest.Dial(t, s.url, hosttest.Options{})
		c.Join("t", "")
		for range frames {
			publish(t, s, "t", "e", payload)
		}
		c.SendRaw(ws.MustCompileFrame(ws.MaskFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(1000, "")))))
		for range frames {
			c.Expect(`[null,null,"t","e",{"x":"<any>"}]`)
		}
		c.ExpectClose(1000)
	}
}
