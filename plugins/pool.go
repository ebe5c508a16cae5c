package plugins

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
)

// pool hands out a fixed number of places for instances. A place that is free
// sits in its slot, with the instance that lives there or, before one is made
// and after one was thrown away, with the vacant mark.
//
// Taking and putting back is one atomic swap each. Only when no place is free
// does a caller queue: a place that is put back while somebody queues goes to
// the first in the queue and to nobody else.
type pool struct {
	slots  []slot
	vacant *instance // mark of a free place without instance

	// hints holds an *int per processor or so: the slot at which to look first,
	// which is where the last caller there found an instance. So each processor
	// comes to have its own, warm in its cache. The collector may empty it.
	hints sync.Pool

	waiting atomic.Int32 // length of queue; written with mu held
	closed  atomic.Bool  // written with mu held

	mu     sync.Mutex // guards the following
	queue  []chan lease
	parked []lease
}

// slot holds its place while it is free, nil while it is taken. Slots are kept
// on cache lines of their own, since different goroutines work on them.
type slot struct {
	free   atomic.Pointer[instance]
	funded bool // the tenant has the memory for an instance; the holder's
	_      [55]byte
}

// lease is a taken place. The holder alone may use it, may change its
// instance, and must put it back.
type lease struct {
	slot *slot
	in   *instance // nil: the holder makes one if it needs one
}

func newPool(places int) *pool {
	p := &pool{slots: make([]slot, places), vacant: new(instance)}
	for i := range p.slots {
		p.slots[i].free.Store(p.vacant)
	}
	return p
}

// take waits until a place is free and takes it. A place that has an instance
// is preferred. It returns ErrClosed once the pool is closed. Before it waits it calls
// detach, unless that is nil.
func (p *pool) take(detach func()) (lease, error) {
	if p.waiting.Load() == 0 && !p.closed.Load() {
		if l, ok := p.tryTake(); ok {
			return l, nil
		}
	}
	if detach != nil {
		detach()
	}
	return p.wait(false)
}

// tryTake takes a free place. It fails only if each place was out at some
// moment during the call.
func (p *pool) tryTake() (lease, bool) {
	hint, ok := p.hints.Get().(*int)
	if !ok {
		hint = new(int)
		*hint = rand.IntN(len(p.slots))
	}
	defer p.hints.Put(hint)
	for {
		l, again := p.scan(hint)
		if l.slot != nil || !again {
			return l, l.slot != nil
		}
	}
}

// scan looks once over all slots for a free place, one with an instance if
// there is any. It begins at the hint, and leaves there where it found one.
// Again tells that it saw a place and lost it.
func (p *pool) scan(hint *int) (l lease, again bool) {
	at, empty := *hint, -1
	for range p.slots {
		s := &p.slots[at]
		switch s.free.Load() {
		case nil:
		case p.vacant:
			empty = at
		default:
			if l, ok := p.grab(s); ok {
				*hint = at
				return l, false
			}
		}
		if at++; at == len(p.slots) {
			at = 0
		}
	}
	if empty < 0 {
		return lease{}, false
	}
	*hint = empty
	l, _ = p.grab(&p.slots[empty])
	return l, true
}

func (p *pool) grab(s *slot) (lease, bool) {
	in := s.free.Swap(nil)
	if in == nil {
		return lease{}, false
	}
	if in == p.vacant {
		in = nil
	}
	return lease{slot: s, in: in}, true
}

// wait queues for a place. Only drain may do so on a closed pool.
func (p *pool) wait(draining bool) (lease, error) {
	ready := make(chan lease, 1)
	p.mu.Lock()
	if p.closed.Load() && !draining {
		p.mu.Unlock()
		return lease{}, ErrClosed
	}
	p.queue = append(p.queue, ready)
	p.waiting.Store(int32(len(p.queue)))
	p.mu.Unlock()
	// A place put back just before waiting was raised lies in its slot, and
	// nobody would bring it here: hand it on. One put back later is brought.
	if l, ok := p.tryTake(); ok {
		p.put(l)
	}
	l, ok := <-ready
	if !ok {
		return lease{}, ErrClosed
	}
	return l, nil
}

// put gives a place back: to the first in the queue, else into its slot.
func (p *pool) put(l lease) {
	for {
		if p.waiting.Load() > 0 && p.hand(l) {
			return
		}
		in := l.in
		if in == nil {
			in = p.vacant
		}
		l.slot.free.Store(in)
		if p.waiting.Load() == 0 {
			return
		}
		// Somebody queued meanwhile and may have looked into the slot too
		// early. If the place is gone already, whoever has it will be here.
		var ok bool
		if l, ok = p.tryTake(); !ok {
			return
		}
	}
}

// hand gives a place to the first in the queue and tells whether there was one.
func (p *pool) hand(l lease) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) == 0 {
		return false
	}
	p.queue[0] <- l // never blocks: room for one, sent once
	p.queue[0] = nil
	p.queue = p.queue[1:]
	p.waiting.Store(int32(len(p.queue)))
	return true
}

// drain closes the pool: whoever queues gets ErrClosed, and release is called
// with every instance once its call has ended. It must be called only once,
// and returns when no place is out any more.
func (p *pool) drain(release func(*instance)) {
	p.mu.Lock()
	p.closed.Store(true)
	for _, ready := range p.queue {
		close(ready)
	}
	p.queue = nil
	p.waiting.Store(0)
	p.mu.Unlock()
	p.unpark()
	for range p.slots {
		l, ok := p.tryTake()
		if !ok {
			var err error
			if l, err = p.wait(true); err != nil {
				panic("plugins: a closing pool turned itself away")
			}
		}
		if l.in != nil {
			release(l.in)
		}
	}
}

// park keeps a place back until unpark. On a closed pool it gives it back: drain
// wants them all.
func (p *pool) park(l lease) {
	p.mu.Lock()
	closed := p.closed.Load()
	if !closed {
		p.parked = append(p.parked, l)
	}
	p.mu.Unlock()
	if closed {
		p.put(l)
	}
}

// unpark gives back the places that were parked.
func (p *pool) unpark() {
	p.mu.Lock()
	parked := p.parked
	p.parked = nil
	p.mu.Unlock()
	for _, l := range parked {
		p.put(l)
	}
}
