package lines

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/aviary-host/aviary/plugins/module"
)

// Opcodes of a line program (DWARF 5, section 6.2.5). Others are known by the number
// of their operands.
const (
	opExtended = iota
	opCopy
	opAdvancePC
	opAdvanceLine
	opSetFile
	opSetColumn
	opNegate
	opBlock
	opConstAddPC
	opFixedAdvancePC

	extEnd     = 1
	extAddress = 2
)

// reading reads a section .debug_line, which consists of units: a header and a program
// that makes rows.
type reading struct {
	debug *module.Debug
	end   uint32 // of the code: rows behind it are of code that was removed
	rows  []row
	files []string
	known map[file]uint32 // index in files
	over  bool            // a cap was hit
}

// file is a file of a unit.
type file struct {
	unit  int // offset of the unit
	index uint64
}

// unit is one unit.
type unit struct {
	*reading
	header header
	start  int // its offset in the section

	// The registers of the program (section 6.2.2), and the part of the rows that
	// belongs to the sequence.
	address  uint32
	file     uint64
	line     uint32
	sequence int
	placed   bool // the sequence has an address
	dropped  bool // it has none, or is of code that was removed
}

// units reads all units.
func (r *reading) units() {
	r.known = map[file]uint32{}
	section := buffer{rest: r.debug.Line}
	for len(section.rest) > 0 && !r.over {
		start := len(r.debug.Line) - len(section.rest)
		wide := false
		size := uint64(section.u32())
		if size == 0xffffffff {
			wide, size = true, section.u64()
		}
		u := unit{reading: r, start: start}
		body := buffer{rest: section.take(size)}
		if section.bad {
			return
		}
		if u.header.read(&body, r.debug, wide) {
			u.run(&body)
		}
	}
	if r.over {
		r.rows, r.files = nil, nil
	}
}

// sorted returns the rows by their offsets. Where one sequence ends and another
// begins, the beginning counts.
func (r *reading) sorted() []row {
	slices.SortStableFunc(r.rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.offset, b.offset), cmp.Compare(min(a.line, 1), min(b.line, 1)))
	})
	return r.rows
}

// run runs the program of a unit up to its end, or to what is wrong in it.
func (u *unit) run(b *buffer) {
	u.reset()
	for len(b.rest) > 0 && !b.bad && !u.over {
		switch code := b.u8(); {
		case code >= u.header.opcodes:
			special := uint32(code - u.header.opcodes)
			u.advance(uint64(special / u.header.lineRange))
			u.line += uint32(u.header.lineBase) + special%u.header.lineRange
			u.row()
		case code == opExtended:
			u.extended(&buffer{rest: b.take(b.unsigned())})
		default:
			u.standard(code, b)
		}
	}
	u.rows = u.rows[:u.sequence] // one that has no end has no place
}

func (u *unit) reset() {
	u.address, u.file, u.line = 0, 1, 1
	u.sequence, u.placed, u.dropped = len(u.rows), false, true
}

// standard runs an opcode that is not special.
func (u *unit) standard(code uint8, b *buffer) {
	switch code {
	case opCopy:
		u.row()
	case opAdvancePC:
		u.advance(b.unsigned())
	case opAdvanceLine:
		u.line += uint32(b.signed())
	case opSetFile:
		u.file = b.unsigned()
	case opConstAddPC:
		u.advance(uint64(uint32(255-u.header.opcodes) / u.header.lineRange))
	case opFixedAdvancePC:
		u.address += uint32(b.u16())
	default:
		for range u.header.operands[code] {
			b.unsigned()
		}
	}
}

// extended runs an opcode that has a length.
func (u *unit) extended(b *buffer) {
	switch b.u8() {
	case extEnd:
		for n := len(u.rows); n > u.sequence && u.rows[n-1].offset == u.address; n-- {
			u.rows = u.rows[:n-1] // of no code
		}
		u.line = 0
		u.row()
		u.reset()
	case extAddress:
		u.address = b.u32()
		if !u.placed { // the linker leaves 0, -1 or -2 where it removed the code
			u.placed, u.dropped = true, u.address == 0 || u.address > u.end
		}
	}
}

func (u *unit) advance(by uint64) { u.address += uint32(by * uint64(u.header.unit)) }

// row makes a row of the registers.
func (u *unit) row() {
	switch {
	case u.dropped:
		return
	case len(u.rows) >= maxRows:
		u.over = true
		return
	}
	r := row{offset: u.address, line: u.line}
	if u.line > 0 {
		r.file = u.fileIndex()
	}
	u.rows = append(u.rows, r)
}

// fileIndex returns the index of the file that the register names, which it resolves
// if it is the first row of that.
func (u *unit) fileIndex() uint32 {
	key := file{unit: u.start, index: u.file}
	i, ok := u.known[key]
	if ok {
		return i
	}
	if len(u.files) >= maxFiles {
		u.over = true
		return 0
	}
	i = uint32(len(u.files))
	u.files = append(u.files, u.header.path(u.file))
	u.known[key] = i
	return i
}

// buffer reads bytes. Past the end it is bad, and all is zero.
type buffer struct {
	rest []byte
	bad  bool
}

func (b *buffer) take(n uint64) []byte {
	if n > uint64(len(b.rest)) {
		b.bad, b.rest = true, nil
		return nil
	}
	part := b.rest[:n:n]
	b.rest = b.rest[n:]
	return part
}

func (b *buffer) u8() uint8 {
	if p := b.take(1); p != nil {
		return p[0]
	}
	return 0
}

func (b *buffer) u16() uint16 {
	if p := b.take(2); p != nil {
		return binary.LittleEndian.Uint16(p)
	}
	return 0
}

func (b *buffer) u32() uint32 {
	if p := b.take(4); p != nil {
		return binary.LittleEndian.Uint32(p)
	}
	return 0
}

func (b *buffer) u64() uint64 {
	if p := b.take(8); p != nil {
		return binary.LittleEndian.Uint64(p)
	}
	return 0
}

// unsigned reads an unsigned LEB128 number, of which it keeps 64 bits.
func (b *buffer) unsigned() uint64 {
	v, _ := b.leb()
	return v
}

// signed reads a signed LEB128 number.
func (b *buffer) signed() int64 {
	v, bits := b.leb()
	if bits < 64 && v>>(bits-1)&1 == 1 {
		v |= ^uint64(0) << bits
	}
	return int64(v)
}

func (b *buffer) leb() (v uint64, bits uint) {
	for {
		c := b.u8()
		if bits < 64 {
			v |= uint64(c&0x7f) << bits
		}
		bits += 7
		if c < 0x80 {
			return v, bits
		}
	}
}

// text reads a text up to its 0, of which it returns at most maxPath bytes.
func (b *buffer) text() []byte {
	n := bytes.IndexByte(b.rest, 0)
	if n < 0 {
		b.bad, b.rest = true, nil
		return nil
	}
	text := b.take(uint64(n))
	b.take(1)
	return text[:min(n, maxPath)]
}
