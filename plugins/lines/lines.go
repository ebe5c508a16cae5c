package lines

import (
	"cmp"
	"slices"

	"github.com/aviary-host/aviary/plugins/module"
)

// Caps on a table. A module of 16 MiB cannot well have more.
const (
	maxRows  = 1 << 20 // 12 bytes each, and once more while they are read
	maxFiles = 1 << 14 // that rows name, and that one header names
	maxPath  = 4 << 10 // bytes of a path that are looked at
	maxName  = 100     // bytes of a path that are kept
)

// Place is a place in the source of a guest.
type Place struct {
	File string // the last parts of its path, at most 100 bytes of printable UTF-8
	Line uint32 // from 1
}

// Table holds the lines of a module.
type Table struct {
	rows  []row // ascending; one holds up to the next
	files []string
}

// row is where code of another line begins.
type row struct {
	offset uint32 // in the contents of the code section
	file   uint32 // index in the files
	line   uint32 // 0 for none
}

// Read returns the lines of a module as it was written. The first argument is the
// module whose instructions say where in the guest they came from, the second what its
// encoding decodes to; functions that the first does not know come last. Without lines
// it returns nil, which is a Table too.
func Read(old, written *module.Module) *Table {
	origin, offsets := old.Debug.Offsets, written.Debug.Offsets
	if len(origin) == 0 || len(origin) > len(offsets) {
		return nil
	}
	r := reading{debug: &old.Debug, end: limit(origin)}
	r.units()
	if len(r.rows) == 0 {
		return nil
	}
	t := &Table{files: r.files}
	from := cursor{rows: r.sorted()}
	for fn := range origin {
		n := min(len(origin[fn]), len(offsets[fn]))
		for i := range n {
			at := from.at(origin[fn][i])
			t.add(row{offset: offsets[fn][i], file: at.file, line: at.line})
		}
	}
	if added := offsets[len(origin):]; len(added) > 0 && len(added[0]) > 0 {
		t.add(row{offset: added[0][0]})
	}
	t.rows = slices.Clip(t.rows)
	return t
}

// limit returns the end of the guest's code, as far as it matters: the last offset.
func limit(origin [][]uint32) uint32 {
	last := origin[len(origin)-1]
	if len(last) == 0 {
		return 0
	}
	return last[len(last)-1]
}

// add appends a row, unless it is of the same place as the last.
func (t *Table) add(r row) {
	if n := len(t.rows); n > 0 && t.rows[n-1].file == r.file && t.rows[n-1].line == r.line {
		return
	}
	if r.line == 0 && len(t.rows) == 0 {
		return
	}
	t.rows = append(t.rows, r)
}

// At returns the place of the code at an offset in the contents of the code section.
func (t *Table) At(offset uint64) (Place, bool) {
	if t == nil {
		return Place{}, false
	}
	i, found := slices.BinarySearchFunc(t.rows, offset, func(r row, offset uint64) int { return cmp.Compare(uint64(r.offset), offset) })
	if !found {
		i--
	}
	if i < 0 || t.rows[i].line == 0 {
		return Place{}, false
	}
	return Place{File: t.files[t.rows[i].file], Line: t.rows[i].line}, true
}

// cursor looks places up in ascending order.
type cursor struct {
	rows []row
	next int // first row that is not at or before what was looked up
}

// at returns the row of an offset, one of line 0 if there is none.
func (c *cursor) at(offset uint32) row {
	if c.next > 0 && c.rows[c.next-1].offset > offset {
		c.next = 0 // out of order: whoever moved code
	}
	for c.next < len(c.rows) && c.rows[c.next].offset <= offset {
		c.next++
	}
	if c.next == 0 {
		return row{}
	}
	return c.rows[c.next-1]
}
