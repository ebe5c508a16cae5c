package meter_test

import (
	"slices"

	"github.com/aviary-host/aviary/plugins/module"
)

// takes is an instruction without immediates, and the types that it takes.
type takes struct {
	op     module.Op
	params []module.ValType
}

// genOps are those that give a value of a type.
var genOps = newGenOps()

func newGenOps() map[module.ValType][]takes {
	const i32, i64, f32, f64, v128 = module.I32, module.I64, module.F32, module.F64, module.V128
	ops := map[module.ValType][]takes{}
	add := func(result module.ValType, first, last module.Op, params ...module.ValType) {
		for op := first; op <= last; op++ {
			ops[result] = append(ops[result], takes{op, params})
		}
	}
	add(i32, 0x6a, 0x78, i32, i32) // arithmetic
	add(i64, 0x7c, 0x8a, i64, i64)
	add(f32, 0x92, 0x97, f32, f32)
	add(f64, 0xa0, 0xa5, f64, f64)
	add(i32, 0x67, 0x69, i32)
	add(i64, 0x79, 0x7b, i64)
	add(f32, 0x8d, 0x91, f32)
	add(f64, 0x9b, 0x9f, f64)
	add(i32, 0x46, 0x4f, i32, i32) // comparisons
	add(i32, 0x51, 0x5a, i64, i64)
	add(i32, 0x5b, 0x60, f32, f32)
	add(i32, 0x61, 0x66, f64, f64)
	add(i32, 0x45, 0x45, i32)
	add(i32, 0x50, 0x50, i64)
	add(i32, 0xa7, 0xa7, i64) // conversions
	add(i32, 0xa8, 0xa9, f32)
	add(i32, 0xaa, 0xab, f64)
	add(i64, 0xac, 0xad, i32)
	add(i64, 0xae, 0xaf, f32)
	add(i64, 0xb0, 0xb1, f64)
	add(f32, 0xb2, 0xb3, i32)
	add(f32, 0xb4, 0xb5, i64)
	add(f64, 0xb7, 0xb8, i32)
	add(f64, 0xb9, 0xba, i64)
	add(f32, 0xb6, 0xb6, f64)
	add(f64, 0xbb, 0xbb, f32)
	add(i32, 0xc0, 0xc1, i32)
	add(i64, 0xc2, 0xc4, i64)
	add(i32, 0x100, 0x101, f32)
	add(i64, 0x106, 0x107, f64)
	add(v128, 0x20f, 0x20f, i32) // vectors
	add(v128, 0x212, 0x212, i64)
	add(v128, 0x24e, 0x251, v128, v128)
	add(v128, 0x26e, 0x26e, v128, v128)
	add(v128, 0x2ae, 0x2ae, v128, v128)
	add(v128, 0x2d5, 0x2d5, v128, v128)
	add(i32, 0x253, 0x253, v128)
	return ops
}

// value makes code that leaves a value.
func (g *generator) value(t module.ValType, depth int) {
	if depth <= 0 || g.left <= 0 {
		g.leaf(t)
		return
	}
	switch g.n(12) {
	case 0, 1:
		g.leaf(t)
	case 2, 3, 4, 5:
		op := pick(g, genOps[t])
		for _, p := range op.params {
			g.value(p, depth-1)
		}
		g.add(module.Instr{Op: op.op})
	case 6:
		g.valueOfBlock(t, depth)
	case 7:
		g.load(t, depth)
	case 8:
		g.value(t, depth-1)
		g.value(t, depth-1)
		g.value(module.I32, depth-1)
		g.add(module.Instr{Op: module.OpSelectT, Index: uint32(t)})
	case 9:
		g.calls(t, depth)
	case 10:
		g.oddValue(t, depth)
	case 11:
		g.value(t, depth-1)
		if mine := indices(g.locals, t); len(mine) > 0 {
			g.add(tee(pick(g, mine)))
		}
	}
}

// leaf makes code that leaves a value of no others.
func (g *generator) leaf(t module.ValType) {
	if globals := indices(genGlobalTypes[:], t); len(globals) > 0 && g.n(4) == 3 {
		g.add(module.Instr{Op: module.OpGlobalGet, Index: pick(g, globals)})
		return
	}
	if mine := indices(g.locals, t); len(mine) > 0 && g.n(2) == 1 {
		g.add(get(pick(g, mine)))
		return
	}
	g.add(constOf(t, g.bits()))
}

// valueOfBlock makes a block, loop or if that leaves a value.
func (g *generator) valueOfBlock(t module.ValType, depth int) {
	results := []module.ValType{t}
	typ := g.blockType(nil, results)
	switch g.n(3) {
	case 0:
		g.add(module.Block(module.OpBlock, typ))
		g.within(results, func() { g.body(results, depth-1) })
	case 1:
		g.add(module.Block(module.OpLoop, typ))
		g.within(nil, func() {
			g.gasCheck()
			g.body(results, depth-1)
		})
	case 2:
		g.value(module.I32, depth-1)
		g.add(module.Block(module.OpIf, typ))
		g.within(results, func() {
			g.body(results, depth-1)
			g.add(otherwise)
			g.body(results, depth-1)
		})
	}
}

// body makes statements, and values.
func (g *generator) body(results []module.ValType, depth int) {
	g.statements(depth)
	for _, t := range results {
		g.value(t, depth)
	}
}

// address makes an address that is mostly within the memory.
func (g *generator) address(depth int) {
	g.value(module.I32, depth-1)
	g.int(0x1ffff)
	g.add(module.Instr{Op: module.OpI32And})
}

// load makes a load, or what leaves a value else.
func (g *generator) load(t module.ValType, depth int) {
	from := map[module.ValType][]module.Op{
		module.I32: {0x28, 0x2c, 0x2d, 0x2e, 0x2f}, module.I64: {0x29, 0x30, 0x31, 0x32, 0x33, 0x34, 0x35},
		module.V128: {0x200, 0x201, 0x207, 0x209, 0x25c},
	}[t]
	if from == nil {
		g.leaf(t)
		return
	}
	g.address(depth)
	g.add(module.Instr{Op: pick(g, from), Imm: uint64(g.n(256))})
}

// oddValue makes a value out of what only one type has.
func (g *generator) oddValue(t module.ValType, depth int) {
	switch t {
	case module.I32:
		g.oddInt(depth)
	case module.I64:
		g.value(module.V128, depth-1)
		g.add(module.Instr{Op: 0x21d, Lane: uint8(g.n(2))})
	case module.V128:
		g.value(t, depth-1)
		g.value(t, depth-1)
		var lanes [16]byte
		for i := range lanes {
			lanes[i] = byte(g.n(32))
		}
		g.add(module.Instr{Op: module.OpI8x16Shuffle, Index: uint32(len(g.fn.Vectors))})
		g.fn.Vectors = append(g.fn.Vectors, lanes)
	default:
		g.jump(depth) // behind which there is any type
	}
}

func (g *generator) oddInt(depth int) {
	switch g.n(7) {
	case 0:
		g.add(module.Instr{Op: module.OpMemorySize})
	case 1:
		g.add(module.Instr{Op: module.OpTableSize})
	case 2:
		g.int(uint64(g.n(3)))
		g.add(grow)
	case 3:
		g.add(module.Instr{Op: module.OpRefNull, Index: uint32(module.Funcref)})
		g.int(uint64(g.n(4)))
		g.add(module.Instr{Op: module.OpTableGrow})
	case 4:
		g.entry(depth)
		g.add(module.Instr{Op: module.OpTableGet}, module.Instr{Op: module.OpRefIsNull})
	case 5:
		g.value(module.V128, depth-1)
		g.add(module.Instr{Op: 0x21b, Lane: uint8(g.n(4))})
	case 6:
		g.jump(depth)
	}
}

// entry makes an index that is mostly of an entry of the table.
func (g *generator) entry(depth int) {
	g.value(module.I32, depth-1)
	g.int(2*genTable - 1)
	g.add(module.Instr{Op: module.OpI32And})
}

// calls makes a call that leaves a value, or what else does.
func (g *generator) calls(t module.ValType, depth int) {
	var fit []uint32
	for i := range uint32(1 + len(g.m.Funcs)) {
		if slices.Equal(g.m.TypeOf(i).Results, []module.ValType{t}) {
			fit = append(fit, i)
		}
	}
	if len(fit) == 0 {
		g.leaf(t)
		return
	}
	g.call(pick(g, fit), depth)
}

// call calls a function, or what the table has in place of it.
func (g *generator) call(f uint32, depth int) {
	typ := g.typeOf(g.m.TypeOf(f).Params, g.m.TypeOf(f).Results)
	for _, p := range g.m.Types[typ].Params {
		g.value(p, depth-1)
	}
	if g.n(3) == 2 {
		g.entry(depth)
		g.add(module.Instr{Op: module.OpCallIndirect, Index: typ})
		return
	}
	g.add(call(f))
}

// jump makes code behind which nothing runs.
func (g *generator) jump(depth int) {
	switch g.n(4) {
	case 0:
		label := g.n(len(g.labels))
		g.handOver(label, depth)
		g.add(module.Instr{Op: module.OpBr, Index: uint32(label)})
	case 1:
		g.handOver(len(g.labels)-1, depth)
		g.add(ret)
	case 2:
		label := g.n(len(g.labels))
		g.handOver(label, depth)
		g.table(label, depth)
	case 3:
		g.add(module.Instr{Op: module.OpUnreachable})
	}
}

// label returns what a branch to it hands over.
func (g *generator) label(l int) []module.ValType { return g.labels[len(g.labels)-1-l] }

// handOver makes the values that a branch takes.
func (g *generator) handOver(label, depth int) {
	for _, t := range g.label(label) {
		g.value(t, depth-1)
	}
}

// table makes a br_table, all of whose labels take the same.
func (g *generator) table(label, depth int) {
	var same []uint32
	for l := range g.labels {
		if slices.Equal(g.label(l), g.label(label)) {
			same = append(same, uint32(l))
		}
	}
	g.value(module.I32, depth-1)
	g.int(7)
	n := 1 + g.n(5)
	g.add(module.Instr{Op: module.OpI32And}, module.Instr{Op: module.OpBrTable, Index: uint32(len(g.fn.Targets)), Imm: uint64(n)})
	for range n {
		g.fn.Targets = append(g.fn.Targets, pick(g, same))
	}
}

// statements makes code that leaves nothing.
func (g *generator) statements(depth int) {
	for range g.n(5) {
		if depth <= 0 || g.left <= 0 {
			return
		}
		g.statement(depth)
	}
}

func (g *generator) statement(depth int) {
	switch g.n(12) {
	case 0, 1:
		local := uint32(g.n(len(g.locals)))
		g.value(g.locals[local], depth-1)
		g.add(set(local))
	case 2:
		global := 1 + g.n(genGlobals-1)
		g.value(genGlobalTypes[global], depth-1)
		g.add(module.Instr{Op: module.OpGlobalSet, Index: uint32(global)})
	case 3, 4:
		g.store(depth)
	case 5, 6:
		g.block(depth)
	case 7:
		g.branchIf(depth)
	case 8:
		f := uint32(g.n(1 + len(g.m.Funcs)))
		g.call(f, depth)
		g.add(slices.Repeat([]module.Instr{drop}, len(g.m.TypeOf(f).Results))...)
	case 9:
		g.bulk(depth)
	case 10:
		g.value(pick(g, genTypes), depth-1)
		g.add(drop, nop)
	case 11:
		g.jump(depth)
	}
}

func (g *generator) store(depth int) {
	to := map[module.ValType][]module.Op{
		module.I32: {0x36, 0x3a, 0x3b}, module.I64: {0x37, 0x3c, 0x3d, 0x3e}, module.V128: {0x20b},
	}
	t := pick(g, genTypes[:3])
	g.address(depth)
	g.value(t, depth-1)
	g.add(module.Instr{Op: pick(g, to[t]), Imm: uint64(g.n(256))})
}

// block makes a block, loop or if that may take and leave values, which are put into
// locals or dropped.
func (g *generator) block(depth int) {
	params, results := g.types(2, true), g.types(2, true)
	typ := g.blockType(params, results)
	for _, t := range params {
		g.value(t, depth-1)
	}
	inside := func() {
		for range params {
			g.add(drop)
		}
		g.body(results, depth-1)
	}
	switch g.n(4) {
	case 0:
		g.add(module.Block(module.OpBlock, typ))
		g.within(results, inside)
	case 1:
		g.add(module.Block(module.OpLoop, typ))
		g.within(params, func() {
			g.gasCheck()
			inside()
		})
	case 2:
		g.value(module.I32, depth-1)
		g.add(module.Block(module.OpIf, typ))
		g.within(results, func() {
			inside()
			g.add(otherwise)
			inside()
		})
	case 3: // an if without else leaves what it takes
		g.value(module.I32, depth-1)
		g.add(module.Block(module.OpIf, g.blockType(params, params)))
		g.within(params, func() { g.statements(depth - 1) })
		results = params
	}
	g.add(slices.Repeat([]module.Instr{drop}, len(results))...)
}

func (g *generator) branchIf(depth int) {
	label := g.n(len(g.labels))
	g.handOver(label, depth)
	g.value(module.I32, depth-1)
	g.add(brIf(uint32(label)))
	g.add(slices.Repeat([]module.Instr{drop}, len(g.label(label)))...)
}

// bulk makes an operation on a stretch of the memory or the table.
func (g *generator) bulk(depth int) {
	length := func(most uint64) {
		g.value(module.I32, depth-1)
		g.int(most)
		g.add(module.Instr{Op: module.OpI32And})
	}
	switch g.n(8) {
	case 0:
		g.address(depth)
		g.value(module.I32, depth-1)
		length(0xfff)
		g.add(fill)
	case 1:
		g.address(depth)
		g.address(depth)
		length(0xfff)
		g.add(module.Instr{Op: module.OpMemoryCopy})
	case 2:
		g.address(depth)
		length(7)
		length(15)
		g.add(module.Instr{Op: module.OpMemoryInit, Index: uint32(g.n(2))})
	case 3:
		g.add(module.Instr{Op: module.OpDataDrop, Index: uint32(g.n(2))}, module.Instr{Op: module.OpElemDrop, Index: uint32(g.n(2))})
	case 4:
		g.entry(depth)
		g.add(module.Instr{Op: module.OpRefFunc, Index: uint32(g.n(1 + len(g.m.Funcs)))}, module.Instr{Op: module.OpTableSet})
	case 5:
		g.entry(depth)
		g.add(module.Instr{Op: module.OpRefNull, Index: uint32(module.Funcref)})
		length(3)
		g.add(module.Instr{Op: module.OpTableFill})
	case 6:
		g.entry(depth)
		g.entry(depth)
		length(7)
		g.add(module.Instr{Op: module.OpTableCopy})
	case 7:
		g.entry(depth)
		length(3)
		length(7)
		g.add(module.Instr{Op: module.OpTableInit, Index: uint32(g.n(2))})
	}
}
