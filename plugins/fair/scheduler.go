package fair

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Fuel of the turns. A processor runs some 1000 instructions of a guest in a
// microsecond.
const (
	hogQuantum  = 1_500_000 // about 1 ms
	gateQuantum = 150_000
)

// MaxWeight is the most that a tenant's weight may be.
const MaxWeight = 1000

// Config says what a Scheduler has to divide. The zero value is usable.
type Config struct {
	// Procs is how many processors there are; 0 means GOMAXPROCS.
	Procs int
}

// Scheduler divides processors between tenants.
type Scheduler struct {
	procs int
	now   func() time.Duration // since the beginning
	sleep func(time.Duration)

	several atomic.Bool // tenants; written with mu held

	mu       sync.Mutex // guards the following
	tenants  []*Tenant
	hogs     turns // callbacks that compute for long
	gate     turns // callbacks of heavy tenants
	reviewed time.Duration
}

// NewScheduler makes a Scheduler. All guests of a process should have the same.
func NewScheduler(cfg Config) *Scheduler {
	if cfg.Procs <= 0 {
		cfg.Procs = runtime.GOMAXPROCS(0)
	}
	began := time.Now()
	return &Scheduler{
		procs: cfg.Procs, now: func() time.Duration { return time.Since(began) }, sleep: time.Sleep,
		hogs: turns{free: max(1, cfg.Procs-1), quantum: hogQuantum, advance: hogQuantum},
		gate: turns{free: cfg.Procs, quantum: gateQuantum},
	}
}

// TenantConfig is what a tenant may use. The zero value of a limit means none, but
// for those of log lines.
type TenantConfig struct {
	// Name stands for the tenant in errors and logs; empty means "default".
	Name string

	// Weight is the tenant's share beside others; 0 means 1. At most MaxWeight.
	Weight int

	// FuelPerSecond is what the callbacks of the tenant may spend, and FuelBurst what
	// may be spent at once after a pause; 0 means as much as FuelPerSecond. Callbacks
	// over it wait, some for up to 2 s, then fail.
	FuelPerSecond, FuelBurst int64

	// Memory is the sum of what the instances of the tenant's plugins may have, in
	// bytes: the limit of each counts, however little it uses.
	Memory int64

	// LogLines is how many lines the tenant's guests may log in a second, and LogBurst
	// how many at once after a pause; 0 means 200 and 2000, less than 0 no limit.
	LogLines, LogBurst int
}

// Tenant is one of those between whom a Scheduler divides.
type Tenant struct {
	name   string
	weight int64
	sched  *Scheduler
	fuel   *quota // nil: unlimited
	memory memory
	lines  lines

	spent   atomic.Int64 // fuel, ever
	heavy   atomic.Bool
	seen    int64         // of spent, at the last review; Scheduler.mu
	recent  float64       // fuel spent lately; Scheduler.mu
	active  time.Duration // the last review at which there was some; Scheduler.mu
	hogging account       // Scheduler.mu
	gated   account       // Scheduler.mu
}

// Tenant makes a tenant. The error names a value that is out of range.
func (s *Scheduler) Tenant(cfg TenantConfig) (*Tenant, error) {
	if cfg.Name == "" {
		cfg.Name = "default"
	}
	if cfg.Weight == 0 {
		cfg.Weight = 1
	}
	if problem := cfg.problem(); problem != "" {
		return nil, fmt.Errorf("tenant %s: %s", cfg.Name, problem)
	}
	t := &Tenant{
		name: cfg.Name, weight: int64(cfg.Weight), sched: s, fuel: newQuota(cfg.FuelPerSecond, cfg.FuelBurst),
		memory: memory{limit: cfg.Memory}, lines: newLines(cfg.LogLines, cfg.LogBurst),
		hogging: account{weight: int64(cfg.Weight)}, gated: account{weight: int64(cfg.Weight)},
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tenants = append(s.tenants, t)
	s.several.Store(len(s.tenants) > 1)
	return t, nil
}

func (cfg *TenantConfig) problem() string {
	switch {
	case cfg.Weight < 0 || cfg.Weight > MaxWeight:
		return fmt.Sprintf("weight of %d is not between 1 and %d (tenant.weight)", cfg.Weight, MaxWeight)
	case cfg.FuelPerSecond < 0 || cfg.FuelPerSecond > maxFuelRate:
		return fmt.Sprintf("fuel of %d per second is not between 1 and %d (tenant.fuel_per_second)", cfg.FuelPerSecond, int64(maxFuelRate))
	case cfg.FuelBurst < 0 || cfg.FuelBurst > maxFuelRate:
		return fmt.Sprintf("burst of %d is not between 1 and %d (tenant.fuel_per_second)", cfg.FuelBurst, int64(maxFuelRate))
	case cfg.Memory < 0:
		return fmt.Sprintf("memory of %d bytes is negative (tenant.memory)", cfg.Memory)
	}
	return ""
}

// Name returns the tenant's name.
func (t *Tenant) Name() string { return t.name }

// Spent returns the fuel that the tenant's callbacks have spent, ever.
func (t *Tenant) Spent() int64 { return t.spent.Load() }

// Heavy tells whether the tenant has used more than its share lately, so that its
// callbacks need a turn before they begin: see [Turn.Enter].
func (t *Tenant) Heavy() bool { return t.heavy.Load() }

// Waiting returns how many callbacks wait for turns now.
func (s *Scheduler) Waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hogs.waiting + s.gate.waiting
}
