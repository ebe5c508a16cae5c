package meter

import "slices"

// trace follows where instructions came from, for a module with a line table (see
// module.Debug). What meters an instruction stands before it, and is of its line.
type trace struct {
	old  []uint32 // offsets in the old module, of the function that is being written
	next []uint32 // of the instructions that were written; used again
}

// begin begins a function of the module.
func (w *writer) begin(fn int) {
	if w.old.Debug.Offsets == nil {
		return
	}
	if fn == 0 {
		w.m.Debug.Offsets = make([][]uint32, len(w.old.Funcs))
	}
	w.trace.old, w.trace.next = w.old.Debug.Offsets[fn], w.trace.next[:0]
}

// mark gives what was written since the last mark the place of an old instruction.
func (w *writer) mark(i int) {
	if w.trace.old == nil {
		return
	}
	for range len(w.body) - len(w.trace.next) {
		w.trace.next = append(w.trace.next, w.trace.old[i])
	}
}

// end ends a function. What stands behind its old body is of the last line.
func (w *writer) end(fn int) {
	if last := len(w.trace.old) - 1; last >= 0 {
		w.mark(last)
		w.m.Debug.Offsets[fn] = slices.Clone(w.trace.next)
	}
}
