package hostile

import (
	"slices"
	"strings"

	"github.com/aviary-host/aviary/plugins/module"
)

// moduleBombs are more than one function, or jump by tables.
func moduleBombs() []Bomb {
	return []Bomb{
		{Name: "br_table", Cap: "targets of br_table", grow: func(m *module.Module, n int) {
			jump(m, 1, make([]uint32, n), n)
		}},
		{Name: "br_table out of blocks", Cap: "blocks within each other", grow: func(m *module.Module, n int) {
			targets := make([]uint32, n)
			for i := range targets {
				targets[i] = uint32(i)
			}
			jump(m, n, targets, n)
		}},
		{Name: "br_tables", Cap: "steps", grow: func(m *module.Module, n int) {
			f := function(0, nil)
			f.Targets = make([]uint32, 2*n)
			f.Body = nil
			for i := range n {
				f.Body = append(f.Body, open(module.OpBlock), get(),
					module.Instr{Op: module.OpBrTable, Index: uint32(2 * i), Imm: 2}, op(module.OpEnd))
			}
			f.Body = append(f.Body, op(module.OpEnd))
			m.Funcs = append(m.Funcs, f)
		}},
		{Name: "functions", Cap: "functions", grow: func(m *module.Module, n int) {
			m.Funcs = append(m.Funcs, slices.Repeat([]module.Func{function(0, nil)}, n)...)
		}},
		{Name: "types", Cap: "types", grow: func(m *module.Module, n int) {
			m.Types = append(m.Types, slices.Repeat([]module.FuncType{{}}, n)...)
		}},
		{Name: "exports of long names", Cap: "exports", grow: func(m *module.Module, n int) {
			for i := range n {
				m.Exports = append(m.Exports, module.Export{Name: longName(i)})
			}
		}},
		{Name: "a long name", Cap: "bytes of a name", grow: func(m *module.Module, n int) {
			m.Exports = append(m.Exports, module.Export{Name: strings.Repeat("n", n)})
		}},
		{Name: "data segments", Cap: "data segments", grow: func(m *module.Module, n int) {
			m.Datas = append(m.Datas, slices.Repeat(m.Datas[:1], n)...)
		}},
		{Name: "pages of data", Cap: "bytes of module", grow: func(m *module.Module, n int) {
			m.Datas = append(m.Datas, module.Data{
				Offset: module.Const{Instr: constant(module.OpI32Const, 0)}, Init: make([]byte, n<<16),
			})
			m.Memories[0].Min = 256
		}},
		{Name: "entries of tables", Cap: "table entries", grow: func(m *module.Module, n int) {
			m.Tables = append(m.Tables, module.Table{Type: module.Funcref, Limits: module.Limits{Min: uint32(n)}})
		}},
	}
}

// longName is one of a kind, and as long as a name may be.
func longName(i int) string {
	var digits [8]byte
	for j := range digits {
		digits[j] = byte('a' + i>>(4*j)&15)
	}
	return strings.Repeat("n", 1<<10-len(digits)) + string(digits[:])
}

// jump adds a function with one br_table within so many blocks.
func jump(m *module.Module, blocks int, targets []uint32, n int) {
	f := function(0, code(times(blocks, open(module.OpBlock)),
		one(get(), module.Instr{Op: module.OpBrTable, Imm: uint64(n)}), times(blocks, op(module.OpEnd))))
	f.Targets = targets
	m.Funcs = append(m.Funcs, f)
}

// wide adds a function that has 200 operands before and behind a piece of code.
func wide(m *module.Module, piece []module.Instr) {
	types := slices.Repeat([]module.ValType{module.I32}, 200)
	m.Types = append(m.Types, module.FuncType{Params: types, Results: types})
	m.Funcs = append(m.Funcs, function(0, code(times(200, get(), load()), piece, times(199, op(module.OpI32Add)), keep())))
}

// numbers returns n globals that can change.
func numbers(n int) []module.Global {
	return slices.Repeat([]module.Global{{
		GlobalType: module.GlobalType{Type: module.I32, Mutable: true},
		Init:       module.Const{Instr: constant(module.OpI32Const, 0)},
	}}, n)
}

// globals adds up n globals.
func globals(n int) []module.Instr {
	out := one(get())
	for i := range n {
		out = append(out, at(module.OpGlobalGet, i), op(module.OpI32Add))
	}
	return append(out, keep()...)
}
