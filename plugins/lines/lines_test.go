package lines_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/aviary-host/aviary/plugins/lines"
	"github.com/aviary-host/aviary/plugins/module"
)

// read reads a line table of a function whose instructions are at offsets 1 to n, and
// which did not move.
func read(line, lineStr, str string, n int) *lines.Table {
	m := &module.Module{Debug: module.Debug{Line: []byte(line), LineStr: []byte(lineStr), Str: []byte(str)}}
	offsets := make([]uint32, n)
	for i := range offsets {
		offsets[i] = uint32(i + 1)
	}
	m.Debug.Offsets = [][]uint32{offsets}
	return lines.Read(m, m)
}

// show writes the places of offsets 0 to n+1 as a line, such as "1 a.c:3, 4 a.c:4, 7 -",
// where places begin.
func show(t *lines.Table, n int) string {
	var parts []string
	last := "-"
	for offset := range uint64(n + 2) {
		now := "-"
		if p, ok := t.At(offset); ok {
			now = fmt.Sprintf("%s:%d", p.File, p.Line)
		}
		if now != last {
			parts = append(parts, fmt.Sprintf("%d %s", offset, now))
		}
		last = now
	}
	return strings.Join(parts, ", ")
}

// Numbers as line tables have them.
func u16(n int) string { return string(binary.LittleEndian.AppendUint16(nil, uint16(n))) }
func u32(n int) string { return string(binary.LittleEndian.AppendUint32(nil, uint32(n))) }
func u64(n int) string { return string(binary.LittleEndian.AppendUint64(nil, uint64(n))) }
func leb(n int) string { return string(binary.AppendUvarint(nil, uint64(n))) }

// What programs are written with. Special opcodes begin at 13, and make a row behind
// 0 to 3 lines, of which there are 4 for each byte of code.
const (
	row        = "\x01"
	constAdd   = "\x08" // as special opcode 255, 60 bytes
	anyOps     = "\x00\x01\x01\x01\x01\x00\x00\x00\x01\x00\x00\x01"
	noEntries  = "\x00"
	aFile      = "cup.c\x00\x01\x00\x00"
	endOfFiles = "\x00"
)

func advance(n int) string      { return "\x02" + leb(n) }
func address(n int) string      { return extended("\x02" + u32(n)) }
func setFile(n int) string      { return "\x04" + leb(n) }
func extended(s string) string  { return "\x00" + leb(len(s)) + s }
func special(pc, ln int) string { return string([]byte{byte(13 + 4*pc + ln)}) }

// fewer is 0 to 63 lines back.
func fewer(n int) string { return "\x03" + string([]byte{byte(128-n) & 0x7f}) }

var end = extended("\x01")

// unit is a unit of a version, its files in the form of that version.
func unit(version int, files, program string) string {
	fields := "\x01"
	if version >= 4 {
		fields += "\x01"
	}
	fields += "\x01\x00\x04\x0d" + anyOps + files
	head := u16(version)
	if version == 5 {
		head += "\x04\x00"
	}
	body := head + u32(len(fields)) + fields + program
	return u32(len(body)) + body
}

// Files before version 5, and in it.
var (
	files4 = "src\x00" + "/a/b/c/d\x00" + "\x00" + "cup.c\x00\x01\x00\x00" + "pot.h\x00\x02\x80\x01\x05" + "main.c\x00\x00\x00\x00" +
		"/root.c\x00\x01\x00\x00" + endOfFiles
	files5 = "\x01\x01\x1f" + leb(2) + u32(0) + u32(5) + // directories, in .debug_line_str
		"\x03\x01\x0e\x02\x0b\x05\x1e" + leb(2) + u32(3) + "\x01" + strings.Repeat("m", 16) + u32(9) + "\x00" + strings.Repeat("m", 16) // with a checksum
	lineStr5 = "/here\x00"
	str5     = "abccup.c\x00pot.c\x00"
)

// all is a program with one row at each opcode's hands.
var all = address(2) + special(0, 2) + special(2, 1) + fewer(3) + row + "\x06\x07\x05\x09\x0a\x0b\x0c\x01" + // line 1
	setFile(2) + advance(3) + special(0, 3) + "\x09\x04\x00" + row + constAdd + row + end

// TestPrograms runs line programs: what is where.
func TestPrograms(t *testing.T) {
	const wide = 0xffffffff
	v4 := unit(4, files4, all)
	for name, tt := range map[string]struct{ line, want string }{
		"all opcodes":        {v4, "2 src/cup.c:3, 4 src/cup.c:1, 7 c/d/pot.h:4, 71 -"},
		"version 2":          {unit(2, files4, all), "2 src/cup.c:3, 4 src/cup.c:1, 7 c/d/pot.h:4, 71 -"},
		"version 3":          {unit(3, files4, all), "2 src/cup.c:3, 4 src/cup.c:1, 7 c/d/pot.h:4, 71 -"},
		"nothing":            {"", ""},
		"empty":              {unit(4, files4, ""), ""},
		"version 1":          {unit(1, files4, all), ""},
		"version 6":          {unit(6, files4, all), ""},
		"unit after broken":  {unit(9, files4, all) + v4, "2 src/cup.c:3, 4 src/cup.c:1, 7 c/d/pot.h:4, 71 -"},
		"cut off":            {v4[:len(v4)-4], ""},
		"compiled here":      {unit(4, files4, address(5)+setFile(3)+row+advance(1)+end), "5 main.c:1, 6 -"},
		"absolute":           {unit(4, files4, address(5)+setFile(4)+row+advance(1)+end), "5 root.c:1, 6 -"},
		"file 0":             {unit(4, files4, address(5)+setFile(0)+row+advance(1)+end), "5 ?:1, 6 -"},
		"file of none":       {unit(4, files4, address(5)+setFile(5)+row+advance(1)+end), "5 ?:1, 6 -"},
		"line 0":             {unit(4, files4, address(5)+row+advance(1)+fewer(1)+row+advance(1)+special(0, 2)+advance(1)+end), "5 src/cup.c:1, 6 -, 7 src/cup.c:2, 8 -"},
		"no end":             {unit(4, files4, address(5)+row), ""},
		"no address":         {unit(4, files4, advance(5)+row+advance(5)+end), ""},
		"removed, 0":         {unit(4, files4, address(0)+row+advance(50)+end+address(7)+row+advance(2)+end), "7 src/cup.c:1, 9 -"},
		"removed, -1":        {unit(4, files4, address(wide)+row+advance(50)+end), ""},
		"addresses":          {unit(4, files4, address(50)+row+address(55)+special(0, 1)+address(200)+end), "50 src/cup.c:1, 55 src/cup.c:2"},
		"removed, addresses": {unit(4, files4, address(0)+row+address(55)+row+address(60)+end), ""},
		"removed, -2":        {unit(4, files4, address(wide-1)+row+advance(50)+end), ""},
		"two that touch": {
			unit(4, files4, address(5)+row+advance(2)+end+address(3)+special(0, 1)+advance(2)+end), "3 src/cup.c:2, 5 src/cup.c:1, 7 -",
		},
		"same again":   {unit(4, files4, address(5)+row+advance(2)+row+advance(2)+end), "5 src/cup.c:1, 9 -"},
		"two rows":     {unit(4, files4, address(5)+row+special(0, 3)+advance(2)+end), "5 src/cup.c:4, 7 -"},
		"wide":         {u32(wide) + u64(len(wide4)) + wide4, "5 cup.c:1, 6 -"},
		"no range":     {strings.Replace(v4, "\x04\x0d", "\x00\x0d", 1), ""},
		"no opcodes":   {strings.Replace(v4, "\x04\x0d", "\x04\x00", 1), ""},
		"long length":  {u32(wide) + u64(-1) + wide4, ""},
		"long opcode":  {unit(4, files4, address(5)+row+advance(1)+end+"\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "5 src/cup.c:1, 6 -"},
		"empty opcode": {unit(4, files4, "\x00\x00"+address(5)+row+advance(1)+end), "5 src/cup.c:1, 6 -"},
	} {
		if got := show(read(tt.line, "", "", 100), 100); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

// wide4 is a unit of version 4 whose lengths are of 8 bytes.
var wide4 = u16(4) + u64(6+len(anyOps+noEntries+aFile+endOfFiles)) + "\x01\x01\x01\x00\x04\x0d" + anyOps + noEntries + aFile + endOfFiles +
	address(5) + row + advance(1) + end

// TestVersion5: its tables say how they are written.
func TestVersion5(t *testing.T) {
	program := address(2) + setFile(0) + row + advance(1) + setFile(1) + row + advance(1) + end
	inline := func(form, name string) string { return "\x00\x00" + "\x01\x01" + form + "\x01" + name }
	only := address(2) + setFile(0) + row + advance(1) + end
	for name, tt := range map[string]struct{ line, want string }{
		"indirect":         {unit(5, files5, program), "2 cup.c:1, 3 here/pot.c:1, 4 -"},
		"inline":           {unit(5, inline("\x08", "x.c\x00"), only), "2 x.c:1, 3 -"},
		"past the texts":   {unit(5, inline("\x0e", u32(99)), only), "2 ?:1, 3 -"},
		"number for name":  {unit(5, inline("\x0f", leb(9)), only), "2 ?:1, 3 -"},
		"block for name":   {unit(5, inline("\x09", "\x02xx"), only), "2 ?:1, 3 -"},
		"2 bytes":          {unit(5, inline("\x05", "xx"), only), "2 ?:1, 3 -"},
		"4 bytes":          {unit(5, inline("\x06", "xxxx"), only), "2 ?:1, 3 -"},
		"8 bytes":          {unit(5, inline("\x07", "xxxxxxxx"), only), "2 ?:1, 3 -"},
		"unknown form":     {unit(5, inline("\x7f", "x.c\x00"), only), ""},
		"block too long":   {unit(5, inline("\x09", "\xff\xff\xff\xff\x0f"), only), ""},
		"files of nothing": {unit(5, "\x00\x00"+"\x00"+leb(1<<62), only), ""},
		"entries of none":  {unit(5, "\x00"+leb(1)+"\x00"+leb(1), only), ""},
		"many files":       {unit(5, "\x00\x00"+"\x01\x01\x0f"+leb(1<<31), only), ""},
	} {
		if got := show(read(tt.line, lineStr5, str5, 100), 100); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

func TestNamesOfFiles(t *testing.T) {
	long := strings.Repeat("long", 100)
	for path, want := range map[string]string{
		"cup.c":                      "cup.c",
		"./src/../src/./cup.c":       "src/cup.c",
		"../../../cup.c":             "cup.c",
		"/home/ada/cup/src/cup.c":    "cup/src/cup.c",
		`C:\Users\ada\cup\src\cup.c`: "cup/src/cup.c",
		"a\nb\x1b[31m/c\u202e.c":     "a_b_[31m/c_.c",
		"\xff\xfe.c":                 "__.c",
		"/":                          "?",
		"Tasse ☕/Café.c":             "Tasse ☕/Café.c",
		long + ".c":                  (long + ".c")[len(long)+2-100:],
		strings.Repeat("☕", 40):      strings.Repeat("☕", 33),
	} {
		line := unit(4, noEntries+path+"\x00\x00\x00\x00"+endOfFiles, address(5)+row+advance(1)+end)
		p, ok := read(line, "", "", 100).At(5)
		if !ok || p.File != want || p.Line != 1 {
			t.Errorf("%q is %q, want %q", path, p.File, want)
		}
	}
}

// TestOverCaps: what has too much has no lines at all.
func TestOverCaps(t *testing.T) {
	sequence := func(rows int) string {
		return unit(4, files4, address(5)+strings.Repeat(special(0, 1), rows)+advance(1)+end)
	}
	many := func(files int) string {
		var names, program strings.Builder
		for i := range files {
			names.WriteString("f\x00\x00\x00\x00")
			program.WriteString(address(5) + setFile(i+1) + row + advance(1) + end)
		}
		return unit(4, noEntries+names.String()+endOfFiles, program.String())
	}
	for name, tt := range map[string]struct {
		line string
		want bool
	}{
		"rows":                  {sequence(1<<20 - 1), true},
		"rows over":             {sequence(1 << 20), false},
		"files":                 {many(1 << 14), true},
		"files over":            {many(1<<14 + 1), false},
		"files of units":        {many(1<<13) + many(1<<13), true},
		"files of units over":   {many(1<<13) + many(1<<13+1), false},
		"directories":           {unit(4, strings.Repeat("d\x00", 1<<14)+"\x00"+aFile+endOfFiles, all), true},
		"directories over":      {unit(4, strings.Repeat("d\x00", 1<<14+1)+"\x00"+aFile+endOfFiles, all), false},
		"offset over 32 bits":   {unit(4, files4, address(5)+row+advance(1<<33+1)+end), true},
		"instructions 3 long":   {strings.Replace(sequence(1), "\x01\x01\x01\x00\x04", "\x03\x01\x01\x00\x04", 1), true},
		"a line over 32 bits":   {unit(4, files4, address(5)+"\x03\x80\x80\x80\x80\x10"+row+advance(1)+end), true},
		"a number that is long": {unit(4, files4, address(5)+"\x02"+strings.Repeat("\x80", 30)+"\x01"+row+advance(1)+end), true},
	} {
		table := read(tt.line, "", "", 100)
		if _, ok := table.At(5); ok != tt.want {
			t.Errorf("%s: has lines: %t", name, ok)
		}
	}
}

// TestModulesThatDoNotFit: without offsets of the same functions there are no lines.
func TestModulesThatDoNotFit(t *testing.T) {
	with := func(offsets [][]uint32) *module.Module {
		return &module.Module{Debug: module.Debug{Line: []byte(unit(4, files4, all)), Offsets: offsets}}
	}
	one := with([][]uint32{{2, 4}})
	for name, tt := range map[string]struct {
		old, written *module.Module
		want         string
	}{
		"same":         {one, one, "2 src/cup.c:3, 4 src/cup.c:1"},
		"moved":        {one, with([][]uint32{{3, 6}}), "3 src/cup.c:3, 6 src/cup.c:1"},
		"repeated":     {with([][]uint32{{2, 2, 4}, {6}}), with([][]uint32{{3, 5, 6}, {9}}), "3 src/cup.c:3, 6 src/cup.c:1"},
		"out of order": {with([][]uint32{{4}, {2}, {9}}), with([][]uint32{{3}, {6}, {9}}), "3 src/cup.c:1, 6 src/cup.c:3, 9 c/d/pot.h:4"},
		"fewer":        {one, with([][]uint32{{3}}), "3 src/cup.c:3"},
		"none":         {one, &module.Module{}, ""},
		"no offsets":   {with(nil), one, ""},
		"one more":     {one, with([][]uint32{{3, 6}, {8}, {10}}), "3 src/cup.c:3, 6 src/cup.c:1, 8 -"},
		"one less":     {with([][]uint32{{2}, {4}}), one, ""},
		"empty":        {with([][]uint32{{}}), with([][]uint32{{}}), ""},
	} {
		if got := show(lines.Read(tt.old, tt.written), 10); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

// TestUnitsOfNothing: tables whose entries have no fields name thousands of files in three
// bytes. Of a module full of them, none may be made, or reading it takes an hour.
func TestUnitsOfNothing(t *testing.T) {
	nothing := unit(5, "\x00"+leb(1<<14)+"\x00"+leb(1<<14), "")
	one := testing.AllocsPerRun(1, func() { read(nothing, "", "", 1) })
	many := testing.AllocsPerRun(1, func() { read(strings.Repeat(nothing, 100), "", "", 1) })
	if more := many - one; more > 2*100 {
		t.Errorf("%v allocations for 100 units of %d bytes", more, len(nothing))
	}
}
