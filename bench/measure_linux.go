package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"
)

// measure runs one scenario against a server. Any answer that is not the one
// expected, and any that is missing or one too many, is an error.
func measure(ctx context.Context, to target, s scenario, t timing) (_ sample, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	l, err := newLoop(ctx, to.endpoint, topicsOf(s))
	if err != nil {
		return sample{}, err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	if l.work, err = newWorkload(s, l.conns); err != nil {
		return sample{}, err
	}
	runtime.GC() // of what connecting left behind; the loop itself makes no garbage
	l.tick()
	l.work.begin(l)
	if err := l.flush(); err != nil {
		return sample{}, err
	}
	if err := l.until(ctx, t.warmup, nil); err != nil {
		return sample{}, err
	}
	m, err := l.window(ctx, to, t.window)
	if err != nil {
		return sample{}, err
	}
	if err := l.finish(ctx, t); err != nil {
		return sample{}, err
	}
	m.Sent, m.Received = l.sent, l.received
	return m, nil
}

// window measures for d.
func (l *loop) window(ctx context.Context, to target, d time.Duration) (m sample, err error) {
	l.hist.reset()
	l.tick()
	start := l.now
	before, err := readUsage(to.pid)
	if err != nil {
		return m, err
	}
	if err := l.until(ctx, d, nil); err != nil {
		return m, err
	}
	after, err := readUsage(to.pid)
	if err != nil {
		return m, err
	}
	m = sample{
		Messages: l.hist.count, Elapsed: l.now - start,
		P50: l.hist.quantile(0.5), P99: l.hist.quantile(0.99),
		ServerCPU: after.server - before.server, ClientCPU: after.client - before.client,
	}
	if m.Messages == 0 {
		return m, fmt.Errorf("%w: none came within %s", errMissing, d)
	}
	if to.pid != 0 {
		m.ServerRSS, err = residentBytes(to.pid)
	}
	return m, err
}

// finish waits for all that is in flight, and then for what should not come.
func (l *loop) finish(ctx context.Context, t timing) error {
	l.stopping = true
	if err := l.until(ctx, t.drain, func() bool { return l.work.outstanding() == 0 }); err != nil {
		return err
	}
	if n := l.work.outstanding(); n != 0 {
		return fmt.Errorf("%w: %d had not come %s after the last push", errMissing, n, t.drain)
	}
	return l.until(ctx, t.settle, nil)
}
