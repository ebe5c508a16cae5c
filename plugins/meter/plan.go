package meter

import "github.com/aviary-host/aviary/plugins/module"

// spare is the most that a segment is charged for what it may not run. It is as much as
// a charge costs a processor. With less there would be more charges; with more, code
// that jumps about would pay for much that it does not run. What guests in Go execute
// was counted: of 4, it is 2 in 100 more instructions than without a bound, and the
// charge 1.1 times what ran, at most 1.5 times in any callback, instead of 1.3 and 1.9.
const spare = 4

// cleared is how many locals are cleared for the price of an instruction.
const cleared = 8

// segment is a stretch of code that runs as a whole, if it begins to run and
// nothing traps.
type segment struct {
	start  int    // index in the body of the first instruction
	price  uint64 // what is charged at its start, once the plan is made
	others uint64 // of that, the price of others
	parent int    // segment that runs before it, as often or more often; -1 for none
}

// frame is a block that is open.
type frame struct {
	op      module.Op
	before  int  // segment that ran when it was entered
	branchy bool // there is more than one way to its end
}

// plan says what is charged where in a function. It is used for one after another.
type plan struct {
	segments []segment
	frames   []frame
	calls    bool // the function calls others
	bulk     bool // it has bulk operations
}

// make plans a function that has so many locals, parameters included.
//
// Segments without a parent begin the function and its loops: there, the fuel is
// looked at. Within such a region, loops inside it left out, nothing runs twice, so
// that whatever runs ran behind its parent, once for every run of that. This is
// why a parent may be charged for it.
func (p *plan) make(body []module.Instr, targets func(*module.Instr) []uint32, locals int) {
	*p = plan{segments: append(p.segments[:0], segment{parent: -1}), frames: append(p.frames[:0], frame{branchy: true})}
	for i := range body {
		in := &body[i]
		p.segments[len(p.segments)-1].price += price(in.Op)
		p.structure(in, i+1)
		switch in.Op {
		case module.OpBr, module.OpBrIf:
			p.jump(in.Index)
			p.begin(i+1, len(p.segments)-1)
		case module.OpBrTable:
			for _, label := range targets(in) {
				p.jump(label)
			}
			p.begin(i+1, len(p.segments)-1)
		case module.OpReturn, module.OpUnreachable:
			p.begin(i+1, len(p.segments)-1)
		case module.OpCall, module.OpCallIndirect:
			p.calls = true
		case module.OpMemoryGrow, module.OpMemoryFill, module.OpMemoryCopy, module.OpMemoryInit,
			module.OpTableGrow, module.OpTableFill, module.OpTableCopy, module.OpTableInit:
			p.bulk = true
		}
	}
	p.fold()
	p.segments[0].price += 1 + uint64(locals)/cleared
}

// price is what an instruction costs: nothing if a compiler makes nothing of it.
func price(op module.Op) uint64 {
	switch op {
	case module.OpNop, module.OpBlock, module.OpLoop, module.OpElse, module.OpEnd, module.OpDrop:
		return 0
	}
	return 1
}

// structure follows the blocks; what is behind the instruction is at next.
func (p *plan) structure(in *module.Instr, next int) {
	now := len(p.segments) - 1
	switch in.Op {
	case module.OpBlock:
		p.frames = append(p.frames, frame{op: in.Op, before: now})
	case module.OpLoop:
		p.frames = append(p.frames, frame{op: in.Op, before: now, branchy: true})
		p.begin(next, -1)
	case module.OpIf:
		p.frames = append(p.frames, frame{op: in.Op, before: now, branchy: true})
		p.begin(next, now)
	case module.OpElse:
		p.begin(next, p.frames[len(p.frames)-1].before)
	case module.OpEnd:
		f := p.frames[len(p.frames)-1]
		p.frames = p.frames[:len(p.frames)-1]
		if f.branchy {
			p.begin(next, f.before)
		}
	}
}

func (p *plan) begin(start, parent int) {
	p.segments = append(p.segments, segment{start: start, parent: parent})
}

// jump marks the block that a label names.
func (p *plan) jump(label uint32) {
	p.frames[len(p.frames)-1-int(label)].branchy = true
}

// fold charges short segments with their parents, the last first. A loop costs
// something in any case.
func (p *plan) fold() {
	for i := len(p.segments) - 1; i > 0; i-- {
		s := &p.segments[i]
		if s.parent < 0 {
			s.price = max(s.price, 1)
			continue
		}
		if parent := &p.segments[s.parent]; parent.others+s.price <= spare {
			parent.price += s.price
			parent.others += s.price
			s.price = 0
		}
	}
}
