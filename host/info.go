package host

import (
	"runtime"
	"time"
)

// Info is a count of what there is and what has happened, as GET /api/v1/info
// shows it.
type Info struct {
	Sockets      int   `json:"sockets"`       // connected now
	Channels     int64 `json:"channels"`      // joined now
	Topics       int   `json:"topics"`        // with subscribers on this node now
	FramesIn     int64 `json:"frames_in"`     // messages from clients, ever
	Crashes      int64 `json:"crashes"`       // failed callbacks, ever
	Denied       int64 `json:"denied"`        // of those, for want of a capability, ever
	SlowClients  int64 `json:"slow_clients"`  // cut off because they did not read, ever
	InfosDropped int64 `json:"infos_dropped"` // handle_info messages with no room, ever
	Unavailable  int64 `json:"unavailable"`   // callbacks not run, or not to their end, as the plugin was unavailable, ever
	Deliveries   int64 `json:"deliveries"`    // broadcasts, one for each channel or socket that got one, ever
	Goroutines   int   `json:"goroutines"`    // of the whole process now

	// Undeliverable counts broadcasts of raw bytes to clients whose serializer
	// or transport has none, ever.
	Undeliverable int64 `json:"undeliverable"`
	Draining      bool  `json:"draining"`

	Tenants []TenantInfo `json:"tenants"` // the default one first, then as declared
}

// TenantInfo is what a tenant has now, in counts.
type TenantInfo struct {
	Tenant        string `json:"tenant"`
	Sockets       int    `json:"sockets"`
	Channels      int64  `json:"channels"` // joined, or with a join under way
	Topics        int    `json:"topics"`
	Groups        int64  `json:"groups"`
	StateBytes    int64  `json:"state_bytes"`
	Timers        int64  `json:"timers"`
	Presences     int64  `json:"presences"`
	Subscriptions int64  `json:"subscriptions"`

	// Refused counts by limit what was refused, ever. Limits that refused nothing
	// are left out.
	Refused map[string]int64 `json:"refused"`

	Suspended bool       `json:"suspended"`
	Reason    string     `json:"reason,omitempty"` // of the suspension
	Since     *time.Time `json:"since,omitempty"`  // likewise
}

// Info counts. The figures are read one after the other.
func (s *Server) Info() Info {
	info := Info{
		Channels:     s.stats.channels.Load(),
		FramesIn:     s.stats.framesIn.Load(),
		Crashes:      s.stats.crashes.Load(),
		Denied:       s.stats.denied.Load(),
		SlowClients:  s.stats.slowClients.Load(),
		InfosDropped: s.stats.infosDropped.Load(),
		Unavailable:  s.stats.unavailable.Load(),
		Goroutines:   runtime.NumGoroutine(),

		Undeliverable: s.stats.undeliverable.Load(),
		Draining:      s.draining.Load(),
	}
	for _, t := range s.tenants {
		ti := t.Info()
		info.Sockets += ti.Sockets
		info.Topics += ti.Topics
		info.Deliveries += t.pubsub.Delivered()
		info.Tenants = append(info.Tenants, ti)
	}
	return info
}

// Info counts what the tenant has, one figure after the other.
func (t *Tenant) Info() TenantInfo {
	t.mu.Lock()
	sockets := len(t.sockets)
	t.mu.Unlock()
	info := TenantInfo{
		Tenant:        t.name,
		Sockets:       sockets,
		Channels:      t.quotas[quotaChannels].used.Load(),
		Topics:        t.pubsub.Topics(),
		Groups:        t.quotas[quotaGroups].used.Load(),
		StateBytes:    t.quotas[quotaState].used.Load(),
		Timers:        t.quotas[quotaTimers].used.Load(),
		Presences:     t.quotas[quotaPresences].used.Load(),
		Subscriptions: t.quotas[quotaSubscriptions].used.Load(),
		Refused:       map[string]int64{},
	}
	for _, kind := range allQuotas() {
		if n := t.quotas[kind].refused.Load(); n > 0 {
			info.Refused[kind.String()] = n
		}
	}
	if sp := t.suspended.Load(); sp != nil {
		info.Suspended, info.Reason, info.Since = true, sp.Reason, &sp.Since
	}
	return info
}
