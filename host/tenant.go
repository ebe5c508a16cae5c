package host

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/aviary-host/aviary/presence"
	"github.com/aviary-host/aviary/presence/group"
	"github.com/aviary-host/aviary/pubsub"
)

// TenantConfig declares a tenant.
type TenantConfig struct {
	// Name is what mounts, routes and the API call it: 1 to 63 of a-z, 0-9, - and
	// _, the first a letter or a digit.
	Name   string
	Limits TenantLimits
}

// Tenant is one of those who share a server and are not to notice each other. It
// owns its routes, topics, presences, groups and sockets. A socket belongs to the tenant
// of its mount, and a channel reaches everything through its socket's tenant. So
// what the modules and clients of one tenant name cannot be another's: there is
// no table that holds both.
//
// The tenant "" is there without being declared. It has all mounts and routes
// that name none, and no limits.
//
// Its methods may be called from any goroutine.
type Tenant struct {
	// Constant.
	srv      *Server
	name     string
	log      *slog.Logger
	pubsub   *pubsub.PubSub[*Fanout]
	presence *presence.Tracker
	groups   *group.Groups
	limits   TenantLimits

	quotas   [quotaKinds]quota
	messages tenantRate
	breaches tenantBreaches
	faults   faults

	table    atomic.Pointer[router]
	register sync.Mutex // one Register at a time
	changing sync.Mutex // one Suspend or Resume at a time
	waiting  []*Channel // for a runner; guarded by runners.mu

	suspended atomic.Pointer[Suspension] // nil unless it is; written with mu held

	mu      sync.Mutex
	sockets map[string]*Socket
	emptied chan struct{} // closed when the last socket has ended; nil when nobody waits for that
}

// newTenant makes a tenant of a declaration that was checked and has no zeros.
func newTenant(s *Server, cfg TenantConfig) *Tenant {
	t := &Tenant{srv: s, name: cfg.Name, log: s.log, limits: cfg.Limits, sockets: map[string]*Socket{}, faults: faults{kinds: map[string]*fault{}}}
	if t.name != "" {
		t.log = s.log.With("tenant", t.name)
	}
	numbers := t.limits.numbers()
	for _, kind := range allQuotas() {
		q := &t.quotas[kind]
		q.most, q.enforced = numbers[kind], !t.limits.logsOnly(kind)
	}
	t.table.Store(&router{})
	t.pubsub = pubsub.New(pubsub.Config[*Fanout]{})
	t.presence = t.newTracker(&s.cfg)
	t.groups = group.New(groupQuota{t})
	return t
}

// checkTenants refuses tenants that could not be told apart, and mounts and
// routes of tenants that are not declared.
func (c *Config) checkTenants() error {
	declared := map[string]bool{"": true}
	for i := range c.Tenants {
		t := &c.Tenants[i]
		switch {
		case !isTenantName(t.Name):
			return fmt.Errorf("%w: tenant %q: a name is 1 to 63 of a-z, 0-9, - and _, the first a letter or a digit", errConfig, t.Name)
		case declared[t.Name]:
			return fmt.Errorf("%w: tenant %q is declared twice", errConfig, t.Name)
		}
		if err := t.Limits.check(); err != nil {
			return fmt.Errorf("%w: tenant %q: %w", errConfig, t.Name, err)
		}
		declared[t.Name] = true
	}
	for i := range c.Mounts {
		if m := &c.Mounts[i]; !declared[m.Tenant] {
			return fmt.Errorf("%w: mount %s: tenant %q is not declared", errConfig, m.Path, m.Tenant)
		}
	}
	for i := range c.Routes {
		if r := &c.Routes[i]; !declared[r.Tenant] {
			return fmt.Errorf("%w: pattern %q: tenant %q is not declared", errConfig, r.Pattern, r.Tenant)
		}
	}
	return nil
}

const maxTenantName = 63 // of a label of a host name, which it may well become

func isTenantName(name string) bool {
	return name != "" && len(name) <= maxTenantName && name[0] != '-' && name[0] != '_' &&
		strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}

// Name returns what the tenant was declared as.
func (t *Tenant) Name() string { return t.name }

// Register is [Server.Register] for this tenant.
func (t *Tenant) Register(topicPattern string, h Handler) error {
	return t.add(Route{Pattern: topicPattern, Handler: h})
}

func (t *Tenant) add(r Route) error {
	t.register.Lock()
	defer t.register.Unlock()
	if r.Handler == nil && r.Generations == nil {
		return fmt.Errorf("%w: pattern %q has no handler", errConfig, r.Pattern)
	}
	longer, err := t.routes().with(r)
	if err != nil {
		return err
	}
	t.table.Store(&longer)
	longer[len(longer)-1].handlers.usedBy(t)
	return nil
}

func (t *Tenant) routes() router { return *t.table.Load() }

// enter makes a socket known; false when the server is going down or the tenant
// is suspended. Whoever ends sockets first says so and then takes the lock to
// list them: so each socket either is in the list or is not let in.
func (t *Tenant) enter(sock *Socket) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.srv.draining.Load() || t.suspended.Load() != nil {
		return false
	}
	t.sockets[sock.id] = sock
	t.srv.work.Add(1)
	return true
}

func (t *Tenant) exit(sock *Socket) {
	t.mu.Lock()
	delete(t.sockets, sock.id)
	if len(t.sockets) == 0 && t.emptied != nil {
		close(t.emptied)
		t.emptied = nil
	}
	t.mu.Unlock()
	t.srv.work.Done()
}

func (t *Tenant) socket(id string) *Socket {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sockets[id]
}

func (t *Tenant) allSockets() []*Socket {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]*Socket, 0, len(t.sockets))
	for _, sock := range t.sockets {
		all = append(all, sock)
	}
	return all
}

// find returns the channel of topic on a socket, nil if there is none.
func (t *Tenant) find(socketID, topic string) *Channel {
	sock := t.socket(socketID)
	if sock == nil {
		return nil
	}
	return sock.channel(topic)
}

// Tenant returns a tenant by its name, "" for the default one; false when none
// is declared by that name.
func (s *Server) Tenant(name string) (*Tenant, bool) {
	i := slices.IndexFunc(s.tenants, func(t *Tenant) bool { return t.name == name })
	if i < 0 {
		return nil, false
	}
	return s.tenants[i], true
}

// home returns the default tenant.
func (s *Server) home() *Tenant { return s.tenants[0] }

// makeTenants makes the default tenant and those that are declared, and gives
// mounts and routes to them. The configuration was checked.
func (s *Server) makeTenants() error {
	s.tenants = append(s.tenants, newTenant(s, TenantConfig{}))
	for _, cfg := range s.cfg.Tenants {
		s.tenants = append(s.tenants, newTenant(s, cfg))
	}
	byName := map[string]*Tenant{}
	for _, t := range s.tenants {
		byName[t.name] = t
	}
	for i := range s.cfg.Mounts {
		m := &s.cfg.Mounts[i]
		m.tenant = byName[m.Tenant]
	}
	for _, r := range s.cfg.Routes {
		if err := byName[r.Tenant].add(r); err != nil {
			return err
		}
	}
	return nil
}

// allSockets returns the sockets of all tenants.
func (s *Server) allSockets() []*Socket {
	var all []*Socket
	for _, t := range s.tenants {
		all = append(all, t.allSockets()...)
	}
	return all
}
