package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aviary-host/aviary/host/hosttest"
)

// polling is a long-polling client of which a test makes each request itself.
// What it sends and expects is written as for serializer 2.0.0, with J for the
// join_ref of the one channel, and translated: in 1.0.0 the join has none, as in
// Phoenix's own tests.
type polling struct {
	t     *testing.T
	f     *fixture
	mount string
	query url.Values
	token string
	http  http.Client
}

// serializers are the values of vsn that a case is run with.
func serializers(t *testing.T, test func(t *testing.T, vsn string)) {
	t.Helper()
	for _, vsn := range []string{"1.0.0", "2.0.0"} {
		t.Run(vsn, func(t *testing.T) { test(t, vsn) })
	}
}

// newPolling returns a client without a session.
func newPolling(t *testing.T, mount, vsn string) *polling {
	t.Helper()
	if *clientKind != "v2" {
		t.Skip("this test brings its own clients, so it runs with the first kind only")
	}
	p := &polling{t: t, f: fixtureOf(t), mount: mount, query: url.Values{"vsn": {vsn}}}
	p.http = http.Client{Timeout: hosttest.Timeout, Transport: &http.Transport{}}
	t.Cleanup(p.http.CloseIdleConnections)
	return p
}

// poll returns a client that has begun a session; params are more names and
// values of the query.
func poll(t *testing.T, mount, vsn string, params ...string) *polling {
	t.Helper()
	p := newPolling(t, mount, vsn)
	for i := 0; i < len(params); i += 2 {
		p.query.Set(params[i], params[i+1])
	}
	p.begin()
	return p
}

func (p *polling) begin() {
	p.t.Helper()
	a := p.get()
	if a.HTTPStatus != 200 || a.Status != 410 || a.Token == "" || a.Messages == nil || len(a.Messages) > 0 {
		p.t.Fatalf("handshake: HTTP %d %+v, want 200 with status 410, a token and no messages", a.HTTPStatus, a)
	}
	p.token = a.Token
}

func (p *polling) url() string {
	return "http://" + p.f.PublicAddr() + p.mount + "/longpoll?" + p.query.Encode()
}

// request returns a request with the session's token in its header.
func (p *polling) request(method, contentType, body string) *http.Request {
	p.t.Helper()
	req, err := http.NewRequest(method, p.url(), strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if p.token != "" {
		req.Header.Set("X-Phoenix-Longpoll-Token", p.token)
	}
	return req
}

func (p *polling) do(req *http.Request) *hosttest.PollAnswer {
	p.t.Helper()
	a, err := hosttest.Poll(&p.http, req)
	if err != nil {
		p.t.Fatal(err)
	}
	return a
}

func (p *polling) get() *hosttest.PollAnswer {
	p.t.Helper()
	return p.do(p.request(http.MethodGet, "", ""))
}

// post posts one message by itself and returns the status.
func (p *polling) post(frame string) int {
	p.t.Helper()
	return p.do(p.request(http.MethodPost, "application/json", p.text(frame))).Status
}

// batch posts a body of lines.
func (p *polling) batch(body string) *hosttest.PollAnswer {
	p.t.Helper()
	return p.do(p.request(http.MethodPost, "application/x-ndjson", strings.ReplaceAll(body, "J,", `"11",`)))
}

// send posts frames, each by itself, and expects them to be taken.
func (p *polling) send(frames ...string) {
	p.t.Helper()
	for _, frame := range frames {
		if status := p.post(frame); status != 200 {
			p.t.Fatalf("POST %s: status %d, want 200", frame, status)
		}
	}
}

// isV1 tells which serializer the client speaks.
func (p *polling) isV1() bool { return strings.HasPrefix(p.query.Get("vsn"), "1") }

// text writes a frame in the client's serializer.
func (p *polling) text(frame string) string {
	p.t.Helper()
	if !p.isV1() {
		return strings.ReplaceAll(frame, "J,", `"11",`)
	}
	var parts [5]json.RawMessage
	if err := json.Unmarshal([]byte(strings.ReplaceAll(frame, "J,", "null,")), &parts); err != nil {
		p.t.Fatalf("frame %s: %v", frame, err)
	}
	joinRef := ""
	if string(parts[0]) != "null" {
		joinRef = fmt.Sprintf(`,"join_ref":%s`, parts[0])
	}
	return fmt.Sprintf(`{"topic":%s,"event":%s,"payload":%s,"ref":%s%s}`, parts[2], parts[3], parts[4], parts[1], joinRef)
}

// golden writes a frame as the server sends it, where 1.0.0 has no join_ref.
func (p *polling) golden(frame string) string {
	p.t.Helper()
	if p.isV1() {
		frame = "[null" + frame[strings.Index(frame, ","):]
	}
	return p.text(frame)
}

// take polls until n messages have come.
func (p *polling) take(n int) []string {
	p.t.Helper()
	var got []string
	for end := time.Now().Add(hosttest.Timeout); len(got) < n; {
		a := p.get()
		if a.Status != 200 && a.Status != 204 || time.Now().After(end) {
			p.t.Fatalf("status %d after %q, want %d messages", a.Status, got, n)
		}
		got = append(got, a.Messages...)
	}
	if len(got) > n {
		p.t.Fatalf("got %d messages, want %d: %q", len(got), n, got)
	}
	return got
}

// expect polls until as many messages as goldens have come, and compares them.
func (p *polling) expect(goldens ...string) {
	p.t.Helper()
	for i, got := range p.take(len(goldens)) {
		if want := p.golden(goldens[i]); !sameJSON(p.t, got, want) {
			p.t.Fatalf("message %d:\ngot  %s\nwant %s", i+1, got, want)
		}
	}
}

// silence expects that the server has nothing more to say.
func (p *polling) silence() {
	p.t.Helper()
	p.send(`[null,"beat","phoenix","heartbeat",{}]`)
	p.expect(`[null,"beat","phoenix","phx_reply",{"status":"ok","response":{}}]`)
}

// join joins a silent topic.
func (p *polling) join(topic string) {
	p.t.Helper()
	p.send(`[J,"1","` + topic + `","phx_join",{}]`)
	p.expect(`[J,"1","` + topic + `","phx_reply",{"status":"ok","response":{}}]`)
}

// gone expects the session to be gone without another message: a POST to be told
// so, a GET to begin another.
func (p *polling) gone() {
	p.t.Helper()
	for end := time.Now().Add(hosttest.Timeout); ; {
		a := p.get()
		switch {
		case a.Status == 204 && time.Now().Before(end):
			continue // a GET that came while the session ended
		case a.Status != 410 || a.Token == "" || a.Token == p.token:
			p.t.Fatalf("GET of a session that has ended: %+v, want another session", a)
		}
		break
	}
	if status := p.post(`[null,"beat","phoenix","heartbeat",{}]`); status != 410 {
		p.t.Fatalf("POST to a session that has ended: status %d, want 410", status)
	}
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y any
	if err := json.Unmarshal([]byte(a), &x); err != nil {
		t.Fatalf("%s: %v", a, err)
	}
	if err := json.Unmarshal([]byte(b), &y); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	return reflect.DeepEqual(x, y)
}
