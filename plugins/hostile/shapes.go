package hostile

import (
	"slices"

	"github.com/aviary-host/aviary/plugins/module"
)

// Bombs returns the shapes of code that are known. What their sizes count is in the
// name. That many of them loop for ever, or trap, is of no importance: they are for
// the compiler.
func Bombs() []Bomb {
	return slices.Concat(blockBombs(), lookupBombs(), carryBombs(), straightBombs(), moduleBombs())
}

// get reads the parameter of the function.
func get() module.Instr { return at(module.OpLocalGet, 0) }

func load() module.Instr { return module.Instr{Op: module.OpI32Load, Imm: 4} }

// keep uses the operand, so that no compiler can leave out what made it.
func keep() []module.Instr {
	return one(at(module.OpLocalSet, 0), get(), get(), module.Instr{Op: module.OpI32Store})
}

// sum adds the locals from 1 to n to the parameter.
func sum(n int) []module.Instr {
	out := one(get())
	for i := range n {
		out = append(out, at(module.OpLocalGet, 1+i), op(module.OpI32Add))
	}
	return append(out, keep()...)
}

// skip is an if that takes a step, in code, and leaves the rest to the other way.
func skip() []module.Instr {
	return one(get(), open(module.OpIf), op(module.OpUnreachable), op(module.OpEnd))
}

// again is a loop that may run again.
func again(in ...module.Instr) []module.Instr {
	return code(one(open(module.OpLoop)), in, one(get(), at(module.OpBrIf, 0), op(module.OpEnd)))
}

// blockBombs are many basic blocks: each is compared with those that dominate it.
func blockBombs() []Bomb {
	end, loop, block, cond := op(module.OpEnd), open(module.OpLoop), open(module.OpBlock), open(module.OpIf)
	back := one(get(), at(module.OpBrIf, 0), end)
	return []Bomb{
		{Name: "loops", Cap: "steps", code: func(n int) []module.Instr { return times(n, loop, end) }},
		{Name: "loops that repeat", Cap: "steps", code: func(n int) []module.Instr { return times(n, again()...) }},
		{Name: "nested loops", Cap: "basic blocks times locals", code: func(n int) []module.Instr {
			return code(times(n, loop), times(n, end))
		}},
		{Name: "nested loops that repeat", Cap: "basic blocks times locals", code: func(n int) []module.Instr {
			return code(times(n, loop), times(n, back...))
		}},
		{Name: "nested loops among 100 locals", Cap: "steps", locals: 100, code: func(n int) []module.Instr {
			return code(times(n, loop), times(n, back...))
		}},
		{Name: "ifs", Cap: "steps", code: func(n int) []module.Instr { return times(n, get(), cond, end) }},
		{Name: "nested ifs", Cap: "steps", code: func(n int) []module.Instr { return code(times(n, get(), cond), times(n, end)) }},
		{Name: "nested blocks", Cap: "steps", code: func(n int) []module.Instr { return code(times(n, block), times(n, back...)) }},
		{Name: "branches", Cap: "steps", code: func(n int) []module.Instr {
			return code(one(block), times(n, get(), at(module.OpBrIf, 0)), one(end))
		}},
		{Name: "fills", Cap: "steps", code: func(n int) []module.Instr {
			return times(n, get(), get(), get(), op(module.OpMemoryFill))
		}},
		{Name: "copies", Cap: "steps", code: func(n int) []module.Instr {
			return times(n, get(), get(), get(), op(module.OpMemoryCopy))
		}},
		{Name: "growths", Cap: "steps", code: func(n int) []module.Instr {
			return times(n, get(), op(module.OpMemoryGrow), op(module.OpDrop))
		}},
	}
}

// lookupBombs look for locals and memory far back, and where many ways meet.
func lookupBombs() []Bomb {
	const few = 24
	return []Bomb{
		{Name: "locals looked up far back", Cap: "steps", locals: 1, code: func(n int) []module.Instr {
			return code(times(n/4, skip()...), one(get()), times(n, at(module.OpLocalGet, 1), op(module.OpI32Add)), keep())
		}},
		{Name: "memory looked up far back", Cap: "steps", code: func(n int) []module.Instr {
			return code(times(n/4, skip()...), one(get()), times(n, load()), keep())
		}},
		{Name: "locals looked up where ways meet", Cap: "steps", locals: few, code: func(n int) []module.Instr {
			return code(one(open(module.OpBlock)), times(n, get(), at(module.OpBrIf, 0)), one(op(module.OpEnd)), sum(few))
		}},
		{Name: "locals that differ where ways meet", Cap: "steps", locals: few, code: func(n int) []module.Instr {
			out := one(open(module.OpBlock))
			for i := range n {
				out = append(out, get(), load(), at(module.OpLocalTee, 1+i%few), at(module.OpBrIf, 0))
			}
			return code(out, one(op(module.OpEnd)), sum(few))
		}},
		{Name: "locals in a loop", Cap: "bytes of code", locals: 4000, code: func(n int) []module.Instr {
			var out []module.Instr
			for i := range n {
				out = append(out, at(module.OpLocalGet, 1+i%3999), get(), op(module.OpI32Add), at(module.OpLocalSet, 1+(i*7)%3999))
			}
			return again(out...)
		}},
		{Name: "globals looked up far back", Cap: "steps", grow: func(m *module.Module, n int) {
			m.Globals = numbers(300)
			m.Funcs = append(m.Funcs, function(0, code(globals(300), times(n, skip()...), globals(300))))
		}},
	}
}

// carryBombs carry values from block to block.
func carryBombs() []Bomb {
	push := func(n int, rest ...module.Instr) []module.Instr {
		return code(one(get()), times(n, get(), load()), rest, times(n, op(module.OpI32Add)), keep())
	}
	return []Bomb{
		{Name: "operands over ifs", Cap: "steps", code: func(n int) []module.Instr {
			return push(n, times(n, get(), open(module.OpIf), op(module.OpEnd))...)
		}},
		{Name: "operands over loops", Cap: "steps", code: func(n int) []module.Instr { return push(n, times(n, again()...)...) }},
		{Name: "operands over calls", Cap: "steps", code: func(n int) []module.Instr {
			return push(n, times(n, get(), at(module.OpCall, ownIndex))...)
		}},
		{Name: "operands", Cap: "bytes of code", code: func(n int) []module.Instr { return push(n) }},
		{Name: "locals over ifs that set them", Cap: "steps", locals: 30, code: func(n int) []module.Instr {
			var out []module.Instr
			for i := range n {
				out = append(out, get(), open(module.OpIf), at(module.OpLocalGet, 1+i%30), load(),
					at(module.OpLocalSet, 1+(i*7)%30), op(module.OpEnd))
			}
			return code(out, sum(30))
		}},
		{Name: "loops among 500 locals that they set", Cap: "steps", locals: 500, code: func(n int) []module.Instr {
			var out []module.Instr
			for i := range n {
				var set []module.Instr
				for j := range 30 {
					set = append(set, at(module.OpLocalGet, 1+(i*30+j)%500), load(), at(module.OpLocalSet, 1+(i*30+j+1)%500))
				}
				out = append(out, again(set...)...)
			}
			return code(out, sum(500))
		}},
		{Name: "bounds over ifs", Cap: "steps", code: func(n int) []module.Instr {
			return code(times(n, get(), load(), at(module.OpLocalSet, 0), get(), open(module.OpIf), op(module.OpEnd)), one(get()), keep())
		}},
		{Name: "bounds over calls", Cap: "steps", code: func(n int) []module.Instr {
			return code(times(n, get(), load(), at(module.OpLocalSet, 0)), times(n, get(), at(module.OpCall, ownIndex)), one(get()), keep())
		}},
		{Name: "globals over calls", Cap: "steps", grow: func(m *module.Module, n int) {
			m.Globals = numbers(1000)
			m.Funcs = append(m.Funcs, function(0, times(n, get(), at(module.OpCall, ownIndex))))
		}},
		{Name: "blocks of 200 parameters", Cap: "values passed", grow: func(m *module.Module, n int) {
			wide(m, times(n, module.Block(module.OpBlock, typeWide), op(module.OpEnd)))
		}},
		{Name: "loops of 200 parameters", Cap: "values passed", grow: func(m *module.Module, n int) {
			wide(m, times(n, module.Block(module.OpLoop, typeWide), get(), at(module.OpBrIf, 0), op(module.OpEnd)))
		}},
	}
}

// straightBombs are as much code as there may be, without a branch.
func straightBombs() []Bomb {
	const divide, convert, truncate = 0x6d, 0xb7, 0xaa // i32.div_s, f64.convert_i32_s, i32.trunc_f64_s
	set := at(module.OpLocalSet, 0)
	return []Bomb{
		{Name: "loads", Cap: "bytes of code", code: func(n int) []module.Instr { return times(n, get(), load(), set) }},
		{Name: "additions", Cap: "bytes of code", code: func(n int) []module.Instr {
			return code(one(get()), times(n, get(), op(module.OpI32Add)), keep())
		}},
		{Name: "divisions", Cap: "bytes of code", code: func(n int) []module.Instr { return times(n, get(), get(), op(divide), set) }},
		{Name: "truncations", Cap: "bytes of code", code: func(n int) []module.Instr {
			return times(n, get(), op(convert), op(truncate), set)
		}},
		{Name: "calls", Cap: "bytes of code", code: func(n int) []module.Instr { return times(n, get(), at(module.OpCall, ownIndex)) }},
		{Name: "locals", Cap: "locals", grow: func(m *module.Module, n int) {
			m.Funcs = append(m.Funcs, function(n, nil))
		}},
	}
}
