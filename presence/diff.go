package presence

import "bytes"

// Diff is what changed on a topic, the payload of presence_diff. A client applies
// Joins before Leaves, so that an update, which is in both, never empties its key
// (phoenix.js presence.js).
type Diff struct {
	Joins, Leaves []Entry
}

// Entry is one version of one meta in a [Diff]. Nothing in it is ever changed.
type Entry struct {
	Key string
	// Ref is the meta's phx_ref; PrevRef, empty unless the meta came from an
	// update, the phx_ref of the version before.
	Ref, PrevRef string
	// Meta is the text of a JSON object without phx_ref and phx_ref_prev.
	Meta []byte
	// Extra is the text of a JSON object without metas, whose members stand beside the
	// metas of the key; of several entries of a key those of the last. Empty for none.
	Extra []byte
}

// equal tells whether two entries are the same in all they say.
func (e *Entry) equal(o *Entry) bool {
	return e.Key == o.Key && e.Ref == o.Ref && e.PrevRef == o.PrevRef && bytes.Equal(e.Meta, o.Meta)
}

// AppendJSON appends the diff as JSON and returns the extended slice. Keys come
// in the order of their first entries, and all metas of a key stand together.
// Entries without a key, which are anonymous, are left out:
//
//	{"joins":{"ann":{"metas":[{"phx_ref":"..."}]}},"leaves":{}}
func (d *Diff) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"joins":`...)
	dst = appendEntries(dst, d.Joins)
	dst = append(dst, `,"leaves":`...)
	dst = appendEntries(dst, d.Leaves)
	return append(dst, '}')
}

func appendEntries(dst []byte, entries []Entry) []byte {
	next := chainByKey(entries)
	dst = append(dst, '{')
	first := true
	for i := range entries {
		if entries[i].Key == "" || next != nil && next[i].follows {
			continue // nobody's, or written with the first of its key
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(appendName(dst, entries[i].Key), metasOpen...)
		dst = appendEntry(dst, &entries[i])
		last := i
		for next != nil && next[last].index > 0 {
			last = next[last].index
			dst = append(dst, ',')
			dst = appendEntry(dst, &entries[last])
		}
		dst = closeMetas(dst, entries[last].Extra)
	}
	return append(dst, '}')
}

// link ties an entry to the next one with its key.
type link struct {
	index   int  // of the next one; 0, which is next to none, ends the chain
	follows bool // some entry before this one has its key
}

// chainByKey links entries of equal keys. The usual diff of one entry needs no
// links and no allocation.
func chainByKey(entries []Entry) []link {
	if len(entries) < 2 {
		return nil
	}
	links := make([]link, len(entries))
	latest := make(map[string]int, len(entries))
	for i := range entries {
		if j, ok := latest[entries[i].Key]; ok {
			links[j].index = i
			links[i].follows = true
		}
		latest[entries[i].Key] = i
	}
	return links
}

func appendEntry(dst []byte, e *Entry) []byte {
	return appendMeta(dst, e.Meta, e.Ref, e.PrevRef)
}

// metasOpen is in front of the metas of a key, closeMetas behind them.
const metasOpen = `{"metas":[`

// closeMetas ends the metas of a key, and has the members of extra follow.
func closeMetas(dst, extra []byte) []byte {
	dst = append(dst, ']')
	if len(extra) > len("{}") {
		dst = append(dst, ',')
		return append(dst, extra[1:]...)
	}
	return append(dst, '}')
}

// appendName appends a key as the name of a member.
func appendName(dst []byte, key string) []byte {
	return append(appendQuoted(dst, key), ':')
}

// appendMeta puts the refs, which are Base64 and need no escapes, at the end of
// a compact object.
func appendMeta(dst, meta []byte, ref, prev string) []byte {
	if len(meta) <= len("{}") {
		dst = append(dst, '{')
	} else {
		dst = append(dst, meta[:len(meta)-1]...)
		dst = append(dst, ',')
	}
	dst = append(dst, `"phx_ref":"`...)
	dst = append(dst, ref...)
	if prev != "" {
		dst = append(dst, `","phx_ref_prev":"`...)
		dst = append(dst, prev...)
	}
	return append(dst, '"', '}')
}
