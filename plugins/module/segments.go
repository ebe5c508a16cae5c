package module

// What an element segment looks like is in three bits of its number (core
// specification, section 5.5.12).
const (
	elemPassive  = 1 << iota // or declarative
	elemExplicit             // of a passive one: declarative; of an active one: with its table
	elemExprs

	kindFuncref = 0 // of an element segment of functions
)

func (d *decoder) elementSection() {
	n := d.count("element segments", 3, d.caps.Elems)
	d.m.Elems = room[Elem](n)
	for ; n > 0 && d.err == nil; n-- {
		d.m.Elems = append(d.m.Elems, d.elem())
	}
}

func (d *decoder) elem() Elem {
	e := Elem{Type: Funcref}
	flags := d.u32()
	if flags > elemPassive|elemExplicit|elemExprs {
		d.fail("element segment of kind %d", flags)
		return e
	}
	explicit := flags&elemExplicit != 0
	switch {
	case flags&elemPassive == 0:
		if explicit {
			e.Table = d.u32()
		}
		if int(e.Table) >= int(d.counts[KindTable]) {
			d.fail("table %d of %d", e.Table, d.counts[KindTable])
			return e
		}
		e.Offset = d.constant(I32)
	case explicit:
		e.Mode = ModeDeclarative
	default:
		e.Mode = ModePassive
	}
	if flags&elemExprs != 0 {
		d.exprs(&e, flags != elemExprs)
	} else {
		d.funcs(&e, flags != 0)
	}
	return e
}

// entries reads the number of entries of an element segment.
func (d *decoder) entries() int {
	n := d.count("entries of element segments", 1, d.caps.ElemEntries)
	d.sums.elemEntries += uint64(n)
	d.within(d.sums.elemEntries, "entries of element segments", d.caps.ElemEntries)
	return n
}

// funcs reads entries that are functions, and before them, if it is there, their
// kind.
func (d *decoder) funcs(e *Elem, kind bool) {
	if kind {
		if k := d.byte(); k != kindFuncref {
			d.fail("entries of kind %d", k)
		}
	}
	n := d.entries()
	e.Funcs = room[uint32](n)
	for ; n > 0 && d.err == nil; n-- {
		e.Funcs = append(e.Funcs, d.index("function", int(d.counts[KindFunc])))
	}
}

// exprs reads entries that are expressions, and before them, if it is there, their
// type.
func (d *decoder) exprs(e *Elem, typed bool) {
	if typed {
		e.Type = d.refType()
	}
	n := d.entries()
	e.Exprs = make([]Const, 0, n)
	for ; n > 0 && d.err == nil; n-- {
		e.Exprs = append(e.Exprs, d.constant(e.Type))
	}
}

// Data segments (section 5.5.14).
const (
	dataActive = iota
	dataPassive
	dataExplicit // active, with its memory
)

func (d *decoder) dataSection() {
	n := d.count("data segments", 2, d.caps.Datas)
	d.m.Datas = room[Data](n)
	for ; n > 0 && d.err == nil; n-- {
		var s Data
		switch flags := d.u32(); flags {
		case dataActive:
			d.target(&s, 0)
		case dataPassive:
			s.Mode = ModePassive
		case dataExplicit:
			d.target(&s, d.u32())
		default:
			d.fail("data segment of kind %d", flags)
		}
		s.Init = d.bytes(d.u32())
		d.m.Datas = append(d.m.Datas, s)
	}
}

// target reads where in a memory an active segment goes.
func (d *decoder) target(s *Data, memory uint32) {
	if memory >= d.counts[KindMemory] {
		d.fail("memory %d of %d", memory, d.counts[KindMemory])
		return
	}
	s.Offset = d.constant(I32)
}

// constant reads a constant expression of a type (section 3.3.8).
func (d *decoder) constant(want ValType) Const {
	var c Const
	c.Op = d.op()
	var got ValType
	switch c.Op {
	case OpI32Const:
		got, c.Imm = I32, uint64(uint32(d.signed(32)))
	case OpI64Const:
		got, c.Imm = I64, uint64(d.signed(64))
	case OpF32Const:
		got, c.Imm = F32, uint64(d.fixed32())
	case OpF64Const:
		got, c.Imm = F64, d.fixed64()
	case OpV128Const:
		got = V128
		copy(c.Vector[:], d.bytes(uint32(len(c.Vector))))
	case OpRefNull:
		got = d.refType()
		c.Index = uint32(got)
	case OpRefFunc:
		got, c.Index = Funcref, d.index("function", int(d.counts[KindFunc]))
	case OpGlobalGet:
		got, c.Index = d.constantGlobal()
	default:
		d.fail("instruction %v is not constant", c.Op)
	}
	if got != want && d.err == nil {
		d.fail("constant expression of type %v, not %v", got, want)
	}
	if end := d.byte(); end != byte(OpEnd) {
		d.fail("constant expression of more than one instruction")
	}
	return c
}

// constantGlobal reads the index of a global that a constant expression may read.
func (d *decoder) constantGlobal() (ValType, uint32) {
	i := d.index("imported global", len(d.imported))
	if d.err != nil {
		return 0, 0
	}
	g := d.imported[i]
	if g.Mutable {
		d.fail("constant expression reads a global that may change")
	}
	return g.Type, i
}
