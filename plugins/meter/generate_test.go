package meter_test

import (
	"slices"

	"github.com/aviary-host/aviary/plugins/module"
)

// Sizes of what is generated.
const (
	genInstrs  = 500 // of a module, about
	genNesting = 6
	genGas     = 300 // entries of functions and loops in a call, see gasCheck
	genTable   = 8
	genGlobals = 6 // the gas first
)

// generator makes modules that are valid and whose calls end, out of bytes: each
// decides between so many possibilities. Where the bytes are used up it takes the
// first, which leads to an end.
//
// What floats are is only ever compared, so that engines may make any NaN of any.
type generator struct {
	data []byte
	m    *module.Module
	left int // instructions

	fn     *module.Func
	locals []module.ValType // parameters included
	labels [][]module.ValType
}

// genGlobalTypes are those of the globals; floats are left out, since they would be
// seen.
var genGlobalTypes = [genGlobals]module.ValType{module.I32, module.I32, module.I64, module.V128, module.I64, module.I32}

// generate returns a module with a memory, a table, some globals and functions, all of
// which are exported. Functions may call each other, and an import.
func generate(data []byte) *module.Module {
	g := &generator{data: data, left: genInstrs, m: &module.Module{
		Memories: []module.Limits{{Min: 1, Max: 3, HasMax: true}},
		Tables:   []module.Table{{Type: module.Funcref, Limits: module.Limits{Min: genTable, Max: 2 * genTable, HasMax: true}}},
		Exports:  []module.Export{{Name: "memory", Kind: module.KindMemory}},
	}}
	g.m.Imports = []module.Import{{Module: "env", Name: "mix", Type: g.typeOf([]module.ValType{module.I64, module.I32}, []module.ValType{module.I64})}}
	g.globals()
	for i := range 1 + g.n(4) {
		g.m.Funcs = append(g.m.Funcs, module.Func{Type: g.signature()})
		g.m.Exports = append(g.m.Exports, module.Export{Name: "f" + string(rune('0'+i)), Index: uint32(1 + i)})
	}
	g.segments()
	for i := range g.m.Funcs {
		g.function(&g.m.Funcs[i])
		g.left = max(g.left, genInstrs/4)
	}
	return g.m
}

// n chooses between most possibilities.
func (g *generator) n(most int) int {
	if len(g.data) == 0 {
		return 0
	}
	b := g.data[0]
	g.data = g.data[1:]
	return int(b) % most
}

func pick[T any](g *generator, from []T) T { return from[g.n(len(from))] }

// bits returns a number of interest.
func (g *generator) bits() uint64 {
	switch g.n(4) {
	case 0:
		return uint64(g.n(256))
	case 1:
		return -uint64(g.n(256))
	}
	v := uint64(0)
	for range 8 {
		v = v<<8 | uint64(g.n(256))
	}
	return v
}

func (g *generator) typeOf(params, results []module.ValType) uint32 {
	i := slices.IndexFunc(g.m.Types, func(t module.FuncType) bool {
		return slices.Equal(t.Params, params) && slices.Equal(t.Results, results)
	})
	if i < 0 {
		i = len(g.m.Types)
		g.m.Types = append(g.m.Types, module.FuncType{Params: params, Results: results})
	}
	return uint32(i)
}

var genTypes = []module.ValType{module.I32, module.I64, module.V128, module.F32, module.F64}

// types returns some types, with or without floats.
func (g *generator) types(most int, floats bool) []module.ValType {
	from := genTypes
	if !floats {
		from = from[:3]
	}
	var out []module.ValType
	for range g.n(most + 1) {
		out = append(out, pick(g, from))
	}
	return out
}

// signature returns the type of a function.
func (g *generator) signature() uint32 { return g.typeOf(g.types(3, true), g.types(2, false)) }

func (g *generator) globals() {
	for i, t := range genGlobalTypes {
		init := module.Const{Instr: constOf(t, 0)}
		g.m.Globals = append(g.m.Globals, module.Global{GlobalType: module.GlobalType{Type: t, Mutable: true}, Init: init})
		g.m.Exports = append(g.m.Exports, module.Export{Name: "g" + string(rune('0'+i)), Kind: module.KindGlobal, Index: uint32(i)})
	}
}

// constOf returns a constant. A vector is the first of its function.
func constOf(t module.ValType, bits uint64) module.Instr {
	switch t {
	case module.I32:
		return module.Instr{Op: module.OpI32Const, Imm: uint64(uint32(bits))}
	case module.I64:
		return module.Instr{Op: module.OpI64Const, Imm: bits}
	case module.F32:
		return module.Instr{Op: module.OpF32Const, Imm: uint64(uint32(bits))}
	case module.F64:
		return module.Instr{Op: module.OpF64Const, Imm: bits}
	}
	return module.Instr{Op: module.OpV128Const}
}

// segments makes an active and a passive one of each kind, and declares the import for
// ref.func.
func (g *generator) segments() {
	zero := module.Const{Instr: constOf(module.I32, 0)}
	var all []uint32
	for range genTable {
		all = append(all, uint32(g.n(1+len(g.m.Funcs))))
	}
	g.m.Elems = []module.Elem{
		{Offset: zero, Type: module.Funcref, Funcs: all[:genTable/2]},
		{Mode: module.ModePassive, Type: module.Funcref, Funcs: all},
		{Mode: module.ModeDeclarative, Type: module.Funcref, Funcs: []uint32{0}},
	}
	g.m.Datas = []module.Data{{Offset: zero, Init: []byte("active")}, {Mode: module.ModePassive, Init: []byte("passive, and longer")}}
	g.m.HasDataCount = true
}

// function makes a body.
func (g *generator) function(f *module.Func) {
	t := g.m.Types[f.Type]
	g.fn, g.locals = f, slices.Clone(t.Params)
	g.labels = [][]module.ValType{t.Results}
	f.Vectors = [][16]byte{{}}
	for _, t := range append(g.types(4, true), module.I32) {
		f.Locals = append(f.Locals, module.Locals{Count: 1, Type: t})
		g.locals = append(g.locals, t)
	}
	g.gasCheck()
	g.statements(genNesting)
	for _, t := range t.Results {
		g.value(t, genNesting)
	}
	g.add(end)
}

func (g *generator) add(instrs ...module.Instr) {
	g.left -= len(instrs)
	g.fn.Body = append(g.fn.Body, instrs...)
}

func (g *generator) int(v uint64) { g.add(num(v)) }

// gasCheck traps once functions and loops were entered too often: the guest's own
// fuel, without which it would not end.
func (g *generator) gasCheck() {
	get, set := op1(module.OpGlobalGet), op1(module.OpGlobalSet)
	g.add(get(0), num(1), module.Instr{Op: module.OpI32Sub}, set(0), get(0), num(0), module.Instr{Op: module.OpI32LtS},
		cond, module.Instr{Op: module.OpUnreachable}, end)
}

// indices returns the indices of a type in a list.
func indices(types []module.ValType, t module.ValType) []uint32 {
	var out []uint32
	for i, o := range types {
		if o == t {
			out = append(out, uint32(i))
		}
	}
	return out
}

// blockType returns the type of a block. With parameters it is one of the module.
func (g *generator) blockType(params, results []module.ValType) module.BlockType {
	switch {
	case len(params) == 0 && len(results) == 0:
		return module.BlockEmpty
	case len(params) == 0 && len(results) == 1:
		return module.BlockType(results[0]) - 128
	}
	return module.BlockType(g.typeOf(params, results))
}

// within makes the inside of a block whose label hands over some types.
func (g *generator) within(label []module.ValType, inside func()) {
	g.labels = append(g.labels, label)
	inside()
	g.labels = g.labels[:len(g.labels)-1]
	g.add(end)
}
