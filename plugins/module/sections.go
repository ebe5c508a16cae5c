package module

import "fmt"

const (
	typeFunc = 0x60    // begins the type of a function
	maxPages = 1 << 16 // all that 32 bits address
)

func (d *decoder) typeSection() {
	n := d.count("types", 3, d.caps.Types)
	d.m.Types = room[FuncType](n)
	for ; n > 0 && d.err == nil; n-- {
		if form := d.byte(); form != typeFunc {
			d.fail("type of form %#x is no function", form)
			return
		}
		params := d.valTypes(d.caps.Params)
		results := d.valTypes(d.caps.Params - len(params))
		d.sums.params += uint64(len(params) + len(results))
		d.within(d.sums.params, "parameters and results of all types", d.caps.AllParams)
		d.m.Types = append(d.m.Types, FuncType{Params: params, Results: results})
	}
}

// valTypes reads the parameters or results of a type, of which there may be so
// many.
func (d *decoder) valTypes(most int) []ValType {
	n := d.count("parameters or results", 1, most)
	if n == 0 {
		return nil
	}
	list := make([]ValType, n)
	for i := range list {
		list[i] = d.valType()
	}
	return list
}

func (d *decoder) valType() ValType {
	t := ValType(d.byte())
	if d.err == nil && !t.valid() {
		d.fail("%s", unknownType(t))
	}
	return t
}

func (d *decoder) refType() ValType {
	t := ValType(d.byte())
	if d.err == nil && !t.isRef() {
		d.fail("%s", unknownType(t))
	}
	return t
}

// unknownType says what a type is that is none, or not of references.
func unknownType(t ValType) string {
	switch {
	case t == 0x63 || t == 0x64:
		return "typed references are not supported"
	case t == 0x40:
		return "tables that begin with a value are not supported"
	case t.valid():
		return "type " + t.String() + " is none of references"
	}
	return fmt.Sprintf("type %#x is none of WebAssembly 2.0", byte(t))
}

func (d *decoder) importSection() {
	n := d.count("imports", 4, d.caps.Imports)
	d.m.Imports = room[Import](n)
	for ; n > 0 && d.err == nil; n-- {
		imp := Import{Module: d.name(d.caps.Name), Name: d.name(d.caps.Name)}
		imp.Kind = d.kind()
		switch imp.Kind {
		case KindFunc:
			imp.Type = d.index("type", len(d.m.Types))
			d.types = append(d.types, imp.Type)
		case KindTable:
			imp.Table = d.table()
		case KindMemory:
			imp.Memory = d.memory()
		case KindGlobal:
			imp.Global = d.globalType()
			d.imported = append(d.imported, imp.Global)
		}
		d.add(imp.Kind, 1)
		d.m.Imports = append(d.m.Imports, imp)
	}
}

func (d *decoder) kind() Kind {
	k := Kind(d.byte())
	switch {
	case k == numKinds:
		d.fail(tags)
	case k > numKinds:
		d.fail("kind %d is none of WebAssembly 2.0", k)
	}
	return k
}

// add counts what is imported or defined, and holds the caps on that.
func (d *decoder) add(k Kind, n int) {
	if d.err != nil {
		return
	}
	d.counts[k] += uint32(n)
	total := uint64(d.counts[k])
	switch k {
	case KindFunc:
		d.within(total, "functions", d.caps.Functions)
	case KindTable:
		d.within(total, "tables", d.caps.Tables)
	case KindMemory:
		d.within(total, "memories", 1)
	case KindGlobal:
		d.within(total, "globals", d.caps.Globals)
	}
}

func (d *decoder) functionSection() {
	n := d.count("functions", 1, d.caps.Functions)
	d.add(KindFunc, n)
	d.types = append(room[uint32](len(d.types)+n), d.types...)
	for ; n > 0 && d.err == nil; n-- {
		d.types = append(d.types, d.index("type", len(d.m.Types)))
	}
}

func (d *decoder) tableSection() {
	n := d.count("tables", 3, d.caps.Tables)
	d.add(KindTable, n)
	for ; n > 0 && d.err == nil; n-- {
		d.m.Tables = append(d.m.Tables, d.table())
	}
}

func (d *decoder) table() Table {
	t := Table{Type: d.refType(), Limits: d.limits(1<<32 - 1)}
	d.sums.tableEntries += uint64(t.Min)
	d.within(d.sums.tableEntries, "table entries", d.caps.TableEntries)
	return t
}

func (d *decoder) memorySection() {
	n := d.count("memories", 2, 1)
	d.add(KindMemory, n)
	for ; n > 0 && d.err == nil; n-- {
		d.m.Memories = append(d.m.Memories, d.memory())
	}
}

func (d *decoder) memory() Limits { return d.limits(maxPages) }

// limits reads a size, neither end of which may be over most.
func (d *decoder) limits(most uint32) Limits {
	flags := d.byte()
	switch {
	case flags > 7:
		d.fail("limits of kind %d are none of WebAssembly 2.0", flags)
	case flags > 3:
		d.fail("tables and memories of 64 bits are not supported")
	case flags > 1:
		d.fail("shared memories, of threads, are not supported")
	}
	l := Limits{Min: d.u32(), HasMax: flags == 1}
	if l.HasMax {
		l.Max = d.u32()
	}
	switch {
	case d.err != nil:
	case l.Min > most || l.Max > most:
		d.fail("size of %d, at most %d", max(l.Min, l.Max), most)
	case l.HasMax && l.Max < l.Min:
		d.fail("size of at least %d and at most %d", l.Min, l.Max)
	}
	return l
}

func (d *decoder) globalSection() {
	n := d.count("globals", 4, d.caps.Globals)
	d.m.Globals = room[Global](n)
	for ; n > 0 && d.err == nil; n-- {
		g := Global{GlobalType: d.globalType()}
		g.Init = d.constant(g.Type)
		d.m.Globals = append(d.m.Globals, g)
	}
	d.add(KindGlobal, len(d.m.Globals))
}

func (d *decoder) globalType() GlobalType {
	g := GlobalType{Type: d.valType()}
	mut := d.byte()
	if mut > 1 {
		d.fail("mutability is %d, neither 0 nor 1", mut)
	}
	g.Mutable = mut == 1
	return g
}

func (d *decoder) exportSection() {
	n := d.count("exports", 3, d.caps.Exports)
	d.m.Exports = room[Export](n)
	names := make(map[string]bool, n)
	for ; n > 0 && d.err == nil; n-- {
		e := Export{Name: d.name(d.caps.Name), Kind: d.kind()}
		if d.err != nil {
			return
		}
		e.Index = d.index(e.Kind.String(), int(d.counts[e.Kind]))
		if names[e.Name] {
			d.fail("export %q comes twice", e.Name)
		}
		names[e.Name] = true
		d.m.Exports = append(d.m.Exports, e)
	}
}
