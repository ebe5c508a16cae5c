package main

import (
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aviary-host/aviary/host/hosttest"
)

// checkHeaders checks what every answer in JSON carries.
func checkHeaders(t *testing.T, what string, a *hosttest.PollAnswer) {
	t.Helper()
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin": "*",
		"Cache-Control":               "no-store",
		"Content-Type":                "application/json; charset=utf-8",
	} {
		if got := a.Header.Values(name); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %s is %q, want %q", what, name, got, want)
		}
	}
}

func Test113_Headers(t *testing.T) {
	const beat = `[null,"1","phoenix","heartbeat",{}]`
	p := newPolling(t, "/socket", "2.0.0")
	checkHeaders(t, "410 without a session", p.do(p.request("POST", "application/x-ndjson", beat)))
	begun := p.get()
	checkHeaders(t, "410 of the handshake", begun)
	p.token = begun.Token
	checkHeaders(t, "200 of a POST", p.batch(beat))
	checkHeaders(t, "200 of a GET", p.get())
	checkHeaders(t, "204", p.get())
	checkHeaders(t, "400", p.batch("%"))
	checkHeaders(t, "408", p.batch("[]"))
	refused := newPolling(t, "/socket", "2.0.0")
	refused.query.Set("reject", "true")
	checkHeaders(t, "403", refused.get())
}

func TestPollingPreflight(t *testing.T) {
	p := newPolling(t, "/socket", "2.0.0")
	req := p.request(http.MethodOptions, "", "")
	req.Header.Set("Origin", "https://example.com")
	req.Header.Set("Access-Control-Request-Method", "POST")
	req.Header.Set("Access-Control-Request-Headers", "content-type,x-phoenix-longpoll-token")
	a := p.do(req)
	if a.HTTPStatus != 200 || a.Status != 0 {
		t.Errorf("HTTP %d %+v, want 200 and no body", a.HTTPStatus, a)
	}
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin":  "*",
		"Access-Control-Allow-Headers": "content-type,x-phoenix-longpoll-token",
		"Access-Control-Allow-Methods": "get, post, options",
		"Access-Control-Max-Age":       "3600",
	} {
		if got := a.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestPollingOtherMethods(t *testing.T) {
	p := poll(t, "/socket", "2.0.0")
	for _, method := range []string{"PUT", "PATCH", "DELETE", "HEAD", "TRACE", "PROPFIND"} {
		if a := p.do(p.request(method, "", "")); a.HTTPStatus != 400 || a.Status != 0 {
			t.Errorf("%s: HTTP %d %+v, want 400 and no body", method, a.HTTPStatus, a)
		}
	}
	p.silence()
}

// Each kind of token, in each place.
func Test110_111_112_Tokens(t *testing.T) {
	serializers(t, func(t *testing.T, vsn string) {
		other := poll(t, "/ws/admin", vsn)
		p := poll(t, "/socket", vsn)
		tokens := map[string]string{
			"own": p.token, "none": "", "bogus": "bogus", "cut": p.token[:len(p.token)-1],
			"of another mount": other.token, "bytes": "\xff\xfe", "long": strings.Repeat("A", 3000),
		}
		beat := p.text(`[null,"1","phoenix","heartbeat",{}]`)
		try := func(header, param string) {
			t.Helper()
			want := 410
			if header == "own" || header == "none" && param == "own" { // the header wins
				want = 200
			}
			p := newPolling(t, "/socket", vsn)
			p.token = tokens[header]
			if param != "none" {
				p.query.Set("token", tokens[param])
			}
			if status := p.do(p.request("POST", "application/json", beat)).Status; status != want {
				t.Errorf("POST, header %s, param %s: status %d, want %d", header, param, status, want)
			}
			if a := p.get(); a.Status != want || want == 410 && (a.Token == "" || a.Token == tokens["own"]) {
				t.Errorf("GET, header %s, param %s: %+v, want status %d", header, param, a, want)
			}
		}
		for _, kind := range []string{"own", "none", "bogus", "cut", "of another mount", "long"} {
			try("none", kind)
			if kind != "none" {
				try(kind, "none")
				try(kind, "own")
				try("own", kind)
			}
		}
		try("none", "bytes")
	})
}

// A session that drains is fetched to its end; nobody else is let in meanwhile.
func TestPollingDrain(t *testing.T) {
	f := ownFixture(t, slog.New(slog.DiscardHandler))
	p := newPolling(t, "/ws/admin", "2.0.0")
	p.f = f
	p.begin()
	p.send(`[J,"1","room:term-drain","phx_join",{}]`)
	p.take(3)
	p.send(`[J,"2","room:term-drain","echo",{}]`)
	var draining sync.WaitGroup
	draining.Go(func() { f.control(t, "drain", nil) })
	late := newPolling(t, "/ws/admin", "2.0.0")
	late.f = f
	for end := time.Now().Add(hosttest.Timeout); ; {
		a := late.get()
		if a.HTTPStatus == 503 && a.Status == 0 {
			break
		}
		if a.Status != 410 || time.Now().After(end) {
			t.Fatalf("HTTP %d %+v, want 503 and no body", a.HTTPStatus, a)
		}
	}
	p.expect(
		`[J,"2","room:term-drain","phx_reply",{"status":"ok","response":{}}]`,
		`[J,null,"room:term-drain","you_left",{"message":"bye!"}]`)
	draining.Wait()
	if n := f.Server().Info().Sockets; n != 0 {
		t.Errorf("%d sockets after the drain", n)
	}
}
