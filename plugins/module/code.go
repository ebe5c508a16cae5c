package module

// body is what is known of the function that is being read. Its slices are used
// again for the next one.
type body struct {
	instrs  []Instr
	targets []uint32
	vectors [][16]byte
	offsets []uint32 // of the instrs, if there is a line table
	open    []open   // blocks that are open, the function first

	locals int    // parameters included
	loops  int    // loops that are open
	depth  int    // the most of them that were open at once
	blocks int    // basic blocks
	passed uint64 // values that calls, branches and blocks hand over
	flow   flow   // a compiler's steps
}

// open is a block that is open.
type open struct {
	op    Op  // what began it, or its else
	arity int // values that a branch to it hands over
}

func (d *decoder) codeSection() {
	d.code = d.pos
	n := d.count("functions", 3, d.caps.Functions)
	if n != d.defined() {
		d.fail("code of %d functions, but %d are declared", n, d.defined())
		return
	}
	imported := len(d.types) - n
	d.body.flow = flow{types: d.m.Types, funcs: d.types, globals: int(d.counts[KindGlobal])}
	d.m.Funcs = room[Func](n)[:n]
	if d.lines {
		d.m.Debug.Offsets = room[[]uint32](n)[:n]
	}
	for i := range d.m.Funcs {
		d.fn = imported + i
		d.m.Funcs[i].Type = d.types[imported+i]
		d.function(&d.m.Funcs[i])
		if d.err != nil {
			return
		}
		if d.lines {
			d.m.Debug.Offsets[i] = copied(d.body.offsets)
		}
	}
	d.fn = -1
}

func (d *decoder) function(f *Func) {
	size := d.u32()
	if !d.within(uint64(size), "bytes of code", d.caps.Body) {
		return
	}
	outer := d.inner(size)
	d.locals(f)
	d.instructions(f)
	d.outer(outer)
	if d.err != nil {
		return
	}
	b := &d.body
	d.sums.instructions += uint64(len(b.instrs))
	d.within(d.sums.instructions, "instructions", d.caps.Instructions)
	d.within(uint64(b.blocks), "basic blocks", d.caps.Blocks)
	d.within(b.flow.steps, "steps from one basic block to another", d.caps.Steps)
	d.within(b.passed, "values passed by calls, branches and blocks", d.caps.Passed)
	d.within(uint64(b.blocks)*uint64(b.locals+b.depth), "basic blocks times locals and loops within each other", d.caps.BlockLocals)
	f.Body = copied(b.instrs)
	f.Targets, f.Vectors = copied(b.targets), copied(b.vectors)
}

// copied returns a copy that has room for nothing else.
func copied[T any](s []T) []T {
	if len(s) == 0 {
		return nil
	}
	c := make([]T, len(s))
	copy(c, s)
	return c
}

// locals reads the runs of locals and joins those that are neighbours.
func (d *decoder) locals(f *Func) {
	runs := d.count("runs of locals", 2, d.caps.Body)
	total := uint64(len(d.m.Types[f.Type].Params))
	params := total
	for ; runs > 0 && d.err == nil; runs-- {
		run := Locals{Count: d.u32(), Type: d.valType()}
		total += uint64(run.Count)
		if !d.within(total, "locals", d.caps.Locals) {
			return
		}
		switch last := len(f.Locals) - 1; {
		case run.Count == 0:
		case last >= 0 && f.Locals[last].Type == run.Type:
			f.Locals[last].Count += run.Count
		default:
			f.Locals = append(f.Locals, run)
		}
	}
	d.body.locals = int(total)
	d.sums.locals += total - params
	d.within(d.sums.locals, "locals of all functions", d.caps.AllLocals)
}

// instructions reads a body up to the end of the function.
func (d *decoder) instructions(f *Func) {
	b := &d.body
	b.instrs, b.targets, b.vectors, b.offsets = b.instrs[:0], b.targets[:0], b.vectors[:0], b.offsets[:0]
	b.open = append(b.open[:0], open{OpBlock, len(d.m.Types[f.Type].Results)})
	b.loops, b.depth, b.blocks, b.passed = 0, 0, 1, 0
	b.flow.begin(&d.m.Types[f.Type], b.locals)
	for len(b.open) > 0 && d.err == nil {
		if d.lines {
			b.offsets = append(b.offsets, uint32(d.pos-d.code))
		}
		in := Instr{Op: d.op()}
		d.immediates(&in)
		if d.err == nil {
			b.flow.follow(&in, b.targets)
		}
		b.instrs = append(b.instrs, in)
	}
}
