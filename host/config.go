package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/aviary-host/aviary/host/auth"
	"github.com/aviary-host/aviary/host/limit"
	"github.com/aviary-host/aviary/host/origin"
)

// Config is what a Server is made of. The zero value of each field is the
// default that its comment names.
type Config struct {
	// Mounts are the paths under which clients connect. None means one at
	// /socket with its defaults.
	Mounts []Mount

	// Routes are the handlers there are from the start, in order: the first of a
	// tenant's that fits a topic serves it.
	Routes []Route

	// Tenants are declared beside the default one, whose name is "".
	Tenants []TenantConfig

	// Suspensions keeps over restarts which tenants are suspended. Nil keeps
	// nothing: they are resumed by a restart.
	Suspensions SuspensionStore

	// Pages are files served to plain GET requests outside the mounts, such as
	// a demo page. Nil serves none.
	Pages fs.FS

	// Token is the bearer key of the internal API; without one it answers
	// requests from the loopback interface only.
	Token string

	// Secret signs the tokens of long-polling clients: servers that share it
	// accept each other's. Empty means a random one, so that clients begin anew
	// when the server is started again.
	Secret string

	// DrainBatch is how many sockets are told to close at once when the server
	// drains, DrainInterval about how long it then waits; 0 means 10 000 and 2 s
	// (phoenix pool_supervisor.ex).
	DrainBatch    int
	DrainInterval time.Duration

	// ConnectionsPerAddress bounds the connections that one client address has at
	// a time, ConnectionRate those that it makes; 0 means 1000 and 50/s burst 500,
	// a negative count and a rate with a negative Count none. An IPv6 address
	// counts by its /64. A client on this machine that no proxy speaks for is not
	// counted. Over them a client gets 429.
	ConnectionsPerAddress int
	ConnectionRate        limit.Rate
	// LogOnly names which of the two are only logged, not enforced:
	// connections_per_address, connection_rate.
	LogOnly []string

	// TrustedProxies are the addresses whose X-Forwarded-For and
	// X-Forwarded-Proto are believed. Nil means those of this machine.
	TrustedProxies []netip.Prefix

	// PresenceTick is how long the changes of a topic's presences wait for others, to be
	// one presence_diff, and that of a topic with many entries is longer (presence.Config);
	// 0 means 50 ms, and with a negative one each change is told by itself, as Phoenix does.
	PresenceTick time.Duration
	// PresencePage is how many bytes of a list of presences are pushed at a time; 0 means
	// 256 KiB. The first are a presence_state, the others presence_diffs behind it.
	PresencePage int

	// PluginStats returns what GET /api/v1/plugins answers as the list plugins, to be
	// encoded as JSON. It is called from many goroutines at once. Nil means an empty
	// list.
	PluginStats func() any

	// PluginCall answers a POST to /api/v1/plugins/PLUGIN/ACTION with what is to be encoded as
	// JSON, or with an error, an *APIError if it is the caller's. It is called from many
	// goroutines at once, and may block. Nil means that there are no such calls.
	PluginCall func(*PluginCall) (any, error)

	// LogLine tells whether a log effect of a tenant's handlers may be written, and if
	// so how many have not been since the last one that was. It is called from many
	// goroutines at once. Nil means that all may be.
	LogLine func(tenant string) (hidden int, ok bool)

	// Logger receives the server's own log. Nil discards it.
	Logger *slog.Logger
}

// Mount is one path under which clients connect, with limits of its own.
// Clients open Path + "/websocket".
type Mount struct {
	Path string // such as "/socket"; a segment that begins with a colon stands for any text

	// Hosts are the names, such as "acme.example.com" or "*.acme.example.com",
	// that a request's Host has to be one of, whatever its port and case; empty
	// means any. A mount with a name that fits better is preferred: a whole name to
	// one with a *, a longer one of those to a shorter, and any to none. So mounts
	// may share a path.
	Hosts []string

	// Tenant is whose clients connect here; "" for the default tenant's.
	Tenant string

	// Connect answers the connect callback. Nil accepts everybody.
	Connect Handler
	// ConnectGenerations is a handler that is replaced, in place of Connect.
	ConnectGenerations *Generations
	// ConnectPlugin names it in logs.
	ConnectPlugin string
	// ConnectCapabilities is what it may do; nil means everything.
	ConnectCapabilities *Capabilities

	MaxChannels  int           // channels of one socket, and of those that are ending as many again, 32 at least; 0 means 100
	IdleTimeout  time.Duration // of a silent client, then it is closed with 1002; 0 means 60 s
	MaxFrame     int           // bytes of a message from a client, else it is closed with 1009; 0 means 64 KiB
	QueueBytes   int           // bytes waiting for a client that does not read, then it is cut off; 0 means 1 MiB
	Subprotocols []string      // the first that the client offers too is chosen; empty ignores what it offers

	// AnswerMalformed answers a message that cannot be decoded with the event
	// malformed on the topic phoenix, and goes on. Otherwise it closes the socket
	// with 1011, as Phoenix does.
	AnswerMalformed bool

	// Compress lets clients that offer it use permessage-deflate (RFC 7692),
	// without context takeover: a connection keeps no window.
	Compress bool

	// Origins are the web pages that may connect; nil means those of the same host
	// as the server's (phoenix transport.ex, check_origin).
	Origins *origin.Policy

	// Limits bound what a client may do; nil means DefaultLimits.
	Limits *Limits

	// Auth checks the token that a client has to show, and IDPrefix, unless it is
	// empty, makes the id topic of its subject, where Connect gives none. Nil asks
	// for none. The token is that of AuthToken, the bearer key of the header
	// Authorization, or the query parameter TokenParam, in this order.
	Auth       Authenticator
	IDPrefix   string
	TokenParam string

	// LongPoll lets clients connect by long polling as well, at Path +
	// "/longpoll" (phoenix transports/long_poll.ex).
	LongPoll   bool
	PollWindow time.Duration // how long a poll waits; 0 means 10 s

	// AuthToken takes the token that phoenix.js sends as a subprotocol or header
	// and shows it to Connect as the header :auth_token. Auth takes it as well, and
	// does not show it.
	AuthToken bool

	// Headers are the names, in lower case, of the request's headers that Connect
	// may see. One may end in *. The names :peer, :client, :scheme, :authority
	// and :path stand for the other end of the connection, the address the client
	// comes from, and what it asked for.
	Headers []string

	tenant   *Tenant      // that Tenant names, once the server is made
	connects *Generations // those of Connect; nil for nobody
}

// Authenticator checks the tokens of clients. Verify may block for as long as
// ctx lasts; it is called from many goroutines at once. auth.Verifier is one.
type Authenticator interface {
	Verify(ctx context.Context, token string) (*auth.Claims, error)
}

// How clients are told of presences where a Config does not say.
const (
	DefaultPresenceTick = 50 * time.Millisecond
	DefaultPresencePage = 256 << 10
)

const (
	defaultMaxChannels = 100
	defaultIdleTimeout = 60 * time.Second
	defaultMaxFrame    = 64 << 10
	defaultQueueBytes  = 1 << 20
	defaultPollWindow  = 10 * time.Second

	defaultConnections   = 1000
	defaultDrainBatch    = 10_000
	defaultDrainInterval = 2 * time.Second

	// maxName bounds topics, events and refs in bytes, as the one length byte of
	// Phoenix's binary frames does.
	maxName = 255
	// maxPending bounds the timers, the subscriptions, the interceptions and
	// the presences of a channel, each (SPEC.md section 8).
	maxPending = 64
	// maxMailbox and maxMailboxBytes bound the messages that wait for a
	// channel. One message may exceed what is left of the bytes.
	maxMailbox      = 1024
	maxMailboxBytes = 1 << 20
)

var errConfig = errors.New("host configuration")

// withDefaults returns a copy of c in which every zero is filled in.
func (c Config) withDefaults() Config {
	if len(c.Mounts) == 0 {
		c.Mounts = []Mount{{Path: "/socket"}}
	}
	mounts := make([]Mount, len(c.Mounts))
	for i, m := range c.Mounts {
		mounts[i] = m.withDefaults()
	}
	c.Mounts = mounts
	tenants := make([]TenantConfig, len(c.Tenants))
	for i, t := range c.Tenants {
		tenants[i] = TenantConfig{Name: t.Name, Limits: t.Limits.withDefaults()}
	}
	c.Tenants = tenants
	c.ConnectionsPerAddress = cmp.Or(c.ConnectionsPerAddress, defaultConnections)
	if c.ConnectionRate == (limit.Rate{}) {
		c.ConnectionRate = DefaultConnectionRate()
	}
	if c.TrustedProxies == nil {
		c.TrustedProxies = loopback()
	}
	for i := range c.Mounts {
		if c.Mounts[i].Origins == nil {
			c.Mounts[i].Origins = sameHost()
		}
	}
	c.PresenceTick = cmp.Or(c.PresenceTick, DefaultPresenceTick)
	c.PresencePage = cmp.Or(c.PresencePage, DefaultPresencePage)
	c.DrainBatch = cmp.Or(c.DrainBatch, defaultDrainBatch)
	c.DrainInterval = cmp.Or(c.DrainInterval, defaultDrainInterval)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func (m Mount) withDefaults() Mount {
	m.Path = strings.TrimSuffix(m.Path, "/")
	m.MaxChannels = cmp.Or(m.MaxChannels, defaultMaxChannels)
	m.IdleTimeout = cmp.Or(m.IdleTimeout, defaultIdleTimeout)
	m.MaxFrame = cmp.Or(m.MaxFrame, defaultMaxFrame)
	if m.Limits == nil {
		m.Limits = DefaultLimits()
	}
	m.PollWindow = cmp.Or(m.PollWindow, defaultPollWindow)
	m.QueueBytes = cmp.Or(m.QueueBytes, defaultQueueBytes)
	m.connects = m.ConnectGenerations
	if m.connects == nil && m.Connect != nil {
		m.connects = only(m.Connect)
	}
	return m
}

// check refuses a configuration that could not work, naming the value.
func (c *Config) check() error {
	if err := checkAddresses(c); err != nil {
		return err
	}
	if c.DrainBatch < 0 || c.DrainInterval < 0 {
		return fmt.Errorf("%w: drain: batch %d or interval %s is negative", errConfig, c.DrainBatch, c.DrainInterval)
	}
	if err := errors.Join(c.checkPresences(), c.checkTenants(), checkHosts(c.Mounts)); err != nil {
		return err
	}
	for i := range c.Mounts {
		m := &c.Mounts[i]
		var err error
		if m.Limits, err = m.Limits.compile(); err != nil {
			return fmt.Errorf("%w: mount %s: %w", errConfig, m.Path, err)
		}
		switch {
		case m.Path != "" && !strings.HasPrefix(m.Path, "/"):
			return fmt.Errorf("%w: mount path %q does not begin with /", errConfig, m.Path)
		case m.MaxChannels < 0:
			return fmt.Errorf("%w: mount %s: max_channels %d is negative", errConfig, m.Path, m.MaxChannels)
		case m.IdleTimeout < 0:
			return fmt.Errorf("%w: mount %s: idle_timeout %s is negative", errConfig, m.Path, m.IdleTimeout)
		case m.MaxFrame < 0 || m.MaxFrame > 1<<30:
			return fmt.Errorf("%w: mount %s: max_frame %d is not between 1 byte and 1 GiB", errConfig, m.Path, m.MaxFrame)
		case m.QueueBytes < 0:
			return fmt.Errorf("%w: mount %s: queue_bytes %d is negative", errConfig, m.Path, m.QueueBytes)
		case m.PollWindow < 0:
			return fmt.Errorf("%w: mount %s: poll_window %s is negative", errConfig, m.Path, m.PollWindow)
		}
		if err := checkHeaders(m); err != nil {
			return err
		}
	}
	return nil
}

// checkHeaders refuses names of headers that no request could have.
func checkHeaders(m *Mount) error {
	for _, name := range m.Headers {
		switch {
		case slices.Contains([]string{headerPeer, headerClient, headerScheme, headerAuthority, headerPath}, name):
		case name == "" || strings.HasPrefix(name, ":") || name != strings.ToLower(name) ||
			strings.Contains(strings.TrimSuffix(name, "*"), "*"):
			return fmt.Errorf("%w: mount %s: headers: %q is not a header's name in lower case, such as \"user-agent\", \"x-*\" or %q (:claims comes by itself with jwt, :auth_token with auth_token)",
				errConfig, m.Path, name, headerPeer)
		}
	}
	return nil
}
