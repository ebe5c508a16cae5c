package presence

import "hash/maphash"

// topicTable returns the part that a topic is in, nil when there has never been
// any topic.
func (t *Tracker) topicTable(name string) *topicTable {
	all := t.tables.Load()
	if all == nil {
		return nil
	}
	return &all.topics[maphash.String(t.seed, name)%tableCount]
}

// ownerTable returns the part that an owner is in, likewise.
func (t *Tracker) ownerTable(owner Owner) *ownerTable {
	all := t.tables.Load()
	if all == nil {
		return nil
	}
	return &all.owners[maphash.Comparable(t.seed, owner)%tableCount]
}

// lock returns the topic, locked, or nil if it has no entries.
//
// The table's lock is released before the topic's is taken, so that one topic
// never waits for another. A topic found dead has left the table in between, and
// another look finds its successor or none.
func (t *Tracker) lock(name string) *topic {
	tt := t.topicTable(name)
	if tt == nil {
		return nil
	}
	for {
		tt.mu.Lock()
		tp := tt.topics[name]
		tt.mu.Unlock()
		if tp == nil {
			return nil
		}
		tp.mu.Lock()
		if !tp.dead {
			return tp
		}
		tp.mu.Unlock()
	}
}

// lockOrCreate returns the topic, locked. It may be empty; the caller adds an
// entry or calls dropIfEmpty.
func (t *Tracker) lockOrCreate(name string) *topic {
	if t.tables.Load() == nil {
		t.tables.CompareAndSwap(nil, new(tables)) // or somebody else was as quick
	}
	for {
		if tp := t.lock(name); tp != nil {
			return tp
		}
		tt := t.topicTable(name)
		tt.mu.Lock()
		if tt.topics == nil {
			tt.topics = make(map[string]*topic)
		}
		if tt.topics[name] == nil {
			tt.topics[name] = newTopic(name)
		}
		tt.mu.Unlock()
	}
}

// dropIfEmpty takes a locked topic that nothing depends on out of the table.
func (t *Tracker) dropIfEmpty(tp *topic) {
	if tp.dead || !tp.idle() {
		return
	}
	tp.dead = true
	tt := t.topicTable(tp.name)
	tt.mu.Lock()
	delete(tt.topics, tp.name)
	tt.mu.Unlock()
}

// linkOwner puts a new entry at the end of its owner's list. The list is a ring
// backwards: the head's ownerPrev is the last entry.
func (t *Tracker) linkOwner(en *entry) {
	ot := t.ownerTable(en.id.owner)
	ot.mu.Lock()
	defer ot.mu.Unlock()
	head := ot.owners[en.id.owner]
	if head == nil {
		en.ownerPrev = en
		if ot.owners == nil {
			ot.owners = make(map[Owner]*entry)
		}
		ot.owners[en.id.owner] = en
		return
	}
	last := head.ownerPrev
	last.ownerNext, en.ownerPrev, head.ownerPrev = en, last, en
}

func (t *Tracker) unlinkOwner(en *entry) {
	ot := t.ownerTable(en.id.owner)
	ot.mu.Lock()
	defer ot.mu.Unlock()
	head := ot.owners[en.id.owner]
	switch {
	case head == en && en.ownerNext == nil:
		delete(ot.owners, en.id.owner)
	case head == en:
		en.ownerNext.ownerPrev = en.ownerPrev
		ot.owners[en.id.owner] = en.ownerNext
	case en.ownerNext == nil:
		head.ownerPrev = en.ownerPrev
		en.ownerPrev.ownerNext = nil
	default:
		en.ownerNext.ownerPrev = en.ownerPrev
		en.ownerPrev.ownerNext = en.ownerNext
	}
	en.ownerPrev, en.ownerNext = nil, nil
}
