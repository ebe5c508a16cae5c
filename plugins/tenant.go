package plugins

import (
	"errors"
	"time"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/plugins/fair"
)

// Why a callback was not run, or not to its end, though nothing is wrong with it.
// A [*CallError] wraps one of them, with an [*UnavailableError] before it.
var (
	ErrBusy  = fair.ErrBusy
	ErrQuota = fair.ErrQuota
)

// UnavailableError tells that a plugin could not answer now, and that the same
// callback may do so later.
type UnavailableError struct {
	Err        error         // wraps one of the errors above
	RetryAfter time.Duration // until it makes sense to try again, above 0
}

// Error says why.
func (e *UnavailableError) Error() string { return e.Err.Error() }

// Unwrap returns why.
func (e *UnavailableError) Unwrap() error { return e.Err }

// Unavailable returns when to try again, and why not now. It is how others tell this
// error from those of a callback that failed.
func (e *UnavailableError) Unavailable() (reason string, retryAfter time.Duration) {
	return e.Error(), e.RetryAfter
}

// busyPause is after what time a callback that waited for its turn in vain may try
// again.
const busyPause = time.Second

// busy ends a callback whose turn did not come.
func busy(err error) *fault {
	return &fault{kind: KindBusy, message: err.Error(), cause: &UnavailableError{Err: err, RetryAfter: busyPause}}
}

// withTenant gives a plugin that has none a tenant of its own.
func withTenant(cfg *Config) (err error) {
	if cfg.Tenant == nil {
		cfg.Tenant, err = fair.NewScheduler(fair.Config{}).Tenant(fair.TenantConfig{})
	}
	return err
}

func (p *Plugin) overQuota(c abi.Callback, err error) error {
	unavailable := &UnavailableError{Err: err, RetryAfter: busyPause}
	var quota *fair.QuotaError
	if errors.As(err, &quota) {
		unavailable.RetryAfter = quota.RetryAfter
	}
	return p.callError(c, failure{kind: KindQuota, message: err.Error()}, unavailable)
}

// notMade says why there is no instance to run a callback on.
func notMade(err error) failure {
	f := failure{kind: KindInstantiate, message: err.Error()}
	if errors.Is(err, ErrBusy) {
		f.kind = KindBusy
	}
	return f
}

// place takes a place for an instance, one that the tenant has the memory for. The
// others are kept back until there is some; as each plugin has memory for one from
// the start, there is always one to wait for. Before it waits it calls detach, unless
// that is nil.
func (p *Plugin) place(detach func()) (lease, error) {
	for {
		l, err := p.pool.take(detach)
		if err != nil || l.slot.funded || p.fund(&l) {
			return l, err
		}
		p.pool.park(l)
		p.tenant.WhenFree(int64(p.memoryLimit), p.pool.unpark)
	}
}

// fund takes the memory for the instance of a place, for as long as the plugin is
// there.
func (p *Plugin) fund(l *lease) bool {
	if !p.tenant.Reserve(int64(p.memoryLimit)) {
		return false
	}
	p.reserved.Add(int64(p.memoryLimit))
	l.slot.funded = true
	return true
}

// firstPlace takes a place for the first instance. The error is a *LoadError.
func (p *Plugin) firstPlace() (lease, error) {
	l, err := p.pool.take(nil)
	if err != nil {
		return l, p.refuseFor("closed while it was loaded", err)
	}
	if p.fund(&l) {
		return l, nil
	}
	p.pool.put(l)
	limit, used := p.tenant.Memory()
	return lease{}, p.refuse("an instance may have %s (plugin.memory), but tenant %s has %s of its %s left (tenant.memory)",
		sizeText(p.memoryLimit, false), p.tenant.Name(), sizeText(uint64(limit-used), false), sizeText(uint64(limit), false))
}
