package meter

import (
	"slices"

	"github.com/aviary-host/aviary/plugins/module"
)

// Prices of what bulk operations handle: so many bytes, or entries of a table, cost
// 1, as shifts. Growth costs what there will be, since an engine may have to move
// it.
const (
	bytesShift  = 5 // 32 bytes
	entryShift  = 0
	growPage    = 8  // a page costs 256, shifted the other way
	touchPage   = 14 // and one that is new to the machine 16 384
	growEntries = 0
)

// Estimate of a frame on an engine's stack, in bytes.
const (
	frameBase        = 64
	framePerLocal    = 8
	framePerInstr    = 2
	frameOfVectorMul = 2 // a vector takes as much as so many other locals
)

// functions writes the code of all functions.
func (w *writer) functions() {
	w.m.Funcs = make([]module.Func, len(w.old.Funcs))
	for i := range w.old.Funcs {
		w.begin(i)
		w.function(&w.m.Funcs[i], &w.old.Funcs[i])
		w.end(i)
	}
	w.addPieces()
}

// scratch are the locals that a function gets in addition.
type scratch struct {
	fuel   uint32 // i64
	length uint32 // i32, if there are bulk operations
}

func (w *writer) function(f, old *module.Func) {
	*f = *old
	f.Locals = slices.Clone(old.Locals)
	locals, size := w.frame(old)
	w.plan.make(old.Body, old.Labels, locals)
	s := scratch{fuel: uint32(locals), length: uint32(locals) + 1}
	addLocal(f, module.I64)
	if w.plan.bulk {
		addLocal(f, module.I32)
	}
	w.body = w.body[:0]
	c := code{writer: w, scratch: s}
	if w.plan.calls {
		c.wrapped(old, size)
	} else {
		c.copy(old.Body)
	}
	f.Body = slices.Clone(w.body)
}

// frame returns the number of locals of a function, parameters included, and an
// estimate of its frame in bytes.
func (w *writer) frame(f *module.Func) (locals int, size uint32) {
	slots := 0
	count := func(t module.ValType, n int) {
		locals += n
		if t == module.V128 {
			n *= frameOfVectorMul
		}
		slots += n
	}
	for _, t := range w.old.Types[f.Type].Params {
		count(t, 1)
	}
	for _, run := range f.Locals {
		count(run.Type, int(run.Count))
	}
	return locals, uint32(frameBase + framePerLocal*slots + framePerInstr*len(f.Body))
}

// addLocal appends one local.
func addLocal(f *module.Func, t module.ValType) {
	if last := len(f.Locals) - 1; last >= 0 && f.Locals[last].Type == t {
		f.Locals[last].Count++
		return
	}
	f.Locals = append(f.Locals, module.Locals{Count: 1, Type: t})
}

// code writes the body of one function.
type code struct {
	*writer
	scratch

	wrap bool // there is a block around the old body
	next int  // first segment of the plan that was not reached
}

func (c *code) add(instrs ...module.Instr) { c.body = append(c.body, instrs...) }

func op(o module.Op) module.Instr                  { return module.Instr{Op: o} }
func at(o module.Op, index uint32) module.Instr    { return module.Instr{Op: o, Index: index} }
func constant(o module.Op, v uint64) module.Instr  { return module.Instr{Op: o, Imm: v} }
func (c *code) local(o module.Op) module.Instr     { return at(o, c.length) }
func (c *code) global(o module.Op) module.Instr    { return at(o, c.writer.fuel) }
func (c *code) remainder(o module.Op) module.Instr { return at(o, c.scratch.fuel) }

// wrapped writes a body that takes its frame from the stack:
//
//	stack -= size; if stack < 0 { host(OutOfStack) }
//	block (result ...) body end
//	stack += size
func (c *code) wrapped(old *module.Func, size uint32) {
	c.wrap = true
	c.add(at(module.OpGlobalGet, c.stack), constant(module.OpI32Const, uint64(size)), op(module.OpI32Sub), at(module.OpGlobalSet, c.stack),
		at(module.OpGlobalGet, c.stack), constant(module.OpI32Const, 0), op(module.OpI32LtS))
	c.callHost(OutOfStack)
	c.add(module.Block(module.OpBlock, c.writer.wrap(old.Type)))
	c.copy(old.Body)
	c.add(at(module.OpGlobalGet, c.stack), constant(module.OpI32Const, uint64(size)), op(module.OpI32Add), at(module.OpGlobalSet, c.stack),
		op(module.OpEnd))
}

// copy writes the old body, with what is charged for it.
func (c *code) copy(body []module.Instr) {
	depth := uint32(0)
	for i := range body {
		c.charges(i)
		in := body[i]
		switch in.Op {
		case module.OpBlock, module.OpLoop, module.OpIf:
			depth++
		case module.OpEnd:
			depth--
		case module.OpReturn:
			if c.wrap {
				in = at(module.OpBr, depth)
			}
		case module.OpCall, module.OpRefFunc:
			in.Index = c.shifted(in.Index)
		case module.OpMemorySize, module.OpMemoryGrow:
			if c.fixed {
				c.counted(in.Op)
				c.mark(i)
				continue
			}
			c.bulk(&in)
		case module.OpMemoryFill, module.OpMemoryCopy:
			c.bulk(&in)
			if !short(body[:i]) {
				c.inPieces(in.Op)
				c.mark(i)
				continue
			}
		default:
			c.bulk(&in)
		}
		c.add(in)
		c.mark(i)
	}
}

// charges writes the charge of the segment that begins at an instruction.
func (c *code) charges(i int) {
	for ; c.next < len(c.plan.segments) && c.plan.segments[c.next].start == i; c.next++ {
		s := &c.plan.segments[c.next]
		if s.price == 0 {
			continue
		}
		c.add(c.global(module.OpGlobalGet), constant(module.OpI64Const, s.price))
		c.spend(s.parent < 0)
	}
}

// spend subtracts what is on the stack from the fuel below it, and looks whether
// there was enough if it should:
//
//	fuel -= price; if fuel < 0 { host(OutOfFuel) }
func (c *code) spend(look bool) {
	c.add(op(module.OpI64Sub))
	if !look {
		c.add(c.global(module.OpGlobalSet))
		return
	}
	c.add(c.remainder(module.OpLocalTee), c.global(module.OpGlobalSet),
		c.remainder(module.OpLocalGet), constant(module.OpI64Const, 0), op(module.OpI64LtS))
	c.callHost(OutOfFuel)
}

// callHost calls the host if there is a true on the stack.
func (c *code) callHost(why Reason) {
	c.add(module.Block(module.OpIf, module.BlockEmpty),
		constant(module.OpI32Const, uint64(why)), at(module.OpCall, c.host), op(module.OpEnd))
}

// bulk writes the charge of a bulk operation, whose length is on the stack.
func (c *code) bulk(in *module.Instr) {
	switch in.Op {
	case module.OpMemoryFill, module.OpMemoryCopy, module.OpMemoryInit:
		c.stretch(bytesShift)
	case module.OpTableFill, module.OpTableCopy, module.OpTableInit:
		c.stretch(entryShift)
	case module.OpMemoryGrow:
		c.growth(op(module.OpMemorySize), c.pages, growPage, touchPage)
	case module.OpTableGrow:
		c.growth(at(module.OpTableSize, in.Index), c.entries, growEntries, growEntries)
	}
}

// stretch charges a length.
func (c *code) stretch(shift uint64) {
	c.add(c.local(module.OpLocalTee),
		c.global(module.OpGlobalGet),
		c.local(module.OpLocalGet), constant(module.OpI32Const, shift), op(module.OpI32ShrU), op(module.OpI64ExtendI32U))
	c.spend(true)
}

// growth charges what there will be after a growth, and what of it is new, or nothing if
// it cannot be.
func (c *code) growth(size module.Instr, most uint32, all, fresh uint64) {
	c.add(c.local(module.OpLocalTee),
		c.global(module.OpGlobalGet),
		size, op(module.OpI64ExtendI32U), c.local(module.OpLocalGet), op(module.OpI64ExtendI32U), op(module.OpI64Add),
		constant(module.OpI64Const, all), op(module.OpI64Shl),
		c.local(module.OpLocalGet), op(module.OpI64ExtendI32U), constant(module.OpI64Const, fresh), op(module.OpI64Shl), op(module.OpI64Add),
		constant(module.OpI64Const, 0),
		c.local(module.OpLocalGet), constant(module.OpI32Const, uint64(most)), op(module.OpI32LeU), op(module.OpSelect))
	c.spend(true)
}
