package module

// shape says which immediates an instruction has.
type shape uint8

const (
	shapeUnknown    shape = iota // no instruction of WebAssembly 2.0
	shapePlain                   // none
	shapeBlock                   // block type
	shapeElse                    // none, but the nesting looks at it
	shapeEnd                     // the same
	shapeLabel                   // label
	shapeBrTable                 // labels
	shapeFunc                    // function
	shapeIndirect                // type, table
	shapeSelectT                 // one type
	shapeLocal                   // local
	shapeGlobal                  // global
	shapeTable                   // table
	shapeMem                     // alignment, offset
	shapeMemory                  // 0
	shapeI32                     // number
	shapeI64                     // number
	shapeF32                     // 4 bytes
	shapeF64                     // 8 bytes
	shapeRefType                 // type of a reference
	shapeMemoryInit              // data segment, 0
	shapeDataDrop                // data segment
	shapeMemoryCopy              // 0, 0
	shapeTableInit               // element segment, table
	shapeElemDrop                // element segment
	shapeTableCopy               // table, table
	shapeV128                    // 16 bytes
	shapeShuffle                 // 16 lanes
	shapeLane                    // lane
	shapeMemLane                 // alignment, offset, lane
)

// opInfo is what is known of an opcode.
type opInfo struct {
	shape shape
	limit uint8 // the natural alignment, as an exponent; without one the number of lanes
	lanes uint8 // of shapeMemLane

	// effect is how many operands more there are behind the instruction, of those
	// that always have the same.
	effect int8
}

// opTable is never changed. It is a table because every instruction is looked up in
// it (core specification, section 5.4).
var opTable = newOpTable()

type table [endOfOps]opInfo

func newOpTable() *table {
	t := &table{}
	t.control()
	t.basic()
	t.misc()
	t.simd()
	t.effects()
	return t
}

// fill sets the opcodes from first to last.
func (t *table) fill(first, last Op, s shape) {
	for op := first; op <= last; op++ {
		t[op].shape = s
	}
}

// bounded sets opcodes from first on, one for each limit.
func (t *table) bounded(first Op, s shape, limits ...uint8) {
	for i, limit := range limits {
		t[first+Op(i)] = opInfo{shape: s, limit: limit}
	}
}

func (t *table) control() {
	t.fill(OpUnreachable, OpNop, shapePlain)
	t.fill(OpBlock, OpIf, shapeBlock)
	t[OpElse].shape = shapeElse
	t[OpEnd].shape = shapeEnd
	t.fill(OpBr, OpBrIf, shapeLabel)
	t[OpBrTable].shape = shapeBrTable
	t[OpReturn].shape = shapePlain
	t[OpCall].shape = shapeFunc
	t[OpCallIndirect].shape = shapeIndirect
	t.fill(OpDrop, OpSelect, shapePlain)
	t[OpSelectT].shape = shapeSelectT
}

func (t *table) basic() {
	t.fill(OpLocalGet, OpLocalTee, shapeLocal)
	t.fill(OpGlobalGet, OpGlobalSet, shapeGlobal)
	t.fill(OpTableGet, OpTableSet, shapeTable)
	t.bounded(OpI32Load, shapeMem, 2, 3, 2, 3, // i32, i64, f32, f64
		0, 0, 1, 1, 0, 0, 1, 1, 2, 2) // parts of i32, of i64
	t.bounded(OpI32Store, shapeMem, 2, 3, 2, 3, 0, 1, 0, 1, 2)
	t.fill(OpMemorySize, OpMemoryGrow, shapeMemory)
	t[OpI32Const].shape = shapeI32
	t[OpI64Const].shape = shapeI64
	t[OpF32Const].shape = shapeF32
	t[OpF64Const].shape = shapeF64
	t.fill(OpI32Eqz, OpI64Extend32S, shapePlain)
	t[OpRefNull].shape = shapeRefType
	t[OpRefIsNull].shape = shapePlain
	t[OpRefFunc].shape = shapeFunc
}

func (t *table) misc() {
	t.fill(baseMisc, OpI64TruncSatF64U, shapePlain)
	t[OpMemoryInit].shape = shapeMemoryInit
	t[OpDataDrop].shape = shapeDataDrop
	t[OpMemoryCopy].shape = shapeMemoryCopy
	t[OpMemoryFill].shape = shapeMemory
	t[OpTableInit].shape = shapeTableInit
	t[OpElemDrop].shape = shapeElemDrop
	t[OpTableCopy].shape = shapeTableCopy
	t.fill(OpTableGrow, OpTableFill, shapeTable)
}

func (t *table) simd() {
	t.bounded(OpV128Load, shapeMem, 4,
		3, 3, 3, 3, 3, 3, // that extend
		0, 1, 2, 3) // that splat
	t.bounded(OpV128Store, shapeMem, 4)
	t[OpV128Const].shape = shapeV128
	t[OpI8x16Shuffle].shape = shapeShuffle
	t.fill(0x20e, 0x2ff, shapePlain)
	t.bounded(0x215, shapeLane, 16, 16, 16, 8, 8, 8, 4, 4, 2, 2, 4, 4, 2, 2)
	for i, limit := range []uint8{0, 1, 2, 3} {
		lane := opInfo{shape: shapeMemLane, limit: limit, lanes: 16 >> limit}
		t[0x254+i], t[0x258+i] = lane, lane // load, store
	}
	t.bounded(0x25c, shapeMem, 2, 3) // that zero
	for _, hole := range []Op{
		0x9a, 0xa2, 0xa5, 0xa6, 0xaf, 0xb0, 0xb2, 0xb3, 0xb4, 0xbb,
		0xc2, 0xc5, 0xc6, 0xcf, 0xd0, 0xd2, 0xd3, 0xd4, 0xe2, 0xee,
	} {
		t[baseSIMD+hole].shape = shapeUnknown
	}
}
