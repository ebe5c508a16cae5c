package app

import (
	"math"
	"time"

	"github.com/aviary-host/aviary/plugins"
	"github.com/aviary-host/aviary/plugins/fair"
	"github.com/pelletier/go-toml/v2/unstable"
)

// TenantFuel is what the plugins of a tenant may use of this machine together.
type TenantFuel struct {
	FuelPerSecond int64 `toml:"fuel_per_second"` // of callbacks, in instructions; default: no limit
	Weight        int   `toml:"weight"`          // beside other tenants, when guests compute for long; default 1
	Memory        Size  `toml:"memory"`          // of all instances, at most; default: no limit
	LogLines      Rate  `toml:"log_lines"`       // of the guests; default "200/s burst 2000"
}

// tenant makes the tenant of that name.
func (t *TenantFuel) tenant(s *fair.Scheduler, name string) (*fair.Tenant, error) {
	cfg := fair.TenantConfig{
		Name: name, FuelPerSecond: t.FuelPerSecond, Weight: t.Weight, Memory: int64(t.Memory),
	}
	if t.LogLines.given {
		cfg.LogLines, cfg.LogBurst = t.LogLines.perSecond()
	}
	return s.Tenant(cfg)
}

// makeTenants makes those who pay for the plugins and take turns with each other.
func (a *App) makeTenants(cfg *Config) error {
	scheduler := fair.NewScheduler(fair.Config{})
	home, err := (&TenantFuel{}).tenant(scheduler, defaultTenant)
	if err != nil {
		return err
	}
	a.tenants = map[string]*fair.Tenant{"": home}
	for i := range cfg.Tenants {
		t := &cfg.Tenants[i]
		if a.tenants[t.Name], err = t.tenant(scheduler, t.Name); err != nil {
			return err
		}
	}
	return nil
}

// perSecond returns how many come back in a second, at least one, and how many there
// are at most; less than 0 where the rate is off.
func (r Rate) perSecond() (count, burst int) {
	if r.Off() {
		return -1, 0
	}
	per := r.Per
	if per == 0 {
		per = time.Second
	}
	n := math.Round(float64(r.Count) * float64(time.Second) / float64(per))
	return max(1, int(n)), max(r.Count, r.Burst)
}

// Breaker is a plugins.Breaker written as "5/10s", or "off".
type Breaker struct {
	plugins.Breaker `toml:"-"`
}

// UnmarshalText reads the form of plugins.ParseBreaker.
func (b *Breaker) UnmarshalText(text []byte) error {
	v, err := plugins.ParseBreaker(string(text))
	if err != nil {
		return unstable.NewParserError(text, "%s", err)
	}
	b.Breaker = v
	return nil
}
