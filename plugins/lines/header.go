package lines

import (
	"bytes"
	"strings"
	"unicode"

	"github.com/aviary-host/aviary/plugins/module"
)

// header is what the program of a unit needs of what stands before it (DWARF 5,
// section 6.2.4).
type header struct {
	unit      uint8 // bytes of the smallest instruction
	lineBase  int8
	lineRange uint32
	opcodes   uint8      // first special one
	operands  [256]uint8 // of the standard ones

	dirs, files table
	first       uint64 // index of the first file and directory: 0, or 1 before version 5
}

// table is a list of directories or files. Texts stay where they are until a row names
// them.
type table []entry

// entry is a directory or file.
type entry struct {
	name []byte
	dir  uint64
}

// read reads a header, so that what is left of b is the program. It tells whether that
// makes sense.
func (h *header) read(b *buffer, debug *module.Debug, wide bool) bool {
	version := b.u16()
	if version < 2 || version > 5 {
		return false
	}
	if version == 5 {
		b.take(2) // sizes of addresses and selectors, which in WebAssembly are 4 and 0
	}
	fields := buffer{rest: b.take(b.offset(wide))}
	h.unit = fields.u8()
	if version >= 4 {
		fields.u8() // operations in an instruction, of VLIW machines
	}
	fields.u8() // whether a row is a statement by itself
	h.lineBase = int8(fields.u8())
	h.lineRange = uint32(fields.u8())
	h.opcodes = fields.u8()
	for op := 1; op < int(h.opcodes); op++ {
		h.operands[op] = fields.u8()
	}
	if h.lineRange == 0 || h.opcodes == 0 || fields.bad || b.bad {
		return false
	}
	if version == 5 {
		return h.tables5(&fields, debug, wide)
	}
	h.first = 1
	return h.tables(&fields)
}

// offset reads an offset, or a length.
func (b *buffer) offset(wide bool) uint64 {
	if wide {
		return b.u64()
	}
	return uint64(b.u32())
}

// tables reads directories and files as they were before version 5: lists that end with
// an empty text.
func (h *header) tables(b *buffer) bool {
	for {
		name := b.text()
		if len(name) == 0 {
			break
		}
		if len(h.dirs) >= maxFiles {
			return false
		}
		h.dirs = append(h.dirs, entry{name: name})
	}
	for {
		name := b.text()
		if len(name) == 0 {
			return !b.bad
		}
		if len(h.files) >= maxFiles {
			return false
		}
		h.files = append(h.files, entry{name: name, dir: b.unsigned()})
		b.unsigned() // time of modification
		b.unsigned() // length
	}
}

// field says what of an entry is next, and how it is written.
type field struct{ content, form uint64 }

// Of version 5 (sections 7.22 and 7.5.6).
const (
	contentPath = 1
	contentDir  = 2

	formBlock   = 0x09
	formData1   = 0x0b
	formData2   = 0x05
	formData4   = 0x06
	formData8   = 0x07
	formString  = 0x08
	formStrp    = 0x0e
	formUdata   = 0x0f
	formData16  = 0x1e
	formLineStr = 0x1f
)

// tables5 reads directories and files of version 5.
func (h *header) tables5(b *buffer, debug *module.Debug, wide bool) bool {
	f := forms{buffer: b, debug: debug, wide: wide}
	h.dirs = f.table()
	h.files = f.table()
	return !b.bad
}

// forms reads tables that say how their entries are written.
type forms struct {
	*buffer
	debug *module.Debug
	wide  bool
}

func (f *forms) table() table {
	fields := make([]field, f.u8())
	for i := range fields {
		fields[i] = field{content: f.unsigned(), form: f.unsigned()}
	}
	n := f.unsigned()
	if n > maxFiles || n > uint64(len(f.rest)) || n > 0 && len(fields) == 0 { // entries of no bytes would cost nothing to write
		f.bad, f.rest = true, nil
	}
	var t table
	for ; n > 0 && !f.bad; n-- {
		t = append(t, f.entry(fields))
	}
	return t
}

func (f *forms) entry(fields []field) entry {
	var e entry
	for _, field := range fields {
		text, number := f.value(field.form)
		switch field.content {
		case contentPath:
			e.name = text
		case contentDir:
			e.dir = number
		}
	}
	return e
}

// value reads a text or a number.
func (f *forms) value(form uint64) (text []byte, number uint64) {
	switch form {
	case formString:
		return f.text(), 0
	case formStrp:
		return within(f.debug.Str, f.offset(f.wide)), 0
	case formLineStr:
		return within(f.debug.LineStr, f.offset(f.wide)), 0
	case formData1:
		return nil, uint64(f.u8())
	case formData2:
		return nil, uint64(f.u16())
	case formData4:
		return nil, uint64(f.u32())
	case formData8:
		return nil, f.u64()
	case formUdata:
		return nil, f.unsigned()
	case formData16:
		f.take(16)
	case formBlock:
		f.take(f.unsigned())
	default:
		f.bad, f.rest = true, nil
	}
	return nil, 0
}

// within returns what is at an offset of a section of texts: the text, and what stands
// behind it.
func within(section []byte, offset uint64) []byte {
	if offset >= uint64(len(section)) {
		return nil
	}
	rest := section[offset:]
	return rest[:min(len(rest), maxPath)]
}

// path returns the last parts of the path of a file.
func (h *header) path(index uint64) string {
	if index -= h.first; index >= uint64(len(h.files)) {
		return "?"
	}
	f := &h.files[index]
	path := text(f.name)
	// Before version 5, directory 0 is where the compiler ran, which the table does not
	// name.
	if dir := f.dir - h.first; dir < uint64(len(h.dirs)) && !absolute(path) {
		path = text(h.dirs[dir].name) + "/" + path
	}
	return shorten(path)
}

// text returns the text up to its 0.
func text(b []byte) string {
	b, _, _ = bytes.Cut(b, []byte{0})
	return string(b)
}

func absolute(path string) bool {
	return strings.HasPrefix(path, "/") || len(path) > 2 && path[1] == ':'
}

// shorten returns the last three parts of a path, which name a file well: src/cup.c,
// core/src/panicking.rs, serde_json-1.0.87/src/de.rs. Where the whole would say in
// which directory of which machine it was compiled, these do not.
func shorten(path string) string {
	path = strings.Map(func(r rune) rune {
		switch {
		case r == '\\':
			return '/'
		case r == unicode.ReplacementChar || !unicode.IsPrint(r):
			return '_'
		}
		return r
	}, path)
	var parts []string
	for part := range strings.SplitSeq(path, "/") {
		switch {
		case part == "" || part == ".":
		case part == ".." && len(parts) > 0:
			parts = parts[:len(parts)-1]
		case part != "..":
			parts = append(parts, part)
		}
	}
	short := strings.Join(parts[max(len(parts)-3, 0):], "/")
	if len(short) > maxName {
		short = strings.ToValidUTF8(short[len(short)-maxName:], "")
	}
	if short == "" {
		return "?"
	}
	return short
}
