package host

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aviary-host/aviary/host/limit"
	"github.com/aviary-host/aviary/wire"
	"github.com/valyala/fasthttp"
)

// TenantLimits are how much all clients and channels of a tenant may have
// together. A zero is the default that its comment names; a number under 0, and
// a rate whose Count is, is no limit.
type TenantLimits struct {
	Connections   int        // at a time, long-polling sessions included; 0 means 10 000
	Channels      int        // joined, or with a join under way; 0 means 100 000
	Messages      limit.Rate // of all clients, joins and heartbeats included; zero means 10000/s burst 20000
	Groups        int        // named sets of topics; 0 means 10 000
	GroupTopics   int        // in one group, and reached by one callback's broadcasts to groups; 0 means 1000
	State         int64      // bytes of the states of all channels, and of what is kept for their timers, presences and groups; 0 means 256 MiB
	Timers        int        // pending in all channels; 0 means 100 000
	Presences     int        // entries, anonymous ones included; 0 means 100 000
	Subscriptions int        // of channels to other topics than their own; 0 means 100 000

	// LogOnly names limits that are only logged, not enforced, by their keys in
	// the configuration: connections, channels and so on.
	LogOnly []string
}

// DefaultTenantLimits is what a declared tenant has that names none: a twentieth
// or so of what one machine holds.
func DefaultTenantLimits() TenantLimits {
	return TenantLimits{
		Connections:   10_000,
		Channels:      100_000,
		Messages:      limit.Rate{Count: 10_000, Burst: 20_000},
		Groups:        10_000,
		GroupTopics:   1000,
		State:         256 << 20,
		Timers:        100_000,
		Presences:     100_000,
		Subscriptions: 100_000,
	}
}

func (l TenantLimits) withDefaults() TenantLimits {
	d := DefaultTenantLimits()
	l.Connections = cmp.Or(l.Connections, d.Connections)
	l.Channels = cmp.Or(l.Channels, d.Channels)
	if l.Messages == (limit.Rate{}) {
		l.Messages = d.Messages
	}
	l.Groups = cmp.Or(l.Groups, d.Groups)
	l.GroupTopics = cmp.Or(l.GroupTopics, d.GroupTopics)
	l.State = cmp.Or(l.State, d.State)
	l.Timers = cmp.Or(l.Timers, d.Timers)
	l.Presences = cmp.Or(l.Presences, d.Presences)
	l.Subscriptions = cmp.Or(l.Subscriptions, d.Subscriptions)
	return l
}

// quotaKind is one of the limits of a tenant.
type quotaKind uint8

const (
	quotaConnections quotaKind = iota
	quotaChannels
	quotaMessages
	quotaGroups
	quotaGroupTopics // of a group; nothing is counted
	quotaState       // from here on: what a channel holds (account.go)
	quotaTimers
	quotaPresences
	quotaSubscriptions
	quotaKinds
)

func (k quotaKind) String() string {
	return [...]string{
		"connections", "channels", "messages", "groups", "group_topics",
		"state", "timers", "presences", "subscriptions",
	}[k]
}

// key is where the configuration sets the limit.
func (k quotaKind) key() string { return "tenant." + k.String() }

func allQuotas() []quotaKind {
	all := make([]quotaKind, quotaKinds)
	for i := range all {
		all[i] = quotaKind(i)
	}
	return all
}

func (l *TenantLimits) check() error {
	if err := l.Messages.Check(); err != nil && !l.Messages.Off() {
		return fmt.Errorf("%s: %w", quotaMessages, err)
	}
	for _, name := range l.LogOnly {
		if !slices.ContainsFunc(allQuotas(), func(k quotaKind) bool { return k.String() == name }) {
			return fmt.Errorf("log_only: %q is none of %v", name, allQuotas())
		}
	}
	return nil
}

func (l *TenantLimits) logsOnly(k quotaKind) bool { return slices.Contains(l.LogOnly, k.String()) }

// numbers returns the limits that are numbers.
func (l *TenantLimits) numbers() map[quotaKind]int64 {
	return map[quotaKind]int64{
		quotaConnections:   int64(l.Connections),
		quotaChannels:      int64(l.Channels),
		quotaGroups:        int64(l.Groups),
		quotaGroupTopics:   int64(l.GroupTopics),
		quotaState:         l.State,
		quotaTimers:        int64(l.Timers),
		quotaPresences:     int64(l.Presences),
		quotaSubscriptions: int64(l.Subscriptions),
	}
}

// quota counts what a tenant has of something. Whatever is taken has to be given
// back.
type quota struct {
	most     int64 // under 1: no limit
	enforced bool

	used    atomic.Int64
	refused atomic.Int64
}

// take counts n more. over tells that this is more than there may be: then it
// has counted them only if the limit is not enforced.
func (q *quota) take(n int64) (ok, over bool) {
	if q.most < 1 {
		q.used.Add(n)
		return true, false
	}
	for {
		used := q.used.Load()
		if over = used+n > q.most; over && q.enforced {
			return false, true
		}
		if q.used.CompareAndSwap(used, used+n) {
			return true, over
		}
	}
}

func (q *quota) give(n int64) { q.used.Add(-n) }

// tenantRate counts the messages of all clients of a tenant.
type tenantRate struct {
	mu     sync.Mutex
	bucket limit.Bucket
}

// tenantBreaches are how often each limit was exceeded.
type tenantBreaches struct {
	mu    sync.Mutex
	kinds [quotaKinds]breach
}

// tenantExcess tells that a limit of a tenant is exceeded.
type tenantExcess struct {
	kind quotaKind
	most int64
	rate limit.Rate    // of messages, in place of most
	wait time.Duration // likewise
}

// value is the limit as the configuration has it.
func (e *tenantExcess) value() string {
	if e.kind == quotaMessages {
		return e.rate.String()
	}
	return strconv.FormatInt(e.most, 10)
}

// Error names the limit, its value and its key.
func (e *tenantExcess) Error() string {
	return fmt.Sprintf("over the limit of %s %s (%s)", e.value(), e.kind, e.kind.key())
}

// Is makes it an ErrTenantLimit.
func (*tenantExcess) Is(target error) bool { return target == ErrTenantLimit }

// appendJSON appends the response of what was refused.
func (e *tenantExcess) appendJSON(dst []byte) []byte {
	dst = append(dst, `{"reason":"tenant_limit","limit":`...)
	if e.kind != quotaMessages {
		dst = append(dst, e.value()...)
	} else {
		dst = wire.AppendQuoted(dst, e.value())
	}
	dst = append(dst, `,"key":`...)
	dst = wire.AppendQuoted(dst, e.kind.key())
	if e.kind == quotaMessages {
		dst = append(dst, `,"retry_after_ms":`...)
		dst = strconv.AppendInt(dst, max(1, e.wait.Milliseconds()), 10)
	}
	return append(dst, '}')
}

// take counts n more; it returns what is exceeded, nil if nothing is or the limit
// is only logged.
func (t *Tenant) take(kind quotaKind, n int64) *tenantExcess {
	if _, over := t.quotas[kind].take(n); over {
		return t.exceeded(kind, 0)
	}
	return nil
}

func (t *Tenant) give(kind quotaKind, n int64) { t.quotas[kind].give(n) }

// exceeded logs that a limit is exceeded, now and then; it returns nil where the
// limit is only logged.
func (t *Tenant) exceeded(kind quotaKind, wait time.Duration) *tenantExcess {
	q := &t.quotas[kind]
	e := &tenantExcess{kind, q.most, t.limits.Messages, wait}
	t.breaches.mu.Lock()
	times, due := t.breaches.kinds[kind].count()
	t.breaches.mu.Unlock()
	if due {
		t.log.Warn("a tenant exceeds a limit", "code", "LIMIT", "which", kind.String(), "key", kind.key(),
			"limit", e.value(), "times", times, "enforced", q.enforced)
	}
	if !q.enforced {
		return nil
	}
	q.refused.Add(1)
	return e
}

// overMessages counts a message of a client; it returns what is exceeded, nil if
// nothing is.
func (t *Tenant) overMessages() *tenantExcess {
	if t.limits.Messages.Off() {
		return nil
	}
	t.messages.mu.Lock()
	ok, wait := t.messages.bucket.Take(t.limits.Messages, time.Since(t.srv.began), 1)
	t.messages.mu.Unlock()
	if ok {
		return nil
	}
	return t.exceeded(quotaMessages, wait)
}

// fullRetry is how long a client should wait where the tenant has all its
// connections, in seconds.
const fullRetry = 5

// enterTenant counts a connection of the tenant. leave gives that back in the end,
// and what was counted of the address, which is given back at once if the
// connection is refused.
func (t *Tenant) enterTenant(v *visitor, counted bool) (leave func(), refused *refusal) {
	if e := t.take(quotaConnections, 1); e != nil {
		if counted {
			t.srv.leaveAddress(v.client)
		}
		v.ctx.Response.Header.Set("Retry-After", strconv.Itoa(fullRetry))
		return nil, &refusal{
			status: fasthttp.StatusServiceUnavailable, retry: true,
			body: fmt.Sprintf("no more connections are taken: over %s (%s)", e.value(), e.kind.key()),
		}
	}
	if addr := v.client; counted {
		return func() { t.give(quotaConnections, 1); t.srv.leaveAddress(addr) }, nil
	}
	return func() { t.give(quotaConnections, 1) }, nil
}
