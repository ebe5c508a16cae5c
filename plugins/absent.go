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

// Absent stands in for a plugin that is loaded while others serve already. Until then, and
// for ever if it is refused, its callbacks are unavailable, which fails closed: nobody
// joins, and nobody connects. Its methods may be called from any goroutine.
type Absent struct {
	name   string
	failed atomic.Pointer[error]
}

// NewAbsent returns what stands in for the plugin of that name.
func NewAbsent(name string) *Absent { return &Absent{name: name} }

// Fail says why there will be no plugin.
func (a *Absent) Fail(err error) { a.failed.Store(&err) }

// Stats is [Plugin.Stats]: all but the name and the state is zero.
func (a *Absent) Stats() Stats {
	s := Stats{Name: a.name, State: stateLoading, Failures: map[string]int64{}}
	if a.failed.Load() != nil {
		s.State = stateRefused
	}
	return s
}

// Implements says that there is each callback, so that nothing is let through for want of
// one.
func (a *Absent) Implements(abi.Callback) bool { return true }

// Handle is [Plugin.Handle]: always an [*UnavailableError] that wraps [ErrNotLoaded].
func (a *Absent) Handle(_ *abi.Request, buf []byte, resp *abi.Response) ([]byte, error) {
	resp.Reset()
	return buf, &UnavailableError{Err: a.why(), RetryAfter: loadingPause}
}

func (a *Absent) why() error {
	if failed := a.failed.Load(); failed != nil {
		return fmt.Errorf("plugin %s: %w: %w", a.name, ErrNotLoaded, *failed)
	}
	return fmt.Errorf("plugin %s: %w: it is being loaded", a.name, ErrNotLoaded)
}
