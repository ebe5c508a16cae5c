package host

import (
	"log/slog"
	"sync"
	"time"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/host/limit"
)

// faults keep what clients and modules of a tenant do wrong from filling the log:
// anybody can do it as often as he likes. Of each kind some lines are written, and how
// many were not is told by the next one that is. Each tenant has its own, or one could
// hide what happens to the others.
type faults struct {
	mu    sync.Mutex
	kinds map[string]*fault // by code
}

type fault struct {
	lines  limit.Bucket
	hidden int
}

// faultRate is how many lines of each kind are written: enough for somebody who
// tries something out.
func faultRate() limit.Rate { return limit.Rate{Count: 1, Burst: 50} }

// due tells whether a line is to be written at the time now, and how many were
// not since the last one.
func (f *faults) due(code string, now time.Duration) (hidden int, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	k := f.kinds[code]
	if k == nil {
		k = &fault{}
		f.kinds[code] = k
	}
	if ok, _ := k.lines.Take(faultRate(), now, 1); !ok {
		k.hidden++
		return 0, false
	}
	hidden, k.hidden = k.hidden, 0
	return hidden, true
}

// countUnavailable counts a callback for which the handler was unavailable, and logs
// it likewise.
func (t *Tenant) countUnavailable(log *slog.Logger, cb abi.Callback, err error) {
	t.srv.stats.unavailable.Add(1)
	hidden, ok := t.faults.due("UNAVAILABLE", time.Since(t.srv.began))
	if ok {
		log.Warn("plugin unavailable: callback not run", "code", "UNAVAILABLE", "callback", cb.String(), "not_logged", hidden, "err", err)
	}
}

// clientFault logs that a client did something wrong, unless there are too many
// such lines already.
func (t *Tenant) clientFault(log *slog.Logger, msg, code string, attrs ...any) {
	t.fault(log.Info, msg, code, attrs...)
}

// fault is clientFault for what handlers bring about too, at the level of write.
func (t *Tenant) fault(write func(msg string, attrs ...any), msg, code string, attrs ...any) {
	hidden, ok := t.faults.due(code, time.Since(t.srv.began))
	if !ok {
		return
	}
	if hidden > 0 {
		attrs = append(attrs, "not_logged", hidden)
	}
	write(msg, append([]any{"code", code}, attrs...)...)
}
