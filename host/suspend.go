package host

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/aviary-host/aviary/abi"
	"github.com/gobwas/ws"
	"github.com/valyala/fasthttp"
)

// Errors of Suspend and Resume, and of calls to a tenant that is suspended.
var (
	// ErrNoSuchTenant tells that no tenant is declared by that name.
	ErrNoSuchTenant = errors.New("no such tenant is declared")
	// ErrDefaultTenant tells that the tenant "" cannot be suspended: it is the
	// server itself.
	ErrDefaultTenant = errors.New("the default tenant cannot be suspended")
	// ErrSuspended tells that a tenant takes no calls because it is suspended.
	ErrSuspended = errors.New("the tenant is suspended")
	// ErrInvalidReason tells that a reason is not UTF-8 of up to 1024 bytes.
	ErrInvalidReason = errors.New("reason is not UTF-8 of up to 1024 bytes")
	// ErrNotKept is wrapped where a change has no chance to outlast a restart.
	ErrNotKept = errors.New("not kept over a restart")
)

// Suspension tells that a tenant is suspended.
type Suspension struct {
	Tenant string
	Reason string // for the log and whoever lists tenants; clients are not told
	Since  time.Time
}

// SuspensionStore keeps over restarts which tenants are suspended. Both methods
// may block; no two calls overlap. Suspensions that come at once may share one Save.
type SuspensionStore interface {
	// Load returns those that were saved last, none where nothing was. What it
	// cannot read is an error, and the server is not made: a tenant must not come
	// back because a file is broken.
	Load() ([]Suspension, error)

	// Save replaces what was saved before. When it returns, that has to outlast
	// the machine.
	Save(all []Suspension) error
}

// Outcome is what Suspend or Resume has come to.
type Outcome struct {
	Tenant    string `json:"tenant"`
	Suspended bool   `json:"suspended"` // now
	Closed    int    `json:"closed"`    // sockets that were told to close
	Kept      bool   `json:"kept"`      // over a restart
}

// suspensions are all that are in force, those of tenants that are not declared
// any more included: one that is declared again later is still suspended.
//
// No lock is held while a tenant is given its grace but its own, Tenant.changing. The
// order of locks is that, saving, mu.
type suspensions struct {
	saving sync.Mutex // one Save at a time
	saved  uint64     // the count of changes when the last good one began; guarded by saving

	mu      sync.Mutex // guards the following
	all     map[string]Suspension
	changes uint64
}

// add takes note of a suspension, and tells which change it is.
func (s *suspensions) add(sp *Suspension) (change uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if before, ok := s.all[sp.Tenant]; ok {
		sp.Since = before.Since
	}
	s.all[sp.Tenant] = *sp
	s.changes++
	return s.changes
}

// list returns all but one, in the order of their names, and which change was the last.
func (s *suspensions) list(but string) (list []Suspension, change uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, sp := range s.all {
		if name != but {
			list = append(list, sp)
		}
	}
	slices.SortFunc(list, func(a, b Suspension) int { return strings.Compare(a.Tenant, b.Tenant) })
	return list, s.changes
}

const (
	// statusTryAgainLater is the close code of a suspended tenant (IANA registry of
	// RFC 6455 close codes, 1013). phoenix.js reconnects after any code but 1000,
	// slower each time up to 5 s, and so comes back by itself when the tenant is
	// resumed. 1001 and 1012 would say that the server goes away or starts again.
	statusTryAgainLater ws.StatusCode = 1013

	// suspendGrace is how long a socket has to end in good order.
	suspendGrace = 500 * time.Millisecond

	// suspendRetry is what new clients are told to wait, in seconds.
	suspendRetry = 30

	maxSuspendReason = 1024
)

// loadSuspensions suspends the tenants that were when the server ended.
func (s *Server) loadSuspensions() error {
	s.suspensions.all = map[string]Suspension{}
	if s.cfg.Suspensions == nil {
		return nil
	}
	kept, err := s.cfg.Suspensions.Load()
	if err != nil {
		return fmt.Errorf("%w: suspended tenants: %w", errConfig, err)
	}
	for _, sp := range kept {
		s.suspensions.all[sp.Tenant] = sp
		t, ok := s.Tenant(sp.Tenant)
		switch {
		case sp.Tenant == "":
			return fmt.Errorf("%w: suspended tenants: %w", errConfig, ErrDefaultTenant)
		case !ok:
			s.log.Warn("a suspended tenant is not declared", "code", "TENANT_UNKNOWN", "tenant", sp.Tenant)
		default:
			t.suspended.Store(&sp)
			s.log.Warn("tenant is suspended since before the start", "code", "TENANT_SUSPENDED", "tenant", sp.Tenant, "reason", sp.Reason, "since", sp.Since)
		}
	}
	return nil
}

// Suspend ends all sockets of a tenant with 1013 and lets none in until Resume.
// When it returns, after a second at most and the time it takes to save, no
// connection of the tenant is open. Callbacks that run then end by their own
// deadline; what they do reaches nobody. reason is for the log and for whoever
// lists tenants. Suspending anew changes the reason.
//
// The error wraps ErrNoSuchTenant, ErrDefaultTenant or ErrInvalidReason when
// nothing has happened, ErrNotKept when the tenant is suspended, but a restart
// would resume it. Without Config.Suspensions that is no error: Outcome.Kept says
// so.
func (s *Server) Suspend(name, reason string) (Outcome, error) { return s.suspend(name, reason, "") }

// Resume lets the sockets of a suspended tenant in again; one that is not
// suspended stays so. The error wraps ErrNoSuchTenant or ErrInvalidReason, or
// ErrNotKept when that cannot be saved: then the tenant stays suspended.
func (s *Server) Resume(name, reason string) (Outcome, error) { return s.resume(name, reason, "") }

// suspend is Suspend by whoever the log is to name.
func (s *Server) suspend(name, reason, by string) (Outcome, error) {
	t, err := s.toSuspend(name, reason)
	if err != nil {
		s.log.Warn("suspend refused", "code", "SUSPEND_REFUSED", "tenant", logText([]byte(name)), "by", by, "err", err)
		return Outcome{}, err
	}
	t.changing.Lock()
	defer t.changing.Unlock()
	sp := Suspension{Tenant: name, Reason: reason, Since: time.Now().UTC()}
	change := s.suspensions.add(&sp)
	out := Outcome{Tenant: name, Suspended: true, Closed: t.shut(&sp)}
	out.Kept, err = s.saveSuspension(change)
	s.log.Warn("tenant suspended", "code", "TENANT_SUSPENDED", "tenant", name, "reason", reason, "by", by, "closed", out.Closed, "kept", out.Kept)
	if err != nil {
		s.log.Error("a suspension cannot be saved", "code", "NOT_KEPT", "tenant", name, "err", err)
		return out, fmt.Errorf("%s is suspended, but %w: %w", name, ErrNotKept, err)
	}
	return out, nil
}

// resume is Resume, likewise.
func (s *Server) resume(name, reason, by string) (Outcome, error) {
	t, err := s.toSuspend(name, reason)
	if err != nil {
		s.log.Warn("resume refused", "code", "RESUME_REFUSED", "tenant", logText([]byte(name)), "by", by, "err", err)
		return Outcome{}, err
	}
	t.changing.Lock()
	defer t.changing.Unlock()
	kept, err := s.dropSuspension(name)
	if err != nil {
		s.log.Error("a suspended tenant is not resumed: that cannot be saved", "code", "NOT_KEPT", "tenant", name, "err", err)
		return Outcome{Tenant: name, Suspended: t.suspended.Load() != nil}, fmt.Errorf("%s is not resumed: %w: %w", name, ErrNotKept, err)
	}
	t.suspended.Store(nil)
	s.log.Warn("tenant resumed", "code", "TENANT_RESUMED", "tenant", name, "reason", reason, "by", by, "kept", kept)
	return Outcome{Tenant: name, Kept: kept}, nil
}

// toSuspend returns the tenant that a call is about.
func (s *Server) toSuspend(name, reason string) (*Tenant, error) {
	t, ok := s.Tenant(name)
	switch {
	case name == "":
		return nil, ErrDefaultTenant
	case !ok:
		return nil, fmt.Errorf("%w: %q", ErrNoSuchTenant, logText([]byte(name)))
	case len(reason) > maxSuspendReason || !utf8.ValidString(reason):
		return nil, ErrInvalidReason
	}
	return t, nil
}

// saveSuspension returns when a change is saved. One that was made while another was being
// saved may find itself saved with those that waited too.
func (s *Server) saveSuspension(change uint64) (kept bool, err error) {
	if s.cfg.Suspensions == nil {
		return false, nil
	}
	all := &s.suspensions
	all.saving.Lock()
	defer all.saving.Unlock()
	if all.saved >= change {
		return true, nil
	}
	list, last := all.list("")
	if err := s.cfg.Suspensions.Save(list); err != nil {
		return false, err
	}
	all.saved = last
	return true, nil
}

// dropSuspension saves all but that of a tenant, which is in force until then.
func (s *Server) dropSuspension(name string) (kept bool, err error) {
	all := &s.suspensions
	all.saving.Lock()
	defer all.saving.Unlock()
	list, last := all.list(name)
	if s.cfg.Suspensions != nil {
		if err := s.cfg.Suspensions.Save(list); err != nil {
			return false, err
		}
		all.saved = last
	}
	all.mu.Lock()
	defer all.mu.Unlock()
	delete(all.all, name)
	return s.cfg.Suspensions != nil, nil
}

// shut lets no more sockets in and ends those that there are. What they have
// accepted is not handled any more, but their channels terminate. A connection
// that is still open after the grace is cut off.
func (t *Tenant) shut(sp *Suspension) (closed int) {
	emptied := make(chan struct{})
	t.mu.Lock()
	t.suspended.Store(sp)
	closed = len(t.sockets)
	if closed == 0 {
		close(emptied)
	} else {
		t.emptied = emptied
	}
	t.mu.Unlock()
	for _, sock := range t.allSockets() {
		sock.close(statusTryAgainLater, "the tenant is suspended", abi.ReasonDisconnected)
	}
	if within(suspendGrace, emptied) {
		return closed
	}
	for _, sock := range t.allSockets() {
		sock.link.abort()
	}
	within(suspendGrace/2, emptied) // what is left then waits for a callback
	return closed
}

// within tells whether done is closed in time.
func within(d time.Duration, done <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}

// refuseSuspended answers a client that asks to be let in.
func (t *Tenant) refuseSuspended(v *visitor) {
	const code, message = "TENANT_SUSPENDED", "nobody is let in for now"
	apiError(v.ctx, fasthttp.StatusServiceUnavailable, code, message)
	v.ctx.Response.Header.Set("Retry-After", strconv.Itoa(suspendRetry))
	if v.transport == abi.TransportLongPoll {
		// phoenix.js looks at a status in the body, and tries again after this one;
		// without any it would throw (longpoll.js, poll).
		v.ctx.SetBodyString(`{"status":500,"error":{"code":"` + code + `","message":"` + message + `"}}` + "\n")
	}
	t.clientFault(t.log, "client refused", code, "mount", v.mount.Path)
}
