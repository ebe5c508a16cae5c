package presence

import (
	"cmp"
	"errors"
	"hash/maphash"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Errors of [Tracker.Track] and [Tracker.Update].
var (
	// ErrAlreadyTracked: this owner has this key on this topic already.
	ErrAlreadyTracked = errors.New("presence: already tracked")
	// ErrNotTracked: this owner does not have this key on this topic.
	ErrNotTracked = errors.New("presence: not tracked")
	// ErrMeta: the meta, or what is to stand beside it, is not the text of a JSON object.
	ErrMeta = errors.New("presence: meta is not a JSON object")
)

// tableCount is how many parts the maps of topics and of owners have, each with
// its own lock.
const tableCount = 64

// maxPooled is the largest buffer of a page, in bytes, kept for the next one.
const maxPooled = 512 << 10

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
	// Extra is the text of a JSON object whose members stand beside the metas of the
	// key, for all its entries, until another comes with one; empty for none. The same
	// is true of it as of Meta. Anonymous entries have none.
	Extra []byte
}

// Config configures a [Tracker]. The zero value tells nobody of changes.
type Config struct {
	// OnDiff is told of changes, in the order of changes of the topic and with the
	// topic's lock held, so it must only enqueue and not call back into the tracker.
	// It may keep d, which nobody changes any more.
	OnDiff func(topic string, d *Diff)

	// Tick is how long the changes of a topic wait for others, to be one Diff; 0 means
	// that OnDiff is told of each by itself. A topic with many entries, who are clients
	// for the most part, waits longer: 25 us for each.
	Tick time.Duration

	// Page is how many bytes of a list [Tracker.View] hands over at a time; 0 means all.
	Page int
}

// Tracker holds the presences of one node. Make one with [NewTracker]; one with a Tick or
// Page is to be closed. One that never had an entry takes some 250 bytes, so that there
// may be many.
type Tracker struct {
	onDiff    func(topic string, d *Diff)
	collects  bool // changes wait for a tick
	perTick   int  // entries, for which a topic waits one more tick
	pageBytes int
	refs      refMaker
	seed      maphash.Seed
	tables    atomic.Pointer[tables] // nil until the first topic comes
	states    sync.Pool              // of *[]byte, buffers for View
	ticks     ticks
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
	t := &Tracker{onDiff: cfg.OnDiff, collects: cfg.Tick > 0, refs: newRefMaker(), seed: maphash.MakeSeed()}
	t.pageBytes = cmp.Or(cfg.Page, math.MaxInt)
	t.ticks.every = cmp.Or(cfg.Tick, pagePause)
	t.perTick = max(1, int(t.ticks.every/perMember))
	return t
}

// Track adds an entry and returns its phx_ref. It fails with [ErrAlreadyTracked]
// or [ErrMeta], and then nothing has changed.
func (t *Tracker) Track(e Track) (ref string, err error) {
	meta, err := cleanMeta(e.Meta)
	if err != nil {
		return "", err
	}
	extra, err := cleanExtra(e.Extra)
	if err != nil {
		return "", err
	}
	id := entryID{e.Owner, cleanKey(e.Key)}
	tp := t.lockOrCreate(e.Topic)
	defer tp.mu.Unlock()
	if tp.entries[id] != nil {
		return "", ErrAlreadyTracked
	}
	en := tp.add(id, version{ref: t.refs.next(), meta: meta}, extra)
	t.linkOwner(en)
	ref = en.ref
	t.changed(tp)
	return ref, nil
}

// Update gives an entry a new meta and returns its new phx_ref. It fails with
// [ErrNotTracked] or [ErrMeta], and then nothing has changed. The key keeps its place
// in the list, the entry becomes the last of the key, as it does in the lists of clients.
//
// phx_ref_prev is that of the version before, or, where changes are collected, of the
// last one before it that was told of.
func (t *Tracker) Update(e Track) (ref string, err error) {
	meta, err := cleanMeta(e.Meta)
	if err != nil {
		return "", err
	}
	extra, err := cleanExtra(e.Extra)
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
	tp.replace(en, version{ref: t.refs.next(), meta: meta}, extra)
	t.changed(tp)
	return en.ref, nil
}

// Untrack removes an entry. If there is none it does nothing.
func (t *Tracker) Untrack(owner Owner, topic, key string) {
	t.untrack(topic, []entryID{{owner, cleanKey(key)}})
}

// UntrackAll removes all entries of owner, with one diff per topic at most. An entry that
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

// OwnedBytes returns the length of the metas of owner's entries, anonymous ones included,
// and of what stands beside them. It looks at each.
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
		if k := en.topic.keys[en.id.key]; k != nil {
			n += len(k.extra)
		}
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
	for _, id := range ids {
		if en := tp.entries[id]; en != nil {
			tp.remove(en)
			t.unlinkOwner(en)
		}
	}
	t.changed(tp)
	t.dropIfEmpty(tp)
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

// AppendPresence appends what the list has for key, {"metas":[META,META]}, to dst and
// returns the extended slice; false, and dst as it was, if nobody is present by that key.
func (t *Tracker) AppendPresence(dst []byte, topic, key string) ([]byte, bool) {
	tp := t.lock(topic)
	if tp == nil {
		return dst, false
	}
	defer tp.mu.Unlock()
	k := tp.keys[cleanKey(key)]
	if k == nil {
		return dst, false
	}
	tp.news.show()
	dst = tp.appendMetas(append(dst, metasOpen...), &rest{next: k, all: true})
	return closeMetas(dst, k.extra), true
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

// cleanKey makes any bytes a key that survives JSON: two keys that would look
// the same there must be the same here.
func cleanKey(key string) string {
	return strings.ToValidUTF8(key, "\ufffd")
}
