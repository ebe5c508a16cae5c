package presence

import (
	"slices"
	"sync"
)

// topic is the entries of one name: pure data, no clock, no callbacks. All its
// methods need its lock. It is the part a replicated state would replace.
type topic struct {
	name string

	mu      sync.Mutex // guards all below
	dead    bool       // has left the table for good
	entries map[entryID]*entry
	keys    map[string]*key // named entries only
	first   *key            // list of keys, first tracked first
	last    *key
	size    int // bytes of the state, nearly: what appendState reserves
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
	first, last *entry
	prev, next  *key
}

// size is how many bytes the key takes up in a state beside its metas, if it
// needs no escapes.
func (k *key) size() int {
	return len(k.name) + len(`"":{"metas":[]},`)
}

func newTopic(name string) *topic {
	return &topic{name: name, entries: make(map[entryID]*entry), keys: make(map[string]*key)}
}

// add makes an entry that is not there yet.
func (tp *topic) add(id entryID, v version) *entry {
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
	en.keyPrev = k.last
	if k.last == nil {
		k.first = en
	} else {
		k.last.keyNext = en
	}
	k.last = en
	return en
}

func (tp *topic) addKey(name string) *key {
	k := &key{name: name, prev: tp.last}
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

// replace changes an entry in place; it is never absent in between.
func (tp *topic) replace(en *entry, v version) {
	if en.id.key != "" {
		tp.size += v.size() - en.size()
	}
	en.version = v
}

func (tp *topic) remove(en *entry) {
	delete(tp.entries, en.id)
	if en.id.key == "" {
		return
	}
	tp.size -= en.size()
	k := tp.keys[en.id.key]
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
	if k.first == nil {
		tp.removeKey(k)
	}
}

func (tp *topic) removeKey(k *key) {
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

func (tp *topic) appendState(dst []byte) []byte {
	dst = slices.Grow(dst, tp.size+len("{}"))
	dst = append(dst, '{')
	for k := tp.first; k != nil; k = k.next {
		if k != tp.first {
			dst = append(dst, ',')
		}
		dst = appendKey(dst, k.name)
		for en := k.first; en != nil; en = en.keyNext {
			if en != k.first {
				dst = append(dst, ',')
			}
			dst = appendMeta(dst, en.meta, en.ref, en.prev)
		}
		dst = append(dst, ']', '}')
	}
	return append(dst, '}')
}
