package presence

import (
	"errors"
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"
)

// Errors of [Tracker.Track] and [Tracker.Update].
var (
	// ErrAlreadyTracked: this owner has this key on this topic already.
	ErrAlreadyTracked = errors.New("presence: already tracked")
	// ErrNotTracked: this owner does not have this key on this topic.
	ErrNotTracked = errors.New("presence: not tracked")
	// ErrMeta: the meta is not the text of a JSON object.
	ErrMeta = errors.New("presence: meta is not a JSON object")
)

// tableCount is how many parts the maps of topics and of owners have, each with
// its own lock.
const tableCount = 64

// maxPooled is the largest state buffer, in bytes, kept for the next View.
const maxPooled = 64 << 10

// Owner is one channel instance, the thing whose end removes its entries. The
// caller chooses numbers that it does not use again.
type Owner uint64

// Track names an entry and its meta.
type Track struct {
	Owner Owner
	Topic string
	// Key groups entries, usually by user. Empty means anonymous. Bytes that are
	// not UTF-8 become U+FFFD, as JSON cannot hold them.
	Key string
	// Meta is the text of a JSON object; empty means {}. The caller vouches that
	// it is valid JSON; the tracker copies it.
	Meta []byte
}

// Config configures a [Tracker]. The zero value tells nobody of changes.
type Config struct {
	// OnDiff is called for every change, in the order of changes of the topic and
	// with the topic's lock held, so it must only enqueue and not call back into
	// the tracker. It may keep d, which nobody changes any more.
	OnDiff func(topic string, d *Diff)
}

// Tracker holds the presences of one node. Make one with [NewTracker]; it needs
// no closing. One that never had an entry takes some 150 bytes, so that there may
// be many.
type Tracker struct {
	onDiff func(topic string, d *Diff)
	refs   refMaker
	seed   maphash.Seed
	tables atomic.Pointer[tables] // nil until the first topic comes
	states sync.Pool              // of *[]byte, buffers for View
}

// tables are the parts of the two maps. Their maps are nil until they are needed.
type tables struct {
	topics [tableCount]topicTable
	owners [tableCount]ownerTable
}

// topicTable and ownerTable are padded so that two locks never share a pair of
// cache lines.
type topicTable struct {
	mu     sync.Mutex
	topics map[string]*topic
	_      [128 - 8 - 8]byte
}

type ownerTable struct {
	mu     sync.Mutex
	owners map[Owner]*entry // head of the list through entry.ownerNext
	_      [128 - 8 - 8]byte
}

// NewTracker returns a tracker without entries.
func NewTracker(cfg Config) *Tracker {
	return &Tracker{onDiff: cfg.OnDiff, refs: newRefMaker(), seed: maphash.MakeSeed()}
}

// Track adds an entry and returns its phx_ref. It fails with [ErrAlreadyTracked]
// or [ErrMeta], and then nothing has changed.
func (t *Tracker) Track(e Track) (ref string, err error) {
	meta, err := cleanMeta(e.Meta)
	if err != nil {
		return "", err
	}
	id := entryID{e.Owner, cleanKey(e.Key)}
	tp := t.lockOrCreate(e.Topic)
	defer tp.mu.Unlock()
	if tp.entries[id] != nil {
		return "", ErrAlreadyTracked
	}
	en := tp.add(id, version{ref: t.refs.next(), meta: meta})
	t.linkOwner(en)
	t.emit(tp, []*entry{en}, nil)
	return en.ref, nil
}

// Update gives an entry a new meta and returns its new phx_ref. It fails with
// [ErrNotTracked] or [ErrMeta], and then nothing has changed. The entry keeps its
// place in the state.
func (t *Tracker) Update(e Track) (ref string, err error) {
	meta, err := cleanMeta(e.Meta)
	if err != nil {
		return "", err
	}
	tp := t.lock(e.Topic)
	if tp == nil {
		return "", ErrNotTracked
	}
	defer tp.mu.Unlock()
	en := tp.entries[entryID{e.Owner, cleanKey(e.Key)}]
	if en == nil {
		return "", ErrNotTracked
	}
	old := *en
	tp.replace(en, version{ref: t.refs.next(), prev: old.ref, meta: meta})
	t.emit(tp, []*entry{en}, []*entry{&old})
	return en.ref, nil
}

// Untrack removes an entry. If there is none it does nothing.
func (t *Tracker) Untrack(owner Owner, topic, key string) {
	t.untrack(topic, []entryID{{owner, cleanKey(key)}})
}

// UntrackAll removes all entries of owner, with one diff per topic. An entry that
// the owner tracks while UntrackAll runs may survive it: call it when the owner
// has ended.
func (t *Tracker) UntrackAll(owner Owner) {
	var topics []string
	ids := make(map[string][]entryID)
	ot := t.ownerTable(owner)
	if ot == nil {
		return
	}
	ot.mu.Lock()
	for en := ot.owners[owner]; en != nil; en = en.ownerNext {
		name := en.topic.name
		if ids[name] == nil {
			topics = append(topics, name)
		}
		ids[name] = append(ids[name], en.id)
	}
	ot.mu.Unlock()
	for _, name := range topics {
		t.untrack(name, ids[name])
	}
}

// Owned returns the number of entries of owner, anonymous ones included. It
// looks at each.
func (t *Tracker) Owned(owner Owner) int {
	ot := t.ownerTable(owner)
	if ot == nil {
		return 0
	}
	ot.mu.Lock()
	defer ot.mu.Unlock()
	n := 0
	for en := ot.owners[owner]; en != nil; en = en.ownerNext {
		n++
	}
	return n
}

// OwnedBytes returns the length of the metas of owner's entries, anonymous ones included.
// It looks at each.
func (t *Tracker) OwnedBytes(owner Owner) int {
	ot := t.ownerTable(owner)
	if ot == nil {
		return 0
	}
	var entries []*entry // a topic's lock comes before that of an owner
	ot.mu.Lock()
	for en := ot.owners[owner]; en != nil; en = en.ownerNext {
		entries = append(entries, en)
	}
	ot.mu.Unlock()
	n := 0
	for _, en := range entries {
		en.topic.mu.Lock()
		n += len(en.meta)
		en.topic.mu.Unlock()
	}
	return n
}

// Tracks tells whether owner has key on topic: then Track would fail.
func (t *Tracker) Tracks(owner Owner, topic, key string) bool {
	tp := t.lock(topic)
	if tp == nil {
		return false
	}
	defer tp.mu.Unlock()
	return tp.entries[entryID{owner, cleanKey(key)}] != nil
}

// untrack removes those of ids that are still there, with one diff.
func (t *Tracker) untrack(topic string, ids []entryID) {
	tp := t.lock(topic)
	if tp == nil {
		return
	}
	defer tp.mu.Unlock()
	left := make([]*entry, 0, len(ids))
	for _, id := range ids {
		if en := tp.entries[id]; en != nil {
			tp.remove(en)
			t.unlinkOwner(en)
			left = append(left, en)
		}
	}
	t.emit(tp, nil, left)
	t.dropIfEmpty(tp)
}

// View calls fn with the topic's state, the payload of presence_state. It is
// made and handed over under the topic's lock, so that every later change is
// enqueued later (see the package comment); fn must only enqueue, must not call
// back into the tracker and must not keep state, which is reused.
func (t *Tracker) View(topic string, fn func(state []byte)) {
	// Even an empty topic has to exist for its lock to hold off the first Track.
	tp := t.lockOrCreate(topic)
	defer tp.mu.Unlock()
	defer t.dropIfEmpty(tp)
	buf, ok := t.states.Get().(*[]byte)
	if !ok {
		buf = new([]byte)
	}
	*buf = tp.appendState((*buf)[:0])
	fn(*buf)
	if cap(*buf) <= maxPooled {
		t.states.Put(buf)
	}
}

// AppendState appends the topic's state to dst and returns the extended slice.
// Unlike View it says nothing about the order of state and diffs.
func (t *Tracker) AppendState(dst []byte, topic string) []byte {
	tp := t.lock(topic)
	if tp == nil {
		return append(dst, '{', '}')
	}
	defer tp.mu.Unlock()
	return tp.appendState(dst)
}

// Count returns how many entries topic has, anonymous ones included: a user with
// two tabs counts twice.
func (t *Tracker) Count(topic string) int {
	tp := t.lock(topic)
	if tp == nil {
		return 0
	}
	defer tp.mu.Unlock()
	return len(tp.entries)
}

// emit tells of a change; the topic is locked. Anonymous entries are left out.
func (t *Tracker) emit(tp *topic, joined, left []*entry) {
	if t.onDiff == nil {
		return
	}
	d := &Diff{Joins: diffEntries(joined), Leaves: diffEntries(left)}
	if len(d.Joins)+len(d.Leaves) > 0 {
		t.onDiff(tp.name, d)
	}
}

func diffEntries(entries []*entry) []Entry {
	var out []Entry
	for _, en := range entries {
		if en.id.key == "" {
			continue
		}
		if out == nil {
			out = make([]Entry, 0, len(entries))
		}
		out = append(out, Entry{Key: en.id.key, Ref: en.ref, PrevRef: en.prev, Meta: en.meta})
	}
	return out
}

// cleanKey makes any bytes a key that survives JSON: two keys that would look
// the same there must be the same here.
func cleanKey(key string) string {
	return strings.ToValidUTF8(key, "\ufffd")
}
