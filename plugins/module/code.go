package module

// body is what is known of the function that is being read. Its slices are used
// again for the next one.
type body struct {
	instrs  []Instr
	targets []uint32
	vectors [][16]byte
	open    []Op // what began the blocks that are open, the function first

	locals int // parameters included
	depth  int // the most blocks that were open at once
	blocks int // basic blocks
}

func (d *decoder) codeSection() {
	n := d.count("functions", 3, d.caps.Functions)
	if n != len(d.types) {
		d.fail("code of %d functions, but %d are declared", n, len(d.types))
		return
	}
	imported := int(d.counts[KindFunc]) - n
	d.m.Funcs = make([]Func, n)
	for i := range d.m.Funcs {
		d.fn = imported + i
		d.m.Funcs[i].Type = d.types[i]
		d.function(&d.m.Funcs[i])
		if d.err != nil {
			return
		}
	}
	d.fn = -1
}

func (d *decoder) function(f *Func) {
	size := d.u32()
	if !d.within(uint64(size), "bytes of code", d.caps.Body) {
		return
	}
	outer := d.inner(size)
	d.locals(f)
	d.instructions()
	d.outer(outer)
	if d.err != nil {
		return
	}
	b := &d.body
	d.sums.instructions += uint64(len(b.instrs))
	d.within(d.sums.instructions, "instructions", d.caps.Instructions)
	d.within(uint64(b.blocks), "basic blocks", d.caps.Blocks)
	d.within(uint64(b.blocks)*uint64(b.locals+b.depth), "basic blocks times locals and depth", d.caps.BlockLocals)
	f.Body = copied(b.instrs)
	f.Targets, f.Vectors = copied(b.targets), copied(b.vectors)
}

// copied returns a copy that has room for nothing else.
func copied[T any](s []T) []T {
	if len(s) == 0 {
		return nil
	}
	c := make([]T, len(s))
	copy(c, s)
	return c
}

// locals reads the runs of locals and joins those that are neighbours.
func (d *decoder) locals(f *Func) {
	runs := d.count("runs of locals", 2, d.caps.Body)
	total := uint64(len(d.m.Types[f.Type].Params))
	params := total
	for ; runs > 0 && d.err == nil; runs-- {
		run := Locals{Count: d.u32(), Type: d.valType()}
		total += uint64(run.Count)
		if !d.within(total, "locals", d.caps.Locals) {
			return
		}
		switch last := len(f.Locals) - 1; {
		case run.Count == 0:
		case last >= 0 && f.Locals[last].Type == run.Type:
			f.Locals[last].Count += run.Count
		default:
			f.Locals = append(f.Locals, run)
		}
	}
	d.body.locals = int(total)
	d.sums.locals += total - params
	d.within(d.sums.locals, "locals of all functions", d.caps.AllLocals)
}

// instructions reads a body up to the end of the function.
func (d *decoder) instructions() {
	b := &d.body
	b.instrs, b.targets, b.vectors = b.instrs[:0], b.targets[:0], b.vectors[:0]
	b.open = append(b.open[:0], OpBlock)
	b.depth, b.blocks = 0, 1
	for len(b.open) > 0 && d.err == nil {
		in := Instr{Op: d.op()}
		d.immediates(&in)
		b.instrs = append(b.instrs, in)
	}
}

// op reads an opcode.
func (d *decoder) op() Op {
	first := d.byte()
	if first != prefixMisc && first != prefixSIMD {
		return Op(first)
	}
	n := d.u32()
	if n > 0xff {
		d.fail("%s", unsupported(first, n))
		return OpNop
	}
	if first == prefixMisc {
		return baseMisc + Op(n)
	}
	return baseSIMD + Op(n)
}

// unsupported says what an opcode is that is none of WebAssembly 2.0.
func unsupported(first byte, n uint32) string {
	var what string
	switch first {
	case prefixSIMD:
		what = "relaxed SIMD"
	case 0xfe:
		what = "threads"
	case 0xfb, 0xd3, 0xd4, 0xd5, 0xd6, 0x14, 0x15:
		what = "typed references and garbage collection"
	case 0x12, 0x13:
		what = "tail calls"
	case 0x06, 0x07, 0x08, 0x09, 0x0a, 0x18, 0x19, 0x1f:
		what = "exceptions"
	}
	op := Op(first)
	switch first {
	case prefixMisc:
		op = baseMisc + Op(min(n, 0xff))
	case prefixSIMD:
		op = baseSIMD + Op(min(n, 0xff))
	}
	if what == "" || n > 0 && n <= 0xff {
		return "instruction " + op.String() + " is none of WebAssembly 2.0"
	}
	return "instruction of " + what + ", which are not supported"
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
		if in.Op >= baseMisc {
			d.fail("instruction %v is none of WebAssembly 2.0", in.Op)
		} else {
			d.fail("%s", unsupported(byte(in.Op), 0))
		}
	case shapeBlock:
		d.begin(in)
	case shapeElse:
		d.otherwise()
	case shapeEnd:
		d.body.open = d.body.open[:len(d.body.open)-1]
	case shapeLabel:
		in.Index = d.label()
		if in.Op == OpBrIf {
			d.body.blocks++
		}
	case shapeBrTable:
		d.brTable(in)
	case shapeFunc:
		in.Index = d.index("function", int(d.counts[KindFunc]))
	case shapeIndirect:
		in.Index = d.index("type", len(d.m.Types))
		in.Imm = uint64(d.index("table", int(d.counts[KindTable])))
	}
}

// begin opens a block.
func (d *decoder) begin(in *Instr) {
	b := &d.body
	in.Index = uint32(d.blockType())
	b.open = append(b.open, in.Op)
	b.depth = max(b.depth, len(b.open)-1)
	d.within(uint64(b.depth), "blocks within each other", d.caps.Depth)
	switch in.Op {
	case OpBlock: // what follows it
		b.blocks++
	case OpLoop: // its head, and what follows it
		b.blocks += 2
	default: // both branches, and what follows them
		b.blocks += 3
	}
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
	last := len(d.body.open) - 1
	if d.body.open[last] != OpIf {
		d.fail("else without if")
	}
	d.body.open[last] = OpElse
}

func (d *decoder) label() uint32 { return d.index("label", len(d.body.open)) }

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
	}
}

// memoryOp reads the immediates of what needs nothing but the memory.
func (d *decoder) memoryOp(in *Instr, s shape) {
	d.wantMemory(in)
	if s == shapeMemory {
		d.memoryZero()
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
