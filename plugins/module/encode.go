package module

import "encoding/binary"

// Encode writes the module in its one spelling. Index and count of everything must
// be as Decode leaves them; what is not is for the compiler to refuse.
func (m *Module) Encode() []byte {
	e := encoder{out: []byte(header)}
	e.vector(sectionType, len(m.Types), func(i int) { e.funcType(&m.Types[i]) })
	e.vector(sectionImport, len(m.Imports), func(i int) { e.imported(&m.Imports[i]) })
	e.vector(sectionFunction, len(m.Funcs), func(i int) { e.u32(m.Funcs[i].Type) })
	e.vector(sectionTable, len(m.Tables), func(i int) { e.table(&m.Tables[i]) })
	e.vector(sectionMemory, len(m.Memories), func(i int) { e.limits(m.Memories[i]) })
	e.vector(sectionGlobal, len(m.Globals), func(i int) { e.global(&m.Globals[i]) })
	e.vector(sectionExport, len(m.Exports), func(i int) { e.export(&m.Exports[i]) })
	if m.Start != nil {
		e.section(sectionStart, func() { e.u32(*m.Start) })
	}
	e.vector(sectionElement, len(m.Elems), func(i int) { e.elem(&m.Elems[i]) })
	if m.HasDataCount {
		e.section(sectionDataCount, func() { e.u32(uint32(len(m.Datas))) })
	}
	e.vector(sectionCode, len(m.Funcs), func(i int) { e.function(&m.Funcs[i]) })
	e.vector(sectionData, len(m.Datas), func(i int) { e.data(&m.Datas[i]) })
	if len(m.Names) > 0 {
		e.section(sectionCustom, func() { e.names(m.Names) })
	}
	if len(m.Debug.Offsets) > 0 {
		e.traced()
	}
	return e.out
}

// encoder appends to out, and can put the size of a part in front of it.
type encoder struct {
	out []byte
}

// section writes a section whose contents f writes.
func (e *encoder) section(id byte, f func()) {
	e.out = append(e.out, id)
	e.sized(f)
}

// vector writes a section of n entries, which is absent when there are none.
func (e *encoder) vector(id byte, n int, entry func(i int)) {
	if n == 0 {
		return
	}
	e.section(id, func() {
		e.u32(uint32(n))
		for i := range n {
			entry(i)
		}
	})
}

// sized writes what f writes behind its size.
func (e *encoder) sized(f func()) {
	start := len(e.out)
	f()
	size := len(e.out) - start
	var prefix [binary.MaxVarintLen32]byte
	n := binary.PutUvarint(prefix[:], uint64(size))
	e.out = append(e.out, prefix[:n]...)
	copy(e.out[start+n:], e.out[start:start+size])
	copy(e.out[start:], prefix[:n])
}

func (e *encoder) byte(b byte) { e.out = append(e.out, b) }

func (e *encoder) u32(v uint32) { e.out = binary.AppendUvarint(e.out, uint64(v)) }

// signed writes a signed LEB128 number (core specification, section 5.2.2).
func (e *encoder) signed(v int64) {
	for {
		b := byte(v & 0x7f)
		v >>= 7
		if v == 0 && b < 0x40 || v == -1 && b >= 0x40 {
			e.byte(b)
			return
		}
		e.byte(b | 0x80)
	}
}

func (e *encoder) text(s string) {
	e.u32(uint32(len(s)))
	e.out = append(e.out, s...)
}

func (e *encoder) flag(on bool) {
	if on {
		e.byte(1)
	} else {
		e.byte(0)
	}
}

func (e *encoder) funcType(t *FuncType) {
	e.byte(typeFunc)
	for _, list := range [][]ValType{t.Params, t.Results} {
		e.u32(uint32(len(list)))
		for _, v := range list {
			e.byte(byte(v))
		}
	}
}

func (e *encoder) imported(imp *Import) {
	e.text(imp.Module)
	e.text(imp.Name)
	e.byte(byte(imp.Kind))
	switch imp.Kind {
	case KindFunc:
		e.u32(imp.Type)
	case KindTable:
		e.table(&imp.Table)
	case KindMemory:
		e.limits(imp.Memory)
	case KindGlobal:
		e.globalType(imp.Global)
	}
}

func (e *encoder) table(t *Table) {
	e.byte(byte(t.Type))
	e.limits(t.Limits)
}

func (e *encoder) limits(l Limits) {
	e.flag(l.HasMax)
	e.u32(l.Min)
	if l.HasMax {
		e.u32(l.Max)
	}
}

func (e *encoder) globalType(g GlobalType) {
	e.byte(byte(g.Type))
	e.flag(g.Mutable)
}

func (e *encoder) global(g *Global) {
	e.globalType(g.GlobalType)
	e.constant(&g.Init)
}

func (e *encoder) export(x *Export) {
	e.text(x.Name)
	e.byte(byte(x.Kind))
	e.u32(x.Index)
}

// elem writes an element segment. An active one of table 0 is of the short kind,
// unless its type must be said.
func (e *encoder) elem(s *Elem) {
	var flags uint32
	switch {
	case s.Mode == ModeDeclarative:
		flags = elemPassive | elemExplicit
	case s.Mode == ModePassive:
		flags = elemPassive
	case s.Table != 0 || s.Type != Funcref:
		flags = elemExplicit
	}
	short := flags == 0
	if s.Exprs != nil {
		flags |= elemExprs
	}
	e.u32(flags)
	if s.Mode == ModeActive {
		if !short {
			e.u32(s.Table)
		}
		e.constant(&s.Offset)
	}
	if s.Exprs != nil {
		e.exprs(s, short)
	} else {
		e.funcs(s, short)
	}
}

func (e *encoder) funcs(s *Elem, short bool) {
	if !short {
		e.byte(kindFuncref)
	}
	e.u32(uint32(len(s.Funcs)))
	for _, f := range s.Funcs {
		e.u32(f)
	}
}

func (e *encoder) exprs(s *Elem, short bool) {
	if !short {
		e.byte(byte(s.Type))
	}
	e.u32(uint32(len(s.Exprs)))
	for i := range s.Exprs {
		e.constant(&s.Exprs[i])
	}
}

func (e *encoder) data(s *Data) {
	if s.Mode == ModePassive {
		e.byte(dataPassive)
	} else {
		e.byte(dataActive)
		e.constant(&s.Offset)
	}
	e.u32(uint32(len(s.Init)))
	e.out = append(e.out, s.Init...)
}

// names writes the name section.
func (e *encoder) names(names []Name) {
	e.text(sectionNames)
	e.byte(subsectionFuncs)
	e.sized(func() {
		e.u32(uint32(len(names)))
		for i := range names {
			e.u32(names[i].Func)
			e.text(names[i].Name)
		}
	})
}
