package load

import (
	"context"
	"errors"
	"fmt"
	"runtime"
)

// Run does the workload of cfg. Any answer that is not the one expected, and any
// that is missing or one too many, is an error. It blocks until the workload is over
// or ctx ends, and holds an operating system thread.
func Run(ctx context.Context, cfg Config) (_ Result, err error) {
	if cfg, err = cfg.withDefaults(); err != nil {
		return Result{}, err
	}
	to, err := parseEndpoint(cfg.URL, cfg.Params)
	if err != nil {
		return Result{}, err
	}
	if err := errors.Join(checkPID(cfg.PID), RaiseFileLimit(cfg.Connections)); err != nil {
		return Result{}, err
	}
	defer cfg.Progress("")
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	l, err := newLoop(&cfg, to)
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	l.work = newWorkload(&cfg)
	r := Result{Kind: cfg.Kind, Connections: cfg.Connections, Channels: cfg.Channels, InFlight: cfg.InFlight, Rate: cfg.Rate, Deaf: cfg.Deaf}
	if err := l.run(ctx, &r); err != nil {
		return Result{}, err
	}
	r.Sent, r.Received = l.sent, l.received
	return r, nil
}

func (l *loop) run(ctx context.Context, r *Result) error {
	switch l.cfg.Kind {
	case Join:
		return l.join(ctx, r)
	case Reconnect:
		return l.reconnect(ctx, r)
	case Presence:
		return l.presence(ctx, r)
	case Mixed:
		return l.soak(ctx, r)
	}
	return l.messages(ctx, r)
}

// messages is the workloads that go on until the window ends.
func (l *loop) messages(ctx context.Context, r *Result) error {
	if err := l.open(ctx); err != nil {
		return err
	}
	l.sent, l.bytes = 0, 0
	runtime.GC() // of what connecting left behind; the loop itself makes no garbage
	l.tick()
	if err := l.work.begin(l); err != nil {
		return err
	}
	if err := l.until(ctx, l.cfg.Warmup, "warming up", nil); err != nil {
		return err
	}
	if err := l.window(ctx, r); err != nil {
		return err
	}
	return l.finish(ctx)
}

// window measures.
func (l *loop) window(ctx context.Context, r *Result) error {
	l.hist.reset()
	l.last.reset()
	err := l.measured(r, func() error {
		return l.until(ctx, l.cfg.Window, string(l.cfg.Kind), nil)
	})
	if err != nil {
		return err
	}
	r.Messages, r.Latency, r.Last = l.hist.count, l.hist.percentiles(), l.last.percentiles()
	if f, ok := l.work.(*fanout); ok {
		r.CutOff = f.cut
	}
	if r.Messages == 0 {
		return fmt.Errorf("%w: none came within %s", errMissing, l.cfg.Window)
	}
	return nil
}

// finish waits for all that is in flight, and then for what should not come.
func (l *loop) finish(ctx context.Context) error {
	l.stopping = true
	if err := l.until(ctx, l.cfg.Drain, "", func() bool { return l.work.outstanding() == 0 }); err != nil {
		return err
	}
	n := l.work.outstanding()
	if n != 0 && l.cfg.Rate > 0 {
		return fmt.Errorf("%w: %d had not come %s after the last push: the rate %v is too much for the server", errMissing, n, l.cfg.Drain, l.cfg.Rate)
	}
	if n != 0 {
		return fmt.Errorf("%w: %d had not come %s after the last push", errMissing, n, l.cfg.Drain)
	}
	return l.until(ctx, l.cfg.Settle, "", nil)
}
