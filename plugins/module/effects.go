package module

// effects sets how many operands instructions add or take (core specification,
// section 3.3), of calls and jumps the part that is always the same.
func (t *table) effects() {
	for op, effect := range map[Op]int8{
		OpIf: -1, OpBrIf: -1, OpBrTable: -1, OpCallIndirect: -1,
		OpDrop: -1, OpSelect: -2, OpSelectT: -2,
		OpLocalGet: 1, OpLocalSet: -1, OpGlobalGet: 1, OpGlobalSet: -1, OpTableSet: -2,
		OpMemorySize: 1, OpI32Const: 1, OpI64Const: 1, OpF32Const: 1, OpF64Const: 1,
		OpRefNull: 1, OpRefFunc: 1,
		OpMemoryInit: -3, OpMemoryCopy: -3, OpMemoryFill: -3,
		OpTableInit: -3, OpTableCopy: -3, OpTableGrow: -1, OpTableSize: 1, OpTableFill: -3,
		OpV128Store: -2, OpV128Const: 1, 0x252: -2, // v128.bitselect
	} {
		t[op].effect = effect
	}
	t.take(OpI32Store, OpI64Store32, 2)
	t.take(OpI32Eq, OpI32GeU, 1)
	t.take(OpI64Eq, 0x66, 1) // up to f64.ge
	t.take(OpI32Add, 0x78, 1)
	t.take(OpI64Add, 0x8a, 1)
	t.take(0x92, 0x98, 1) // of f32
	t.take(0xa0, 0xa6, 1) // of f64
	t.vectorEffects()
}

// take sets the opcodes from first to last to take n operands more than they add.
func (t *table) take(first, last Op, n int8) {
	for op := first; op <= last; op++ {
		t[op].effect = -n
	}
}

// vectorEffects is about SIMD: most of what is no load has two operands, and the
// exceptions are listed.
func (t *table) vectorEffects() {
	t.take(OpI8x16Shuffle, 0x20e, 1)
	for _, op := range []Op{0x217, 0x21a, 0x21c, 0x21e, 0x220, 0x222} { // replace_lane
		t[op].effect = -1
	}
	t.take(0x223, 0x24c, 1) // comparisons
	t.take(0x24e, 0x251, 1) // and, andnot, or, xor
	t.take(0x254, 0x257, 1) // load_lane
	t.take(0x258, 0x25b, 2) // store_lane
	t.take(0x265, 0x2f7, 1)
	for _, op := range []Op{
		0x267, 0x268, 0x269, 0x26a, 0x274, 0x275, 0x27a, 0x27c, 0x27d, 0x27e, 0x27f, // rounding, extadd_pairwise
		0x280, 0x281, 0x283, 0x284, 0x287, 0x288, 0x289, 0x28a, 0x294, // of i16x8; f64x2.nearest
		0x2a0, 0x2a1, 0x2a3, 0x2a4, 0x2a7, 0x2a8, 0x2a9, 0x2aa, // of i32x4
		0x2c0, 0x2c1, 0x2c3, 0x2c4, 0x2c7, 0x2c8, 0x2c9, 0x2ca, // of i64x2
		0x2e0, 0x2e1, 0x2e3, 0x2ec, 0x2ed, 0x2ef, // of floats
	} {
		t[op].effect = 0
	}
}
