package module

// ValType is the type of a value, as the binary format spells it.
type ValType byte

// The types of values.
const (
	I32       ValType = 0x7f
	I64       ValType = 0x7e
	F32       ValType = 0x7d
	F64       ValType = 0x7c
	V128      ValType = 0x7b
	Funcref   ValType = 0x70
	Externref ValType = 0x6f
)

// String returns the type as the text format spells it.
func (t ValType) String() string {
	switch t {
	case I32:
		return "i32"
	case I64:
		return "i64"
	case F32:
		return "f32"
	case F64:
		return "f64"
	case V128:
		return "v128"
	case Funcref:
		return "funcref"
	case Externref:
		return "externref"
	}
	return "type?"
}

// valid tells whether t is a type of WebAssembly 2.0.
func (t ValType) valid() bool { return t >= V128 && t <= I32 || t.isRef() }

func (t ValType) isRef() bool { return t == Funcref || t == Externref }

// Kind says what an import or export is.
type Kind byte

// The kinds of imports and exports.
const (
	KindFunc Kind = iota
	KindTable
	KindMemory
	KindGlobal
	numKinds
)

// String returns the kind in lower case.
func (k Kind) String() string {
	switch k {
	case KindFunc:
		return "function"
	case KindTable:
		return "table"
	case KindMemory:
		return "memory"
	case KindGlobal:
		return "global"
	}
	return "kind?"
}

// Module is a decoded module. An index of a function, table, memory or global
// counts the imports of that kind first, and then what the module defines.
type Module struct {
	Types    []FuncType
	Imports  []Import
	Funcs    []Func // those that the module defines
	Tables   []Table
	Memories []Limits // in pages of 64 KiB; at most one, imports counted
	Globals  []Global
	Exports  []Export
	Start    *uint32 // index of a function, nil for none
	Elems    []Elem
	Datas    []Data

	// HasDataCount tells that there is a data count section. Its number is that
	// of the Datas.
	HasDataCount bool

	// Names are those of the name section, in ascending order of their functions.
	// They are for traces: nothing says that they are unique.
	Names []Name

	// Debug is for traces: where lines can be looked up, Encode writes what makes an
	// engine show offsets.
	Debug Debug

	// Custom counts the other custom sections, which were dropped.
	Custom Dropped
}

// Dropped counts custom sections that are not kept.
type Dropped struct {
	Sections int
	Bytes    int // names and sizes not counted
}

// FuncType is the type of a function.
type FuncType struct {
	Params, Results []ValType
}

// Limits is the size of a table or memory, in entries or pages.
type Limits struct {
	Min    uint32
	Max    uint32 // if HasMax
	HasMax bool
}

// Table is the type of a table.
type Table struct {
	Type ValType // Funcref or Externref
	Limits
}

// GlobalType is the type of a global.
type GlobalType struct {
	Type    ValType
	Mutable bool
}

// Import is what a module wants from outside. The field that belongs to the
// kind is set.
type Import struct {
	Module, Name string

	Kind   Kind
	Type   uint32 // of a function
	Table  Table
	Memory Limits
	Global GlobalType
}

// Global is a global that the module defines.
type Global struct {
	GlobalType
	Init Const
}

// Export makes something of the module visible to its host.
type Export struct {
	Name  string
	Kind  Kind
	Index uint32
}

// Const is a constant expression: a single instruction, whose end is not stored.
// It is one of the const instructions, ref.null, ref.func, or global.get of an
// imported global that cannot change.
type Const struct {
	Instr
	Vector [16]byte // of v128.const
}

// Mode says what becomes of a segment.
type Mode byte

// The modes of segments.
const (
	ModeActive      Mode = iota // copied when the module is instantiated
	ModePassive                 // kept for table.init and memory.init
	ModeDeclarative             // only for elements: names functions that ref.func may take
)

// Elem is an element segment. It has either Funcs or, where Exprs is not nil, even
// if empty, Exprs.
type Elem struct {
	Mode   Mode
	Table  uint32  // if active
	Offset Const   // if active, of type i32
	Type   ValType // Funcref where there are Funcs
	Funcs  []uint32
	Exprs  []Const
}

// Data is a data segment.
type Data struct {
	Mode   Mode
	Offset Const  // if active, of type i32
	Init   []byte // a view into what was decoded
}

// Name is the name of a function.
type Name struct {
	Func uint32
	Name string
}

// Func is a function that the module defines.
type Func struct {
	Type   uint32   // index of its type
	Locals []Locals // beside the parameters; neighbours have different types
	Body   []Instr  // the last is the end of the function

	// What does not fit an Instr, see there.
	Targets []uint32
	Vectors [][16]byte
}

// Locals is a run of locals of one type.
type Locals struct {
	Count uint32
	Type  ValType
}

// Instr is an instruction. It holds no pointers, so that bodies cost the garbage
// collector nothing.
//
//	instruction              Index           Imm             Align       Lane
//	block loop if            a [BlockType]
//	br br_if                 label
//	br_table                 of the first    number of labels, the default
//	                         in Targets      included, which is the last
//	call ref.func            function
//	call_indirect            type            table
//	local.* global.*         local, global
//	table.get set size       table
//	      grow fill
//	table.copy               destination     source
//	table.init               segment         table
//	elem.drop                segment
//	memory.init data.drop    segment
//	loads and stores                         offset          exponent    of the SIMD
//	                                                                     lane ones
//	select of a type,        a [ValType]
//	ref.null
//	i32.const i64.const                      bits, those of
//	f32.const f64.const                      32 bits zero-extended
//	v128.const,              in Vectors
//	i8x16.shuffle
//	extract and replace lane                                             lane
type Instr struct {
	Op    Op
	Align uint8
	Lane  uint8
	Index uint32
	Imm   uint64
}

// BlockType is the type of a block: a [ValType] less 128, or [BlockEmpty], or, if
// it is not negative, the index of a type.
type BlockType int32

// BlockEmpty is the type of a block without parameters and results.
const BlockEmpty BlockType = -64

// BlockType returns the type of a block, loop or if.
func (i *Instr) BlockType() BlockType { return BlockType(int32(i.Index)) }

// Block returns an instruction that begins a block, loop or if.
func Block(op Op, t BlockType) Instr { return Instr{Op: op, Index: uint32(int32(t))} }

// Labels returns the targets of a br_table of the function, the default last. They
// are the function's own: a change of them changes the instruction.
func (f *Func) Labels(i *Instr) []uint32 {
	return f.Targets[i.Index : uint64(i.Index)+i.Imm]
}

// Imported counts the imports of a kind: the index of what the module defines
// first.
func (m *Module) Imported(kind Kind) int {
	n := 0
	for i := range m.Imports {
		if m.Imports[i].Kind == kind {
			n++
		}
	}
	return n
}

// TypeOf returns the type of a function by its index, which must exist.
func (m *Module) TypeOf(index uint32) *FuncType {
	rest := int(index)
	for i := range m.Imports {
		if m.Imports[i].Kind != KindFunc {
			continue
		}
		if rest == 0 {
			return &m.Types[m.Imports[i].Type]
		}
		rest--
	}
	return &m.Types[m.Funcs[rest].Type]
}
