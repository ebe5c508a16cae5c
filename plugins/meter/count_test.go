package meter_test

import (
	"slices"

	"github.com/aviary-host/aviary/plugins/module"
)

// What a module that counts exports: i64 globals, see counting.
const (
	executedExport = "executed"
	boundExport    = "bound"
)

// counting returns a module that does the same and counts two things, for want of an
// engine that counts: the price of each instruction that was executed, exactly; and a
// bound for what a meter may charge, which is the price of all of a function outside of
// its loops whenever it is entered, and that of all of a loop outside of loops within
// it for each round. Growth, whose price depends on how it ends, is not in the
// first, and lifts the second.
func counting(m *module.Module) *module.Module {
	out := *m
	executed := uint32(m.Imported(module.KindGlobal) + len(m.Globals))
	zero := module.Global{
		GlobalType: module.GlobalType{Type: module.I64, Mutable: true}, Init: module.Const{Instr: constOf(module.I64, 0)},
	}
	out.Globals = append(slices.Clone(m.Globals), zero, zero)
	out.Exports = append(slices.Clone(m.Exports),
		module.Export{Name: executedExport, Kind: module.KindGlobal, Index: executed},
		module.Export{Name: boundExport, Kind: module.KindGlobal, Index: executed + 1})
	out.Funcs = slices.Clone(m.Funcs)
	for i := range out.Funcs {
		f := &out.Funcs[i]
		locals := len(m.Types[f.Type].Params)
		for _, run := range f.Locals {
			locals += int(run.Count)
		}
		f.Locals = append(slices.Clone(f.Locals), module.Locals{Count: 1, Type: module.I32})
		c := counter{executed: executed, length: uint32(locals)}
		c.function(m.Funcs[i].Body, uint64(1+locals/8))
		f.Body = c.out
	}
	return &out
}

// counter writes the body of a function that counts.
type counter struct {
	executed uint32 // global; the bound is the next
	length   uint32 // scratch local
	out      []module.Instr
}

// costs is the price of an instruction: nothing if a compiler makes nothing of it.
func costs(op module.Op) uint64 {
	free := []module.Op{module.OpNop, module.OpBlock, module.OpLoop, module.OpElse, module.OpEnd, module.OpDrop}
	if slices.Contains(free, op) {
		return 0
	}
	return 1
}

// regions returns the price of each region of a function: of the function at -1, and
// of its loops at the index of their first instruction.
func regions(body []module.Instr) map[int]uint64 {
	price := map[int]uint64{}
	region, open := []int{-1}, []module.Op{module.OpBlock}
	for i := range body {
		op := body[i].Op
		price[region[len(region)-1]] += costs(op)
		switch op {
		case module.OpBlock, module.OpIf:
			open = append(open, op)
		case module.OpLoop:
			open, region = append(open, op), append(region, i)
		case module.OpEnd:
			if open[len(open)-1] == module.OpLoop {
				region = region[:len(region)-1]
			}
			open = open[:len(open)-1]
		}
	}
	return price
}

// straight tells whether the next instruction always runs behind this one, and only
// behind it: locals and globals, constants, and arithmetic that cannot trap.
func straight(op module.Op) bool {
	for _, span := range [][2]module.Op{
		{module.OpNop, module.OpNop},
		{module.OpDrop, module.OpSelectT},
		{module.OpLocalGet, module.OpGlobalSet},
		{module.OpI32Const, module.OpI32Mul},
		{module.OpI32And, module.OpI64Mul}, // but for division
		{module.OpI64And, module.OpI32WrapI64},
		{0xac, 0xad},
		{0xb2, module.OpI64Extend32S}, // but for truncation
	} {
		if op >= span[0] && op <= span[1] {
			return true
		}
	}
	return false
}

func (c *counter) function(body []module.Instr, entry uint64) {
	price := regions(body)
	c.count(c.executed+1, price[-1]+entry)
	begins := true
	for i := range body {
		if begins {
			n := uint64(0)
			for j := i; ; j++ {
				n += costs(body[j].Op)
				if !straight(body[j].Op) {
					break
				}
			}
			c.count(c.executed, n)
		}
		c.bulk(&body[i])
		c.out = append(c.out, body[i])
		if body[i].Op == module.OpLoop {
			c.count(c.executed+1, max(price[i], 1))
		}
		begins = !straight(body[i].Op)
	}
}

// count adds to a global.
func (c *counter) count(global uint32, n uint64) {
	if n > 0 {
		c.add(global, module.Instr{Op: module.OpI64Const, Imm: n})
	}
}

func (c *counter) add(global uint32, value ...module.Instr) {
	c.out = append(c.out, module.Instr{Op: module.OpGlobalGet, Index: global})
	c.out = append(c.out, value...)
	c.out = append(c.out, module.Instr{Op: module.OpI64Add}, module.Instr{Op: module.OpGlobalSet, Index: global})
}

// bulk counts what a length costs.
func (c *counter) bulk(in *module.Instr) {
	shift := uint64(0)
	switch in.Op {
	case module.OpMemoryFill, module.OpMemoryCopy, module.OpMemoryInit:
		shift = 5
	case module.OpTableFill, module.OpTableCopy, module.OpTableInit:
	case module.OpMemoryGrow, module.OpTableGrow:
		c.count(c.executed+1, 1<<40)
		return
	default:
		return
	}
	c.out = append(c.out, tee(c.length))
	for _, global := range []uint32{c.executed, c.executed + 1} {
		c.add(global, get(c.length), num(shift), module.Instr{Op: module.OpI32ShrU}, module.Instr{Op: module.OpI64ExtendI32U})
	}
}
