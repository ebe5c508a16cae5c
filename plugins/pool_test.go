package plugins

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

func mustTake(t *testing.T, p *pool) lease {
	t.Helper()
	l, err := p.take(nil)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestPoolPrefersPlacesWithInstance(t *testing.T) {
	p := newPool(8)
	only := new(instance)
	l := mustTake(t, p)
	if l.in != nil {
		t.Fatal("a new pool has an instance")
	}
	l.in = only
	p.put(l)
	for range 50 {
		l := mustTake(t, p)
		if l.in != only {
			t.Fatal("took a vacant place while there was an instance")
		}
		p.put(l)
	}
}

// queued waits until n callers queue.
func queued(p *pool, n int32) {
	for p.waiting.Load() != n {
		runtime.Gosched()
	}
}

func TestPoolServesInOrder(t *testing.T) {
	p := newPool(1)
	first := mustTake(t, p)
	order := make(chan int, 5)
	var wg sync.WaitGroup
	for i := range 5 {
		wg.Go(func() {
			l, err := p.take(nil)
			if err != nil {
				t.Error(err)
				return
			}
			order <- i
			p.put(l)
		})
		queued(p, int32(i+1))
	}
	p.put(first)
	wg.Wait()
	for i := range 5 {
		if got := <-order; got != i {
			t.Errorf("caller %d was served as number %d", got, i)
		}
	}
}

func TestPoolHammer(t *testing.T) {
	const places, callers, rounds = 3, 16, 3000
	p := newPool(places)
	var out, made atomic.Int32
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for i := range rounds {
				l, err := p.take(nil)
				if err != nil {
					t.Error(err)
					return
				}
				if n := out.Add(1); n > places {
					t.Errorf("%d places are out", n)
				}
				if l.in == nil {
					made.Add(1)
					l.in = new(instance)
				} else if i%97 == 0 {
					made.Add(-1)
					l.in = nil
				}
				out.Add(-1)
				p.put(l)
			}
		})
	}
	wg.Wait()
	drained := int32(0)
	p.drain(func(*instance) { drained++ })
	if drained != made.Load() {
		t.Errorf("drained %d instances of %d", drained, made.Load())
	}
	if _, err := p.take(nil); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

func TestDrainTurnsQueueAwayAndWaits(t *testing.T) {
	p := newPool(1)
	l := mustTake(t, p)
	l.in = new(instance)
	turned := make(chan error)
	go func() {
		_, err := p.take(nil)
		turned <- err
	}()
	queued(p, 1)
	drained := make(chan *instance, 2)
	go func() {
		p.drain(func(in *instance) { drained <- in })
		close(drained)
	}()
	if err := <-turned; !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	queued(p, 1) // drain itself
	select {
	case <-drained:
		t.Fatal("drained while a place was out")
	default:
	}
	p.put(l)
	if in := <-drained; in != l.in {
		t.Error("another instance")
	}
	<-drained
}
