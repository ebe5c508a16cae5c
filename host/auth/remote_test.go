package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// keyServer serves a JWKS on this machine.
type keyServer struct {
	*httptest.Server
	hits atomic.Int32

	mu     sync.Mutex
	answer http.HandlerFunc
}

func serveKeys(t testing.TB, answer http.HandlerFunc) *keyServer {
	t.Helper()
	s := &keyServer{answer: answer}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.hits.Add(1)
		s.mu.Lock()
		answer := s.answer
		s.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *keyServer) set(answer http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func (s *keyServer) expectHits(t testing.TB, want int32) {
	t.Helper()
	if got := s.hits.Load(); got != want {
		t.Fatalf("%d fetches, want %d", got, want)
	}
}

// text answers with 200 and a body.
func text(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { send(w, body) }
}

// send writes a body. That the other side hangs up is not the test's concern.
func send(w http.ResponseWriter, body string) { _, _ = io.WriteString(w, body) }

// openURL makes a Verifier of RS256 and ES256 whose first fetch is over.
func openURL(t testing.TB, s *keyServer) (*Verifier, *fakeClock, *logLines) {
	t.Helper()
	c := base("RS256", "ES256")
	log, lines := newLogger()
	c.Logger, c.JWKSURL = log, s.URL
	v, ck := open(t, c)
	select {
	case <-ck.armed:
	case <-time.After(timeout):
		t.Fatal("the first fetch has not ended")
	}
	return v, ck, lines
}

func verify(t testing.TB, v *Verifier, token string, want error) {
	t.Helper()
	if _, err := v.Verify(t.Context(), token); !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
}

func TestFirstVerifyWaitsForKeys(t *testing.T) {
	s := serveKeys(t, text(jwks(rsaKey().jwk(`"kid":"a"`))))
	c := base("RS256")
	c.JWKSURL = s.URL
	v, _ := open(t, c)
	verify(t, v, rsaKey().keyed("a"), nil)
	s.expectHits(t, 1)
}

func TestKeysAreFetchedEachInterval(t *testing.T) {
	s := serveKeys(t, text(jwks(rsaKey().jwk(`"kid":"a"`))))
	v, ck, lines := openURL(t, s)
	verify(t, v, rsaKey().keyed("a"), nil)
	s.set(text(jwks(rsaNext().jwk(`"kid":"a"`))))
	ck.advance(defaultRefreshInterval - 1)
	verify(t, v, rsaKey().keyed("a"), nil)
	s.expectHits(t, 1)
	ck.advance(1)
	ck.expectPause(t, defaultRefreshInterval)
	s.expectHits(t, 2)
	verify(t, v, rsaNext().keyed("a"), nil)
	verify(t, v, rsaKey().keyed("a"), ErrSignature)
	lines.expect(t, "")
}

func TestUnknownKidFetchesOnce(t *testing.T) {
	s := serveKeys(t, text(jwks(rsaKey().jwk(`"kid":"a"`))))
	v, ck, _ := openURL(t, s)
	s.set(text(jwks(rsaKey().jwk(`"kid":"a"`), ecKey().jwk(`"kid":"b"`))))

	verify(t, v, ecKey().keyed("b"), ErrUnknownKey) // the first fetch was just now
	s.expectHits(t, 1)
	ck.advance(minFetchGap)
	verify(t, v, rsaKey().keyed("a"), nil) // known: no reason to fetch
	s.expectHits(t, 1)
	verify(t, v, ecKey().keyed("b"), nil)
	s.expectHits(t, 2)
	ck.advance(minFetchGap - 1)
	for i := range 100 {
		verify(t, v, ecKey().keyed(fmt.Sprint(i)), ErrUnknownKey)
	}
	s.expectHits(t, 2)
	ck.advance(1)
	for i := range 100 {
		verify(t, v, ecKey().keyed(fmt.Sprint(i)), ErrUnknownKey)
	}
	s.expectHits(t, 3)
}

func TestBadTokensFetchNothing(t *testing.T) {
	s := serveKeys(t, text(jwks(rsaKey().jwk(`"kid":"a"`))))
	v, ck, _ := openURL(t, s)
	ck.advance(minFetchGap)
	verify(t, v, hmacKey.keyed("b"), ErrAlgorithm)
	verify(t, v, "hello", ErrMalformed)
	verify(t, v, rsaNext().keyed("a"), ErrSignature)
	s.expectHits(t, 1)
}

// However many ask for a key at once, one fetch serves them all.
func TestFetchIsShared(t *testing.T) {
	s := serveKeys(t, text(jwks(rsaKey().jwk(`"kid":"a"`))))
	v, ck, _ := openURL(t, s)
	arrived, release := make(chan struct{}), make(chan struct{})
	s.set(func(w http.ResponseWriter, r *http.Request) {
		close(arrived) // panics at a second fetch
		<-release
		text(jwks(ecKey().jwk(`"kid":"b"`)))(w, r)
	})
	ck.advance(minFetchGap)
	token := ecKey().keyed("b")
	var all sync.WaitGroup
	errs := make(chan error, 50)
	for range cap(errs) {
		all.Go(func() {
			_, err := v.Verify(t.Context(), token)
			errs <- err
		})
	}
	<-arrived
	close(release)
	all.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	s.expectHits(t, 2)
}

func TestFailureKeepsKeys(t *testing.T) {
	failures := map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"status":     {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusBadGateway) }, `the answer is \"502 Bad Gateway\", it has to be 200`},
		"no content": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, `the answer is \"204 No Content\", it has to be 200`},
		"page":       {text("<html>"), "the answer: not a JSON Web Key Set"},
		"no keys":    {text(`{"keys":[]}`), "the answer: none of 0 keys is for [RS256 ES256]"},
		"too long":   {text(jwks(rsaNext().jwk(`"kid":"a"`)) + strings.Repeat(" ", maxKeys)), "the answer: longer than the limit of 1048576 bytes"},
		"cut off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			send(w, `{"keys":`)
		}, "the answer: unexpected EOF"},
		"redirect to plain http": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://issuer.example/keys", http.StatusFound)
		}, "http://issuer.example is neither https nor http on this machine"},
		"redirects without end": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/again", http.StatusFound)
		}, "more than 10 redirects"},
	}
	for name, f := range failures {
		t.Run(name, func(t *testing.T) {
			s := serveKeys(t, text(jwks(rsaKey().jwk(`"kid":"a"`))))
			v, ck, lines := openURL(t, s)
			s.set(f.answer)
			ck.advance(defaultRefreshInterval)
			ck.expectPause(t, minFetchGap)
			lines.expect(t, f.want)
			verify(t, v, rsaKey().keyed("a"), nil)
			verify(t, v, rsaNext().keyed("a"), ErrSignature)
			verify(t, v, ecKey().keyed("b"), ErrUnknownKey)

			s.set(text(jwks(ecKey().jwk(`"kid":"b"`))))
			ck.advance(minFetchGap)
			ck.expectPause(t, defaultRefreshInterval)
			lines.expect(t, `msg="keys fetched again"`)
			verify(t, v, ecKey().keyed("b"), nil)
		})
	}
}

func TestPausesAfterFailuresGrow(t *testing.T) {
	s := serveKeys(t, text(jwks(rsaKey().jwk(`"kid":"a"`))))
	s.set(text(""))
	v, ck, lines := openURL(t, s)
	verify(t, v, rsaKey().keyed("a"), ErrKeysUnavailable)
	lines.expect(t, "code=KEYS_UNAVAILABLE")
	for _, want := range []time.Duration{20, 40, 80, 160, 320, 600, 600} {
		ck.advance(defaultRefreshInterval)
		ck.expectPause(t, want*time.Second)
		lines.expect(t, "code=KEYS_UNAVAILABLE")
	}
	for n := range 100 {
		if p := v.public.(*remoteKeys).pause(n); p < minFetchGap || p > defaultRefreshInterval {
			t.Fatalf("pause of %s after %d failures", p, n)
		}
	}
}

// The server is not there when the Verifier starts, and comes later.
func TestKeysUnavailableThenThere(t *testing.T) {
	s := serveKeys(t, text(jwks(rsaKey().jwk(""))))
	c := base("RS256")
	log, lines := newLogger()
	gone := httptest.NewServer(http.NotFoundHandler())
	c.JWKSURL, c.Logger = gone.URL, log
	gone.Close()
	c.HTTPClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	v, ck := open(t, c)
	ck.expectPause(t, minFetchGap)
	token := rsaKey().token(good)
	_, err := v.Verify(t.Context(), token)
	checkRefusal(t, token, err, ErrKeysUnavailable)
	lines.expect(t, "connection refused")

	v.public.(*remoteKeys).url = must(v.public.(*remoteKeys).url.Parse(s.URL)) // the goroutine waits for the clock
	ck.advance(minFetchGap)
	verify(t, v, token, nil)
	lines.expect(t, "keys fetched again")
}

// A server that does not answer holds up a client no longer than its context.
func TestSlowServerIsBoundedByContext(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	slow := func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-release
		text(jwks(rsaKey().jwk(`"kid":"a"`)))(w, r)
	}
	s := serveKeys(t, slow)
	c := base("RS256")
	c.JWKSURL = s.URL
	v, ck := open(t, c)

	giveUp := func(token string, want error) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-arrived
			cancel()
		}()
		_, err := v.Verify(ctx, token)
		checkRefusal(t, token, err, want)
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("error %v is not that of the context", err)
		}
	}
	giveUp(rsaKey().keyed("a"), ErrKeysUnavailable)
	release <- struct{}{}
	verify(t, v, rsaKey().keyed("a"), nil) // the fetch went on meanwhile

	ck.advance(minFetchGap)
	giveUp(rsaKey().keyed("b"), ErrUnknownKey)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := v.Verify(canceled, rsaKey().keyed("a")); err != nil {
		t.Errorf("a known key does not wait: %v", err)
	}
	close(release)
}

// Close ends a fetch that hangs and lets go whoever waits for it.
func TestCloseWhileFetching(t *testing.T) {
	arrived := make(chan struct{})
	s := serveKeys(t, func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	})
	c := base("RS256")
	log, lines := newLogger()
	c.JWKSURL, c.Logger = s.URL, log
	v, ck := open(t, c)
	waiting := make(chan error)
	go func() {
		_, err := v.Verify(context.Background(), rsaKey().keyed("a"))
		waiting <- err
	}()
	<-arrived
	for range 3 {
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-waiting; !errors.Is(err, ErrKeysUnavailable) {
		t.Fatalf("error %v, want %v", err, ErrKeysUnavailable)
	}
	ck.advance(defaultRefreshInterval)
	verify(t, v, rsaKey().keyed("a"), ErrKeysUnavailable) // nothing fetches any more
	s.expectHits(t, 1)
	lines.expect(t, "")
}

// Somebody who asks for a key at the very moment of Close is let go: the select
// of the goroutine may see either first.
func TestCloseLetsGoWhoAskedLast(t *testing.T) {
	s := serveKeys(t, text(jwks(rsaKey().jwk(""))))
	c := base("RS256")
	c.JWKSURL = s.URL
	for range 20 {
		ready, asked := make(chan *remoteKeys), make(chan (<-chan struct{}), 1)
		v, err := newVerifier(c, clock{now: newClock().clock().now, after: func(time.Duration) <-chan time.Time {
			r, first := <-ready
			if !first {
				return nil
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			r.beginLocked()
			r.wake <- struct{}{}
			asked <- r.pending
			r.stop()
			close(ready)
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		ready <- v.public.(*remoteKeys)
		select {
		case <-<-asked:
		case <-time.After(timeout):
			t.Fatal("still waiting")
		}
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// One fetch serves both the interval that has ended and somebody who asked just
// then: the select of the goroutine may see either first.
func TestAskedForAsTheIntervalEnds(t *testing.T) {
	s := serveKeys(t, text(jwks(rsaKey().jwk(""))))
	c := base("RS256")
	c.JWKSURL = s.URL
	for range 20 {
		ready, left := make(chan *remoteKeys), make(chan int, 1)
		var r *remoteKeys
		v, err := newVerifier(c, clock{now: newClock().clock().now, after: func(time.Duration) <-chan time.Time {
			if r != nil {
				left <- len(r.wake)
				return nil
			}
			r = <-ready
			r.mu.Lock()
			defer r.mu.Unlock()
			r.beginLocked()
			r.wake <- struct{}{}
			ended := make(chan time.Time, 1)
			ended <- start
			return ended
		}})
		if err != nil {
			t.Fatal(err)
		}
		ready <- v.public.(*remoteKeys)
		select {
		case n := <-left:
			if n != 0 {
				t.Error("the same order is carried out twice")
			}
		case <-time.After(timeout):
			t.Error("the fetch has not ended")
		}
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s.expectHits(t, 40)
}

// Fetches are minutes apart: a connection that is kept would outlive Close.
func TestNoConnectionIsKept(t *testing.T) {
	closed := make(chan struct{}, 1)
	s := httptest.NewUnstartedServer(text(jwks(rsaKey().jwk(""))))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			closed <- struct{}{}
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	c := base("RS256")
	c.JWKSURL = s.URL
	v, _ := open(t, c)
	verify(t, v, rsaKey().token(good), nil)
	select {
	case <-closed:
	case <-time.After(timeout):
		t.Fatal("the connection is still open")
	}
}

func TestVerifyGoesOnAfterClose(t *testing.T) {
	s := serveKeys(t, text(jwks(rsaKey().jwk(`"kid":"a"`))))
	v, ck, _ := openURL(t, s)
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	ck.advance(minFetchGap)
	verify(t, v, rsaKey().keyed("a"), nil)
	verify(t, v, ecKey().keyed("b"), ErrUnknownKey)
	s.expectHits(t, 1)
}

// What the configured client does stays, but for redirects to where keys may not
// come from.
func TestConfiguredClient(t *testing.T) {
	var asked []string
	given := &http.Client{
		Transport: http.DefaultTransport.(*http.Transport).Clone(),
		CheckRedirect: func(req *http.Request, _ []*http.Request) error {
			asked = append(asked, req.URL.Path)
			return nil
		},
	}
	t.Cleanup(given.CloseIdleConnections)
	s := serveKeys(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/keys" {
			text(jwks(rsaKey().jwk("")))(w, r)
			return
		}
		http.Redirect(w, r, "/keys", http.StatusFound)
	})
	c := base("RS256")
	c.JWKSURL, c.HTTPClient = s.URL, given
	v, _ := open(t, c)
	verify(t, v, rsaKey().token(good), nil)
	if len(asked) != 1 || asked[0] != "/keys" {
		t.Errorf("the client was asked about %q, want /keys", asked)
	}
	if given.Timeout != 0 {
		t.Error("the client of the caller was changed")
	}
	if got := v.public.(*remoteKeys).client.Timeout; got != fetchTimeout {
		t.Errorf("timeout %s, want %s", got, fetchTimeout)
	}
	given.Timeout = time.Minute
	if got := fetchClient(given).Timeout; got != time.Minute {
		t.Errorf("timeout %s, want that of the caller", got)
	}
}

func TestPasswordIsNotLogged(t *testing.T) {
	s := serveKeys(t, text("no keys"))
	c := base("RS256")
	log, lines := newLogger()
	c.Logger = log
	c.JWKSURL = strings.Replace(s.URL, "http://", "http://aviary:pass-word@", 1)
	_, ck := open(t, c)
	ck.expectPause(t, minFetchGap)
	if got := lines.take(); !strings.Contains(got, "aviary:xxxxx@") || strings.Contains(got, "pass-word") {
		t.Errorf("logged %s", got)
	}
}
