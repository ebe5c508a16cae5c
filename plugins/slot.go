package plugins

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/aviary-host/aviary/abi"
)

// ErrNotLoaded is wrapped where a plugin was not loaded yet, or could not be.
var ErrNotLoaded = errors.New("plugin is not loaded")

// loadingPause is after what time a callback may try again whose plugin is not loaded.
const loadingPause = time.Second

// Slot stands in for a plugin that is loaded while others serve already. Until then, and
// for ever if it is refused, its callbacks are unavailable, which fails closed: nobody
// joins, and nobody connects. Its methods may be called from any goroutine.
type Slot struct {
	name   string
	loaded atomic.Pointer[Plugin]
	failed atomic.Pointer[error]
}

// NewSlot returns a slot for the plugin of that name.
func NewSlot(name string) *Slot { return &Slot{name: name} }

// Fill puts the plugin into its slot, once.
func (s *Slot) Fill(p *Plugin) { s.loaded.Store(p) }

// Fail says why there will be no plugin.
func (s *Slot) Fail(err error) { s.failed.Store(&err) }

// Plugin returns the plugin, nil if there is none yet.
func (s *Slot) Plugin() *Plugin { return s.loaded.Load() }

// Stats is [Plugin.Stats]; before there is a plugin, all but its name and state is zero.
func (s *Slot) Stats() Stats {
	switch p := s.loaded.Load(); {
	case p != nil:
		return p.Stats()
	case s.failed.Load() != nil:
		return Stats{Name: s.name, State: stateRefused, Failures: map[string]int64{}}
	}
	return Stats{Name: s.name, State: stateLoading, Failures: map[string]int64{}}
}

// Implements tells whether the plugin has the callback. Before it is loaded it may have
// any, so that nothing is let through for want of one.
func (s *Slot) Implements(c abi.Callback) bool {
	if p := s.loaded.Load(); p != nil {
		return p.Implements(c)
	}
	return true
}

// Handle is [Plugin.Handle], or an [*UnavailableError] that wraps [ErrNotLoaded].
func (s *Slot) Handle(req *abi.Request, buf []byte, resp *abi.Response) ([]byte, error) {
	return s.HandleDetaching(req, buf, resp, nil)
}

// HandleDetaching is [Plugin.HandleDetaching], or the same error.
func (s *Slot) HandleDetaching(req *abi.Request, buf []byte, resp *abi.Response, detach func()) ([]byte, error) {
	if p := s.loaded.Load(); p != nil {
		return p.HandleDetaching(req, buf, resp, detach)
	}
	resp.Reset()
	return buf, &UnavailableError{Err: s.why(), RetryAfter: loadingPause}
}

func (s *Slot) why() error {
	if failed := s.failed.Load(); failed != nil {
		return fmt.Errorf("plugin %s: %w: %w", s.name, ErrNotLoaded, *failed)
	}
	return fmt.Errorf("plugin %s: %w: it is being loaded", s.name, ErrNotLoaded)
}
