package presence

import (
	"bytes"
	"math"
	"slices"
	"sync"
)

// topic is the entries of one name: pure data, no clock, no callbacks. All its
// methods need its lock. It is the part a replicated state would replace.
type topic struct {
	name string

	mu      sync.Mutex // guards all below
	dead    bool       // has left the table for good
	waits   bool       // for a tick
	changed bool       // and some changes with it
	skip    int        // ticks that go by before they are told of
	entries map[entryID]*entry
	keys    map[string]*key // named entries only
	first   *key            // list of keys, first tracked first
	last    *key
	added   uint64 // keys ever added
	size    int    // bytes of the state, nearly: what appendState reserves
	news    changes
	views   []*View // that have pages to come
}

// entryID is an entry's identity within its topic.
type entryID struct {
	owner Owner
	key   string
}

// version is what an update replaces.
type version struct {
	ref, prev string
	meta      []byte // compact JSON object; replaced, never changed
	at        uint64 // its place among the joins of the topic; see changes
	seen      bool   // in a list before it was told of, or else not to be left out
}

// size is how many bytes the version takes up in a state, at most.
func (v *version) size() int {
	return len(v.meta) + len(`,"phx_ref":"","phx_ref_prev":"",`) + len(v.ref) + len(v.prev)
}

// entry is one tracked thing.
type entry struct {
	id    entryID
	topic *topic
	version

	// Guarded by the topic's lock: the list of entries with the same key.
	keyPrev, keyNext *entry

	// Guarded by the owner's lock: the list of entries with the same owner.
	ownerPrev, ownerNext *entry
}

// key is a key that has entries, and its place among the others.
type key struct {
	name        string
	number      uint64 // of its coming: those of the list grow
	first, last *entry // the latest version is the last
	extra       []byte // compact JSON object of what stands beside the metas; replaced, never changed
	prev, next  *key
}

// size is how many bytes the key takes up in a state beside its metas, if it
// needs no escapes.
func (k *key) size() int {
	return len(k.name) + len(`"":{"metas":[]},`) + len(k.extra)
}

func newTopic(name string) *topic {
	return &topic{name: name, entries: make(map[entryID]*entry), keys: make(map[string]*key)}
}

// add makes an entry that is not there yet, and gives its key an extra.
func (tp *topic) add(id entryID, v version, extra []byte) *entry {
	en := &entry{id: id, topic: tp, version: v}
	tp.entries[id] = en
	if id.key == "" {
		return en
	}
	k := tp.keys[id.key]
	if k == nil {
		k = tp.addKey(id.key)
	}
	tp.size += en.size()
	tp.enrich(k, en, extra)
	k.push(en)
	tp.news.join(en)
	return en
}

func (tp *topic) addKey(name string) *key {
	tp.added++
	k := &key{name: name, number: tp.added, prev: tp.last}
	if tp.last == nil {
		tp.first = k
	} else {
		tp.last.next = k
	}
	tp.last = k
	tp.keys[name] = k
	tp.size += k.size()
	return k
}

// replace changes an entry; it is never absent in between. It becomes the last of its
// key, as it does for a client, which appends what joins (phoenix.js presence.js).
func (tp *topic) replace(en *entry, v version, extra []byte) {
	if en.id.key == "" {
		v.prev = en.ref
		en.version = v
		return
	}
	// A version that nobody has seen is not mentioned, nor is it the one before.
	v.prev = en.ref
	if tp.news.unseen(&en.version) {
		v.prev = en.prev
	}
	tp.news.leave(en)
	tp.size += v.size() - en.size()
	en.version = v
	k := tp.keys[en.id.key]
	tp.enrich(k, en, extra)
	k.drop(en)
	k.push(en)
	tp.news.join(en)
}

// enrich gives a key the extra that has come with a new version of an entry. Clients keep
// what came with the last one that they were told of, so one that changes it is told of.
func (tp *topic) enrich(k *key, en *entry, extra []byte) {
	if bytes.Equal(k.extra, extra) {
		return
	}
	en.seen = k.first != nil
	tp.size += len(extra) - len(k.extra)
	k.extra = extra
}

func (tp *topic) remove(en *entry) {
	delete(tp.entries, en.id)
	if en.id.key == "" {
		return
	}
	tp.news.leave(en)
	tp.size -= en.size()
	k := tp.keys[en.id.key]
	k.drop(en)
	if k.first == nil {
		tp.removeKey(k)
	}
}

func (tp *topic) removeKey(k *key) {
	for _, v := range tp.views {
		v.pass(k)
	}
	tp.size -= k.size()
	delete(tp.keys, k.name)
	if k.prev == nil {
		tp.first = k.next
	} else {
		k.prev.next = k.next
	}
	if k.next == nil {
		tp.last = k.prev
	} else {
		k.next.prev = k.prev
	}
}

// push puts an entry behind the others of the key.
func (k *key) push(en *entry) {
	en.keyPrev = k.last
	if k.last == nil {
		k.first = en
	} else {
		k.last.keyNext = en
	}
	k.last = en
}

// drop takes an entry out of those of the key.
func (k *key) drop(en *entry) {
	if en.keyPrev == nil {
		k.first = en.keyNext
	} else {
		en.keyPrev.keyNext = en.keyNext
	}
	if en.keyNext == nil {
		k.last = en.keyPrev
	} else {
		en.keyNext.keyPrev = en.keyPrev
	}
	en.keyPrev, en.keyNext = nil, nil
}

// idle tells whether nothing is lost when the topic goes.
func (tp *topic) idle() bool {
	return len(tp.entries) == 0 && tp.news.none() && len(tp.views) == 0
}

// appendState appends the whole list, which somebody is shown.
func (tp *topic) appendState(dst []byte) []byte {
	tp.news.show()
	dst, _ = tp.appendPage(dst, rest{next: tp.first, until: tp.added, all: true}, math.MaxInt)
	return dst
}

// appendPage appends the next page of a list, which ends behind the key that has brought
// it to limit bytes, and returns what is left.
func (tp *topic) appendPage(dst []byte, r rest, limit int) ([]byte, rest) {
	dst = slices.Grow(dst, min(tp.size, limit)+len("{}"))
	start := len(dst)
	dst = append(dst, '{')
	for ; !r.over() && len(dst)-start <= limit; r.next = r.next.next {
		from := len(dst)
		if from-start > len("{") {
			dst = append(dst, ',')
		}
		dst = append(appendName(dst, r.next.name), metasOpen...)
		before := len(dst)
		if dst = tp.appendMetas(dst, &r); len(dst) == before {
			dst = dst[:from] // all of them are left to the next diff
		} else {
			dst = closeMetas(dst, r.next.extra)
		}
	}
	if r.over() {
		r.next = nil
	}
	r.begun = true
	return append(dst, '}'), r
}

// appendMetas appends the metas of the key that is next, as far as they belong to the list.
func (tp *topic) appendMetas(dst []byte, r *rest) []byte {
	before := len(dst)
	for en := r.next.first; en != nil; en = en.keyNext {
		if !r.all {
			if tp.news.left(en, r.to) {
				continue
			}
			en.seen = true
		}
		if len(dst) > before {
			dst = append(dst, ',')
		}
		dst = appendMeta(dst, en.meta, en.ref, en.prev)
	}
	return dst
}
