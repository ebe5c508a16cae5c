package module

// op reads an opcode.
func (d *decoder) op() Op {
	var base Op
	switch first := d.byte(); first {
	case prefixMisc:
		base = baseMisc
	case prefixSIMD:
		base = baseSIMD
	default:
		return Op(first)
	}
	n := d.u32()
	switch {
	case n <= 0xff:
		return base + Op(n)
	case base == baseSIMD:
		d.fail("relaxed SIMD is not supported")
	default:
		d.fail("instruction %#x %d is none of WebAssembly 2.0", prefixMisc, n)
	}
	return OpNop
}

// unknown says what an opcode is that is none of WebAssembly 2.0.
func unknown(op Op) string {
	switch op {
	case 0xfe:
		return "threads are not supported"
	case 0x14, 0x15, 0xd3, 0xd4, 0xd5, 0xd6, 0xfb:
		return "typed references and garbage collection are not supported"
	case 0x12, 0x13:
		return "tail calls are not supported"
	case 0x06, 0x07, 0x08, 0x09, 0x0a, 0x18, 0x19, 0x1f:
		return "exceptions are not supported"
	}
	return "instruction " + op.String() + " is none of WebAssembly 2.0"
}

// immediates reads what follows an opcode.
func (d *decoder) immediates(in *Instr) {
	s := opTable[in.Op].shape
	switch {
	case s == shapePlain:
	case s <= shapeIndirect:
		d.control(in, s)
	case s <= shapeTable:
		d.variable(in, s)
	case s <= shapeMemory:
		d.memoryOp(in, s)
	case s <= shapeRefType:
		d.literal(in, s)
	case s <= shapeTableCopy:
		d.bulk(in, s)
	default:
		d.vector(in, s)
	}
}

func (d *decoder) control(in *Instr, s shape) {
	switch s {
	case shapeUnknown:
		d.fail("%s", unknown(in.Op))
	case shapeBlock:
		d.begin(in)
	case shapeElse:
		d.otherwise()
	case shapeEnd:
		d.end()
	case shapeLabel:
		in.Index = d.label()
		if in.Op == OpBrIf {
			d.body.blocks++
		}
	case shapeBrTable:
		d.brTable(in)
	case shapeFunc:
		in.Index = d.index("function", int(d.counts[KindFunc]))
		if in.Op == OpCall && d.err == nil {
			d.pass(d.types[in.Index])
		}
	case shapeIndirect:
		in.Index = d.index("type", len(d.m.Types))
		in.Imm = uint64(d.index("table", int(d.counts[KindTable])))
		if d.err == nil {
			d.pass(in.Index)
		}
	}
}

// pass counts the parameters and results of a type as handed over.
func (d *decoder) pass(index uint32) {
	t := &d.m.Types[index]
	d.body.passed += uint64(len(t.Params) + len(t.Results))
}

// begin opens a block.
func (d *decoder) begin(in *Instr) {
	b := &d.body
	t := d.blockType()
	if d.err != nil {
		return
	}
	in.Index = uint32(t)
	b.open = append(b.open, open{in.Op, d.arity(in.Op, t)})
	d.within(uint64(len(b.open)-1), "blocks within each other", d.caps.Depth)
	switch in.Op {
	case OpBlock: // what follows it
		b.blocks++
	case OpLoop: // its head, and what follows it
		b.blocks += 2
		b.loops++
		b.depth = max(b.depth, b.loops)
	default: // both branches, and what follows them
		b.blocks += 3
	}
}

// end closes the innermost block.
func (d *decoder) end() {
	b := &d.body
	last := len(b.open) - 1
	if b.open[last].op == OpLoop {
		b.loops--
	}
	b.open = b.open[:last]
}

// arity returns how many values a branch to a block hands over.
func (d *decoder) arity(op Op, t BlockType) int {
	switch {
	case t < 0 && (t == BlockEmpty || op == OpLoop):
		return 0
	case t < 0:
		d.body.passed++
		return 1
	}
	d.pass(uint32(t))
	if op == OpLoop {
		return len(d.m.Types[t].Params)
	}
	return len(d.m.Types[t].Results)
}

// blockType reads the type of a block (core specification, section 5.4.1).
func (d *decoder) blockType() BlockType {
	if d.more() {
		b := d.buf[d.pos]
		if t := BlockType(b) - 128; t == BlockEmpty || ValType(b).valid() {
			d.pos++
			return t
		}
	}
	i := d.signed(33)
	if i < 0 || i >= int64(len(d.m.Types)) {
		d.fail("block of type %d of %d", i, len(d.m.Types))
	}
	return BlockType(i)
}

// otherwise checks an else: it belongs to an if that has none so far.
func (d *decoder) otherwise() {
	last := &d.body.open[len(d.body.open)-1]
	if last.op != OpIf {
		d.fail("else without if")
	}
	last.op = OpElse
}

// label reads the target of a branch, counted from the innermost block.
func (d *decoder) label() uint32 {
	b := &d.body
	l := d.index("label", len(b.open))
	b.passed += uint64(b.open[len(b.open)-1-int(l)].arity)
	return l
}

func (d *decoder) brTable(in *Instr) {
	b := &d.body
	n := d.u32()
	if !d.within(uint64(len(b.targets))+uint64(n)+1, "targets of br_table", d.caps.Targets) {
		return
	}
	in.Index, in.Imm = uint32(len(b.targets)), uint64(n)+1
	b.blocks += int(n) + 1
	for range in.Imm {
		b.targets = append(b.targets, d.label())
		if d.err != nil {
			return
		}
	}
}

// variable reads the immediates of what reads and writes variables and tables, and
// of select.
func (d *decoder) variable(in *Instr, s shape) {
	switch s {
	case shapeSelectT:
		if n := d.u32(); n != 1 {
			d.fail("select of %d types, not 1", n)
		}
		in.Index = uint32(d.valType())
	case shapeLocal:
		in.Index = d.index("local", d.body.locals)
	case shapeGlobal:
		in.Index = d.index("global", int(d.counts[KindGlobal]))
	case shapeTable:
		in.Index = d.index("table", int(d.counts[KindTable]))
		if in.Op == OpTableFill {
			d.body.blocks += fillBlocks
		}
	}
}

// fillBlocks is how many basic blocks the compiler makes of a fill: a loop that
// doubles what is filled. Other bulk operations are calls.
const fillBlocks = 5

// memoryOp reads the immediates of what needs nothing but the memory.
func (d *decoder) memoryOp(in *Instr, s shape) {
	d.wantMemory(in)
	if s == shapeMemory {
		d.memoryZero()
		if in.Op == OpMemoryFill {
			d.body.blocks += fillBlocks
		}
	} else {
		d.memArg(in)
	}
}

func (d *decoder) wantMemory(in *Instr) {
	if d.counts[KindMemory] == 0 {
		d.fail("instruction %v without a memory", in.Op)
	}
}

func (d *decoder) memArg(in *Instr) {
	align := d.u32()
	if most := opTable[in.Op].limit; align > uint32(most) {
		d.fail("alignment of 2^%d, at most 2^%d", align, most)
	}
	in.Align, in.Imm = uint8(align), uint64(d.u32())
}

func (d *decoder) literal(in *Instr, s shape) {
	switch s {
	case shapeI32:
		in.Imm = uint64(uint32(d.signed(32)))
	case shapeI64:
		in.Imm = uint64(d.signed(64))
	case shapeF32:
		in.Imm = uint64(d.fixed32())
	case shapeF64:
		in.Imm = d.fixed64()
	case shapeRefType:
		in.Index = uint32(d.refType())
	}
}

// bulk reads the immediates of what handles stretches of memories and tables.
func (d *decoder) bulk(in *Instr, s shape) {
	switch s {
	case shapeMemoryInit:
		in.Index = d.dataIndex()
		d.wantMemory(in)
		d.memoryZero()
	case shapeDataDrop:
		in.Index = d.dataIndex()
	case shapeMemoryCopy:
		d.wantMemory(in)
		d.memoryZero()
		d.memoryZero()
	case shapeTableInit:
		in.Index = d.index("element segment", len(d.m.Elems))
		in.Imm = uint64(d.index("table", int(d.counts[KindTable])))
	case shapeElemDrop:
		in.Index = d.index("element segment", len(d.m.Elems))
	case shapeTableCopy:
		in.Index = d.index("table", int(d.counts[KindTable]))
		in.Imm = uint64(d.index("table", int(d.counts[KindTable])))
	}
}

func (d *decoder) dataIndex() uint32 {
	if !d.m.HasDataCount {
		d.fail("data segment used without a data count section")
		return 0
	}
	return d.index("data segment", int(d.dataCount))
}

// vector reads the immediates of SIMD instructions.
func (d *decoder) vector(in *Instr, s shape) {
	info := &opTable[in.Op]
	switch s {
	case shapeV128, shapeShuffle:
		var v [16]byte
		copy(v[:], d.bytes(uint32(len(v))))
		for _, lane := range v {
			if s == shapeShuffle && lane >= 2*uint8(len(v)) {
				d.fail("lane %d of %d", lane, 2*len(v))
			}
		}
		in.Index = uint32(len(d.body.vectors))
		d.body.vectors = append(d.body.vectors, v)
	case shapeLane:
		d.lane(in, info.limit)
	case shapeMemLane:
		d.wantMemory(in)
		d.memArg(in)
		d.lane(in, info.lanes)
	}
}

func (d *decoder) lane(in *Instr, n uint8) {
	in.Lane = d.byte()
	if in.Lane >= n {
		d.fail("lane %d of %d", in.Lane, n)
	}
}
