package meter

import "github.com/aviary-host/aviary/plugins/module"

// An engine fills or copies memory in one go, in which nothing else gets by: not the
// clock, nor the collector of the host. So long lengths go to functions that are added to
// the module, which do it piece by piece and call the host between two of them.

// piece is how much is done at once, in bytes: some 0.1 ms, where the pages are new.
const piece = 256 << 10

// pieces are the functions that are added behind those of the module.
type pieces struct {
	threeI32 uint32 // type of both, and of the block around a call
	fillFunc uint32 // index of the one that fills, 0 if it is not needed
	copyFunc uint32 // of the one that copies, likewise
}

// findPieces finds out which functions are needed, and adds the type.
func (w *writer) findPieces() {
	var fills, copies bool
	for i := range w.old.Funcs {
		body := w.old.Funcs[i].Body
		for j := range body {
			switch body[j].Op {
			case module.OpMemoryFill:
				fills = fills || !short(body[:j])
			case module.OpMemoryCopy:
				copies = copies || !short(body[:j])
			}
		}
	}
	if !fills && !copies {
		return
	}
	w.threeI32 = w.typeOf(module.FuncType{Params: []module.ValType{module.I32, module.I32, module.I32}})
	next := w.host + 1 + uint32(len(w.old.Funcs))
	if fills {
		w.fillFunc = next
		next++
	}
	if copies {
		w.copyFunc = next
	}
}

// addPieces adds the functions, and their names.
func (w *writer) addPieces() {
	add := func(index uint32, name string, body []module.Instr) {
		if index == 0 {
			return
		}
		w.m.Funcs = append(w.m.Funcs, module.Func{Type: w.threeI32, Body: body})
		w.m.Names = append(w.m.Names, module.Name{Func: index, Name: name})
	}
	add(w.fillFunc, "memory.fill", w.fillPieces())
	add(w.copyFunc, "memory.copy", w.copyPieces())
}

// Locals of the functions: their parameters.
const (
	to    = 0
	from  = 1 // or the value to fill with
	count = 2
)

// end writes where a range ends.
func end(start uint32) []module.Instr {
	return []module.Instr{at(module.OpLocalGet, start), at(module.OpLocalGet, count), op(module.OpI32Add)}
}

// ends writes whether a range ends past what 32 bits address, where the sum is less.
func ends(start uint32) []module.Instr {
	return append(end(start), at(module.OpLocalGet, start), op(module.OpI32LtU))
}

// whole writes the operation as it was, for the lengths that are left and for those that
// trap.
func whole(o module.Op) []module.Instr {
	return []module.Instr{at(module.OpLocalGet, to), at(module.OpLocalGet, from), at(module.OpLocalGet, count), op(o)}
}

// breathe writes a call of the host.
func (w *writer) breathe() []module.Instr {
	return []module.Instr{constant(module.OpI32Const, uint64(OutOfFuel)), at(module.OpCall, w.host)}
}

// more writes the branch back to a loop while more than a piece is left.
func more() []module.Instr {
	return []module.Instr{at(module.OpLocalGet, count), constant(module.OpI32Const, piece), op(module.OpI32GtU), at(module.OpBrIf, 0)}
}

// step writes the addition of a piece to a local, or its subtraction.
func step(local uint32, o module.Op) []module.Instr {
	return []module.Instr{at(module.OpLocalGet, local), constant(module.OpI32Const, piece), op(o), at(module.OpLocalSet, local)}
}

func join(parts ...[]module.Instr) []module.Instr {
	var all []module.Instr
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func conditional() []module.Instr {
	return []module.Instr{module.Block(module.OpIf, module.BlockEmpty)}
}

func ended() []module.Instr { return []module.Instr{op(module.OpEnd)} }

// fillPieces writes
//
//	if to+count overflows { memory.fill(to, value, count); return }
//	memory.fill(to+count, value, 0)      traps if the end is past the memory
//	do { memory.fill(to, value, piece); to += piece; count -= piece; host } while count > piece
//	memory.fill(to, value, count)
func (w *writer) fillPieces() []module.Instr {
	return join(
		ends(to), conditional(), whole(module.OpMemoryFill), []module.Instr{op(module.OpReturn), op(module.OpEnd)},
		end(to), []module.Instr{at(module.OpLocalGet, from), constant(module.OpI32Const, 0), op(module.OpMemoryFill)},
		[]module.Instr{module.Block(module.OpLoop, module.BlockEmpty)},
		[]module.Instr{at(module.OpLocalGet, to), at(module.OpLocalGet, from), constant(module.OpI32Const, piece), op(module.OpMemoryFill)},
		step(to, module.OpI32Add), step(count, module.OpI32Sub), w.breathe(), more(), ended(),
		whole(module.OpMemoryFill), ended())
}

// copyPieces writes the same for memory.copy, from the end where what is copied lies
// before where it goes, as they may overlap.
func (w *writer) copyPieces() []module.Instr {
	loop := []module.Instr{module.Block(module.OpLoop, module.BlockEmpty)}
	back := join(step(count, module.OpI32Sub),
		end(to), end(from), []module.Instr{constant(module.OpI32Const, piece), op(module.OpMemoryCopy)})
	forth := join(
		[]module.Instr{at(module.OpLocalGet, to), at(module.OpLocalGet, from), constant(module.OpI32Const, piece), op(module.OpMemoryCopy)},
		step(to, module.OpI32Add), step(from, module.OpI32Add), step(count, module.OpI32Sub))
	return join(
		ends(to), ends(from), []module.Instr{op(module.OpI32Or)},
		conditional(), whole(module.OpMemoryCopy), []module.Instr{op(module.OpReturn), op(module.OpEnd)},
		end(to), end(from), []module.Instr{constant(module.OpI32Const, 0), op(module.OpMemoryCopy)},
		[]module.Instr{at(module.OpLocalGet, from), at(module.OpLocalGet, to), op(module.OpI32LtU)}, conditional(),
		loop, back, w.breathe(), more(), ended(),
		[]module.Instr{op(module.OpElse)},
		loop, forth, w.breathe(), more(), ended(),
		ended(),
		whole(module.OpMemoryCopy), ended())
}

// short tells whether the code before an operation gives it a length that is one piece.
func short(before []module.Instr) bool {
	last := len(before) - 1
	return last >= 0 && before[last].Op == module.OpI32Const && uint32(before[last].Imm) <= piece
}

// inPieces writes an operation whose length, charged already, is also on the stack:
//
//	if length <= piece { operation } else { call of the function }
func (c *code) inPieces(o module.Op) {
	function := c.fillFunc
	if o == module.OpMemoryCopy {
		function = c.copyFunc
	}
	c.add(c.local(module.OpLocalGet), constant(module.OpI32Const, piece), op(module.OpI32LeU),
		module.Block(module.OpIf, module.BlockType(c.threeI32)), op(o), op(module.OpElse), at(module.OpCall, function), op(module.OpEnd))
}
