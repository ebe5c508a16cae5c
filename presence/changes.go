package presence

import "slices"

// changes are what happened on a topic since OnDiff was told last. Versions are numbered
// as they join; those numbered from base on are in joins.
//
// A version that comes and goes meanwhile is not mentioned, unless it has been in a list
// that a client may have got: such a client has to be told that it left, and then
// everybody is told of both, so that each ref that leaves has joined before.
type changes struct {
	base   uint64
	shown  int     // so many of joins have been in a list of everything
	joins  []Entry // one that was taken back has no ref
	leaves []Entry
}

// join notes the version that an entry has got.
func (c *changes) join(en *entry) {
	en.at = c.base + uint64(len(c.joins))
	c.joins = append(c.joins, en.told())
}

// leave notes that an entry loses the version that it has.
func (c *changes) leave(en *entry) {
	if !c.unseen(&en.version) {
		c.leaves = append(c.leaves, en.told())
		return
	}
	c.joins[en.at-c.base] = Entry{}
	for len(c.joins) > c.shown && c.joins[len(c.joins)-1].Ref == "" {
		c.joins = c.joins[:len(c.joins)-1]
	}
}

// unseen tells whether nobody can know of a version.
func (c *changes) unseen(v *version) bool { return v.at >= c.base+uint64(c.shown) && !v.seen }

// left tells whether a list for an owner does without a version: that of another's entry
// which has just come, and will be in the next diff.
func (c *changes) left(en *entry, to Owner) bool {
	return en.at >= c.base && en.prev == "" && en.id.owner != to
}

// show notes that somebody sees a list with all that has joined.
func (c *changes) show() { c.shown = len(c.joins) }

func (c *changes) none() bool { return len(c.joins)+len(c.leaves) == 0 }

// take returns the changes, nil if nothing is left of them, and begins anew.
func (c *changes) take() *Diff {
	joins := slices.DeleteFunc(c.joins, func(e Entry) bool { return e.Ref == "" })
	d := &Diff{Joins: joins, Leaves: c.leaves}
	*c = changes{base: c.base + uint64(len(c.joins))}
	if len(d.Joins)+len(d.Leaves) == 0 {
		return nil
	}
	return d
}

// drop begins anew, as if they had been told of.
func (c *changes) drop() {
	clear(c.joins)
	clear(c.leaves)
	*c = changes{base: c.base + uint64(len(c.joins)), joins: c.joins[:0], leaves: c.leaves[:0]}
}

// told is the entry as a diff has it.
func (en *entry) told() Entry {
	return Entry{Key: en.id.key, Ref: en.ref, PrevRef: en.prev, Meta: en.meta, Extra: en.topic.keys[en.id.key].extra}
}
