package presence

// defaultHistory is the size of a generation of the history where none is given.
const defaultHistory = 4096

// history is what a state remembers of its own latest changes, so that it can tell
// a peer that is a little behind just what it lacks: for each clock, the clock of
// the item that the change removed, 0 if none.
//
// It has two generations. When the younger is full, it becomes the older, and that
// is forgotten: between one and two generations are known at any time, and nothing
// is moved.
type history struct {
	first    uint64 // clock of the oldest change that is known, or of the next one
	old, cur []uint64
	size     int // of a generation
}

func newHistory(size int) history {
	if size <= 0 {
		size = defaultHistory
	}
	return history{first: 1, size: size}
}

// add remembers the change that follows the latest one.
func (h *history) add(removed uint64) {
	if len(h.cur) == h.size {
		h.first += uint64(len(h.old))
		h.old, h.cur = h.cur, h.old[:0]
	}
	h.cur = append(h.cur, removed)
}

// knows tells whether all changes after clock are known.
func (h *history) knows(clock uint64) bool { return clock+1 >= h.first }

// removed returns which clock a change removed; the change is known.
func (h *history) removed(clock uint64) uint64 {
	i := int(clock - h.first)
	if i < len(h.old) {
		return h.old[i]
	}
	return h.cur[i-len(h.old)]
}
