package module

// Debug is the debug information of a module (DWARF 4 and 5, for WebAssembly: an
// address is an offset in the contents of the code section). Of its sections only
// the line table and the texts that it refers to are kept, unread: what they say is
// the guest's word.
type Debug struct {
	Dropped // all sections whose names begin with .debug_

	// Views into what was decoded: .debug_line, .debug_line_str and .debug_str. Of
	// sections of one name, the first.
	Line, LineStr, Str []byte

	// Offsets are those of the instructions of each of the Funcs, ascending. They are
	// nil without a line table. Who changes a body says here where each instruction
	// came from; Encode does not look.
	Offsets [][]uint32
}

const (
	sectionAbbrev = debugPrefix + "abbrev"
	sectionInfo   = debugPrefix + "info"
	sectionLine   = debugPrefix + "line"
)

// keep keeps a section whose name begins with .debug_.
func (g *Debug) keep(name string, contents []byte) {
	g.Sections++
	g.Bytes += len(contents)
	var to *[]byte
	switch name {
	case sectionLine:
		to = &g.Line
	case sectionLine + "_str":
		to = &g.LineStr
	case debugPrefix + "str":
		to = &g.Str
	}
	if to != nil && *to == nil {
		*to = contents
	}
}

// hasLines tells, ahead of all else, whether a module has a line table, which stands
// behind the code that it is about. It looks at nothing but the sections' names.
func hasLines(wasm []byte) bool {
	r := reader{buf: wasm, pos: len(header)}
	for r.more() {
		id := r.byte()
		outer := r.inner(r.u32())
		if id == sectionCustom && string(r.bytes(r.u32())) == sectionLine && r.err == nil {
			return true
		}
		r.pos, r.buf = len(r.buf), outer
		if r.err != nil {
			return false
		}
	}
	return false
}

// traced writes debug information that is the same for every module: all code is of
// the line 0 of a file without a name. That is enough for an engine to show offsets
// in its traces, which the host looks up in what it has read itself. Nothing of the
// guest's is in it.
func (e *encoder) traced() {
	for _, s := range []struct{ name, contents string }{
		{sectionAbbrev, traceAbbrev}, {sectionInfo, traceInfo}, {sectionLine, traceLine},
	} {
		e.section(sectionCustom, func() {
			e.text(s.name)
			e.out = append(e.out, s.contents...)
		})
	}
}

// The sections that traced writes, in DWARF 4 (sections 7.5 and 6.2.4). The range is
// 1 to 0x7fffffff, since engines take 0 and -1 for addresses of code that was
// removed.
const (
	traceAbbrev = "\x01\x11\x00" + // a compilation unit without children:
		"\x10\x17" + "\x11\x01" + "\x12\x06" + // stmt_list, low_pc, high_pc
		"\x00\x00" + "\x00"
	traceInfo = "\x14\x00\x00\x00" + "\x04\x00" + "\x00\x00\x00\x00" + "\x04" + // length, version, abbreviations, size of addresses
		"\x01" + "\x00\x00\x00\x00" + "\x01\x00\x00\x00" + "\xfe\xff\xff\x7f"
	traceLine = "\x32\x00\x00\x00" + "\x04\x00" + "\x19\x00\x00\x00" + // length, version, length of what follows
		"\x01\x01\x01\x00\x01\x0d" + "\x00\x01\x01\x01\x01\x00\x00\x00\x01\x00\x00\x01" + // opcodes 1 to 12
		"\x00" + "?\x00\x00\x00\x00" + "\x00" + // no directories, one file
		"\x00\x05\x02\x01\x00\x00\x00" + "\x03\x7f" + "\x01" + // address 1, line 0, a row
		"\x02\xfe\xff\xff\xff\x07" + "\x00\x01\x01" // the end
)
