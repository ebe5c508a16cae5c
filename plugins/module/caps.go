package module

// Caps are the most that a module may have of each thing. They keep the work of
// reading and compiling it in bounds: a compiler's time may grow with the square
// of a function, and a few bytes can declare millions of locals.
type Caps struct {
	Module       int // bytes
	Types        int
	Params       int // parameters and results of a type
	AllParams    int // of all types
	Imports      int
	Functions    int // imported ones included, as for tables and globals
	Tables       int
	TableEntries int // that all tables begin with
	Globals      int
	Exports      int
	Elems        int // element segments
	ElemEntries  int // of all element segments
	Datas        int // data segments; the cap on the module bounds their contents
	Name         int // bytes of the name of an import or export; longer names of functions are cut

	Body         int // bytes of a function's code
	Locals       int // of a function, parameters included
	AllLocals    int // of all functions, without parameters
	Depth        int // of blocks within each other
	Blocks       int // basic blocks of a function
	BlockLocals  int // a function's basic blocks times the sum of its locals and its depth of loops
	Steps        int // of a compiler from one basic block of a function to another, estimated
	Passed       int // values that calls, branches and blocks of a function hand over
	Targets      int // of the br_table instructions of a function
	Instructions int // of all functions; each takes 16 bytes of memory, and 4 where there is a line table
}

// DefaultCaps returns caps that are over what was found in real modules (Go up to
// cmd/vet with 14 MB, QuickJS, SQLite, Haskell, Rust, Zig), and keep the compilation of
// any one function under two seconds of a core. The closest to them is a
// function of resvg, with 14 million steps and 1.1 million basic blocks times locals
// once it is metered. That a module has many functions is for the deadline
// of the compilation. 100 000 data segments is also where Go's linker stops.
func DefaultCaps() Caps {
	return Caps{
		Module:       16 << 20,
		Types:        10_000,
		Params:       1000,
		AllParams:    64 << 10,
		Imports:      1000,
		Functions:    50_000,
		Tables:       100,
		TableEntries: 64 << 10,
		Globals:      10_000,
		Exports:      10_000,
		Elems:        10_000,
		ElemEntries:  64 << 10,
		Datas:        100_000,
		Name:         1 << 10,

		Body:         256 << 10,
		Locals:       4096,
		AllLocals:    1 << 20,
		Depth:        4096,
		Blocks:       32 << 10,
		BlockLocals:  2 << 20,
		Steps:        32 << 20,
		Passed:       512 << 10,
		Targets:      16 << 10,
		Instructions: 8 << 20,
	}
}
