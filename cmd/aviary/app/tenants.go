package app

import (
	"cmp"
	"fmt"
	"net"
	"strings"

	"github.com/aviary-host/aviary/host"
)

// defaultTenant is what figures call the tenant of all that names none.
const defaultTenant = "default"

// Tenant is one of those who share the server. Its limits are on what all its
// clients and channels have together; what is left out has the default of
// host.DefaultTenantLimits.
type Tenant struct {
	Name          string   `toml:"name"`          // in plugin.tenant, mount.tenant and the API
	Connections   int      `toml:"connections"`   // at a time; -1 for no limit, as with all numbers here
	Channels      int      `toml:"channels"`      // joined
	Messages      Rate     `toml:"messages"`      // of all clients
	Groups        int      `toml:"groups"`        // of topics
	GroupTopics   int      `toml:"group_topics"`  // in one group
	State         Size     `toml:"state"`         // of all channels, their timers and presences, and of groups
	Timers        int      `toml:"timers"`        // pending
	Presences     int      `toml:"presences"`     // entries
	Subscriptions int      `toml:"subscriptions"` // of channels to other topics
	LogOnly       []string `toml:"log_only"`      // limits that are not enforced

	TenantFuel // what its plugins may use of this machine
}

func (t *Tenant) host() host.TenantConfig {
	return host.TenantConfig{Name: t.Name, Limits: host.TenantLimits{
		Connections: t.Connections, Channels: t.Channels, State: int64(t.State),
		Messages: t.Messages.or(host.DefaultTenantLimits().Messages),
		Groups:   t.Groups, GroupTopics: t.GroupTopics,
		Timers: t.Timers, Presences: t.Presences, Subscriptions: t.Subscriptions,
		LogOnly: t.LogOnly,
	}}
}

func (t *Tenant) check() error {
	for _, limit := range []struct {
		key   string
		value int
	}{
		{"connections", t.Connections},
		{"channels", t.Channels},
		{"groups", t.Groups},
		{"group_topics", t.GroupTopics},
		{"timers", t.Timers},
		{"presences", t.Presences},
		{"subscriptions", t.Subscriptions},
	} {
		if limit.value < -1 {
			return fmt.Errorf("%s = %d is negative; -1 is no limit", limit.key, limit.value)
		}
	}
	return nil
}

// checkTenants refuses what would lead from one tenant into another, and names
// that stand for none. Their form the host knows.
func (c *Config) checkTenants() error {
	declared := map[string]bool{"": true}
	for i := range c.Tenants {
		t := &c.Tenants[i]
		switch {
		case t.Name == "":
			return fmt.Errorf("tenant %d: name is missing", i+1)
		case t.Name == defaultTenant:
			return fmt.Errorf("tenant %q: this name is that of the tenant of all that names none", t.Name)
		case declared[t.Name]:
			return fmt.Errorf("tenant %q is declared twice", t.Name)
		}
		if err := t.check(); err != nil {
			return fmt.Errorf("tenant %q: %w", t.Name, err)
		}
		declared[t.Name] = true
	}
	owners := map[string]string{}
	for i := range c.Plugins {
		p := &c.Plugins[i]
		if !declared[p.Tenant] {
			return fmt.Errorf("plugin %q: tenant names %q, which is not declared: write a [[tenant]] table", p.Name, p.Tenant)
		}
		owners[p.Name] = p.Tenant
	}
	for i := range c.Mounts {
		m := &c.Mounts[i]
		switch owner := owners[m.Connect]; {
		case !declared[m.Tenant]:
			return fmt.Errorf("mount %s: tenant names %q, which is not declared: write a [[tenant]] table", m.at(), m.Tenant)
		case m.Connect != "" && owner != m.Tenant:
			return fmt.Errorf("mount %s of %s: connect names plugin %q, which is of %s", m.at(), called(m.Tenant), m.Connect, called(owner))
		}
	}
	return nil
}

// called is a tenant in words.
func called(tenant string) string {
	if tenant == "" {
		return "the default tenant"
	}
	return fmt.Sprintf("tenant %q", tenant)
}

// presences returns what answers the presence_list of a tenant's guests. There
// is nobody yet while the plugins are still being loaded.
func (a *App) presences(tenant string) func(dst []byte, topic string) []byte {
	return func(dst []byte, topic string) []byte {
		if a.server == nil {
			return append(dst, "{}"...)
		}
		t, _ := a.server.Tenant(tenant) // which is declared, or the server would not be there
		return t.AppendPresences(dst, topic)
	}
}

// authority returns what clients call the server at addr by, for a mount: the
// first of its hosts that is a whole name, else whatever there is.
func (m *Mount) authority(addr string) string {
	_, port, err := net.SplitHostPort(addr)
	if err != nil || len(m.Hosts) == 0 {
		return addr
	}
	name := ""
	for _, h := range m.Hosts {
		if !strings.HasPrefix(h, "*") {
			name = cmp.Or(name, h)
		}
	}
	return net.JoinHostPort(strings.Trim(cmp.Or(name, m.Hosts[0]), "[]"), port)
}
