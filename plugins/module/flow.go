package module

// flow follows the control flow of the function that is being read, and adds up where
// a compiler's work grows faster than the function: values are looked up along basic
// blocks that follow each other, each block is compared with those that dominate it,
// and what lives on is carried from block to block. In a function that is long enough
// any of these is a square of its length. Here it is a sum, in steps of some 10 to
// 30 ns (wazero 1.12 on amd64). It is an upper bound: where ways meet, only what all of
// them have in common dominates.
type flow struct {
	types   []FuncType
	funcs   []uint32 // types of all functions
	globals int
	locals  int // of the function, parameters included

	at     point
	frames []frame // blocks that are open, the function first; used again
	steps  uint64
}

// point is what there is before an instruction.
type point struct {
	depth   int  // basic blocks that dominate this one
	run     int  // the last so many of them have no predecessor but the one before
	loads   int  // accesses to memory in those that dominate it: their bounds are remembered
	globals int  // globals whose values are remembered, over the run
	height  int  // operands
	dead    bool // it is never reached, and the compiler makes nothing of it
}

// frame is a block that is open.
type frame struct {
	op      Op
	params  int
	results int
	before  point // what it began with, less its parameters

	// The jumps to its end, or to its head if it is a loop.
	jumps        int
	depth, loads int // the least of theirs
	run, runs    int // that of the last, and all together
}

// begin starts a function.
func (f *flow) begin(t *FuncType, locals int) {
	f.locals, f.steps = locals, 0
	f.at = point{}
	f.frames = append(f.frames[:0], frame{op: OpBlock, results: len(t.Results)})
}

// follow takes the next instruction, whose indices are in range. Targets are those
// of the function so far.
func (f *flow) follow(in *Instr, targets []uint32) {
	switch in.Op {
	case OpBlock, OpLoop, OpIf:
		f.open(in)
	case OpElse:
		f.otherwise()
	case OpEnd:
		f.end()
	default:
		if !f.at.dead {
			f.within(in, targets)
		}
	}
}

// within takes an instruction that neither opens nor closes a block.
func (f *flow) within(in *Instr, targets []uint32) {
	f.at.height += int(opTable[in.Op].effect)
	switch in.Op {
	case OpBr:
		f.jump(in.Index)
		f.at.dead = true
	case OpBrIf:
		f.jump(in.Index)
		f.next()
	case OpBrTable:
		for _, label := range targets[in.Index:] {
			f.jump(label)
		}
		f.at.dead = true
	case OpReturn:
		f.jump(uint32(len(f.frames) - 1))
		f.at.dead = true
	case OpUnreachable:
		f.at.dead = true
	case OpCall:
		f.call(&f.types[f.funcs[in.Index]])
	case OpCallIndirect:
		f.call(&f.types[in.Index])
	default:
		f.plain(in)
	}
	if b := &f.frames[len(f.frames)-1]; f.at.height < b.before.height { // it is not valid
		f.at.height = b.before.height
	}
}

// plain takes an instruction after which the next one comes.
func (f *flow) plain(in *Instr) {
	switch opTable[in.Op].shape {
	case shapeLocal:
		f.steps += uint64(f.at.run)
	case shapeGlobal:
		f.steps += uint64(f.at.run)
		f.at.globals = min(f.at.globals+1, f.globals)
	case shapeMem, shapeMemLane:
		f.steps += 2 * uint64(f.at.run) // where the memory is, and how large
		f.at.loads++
	case shapeMemory, shapeTable:
		if in.Op == OpMemoryFill || in.Op == OpTableFill {
			f.at.depth, f.at.run, f.at.globals = f.at.depth+fillBlocks, 0, 0 // a loop
			f.enter()
		}
	}
}

// call takes a call: whatever was known may have changed.
func (f *flow) call(t *FuncType) {
	f.at.height += len(t.Results) - len(t.Params)
	f.at.globals = f.globals
	f.steps += uint64(f.at.loads) + globalSteps*uint64(f.globals)
}

// Some work is more than a step: to load a global again, and to carry a value through
// a block.
const (
	globalSteps = 10
	carrySteps  = 10
)

// enter counts what is done at the beginning of a basic block.
func (f *flow) enter() {
	f.steps += uint64(f.at.depth) + uint64(f.at.loads) + carrySteps*(uint64(f.at.height)+uint64(f.at.globals))
}

// next begins a basic block to which only the one before leads.
func (f *flow) next() {
	f.at.depth++
	f.at.run++
	f.enter()
}

// jump counts a jump to the end of a block or to the head of a loop.
func (f *flow) jump(label uint32) {
	to := &f.frames[len(f.frames)-1-int(label)]
	f.steps += uint64(f.at.depth) + uint64(f.at.loads)
	if to.jumps == 0 {
		to.depth, to.loads = f.at.depth, f.at.loads
	}
	to.depth, to.loads = min(to.depth, f.at.depth), min(to.loads, f.at.loads)
	to.run = f.at.run
	to.runs += f.at.run
	to.jumps++
}

func (f *flow) open(in *Instr) {
	f.at.height += int(opTable[in.Op].effect)
	b := frame{op: in.Op, before: f.at}
	if t := in.BlockType(); t >= 0 {
		b.params, b.results = len(f.types[t].Params), len(f.types[t].Results)
	} else if t != BlockEmpty {
		b.results = 1
	}
	b.before.height -= b.params
	f.frames = append(f.frames, b)
	if f.at.dead {
		return
	}
	switch in.Op {
	case OpLoop:
		f.at.depth++
		f.at.run, f.at.globals = 0, 0
		f.enter()
	case OpIf:
		f.next()
	}
}

func (f *flow) otherwise() {
	b := &f.frames[len(f.frames)-1]
	if !f.at.dead {
		f.jump(0)
	}
	b.op = OpElse
	f.resume(b)
	if !f.at.dead {
		f.next()
	}
}

// resume goes back to where a block began.
func (f *flow) resume(b *frame) {
	f.at = b.before
	f.at.height += b.params
}

// end closes the innermost block.
func (f *flow) end() {
	last := len(f.frames) - 1
	b := &f.frames[last]
	if b.op == OpLoop {
		f.endLoop(b)
		return
	}
	if !f.at.dead {
		f.jump(0)
	}
	if b.op == OpIf { // its else leads to the end
		f.resume(b)
		if !f.at.dead {
			f.next()
			f.jump(0)
		}
	}
	f.frames = f.frames[:last]
	f.at = point{depth: b.depth + 1, loads: b.loads, height: b.before.height + b.results, dead: b.jumps == 0}
	switch {
	case f.at.dead:
		return
	case b.jumps == 1:
		f.at.run = b.run + 1
	default:
		f.lookup(b)
	}
	f.enter()
}

// endLoop closes a loop, to whose end nothing leads but what is before it.
func (f *flow) endLoop(b *frame) {
	f.frames = f.frames[:len(f.frames)-1]
	f.lookup(b)
	f.at.height = b.before.height + b.results
	if !f.at.dead {
		f.next()
	}
}

// lookup counts how, where ways meet, the values of locals are looked for on each.
func (f *flow) lookup(b *frame) { f.steps += uint64(b.runs) * uint64(f.locals) }
