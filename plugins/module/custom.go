package module

import (
	"strings"
	"unicode/utf8"
)

const (
	sectionNames = "name"
	debugPrefix  = ".debug_"

	subsectionFuncs = 1 // names of functions (core specification, section 7.4.1)
)

// custom reads a custom section: it keeps the names and what lines are of, and counts
// the others.
func (d *decoder) custom() {
	n := d.u32()
	name := d.bytes(n)
	if !utf8.Valid(name) {
		d.fail("name is not UTF-8")
		return
	}
	contents := reader{buf: d.buf, pos: d.pos, section: sectionNames, fn: -1}
	rest := d.buf[d.pos:len(d.buf):len(d.buf)]
	d.pos = len(d.buf)
	switch {
	case d.err != nil:
		return
	case string(name) == sectionNames && d.named:
		d.fail("names come twice")
		return
	case string(name) == sectionNames:
		d.named, d.names = true, contents
		return
	case strings.HasPrefix(string(name), debugPrefix):
		d.m.Debug.keep(string(name), rest)
	default:
		d.m.Custom.Sections++
		d.m.Custom.Bytes += len(rest)
	}
}

// nameSection reads the name section, of which only the names of functions are
// kept.
func (d *decoder) nameSection() {
	d.reader, d.names = d.names, reader{}
	last := -1
	for d.more() {
		id := int(d.byte())
		if id <= last {
			d.fail("subsection %d comes twice or out of order", id)
			return
		}
		last = id
		outer := d.inner(d.u32())
		if id == subsectionFuncs {
			d.funcNames()
		} else {
			d.pos = len(d.buf)
		}
		d.outer(outer)
	}
}

func (d *decoder) funcNames() {
	n := d.count("names", 2, int(d.counts[KindFunc]))
	d.m.Names = room[Name](n)
	for i := range n {
		name := Name{Func: d.index("function", int(d.counts[KindFunc]))}
		name.Name = cut(d.name(d.caps.Module), d.caps.Name)
		if d.err != nil {
			return
		}
		if i > 0 && d.m.Names[i-1].Func >= name.Func {
			d.fail("names are not in the order of their functions")
			return
		}
		d.m.Names = append(d.m.Names, name)
	}
}

// cut shortens a name to at most so many bytes.
func cut(name string, most int) string {
	if len(name) <= most {
		return name
	}
	return strings.ToValidUTF8(name[:most], "")
}
