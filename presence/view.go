package presence

import "slices"

// View is a list on its way to a client, of which pages are to come. A nil View is one
// that has none.
type View struct {
	tracker *Tracker
	topic   *topic
	fn      func(page []byte, first bool)
	rest    // guarded by the topic's lock
}

// rest is what is left of a list.
type rest struct {
	next  *key   // where the next page begins; nil if there is none
	until uint64 // number of the last key when the view began: those behind it are in diffs
	begun bool   // there has been a page
	all   bool   // the list is of everything,
	to    Owner  // or of what this one is not told of by the next diff
}

// View calls fn with the topic's list as one owner's client gets it, the payload of
// presence_state. It is made and handed over under the topic's lock, so that every later
// change is enqueued later (see the package comment); fn must only enqueue, must not call
// back into the tracker and must not keep page, which is reused.
//
// The list has all that the owner has written. Entries of others that have come, and not
// been told of yet, are left to the diff that tells of them: who joins among many would
// get each twice.
//
// Of a list that is longer than Config.Page, fn gets a page at once and one more at each
// tick, until View.Stop or the end. A page has what is true when it is handed over, and
// no key that came after View was called: a client gets the first as presence_state and the
// others as joins of a presence_diff. A key is on one page with all its metas.
func (t *Tracker) View(topic string, to Owner, fn func(page []byte, first bool)) *View {
	// Even an empty topic has to exist for its lock to hold off the first Track.
	tp := t.lockOrCreate(topic)
	defer tp.mu.Unlock()
	defer t.dropIfEmpty(tp)
	left := t.page(tp, rest{next: tp.first, until: tp.added, to: to}, fn)
	if left.next == nil || !t.wait(tp) {
		return nil
	}
	v := &View{tracker: t, topic: tp, fn: fn, rest: left}
	tp.views = append(tp.views, v)
	return v
}

// Stop ends the view: fn does not run any more when it returns. Idempotent.
func (v *View) Stop() {
	if v == nil {
		return
	}
	tp := v.topic
	tp.mu.Lock()
	defer tp.mu.Unlock()
	if at := slices.Index(tp.views, v); at >= 0 {
		tp.views = slices.Delete(tp.views, at, at+1)
		v.tracker.dropIfEmpty(tp)
	}
}

// pass has the view go on behind a key that goes.
func (v *View) pass(k *key) {
	if v.next == k {
		v.next = k.next
	}
}

// page hands over one page and returns what is left behind it.
func (t *Tracker) page(tp *topic, r rest, fn func(page []byte, first bool)) rest {
	buf, ok := t.states.Get().(*[]byte)
	if !ok {
		buf = new([]byte)
	}
	first := !r.begun
	*buf, r = tp.appendPage((*buf)[:0], r, t.pageBytes)
	fn(*buf, first)
	if cap(*buf) <= maxPooled {
		t.states.Put(buf)
	}
	return r
}

// turnPages hands over a page of each view.
func (t *Tracker) turnPages(tp *topic) {
	tp.views = slices.DeleteFunc(tp.views, func(v *View) bool {
		if !v.over() {
			v.rest = t.page(tp, v.rest, v.fn)
		}
		return v.over()
	})
}

func (r *rest) over() bool { return r.next == nil || r.next.number > r.until }
