package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	// minFetchGap is the least time between the beginnings of two fetches,
	// whatever clients send.
	minFetchGap = 10 * time.Second
	// fetchTimeout bounds a fetch, from the connection to the end of the body.
	fetchTimeout = 5 * time.Second
	// maxRedirects is the bound of net/http, which one of our own replaces.
	maxRedirects = 10
)

// remoteKeys are the keys behind a URL. One goroutine fetches them: at once,
// then each interval, and in between when somebody asks.
type remoteKeys struct {
	url    *url.URL
	client *http.Client
	wanted []jose.SignatureAlgorithm
	every  time.Duration
	log    *slog.Logger
	clock  clock

	set atomic.Pointer[keySet] // of the last good answer; nil before it

	stop context.CancelFunc
	done chan struct{} // closed by the goroutine in the end
	wake chan struct{} // tells it that somebody asks; room for one, which is filled with mu held

	mu      sync.Mutex
	pending chan struct{} // closed when the fetch that is asked for or under way has ended; nil if there is none
	began   time.Time     // when a fetch was last asked for
	closed  bool
}

// startRemote expects a Config that was checked. The caller has to close what it
// returns.
func startRemote(c *Config, ck clock) (keySource, error) {
	u, err := url.Parse(c.JWKSURL)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &remoteKeys{
		url: u, client: fetchClient(c.HTTPClient), wanted: c.publicAlgorithms(),
		every: c.RefreshInterval, log: c.Logger, clock: ck,
		stop: stop, done: make(chan struct{}), wake: make(chan struct{}, 1),
	}
	r.begin() // so that a Verify that comes now waits for the first fetch
	go r.run(ctx)
	return r, nil
}

func (r *remoteKeys) key(ctx context.Context, alg jose.SignatureAlgorithm, kid string) (any, error) {
	key, missing := r.find(alg, kid)
	if missing == nil {
		return key, nil
	}
	waited := r.refetch(ctx)
	if key, missing = r.find(alg, kid); missing == nil {
		return key, nil
	}
	if waited != nil {
		return nil, fmt.Errorf("%w: waiting for keys: %w", missing, waited)
	}
	return nil, missing
}

func (r *remoteKeys) find(alg jose.SignatureAlgorithm, kid string) (any, error) {
	set := r.set.Load()
	if set == nil {
		return nil, ErrKeysUnavailable
	}
	return set.find(alg, kid)
}

// refetch has the keys fetched and waits until that has ended, well or not. It
// shares a fetch that is under way, and does nothing when the last one began too
// short a time ago. It returns an error only when ctx ends first.
func (r *remoteKeys) refetch(ctx context.Context) error {
	r.mu.Lock()
	if r.pending == nil {
		if r.closed || r.clock.now().Sub(r.began) < minFetchGap {
			r.mu.Unlock()
			return nil
		}
		r.beginLocked()
		r.wake <- struct{}{}
	}
	pending := r.pending
	r.mu.Unlock()
	select {
	case <-pending:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run is the goroutine.
func (r *remoteKeys) run(ctx context.Context) {
	defer close(r.done)
	defer r.end()
	failures := 0
	for {
		err := r.fetch(ctx)
		failures = r.report(ctx, err, failures)
		r.end()
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
		case <-r.clock.after(r.pause(failures)):
			r.begin()
		}
	}
}

// pause is how long to wait for the next fetch: after a failure less than the
// interval, though longer with each.
func (r *remoteKeys) pause(failures int) time.Duration {
	if failures == 0 || failures > 16 {
		return r.every
	}
	return min(r.every, minFetchGap<<(failures-1))
}

// begin notes that a fetch begins, unless one was asked for already.
func (r *remoteKeys) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pending == nil {
		r.beginLocked()
	}
}

func (r *remoteKeys) beginLocked() {
	r.pending = make(chan struct{})
	r.began = r.clock.now()
}

// end lets go whoever waits for the fetch. An order to fetch that came just
// before the interval ended was carried out by the same fetch.
func (r *remoteKeys) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.wake:
	default:
	}
	if r.pending != nil {
		close(r.pending)
		r.pending = nil
	}
}

// report logs how a fetch went and returns the failures in a row.
func (r *remoteKeys) report(ctx context.Context, err error, failures int) int {
	log := r.log.With("key", "jwks_url", "url", r.url.Redacted())
	switch {
	case ctx.Err() != nil: // Close came in between
	case err == nil && failures > 0:
		log.Info("keys fetched again", "keys", len(*r.set.Load()), "failures", failures)
	case err == nil:
		log.Debug("keys fetched", "keys", len(*r.set.Load()))
	case r.set.Load() == nil:
		log.Warn("keys not fetched, every token is refused until they are", "code", "KEYS_UNAVAILABLE", "err", err)
	default:
		log.Warn("keys not fetched, the ones before stay in use", "code", "KEYS_NOT_REFRESHED", "err", err)
	}
	if err == nil {
		return 0
	}
	return failures + 1
}

// fetch gets the keys once. After an error those before are still there.
func (r *remoteKeys) fetch(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url.String(), nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	resp, err := r.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // what matters of it was read
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the answer is %q, it has to be 200", resp.Status)
	}
	text, err := readKeys(resp.Body)
	if err != nil {
		return fmt.Errorf("the answer: %w", err)
	}
	set, err := parseKeySet(text, r.wanted)
	if err != nil {
		return fmt.Errorf("the answer: %w", err)
	}
	r.set.Store(&set)
	return nil
}

// close ends the goroutine and waits for it. The keys stay.
func (r *remoteKeys) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.stop()
	<-r.done
}

// fetchClient returns a client with a timeout that goes only where a jwks_url
// may point. Ours keeps no connection: fetches are minutes apart.
func fetchClient(given *http.Client) *http.Client {
	var c http.Client
	if given != nil {
		c = *given
	} else {
		c.Transport = &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, DisableKeepAlives: true}
	}
	if c.Timeout == 0 {
		c.Timeout = fetchTimeout
	}
	next := c.CheckRedirect
	c.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if err := checkURL(req.URL); err != nil {
			return err
		}
		if next != nil {
			return next(req, via)
		}
		if len(via) >= maxRedirects {
			return fmt.Errorf("more than %d redirects", maxRedirects)
		}
		return nil
	}
	return &c
}

// checkURL refuses places from which anybody on the way could slip us keys.
func checkURL(u *url.URL) error {
	name := u.Hostname()
	addr, err := netip.ParseAddr(name)
	loopback := name == "localhost" || err == nil && addr.IsLoopback()
	switch {
	case name == "":
		return errors.New("it names no host")
	case u.Scheme == "https", u.Scheme == "http" && loopback:
		return nil
	default:
		return fmt.Errorf("%s://%s is neither https nor http on this machine", u.Scheme, u.Host)
	}
}
