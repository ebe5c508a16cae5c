package hostile

import (
	"slices"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/plugins/meter"
	"github.com/aviary-host/aviary/plugins/module"
)

// Bomb is a shape of code on which a compiler's time, or its memory, grows faster
// than the module does.
type Bomb struct {
	Name string
	Cap  string // what refuses it once it is too large: a part of the error

	// The code of a function with so many locals beside its parameter, or, in its
	// place, what is done to a whole module.
	code   func(n int) []module.Instr
	locals int
	grow   func(m *module.Module, n int)
}

// Module returns the bomb of size n: a guest that answers as it should, if it is
// ever compiled.
func (b *Bomb) Module(n int) *module.Module {
	m := guest()
	if b.grow != nil {
		b.grow(m, n)
	} else {
		m.Funcs = append(m.Funcs, function(b.locals, b.code(n)))
	}
	return m
}

// Largest returns the largest size that admission lets through, the next one, and what
// admission says to that. If it need not be exact, which takes three times as long, a few
// sizes are between the two: an eighth at most.
func (b *Bomb) Largest(exact bool) (admitted, refused int, refusal error) {
	size := 1
	for {
		if err := Admit(b.Module(size)); err == nil {
			admitted = size
		} else {
			refused, refusal = size, err
		}
		between := refused - admitted
		switch {
		case refusal == nil:
			size *= 2
		case between > 1 && (exact || between > refused/8):
			size = admitted + between/2
		default:
			return admitted, refused, refusal
		}
	}
}

// Admit reads a module and meters it as a host does before it compiles.
func Admit(m *module.Module) error {
	_, err := Meter(m)
	return err
}

// Meter returns what a host compiles of a module.
func Meter(m *module.Module) ([]byte, error) {
	caps := module.DefaultCaps()
	read, err := module.Decode(m.Encode(), caps)
	if err != nil {
		return nil, err
	}
	metered, err := meter.Instrument(read, meter.Config{Stack: 1 << 20, MemoryPages: 256, TableEntries: uint32(caps.TableEntries)})
	if err != nil {
		return nil, err
	}
	wasm := metered.Encode()
	_, err = module.Decode(wasm, meter.Caps(caps))
	return wasm, err
}

// Types of a guest of guest.
const (
	typeMarker = iota
	typeAlloc
	typeCallback
	typeBomb
	typeWide // see wide
)

// ownIndex is the index of the function that is added to a guest.
const ownIndex = 3

// guest is a guest that accepts every join, and answers handle_in with {}.
func guest() *module.Module {
	i32, i64 := module.I32, module.I64
	answer := func(o module.Op, v uint64) []module.Instr { return []module.Instr{constant(o, v), op(module.OpEnd)} }
	return &module.Module{
		Types: []module.FuncType{
			typeMarker:   {Results: []module.ValType{i64}},
			typeAlloc:    {Params: []module.ValType{i32}, Results: []module.ValType{i32}},
			typeCallback: {Params: []module.ValType{i32, i32}, Results: []module.ValType{i64}},
			typeBomb:     {Params: []module.ValType{i32}},
		},
		Funcs: []module.Func{
			{Type: typeMarker, Body: answer(module.OpI64Const, 0)},
			{Type: typeAlloc, Body: answer(module.OpI32Const, 65536)},
			{Type: typeCallback, Body: answer(module.OpI64Const, 16<<32|64)}, // 64 bytes at 16
		},
		Memories: []module.Limits{{Min: 3}},
		Exports: []module.Export{
			{Name: abi.ExportMemory, Kind: module.KindMemory},
			{Name: abi.ExportMarker, Index: 0},
			{Name: abi.ExportAlloc, Index: 1},
			{Name: abi.CallbackJoin.String(), Index: 2},
			{Name: abi.CallbackHandleIn.String(), Index: 2},
		},
		Datas: []module.Data{{ // header_size 64, result reply, all else 0
			Offset: module.Const{Instr: constant(module.OpI32Const, 16)}, Init: []byte{64, 0, 1},
		}},
	}
}

// function returns one of type (i32) -> () with so many locals of type i32.
func function(locals int, body []module.Instr) module.Func {
	f := module.Func{Type: typeBomb, Body: append(slices.Clip(body), op(module.OpEnd))}
	if locals > 0 {
		f.Locals = []module.Locals{{Count: uint32(locals), Type: module.I32}}
	}
	return f
}

func op(o module.Op) module.Instr                 { return module.Instr{Op: o} }
func at(o module.Op, i int) module.Instr          { return module.Instr{Op: o, Index: uint32(i)} }
func constant(o module.Op, v uint64) module.Instr { return module.Instr{Op: o, Imm: v} }
func open(o module.Op) module.Instr               { return module.Block(o, module.BlockEmpty) }

// code puts pieces together, which are instructions or lists of them.
func code(pieces ...[]module.Instr) []module.Instr { return slices.Concat(pieces...) }

func one(in ...module.Instr) []module.Instr { return in }

func times(n int, in ...module.Instr) []module.Instr { return slices.Repeat(in, n) }
