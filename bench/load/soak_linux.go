package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"
)

// sampleEvery is how often the server is looked at. One who looks costs it a little.
const sampleEvery = time.Second

// infoTimeout bounds a look at the server's counters.
const infoTimeout = 5 * time.Second

// soak runs Mixed.
func (l *loop) soak(ctx context.Context, r *Result) error {
	m := l.work.(*mixed)
	w := &watch{cfg: l.cfg, began: l.base}
	before, err := w.counters(ctx)
	if err != nil {
		return err
	}
	if err := l.open(ctx); err != nil {
		return err
	}
	l.joins.reset()
	l.sent, l.bytes = 0, 0
	l.tick()
	if err := m.begin(l); err != nil {
		return err
	}
	if err := l.until(ctx, l.cfg.Warmup, "warming up", nil); err != nil {
		return err
	}
	if err := l.watched(ctx, w, r); err != nil {
		return err
	}
	s := &Soak{Delivery: l.last.percentiles(), Join: l.joins.percentiles(), Figures: figures(w.samples)}
	r.Messages += l.last.count
	r.Last = Percentiles{}
	if err := l.finish(ctx); err != nil {
		return err
	}
	after, err := w.counters(ctx)
	if err != nil {
		return err
	}
	t := m.total(s)
	r.Soak, r.CutOff = s, s.CutOff
	if l.cfg.InfoURL != "" {
		c := after.since(before)
		s.Server, s.Lost = &c, c.Deliveries-s.Deliveries
		err = c.check(t)
	}
	if l.cfg.Flat > 0 {
		err = errors.Join(err, checkFlat(s.Figures, l.cfg.Flat))
	}
	return err
}

// total fills in what m has counted.
func (m *mixed) total(s *Soak) tally {
	l := m.l
	t := tally{account: s}
	for _, c := range l.conns {
		t.frames += int64(c.frames)
		if c.part.role == roleDeaf {
			t.deaf++
			t.unsure += int64(c.frames)
			if !c.part.lost { // what is on its way to it is never read
				c.part.lost, c.part.lostFrom = true, c.part.floor
			}
		}
		m.settle(c)
	}
	s.Broadcasts, s.Deliveries, s.Echoes = int64(m.sender.sent), m.deliveries, l.received-m.deliveries
	s.Joins, s.Leaves, s.Dropped, s.CutOff, s.Missed = m.joins, m.leaves, m.dropped, m.cut, m.missed
	return t
}

// watched is the window, in which the server is looked at every second.
func (l *loop) watched(ctx context.Context, w *watch, r *Result) error {
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := w.run(ctx); err != nil {
			cancel(err)
		}
	}()
	err := l.window(ctx, r)
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	cancel(nil)
	<-done
	return err
}

// watch looks at a server.
type watch struct {
	cfg     *Config
	began   time.Time
	samples []sample
}

// run takes samples until ctx ends. Without a pid there is nothing to see.
func (w *watch) run(ctx context.Context) error {
	if w.cfg.PID == 0 {
		return nil
	}
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		s, err := w.sample(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		w.samples = append(w.samples, s)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (w *watch) sample(ctx context.Context) (sample, error) {
	s := sample{at: time.Since(w.began)}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.cfg.PID))
	if err != nil {
		return s, err
	}
	kib, rssErr := statusNumber(status, "VmRSS:")
	s.rss = kib << 10
	var threadsErr error
	s.threads, threadsErr = statusNumber(status, "Threads:")
	files, filesErr := os.ReadDir(fmt.Sprintf("/proc/%d/fd", w.cfg.PID))
	s.files = int64(len(files))
	c, infoErr := w.counters(ctx)
	s.goroutines = c.Goroutines
	return s, errors.Join(rssErr, threadsErr, filesErr, infoErr)
}

// counters asks the server, if it is known where.
func (w *watch) counters(ctx context.Context) (c Counters, err error) {
	if w.cfg.InfoURL == "" {
		return c, nil
	}
	ctx, cancel := context.WithTimeout(ctx, infoTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.cfg.InfoURL, nil)
	if err != nil {
		return c, fmt.Errorf("%w: info: %w", ErrConfig, err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return c, fmt.Errorf("info: %w", err)
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if resp.StatusCode != http.StatusOK {
		return c, fmt.Errorf("info: %s answers %s", w.cfg.InfoURL, resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(&c); err != nil {
		return c, fmt.Errorf("info: %s: %w", w.cfg.InfoURL, err)
	}
	return c, nil
}
