package host

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aviary-host/aviary/host/limit"
	"github.com/aviary-host/aviary/host/origin"
	"github.com/valyala/fasthttp"
)

// Names and keys of the limits of an address.
const (
	limitConnections    = "connections_per_address"
	limitConnectionRate = "connection_rate"
)

// addresses count the connections of clients by where they come from.
type addresses struct {
	cfg     *Config
	began   time.Time
	open    *limit.Counter[netip.Prefix]
	opening *limit.Keyed[netip.Prefix]

	mu       sync.Mutex
	breaches map[string]*breach // by the limit's name
}

// newAddresses counts by what cfg says, which must have passed its check.
func newAddresses(cfg *Config) *addresses {
	return &addresses{
		cfg: cfg, began: time.Now(),
		open:    limit.NewCounter[netip.Prefix](max(0, cfg.ConnectionsPerAddress)),
		opening: limit.NewKeyed[netip.Prefix](cfg.ConnectionRate, 0),

		breaches: map[string]*breach{limitConnections: {}, limitConnectionRate: {}},
	}
}

// DefaultConnectionRate is how many connections an address may make where the
// configuration does not say.
func DefaultConnectionRate() limit.Rate { return limit.Rate{Count: 50, Burst: 500} }

func checkAddresses(c *Config) error {
	if err := c.ConnectionRate.Check(); err != nil && !c.ConnectionRate.Off() {
		return fmt.Errorf("%w: %s: %w", errConfig, limitConnectionRate, err)
	}
	for _, name := range c.LogOnly {
		if name != limitConnections && name != limitConnectionRate {
			return fmt.Errorf("%w: log_only: %q is neither %s nor %s", errConfig, name, limitConnections, limitConnectionRate)
		}
	}
	return nil
}

// loopback are the addresses of this machine.
func loopback() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
}

// sameHost is the policy of a mount that names no origins.
func sameHost() *origin.Policy {
	p, err := origin.Parse([]string{"same-host"})
	if err != nil {
		panic(err) // the word is a constant that a test parses
	}
	return p
}

// clientAddress returns where a client comes from: the peer of the connection,
// or, where that is a trusted proxy, the last address in X-Forwarded-For that
// is none. What is left of that anybody could have written.
func (a *addresses) clientAddress(ctx *fasthttp.RequestCtx) netip.Addr {
	addr := peerAddress(ctx)
	forwarded := listed(&ctx.Request.Header, "X-Forwarded-For")
	for i := len(forwarded) - 1; i >= 0 && a.trusts(addr); i-- {
		next, err := parseForwarded(forwarded[i])
		if err != nil {
			return addr
		}
		addr = next
	}
	return addr
}

func peerAddress(ctx *fasthttp.RequestCtx) netip.Addr {
	addr, ok := netip.AddrFromSlice(ctx.RemoteIP())
	if !ok {
		return netip.Addr{}
	}
	return addr.Unmap()
}

// parseForwarded reads an address as proxies write it, some of them with a
// port.
func parseForwarded(text string) (netip.Addr, error) {
	if at, err := netip.ParseAddrPort(text); err == nil {
		return at.Addr().Unmap(), nil
	}
	addr, err := netip.ParseAddr(strings.Trim(text, "[]"))
	return addr.Unmap(), err
}

func (a *addresses) trusts(addr netip.Addr) bool {
	return slices.ContainsFunc(a.cfg.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// scheme returns how the client reached the server, as a trusted proxy says or
// as this server sees itself.
func (a *addresses) scheme(ctx *fasthttp.RequestCtx) string {
	proto := string(ctx.Request.Header.Peek("X-Forwarded-Proto"))
	switch {
	case (proto == "http" || proto == "https") && a.trusts(peerAddress(ctx)):
		return proto
	case ctx.IsTLS():
		return "https"
	}
	return "http"
}

// enterAddress counts a client's connection, and tells whether it has: then
// leaveAddress has to be called in the end. A connection over a limit is told
// which.
func (s *Server) enterAddress(v *visitor) (counted bool, refused *refusal) {
	a, addr := s.addresses, v.client
	if addr.IsLoopback() && len(v.ctx.Request.Header.Peek("X-Forwarded-For")) == 0 {
		return false, nil // what anybody may write into the header exempts nobody
	}
	key := limit.AddressKey(addr)
	if ok, wait := a.opening.Take(key, time.Since(a.began)); !ok && s.overAddress(addr, limitConnectionRate, a.cfg.ConnectionRate) {
		v.ctx.Response.Header.Set("Retry-After", fmt.Sprint(int64(wait/time.Second)+1))
		return false, tooMany(addr, limitConnectionRate, a.cfg.ConnectionRate)
	}
	if a.cfg.ConnectionsPerAddress <= 0 {
		return false, nil
	}
	if a.open.Acquire(key) {
		return true, nil
	}
	if s.overAddress(addr, limitConnections, a.cfg.ConnectionsPerAddress) {
		return false, tooMany(addr, limitConnections, a.cfg.ConnectionsPerAddress)
	}
	return false, nil
}

func (s *Server) leaveAddress(addr netip.Addr) { s.addresses.open.Release(limit.AddressKey(addr)) }

// overAddress logs a limit that is exceeded, now and then, and tells whether it
// is enforced.
func (s *Server) overAddress(addr netip.Addr, name string, value any) bool {
	enforced := !slices.Contains(s.cfg.LogOnly, name)
	s.addresses.mu.Lock()
	times, due := s.addresses.breaches[name].count()
	s.addresses.mu.Unlock()
	if due {
		s.log.Warn("an address exceeds a limit", "code", "LIMIT", "which", name, "key", "http."+name,
			"limit", fmt.Sprint(value), "times", times, "last_address", addr, "enforced", enforced)
	}
	return enforced
}

func tooMany(addr netip.Addr, name string, value any) *refusal {
	return &refusal{status: fasthttp.StatusTooManyRequests, body: fmt.Sprintf("too many connections from %s: over %v (http.%s)", addr, value, name)}
}
