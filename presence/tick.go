package presence

import (
	"sync"
	"time"
)

const (
	// perMember is how much longer changes wait for each entry of the topic: a write to a
	// client takes some 10 us of a processor, and a topic should not take all of one.
	perMember = 25 * time.Microsecond
	// pagePause is the time between pages where changes do not wait.
	pagePause = 50 * time.Millisecond
)

// ticks has the topics that wait for the next tick. The timer runs while there are any.
type ticks struct {
	every time.Duration

	mu      sync.Mutex
	topics  []*topic
	timer   *time.Timer // nil until it is needed
	armed   bool
	closed  bool
	running sync.WaitGroup // ticks that are to come, or under way
}

// wait has a locked topic wait for the next tick; false when there is none any more.
func (t *Tracker) wait(tp *topic) bool {
	if tp.waits {
		return true
	}
	w := &t.ticks
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	tp.waits = true
	w.topics = append(w.topics, tp)
	if w.armed {
		return true
	}
	w.armed = true
	w.running.Add(1)
	if w.timer == nil {
		w.timer = time.AfterFunc(w.every, t.tick)
	} else {
		w.timer.Reset(w.every)
	}
	return true
}

// tick is what the timer calls.
func (t *Tracker) tick() {
	w := &t.ticks
	defer w.running.Done()
	w.mu.Lock()
	w.armed = false
	w.mu.Unlock()
	t.serve()
}

// serve tells of the changes on the topics that wait, and turns pages.
func (t *Tracker) serve() {
	w := &t.ticks
	w.mu.Lock()
	topics := w.topics
	w.topics = nil
	w.mu.Unlock()
	for _, tp := range topics {
		t.serveTopic(tp)
	}
}

func (t *Tracker) serveTopic(tp *topic) {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	tp.waits = false
	if tp.dead {
		return
	}
	if tp.skip--; tp.skip < 0 {
		t.tell(tp)
	}
	t.turnPages(tp)
	if (tp.changed || len(tp.views) > 0) && !t.wait(tp) { // Close has come
		t.tell(tp)
		tp.views = nil
	}
	t.dropIfEmpty(tp)
}

// changed sees to it that a change on a locked topic is told of.
func (t *Tracker) changed(tp *topic) {
	switch {
	case t.onDiff == nil:
		tp.news.drop()
	case !t.collects || !t.wait(tp):
		t.tell(tp)
	case !tp.changed:
		tp.changed, tp.skip = true, len(tp.entries)/t.perTick
	}
}

// tell tells OnDiff of the changes on a locked topic.
func (t *Tracker) tell(tp *topic) {
	tp.changed, tp.skip = false, 0
	if tp.news.none() {
		return
	}
	if d := tp.news.take(); d != nil {
		t.onDiff(tp.name, d)
	}
}

// Close has the changes told that wait, and ends the pages of views. Changes after it are
// told of at once. It returns when OnDiff does not run any more on behalf of a tick.
// Idempotent.
func (t *Tracker) Close() {
	w := &t.ticks
	w.mu.Lock()
	w.closed = true
	if w.timer != nil && w.timer.Stop() {
		w.running.Done()
	}
	w.mu.Unlock()
	w.running.Wait()
	t.serve()
}
