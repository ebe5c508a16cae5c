package host

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
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
// may block; no two calls overlap.
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
type suspensions struct {
	mu  sync.Mutex // one change at a time, saving included
	all map[string]Suspension
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
	s.suspensions.mu.Lock()
	defer s.suspensions.mu.Unlock()
	sp := Suspension{Tenant: name, Reason: reason, Since: time.Now().UTC()}
	if before, ok := s.suspensions.all[name]; ok {
		sp.Since = before.Since
	}
	s.suspensions.all[name] = sp
	out := Outcome{Tenant: name, Suspended: true, Closed: t.shut(&sp)}
	out.Kept, err = s.saveSuspensions(s.suspensions.all)
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
	s.suspensions.mu.Lock()
	defer s.suspensions.mu.Unlock()
	left := map[string]Suspension{}
	for other, sp := range s.suspensions.all {
		if other != name {
			left[other] = sp
		}
	}
	kept, err := s.saveSuspensions(left)
	if err != nil {
		s.log.Error("a suspended tenant is not resumed: that cannot be saved", "code", "NOT_KEPT", "tenant", name, "err", err)
		return Outcome{Tenant: name, Suspended: t.suspended.Load() != nil}, fmt.Errorf("%s is not resumed: %w: %w", name, ErrNotKept, err)
	}
	s.suspensions.all = left
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

// saveSuspensions saves all, in the order of their names.
func (s *Server) saveSuspensions(all map[string]Suspension) (kept bool, err error) {
	if s.cfg.Suspensions == nil {
		return false, nil
	}
	var names []string
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	list := make([]Suspension, len(names))
	for i, name := range names {
		list[i] = all[name]
	}
	err = s.cfg.Suspensions.Save(list)
	return err == nil, err
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
