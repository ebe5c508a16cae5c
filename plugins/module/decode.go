package module

// Sections, by their numbers in the binary format (core specification, section
// 5.5.2).
const (
	sectionCustom = iota
	sectionType
	sectionImport
	sectionFunction
	sectionTable
	sectionMemory
	sectionGlobal
	sectionExport
	sectionStart
	sectionElement
	sectionCode
	sectionData
	sectionDataCount
	numSections
)

func sectionName(id byte) string {
	names := [numSections]string{
		"custom", "type", "import", "function", "table", "memory", "global",
		"export", "start", "element", "code", "data", "data count",
	}
	return names[id]
}

// place returns where in the order of sections one belongs: the data count, which
// came later, stands before the code that needs it.
func place(id byte) int {
	if id == sectionDataCount {
		return 2*sectionElement + 1
	}
	return 2 * int(id)
}

// tags have the section behind the last, and the kind behind the last.
const tags = "tags, of exceptions, are not supported"

const header = "\x00asm\x01\x00\x00\x00"

// decoder reads a module, section by section.
type decoder struct {
	reader
	caps Caps
	m    *Module
	last int // place of the section before

	counts    [numKinds]uint32 // of functions and so on, imports included
	imported  []GlobalType     // globals
	types     []uint32         // of functions
	dataCount uint32
	names     reader // name section, read when all functions are known
	named     bool   // there is one
	lines     bool   // there is a line table, so that offsets are kept
	code      int    // where the contents of the code section begin
	sums      sums
	body      body
}

// sums are what the caps on all functions, or all segments, look at.
type sums struct {
	params       uint64
	tableEntries uint64
	elemEntries  uint64
	locals       uint64
	instructions uint64
}

// Decode reads a module. The error is an [*Error]. The module refers to the bytes
// of wasm. Time and memory are in proportion to them: of a module of 3.5 MB that
// Go made, 35 ms and 22 MB on the machine of the benchmarks; of the worst, 40 times
// the bytes, up to what the cap on instructions allows (128 MB, and 32 with a line table).
func Decode(wasm []byte, caps Caps) (*Module, error) {
	d := decoder{reader: reader{buf: wasm, fn: -1}, caps: caps, m: &Module{}}
	d.module()
	if d.err != nil {
		return nil, d.err
	}
	return d.m, nil
}

func (d *decoder) module() {
	if !d.within(uint64(len(d.buf)), "bytes of module", d.caps.Module) {
		return
	}
	if string(d.bytes(uint32(min(len(header), len(d.buf))))) != header {
		d.pos = 0
		d.fail("not a WebAssembly module of version 1")
		return
	}
	d.lines = hasLines(d.buf)
	for d.more() {
		id := d.byte()
		switch {
		case id == numSections:
			d.fail(tags)
			return
		case id > numSections:
			d.fail("section %d is none of WebAssembly 2.0", id)
			return
		}
		d.section = sectionName(id)
		outer := d.inner(d.u32())
		d.read(id)
		d.outer(outer)
		d.section = ""
	}
	if d.err == nil {
		d.finish()
	}
}

// read reads the contents of a section.
func (d *decoder) read(id byte) {
	if id != sectionCustom {
		if place(id) <= d.last {
			d.fail("section comes twice or out of order")
			return
		}
		d.last = place(id)
	}
	switch id {
	case sectionCustom:
		d.custom()
	case sectionType:
		d.typeSection()
	case sectionImport:
		d.importSection()
	case sectionFunction:
		d.functionSection()
	case sectionTable:
		d.tableSection()
	case sectionMemory:
		d.memorySection()
	case sectionGlobal:
		d.globalSection()
	default:
		d.readLater(id)
	}
}

// readLater reads sections that only use what others define.
func (d *decoder) readLater(id byte) {
	switch id {
	case sectionExport:
		d.exportSection()
	case sectionStart:
		start := d.index("function", int(d.counts[KindFunc]))
		d.m.Start = &start
	case sectionElement:
		d.elementSection()
	case sectionDataCount:
		d.m.HasDataCount = true
		d.dataCount = d.u32()
		d.within(uint64(d.dataCount), "data segments", d.caps.Datas)
	case sectionCode:
		d.codeSection()
	case sectionData:
		d.dataSection()
	}
}

// finish checks what only the whole module shows.
func (d *decoder) finish() {
	switch {
	case len(d.m.Funcs) != d.defined():
		d.fail("code of %d functions, but %d are declared", len(d.m.Funcs), d.defined())
	case d.m.HasDataCount && int(d.dataCount) != len(d.m.Datas):
		d.fail("data count of %d, but %d data segments", d.dataCount, len(d.m.Datas))
	case d.named:
		d.nameSection()
	}
}

// defined counts the functions that the module defines.
func (d *decoder) defined() int { return len(d.types) - d.m.Imported(KindFunc) }
