package module_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/aviary-host/aviary/plugins/module"
)

// accepted are modules that the compiler accepts too, which spell things in odd
// ways. The others of the specification's test suite are in TestSpecification.
var accepted = map[string]string{
	"empty":             header,
	"empty sections":    header + vector(typeSec) + vector(funcSec) + vector(codeSec) + vector(dataSec),
	"long numbers":      header + "\x01\x89\x80\x80\x80\x00" + "\x81\x00\x60\x80\x80\x80\x80\x00\x00",
	"minus one":         body(noLoc, "\x41\xff\xff\xff\xff\x7f\x1a\x42\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x1a"+end),
	"smallest numbers":  body(noLoc, "\x41\x80\x80\x80\x80\x78\x1a\x42\x80\x80\x80\x80\x80\x80\x80\x80\x80\x7f\x1a"+end),
	"runs of locals":    body("\x04\x01\x7f\x00\x7e\x02\x7f\x01\x7e", "\x20\x02\x1a\x20\x03\x1a"+end),
	"type of a block":   body(noLoc, "\x02\x80\x00"+end+end),
	"else":              body(noLoc, "\x41\x00\x04\x40\x05"+end+end),
	"explicit table":    header + vector(tableSec, aTable) + vector(elemSec, "\x02\x00"+zero+"\x00\x00"),
	"explicit memory":   header + vector(memorySec, aMem) + vector(dataSec, "\x02\x00"+zero+"\x01a"),
	"explicit funcref":  header + vector(tableSec, aTable) + vector(elemSec, "\x06\x00"+zero+"\x70\x00"),
	"empty expressions": header + vector(elemSec, "\x05\x6f\x00"),
	"declared":          rich("\xd2\x00\x1a" + end),
	"custom anywhere":   header + section(custom, "\x01a") + vector(typeSec, unit) + section(custom, "\x01a.."),
	"names first":       header + section(custom, "\x04name\x01\x04\x01\x00\x01f") + body(noLoc, end)[8:],
	"other names":       body(noLoc, end) + section(custom, "\x04name\x00\x02\x01m\x01\x04\x01\x00\x01f\x09\x03..."),
}

func TestAccepted(t *testing.T) {
	c := newCompiler(t)
	for name, wasm := range accepted {
		encoded, err := reencode([]byte(wasm), module.DefaultCaps())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := c.compile(encoded); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if len(encoded) > len(wasm) {
			t.Errorf("%s: %d bytes became %d", name, len(wasm), len(encoded))
		}
	}
}

// TestSpelling: what is encoded is the shortest of the ways to say it.
func TestSpelling(t *testing.T) {
	name := section(custom, "\x04name\x01\x04\x01\x00\x01f")
	for from, want := range map[string]string{
		"empty sections":   header,
		"long numbers":     header + vector(typeSec, unit),
		"minus one":        body(noLoc, "\x41\x7f\x1a\x42\x7f\x1a"+end),
		"runs of locals":   body("\x02\x03\x7f\x01\x7e", "\x20\x02\x1a\x20\x03\x1a"+end),
		"type of a block":  body(noLoc, "\x02\x00"+end+end),
		"explicit table":   header + vector(tableSec, aTable) + vector(elemSec, "\x00"+zero+"\x00"),
		"explicit memory":  header + vector(memorySec, aMem) + vector(dataSec, "\x00"+zero+"\x01a"),
		"explicit funcref": header + vector(tableSec, aTable) + vector(elemSec, "\x04"+zero+"\x00"),
		"declared":         accepted["declared"],
		"custom anywhere":  header + vector(typeSec, unit),
		"names first":      body(noLoc, end) + name,
		"other names":      body(noLoc, end) + name,
	} {
		got, err := reencode([]byte(accepted[from]), module.DefaultCaps())
		if err != nil || string(got) != want {
			t.Errorf("%s: %q, %v, want %q", from, got, err, want)
		}
	}
}

// refused says for each module that is refused here why. The text is all of the
// error.
var refused = map[string]struct{ wasm, want string }{
	"nothing":       {"", "not a WebAssembly module of version 1 (byte 0)"},
	"version":       {"\x00asm\x02\x00\x00\x00", "not a WebAssembly module of version 1 (byte 0)"},
	"section":       {header + section(14, ""), "section 14 is none of WebAssembly 2.0 (byte 9)"},
	"tags":          {header + section(13, ""), "tags, of exceptions, are not supported (byte 9)"},
	"order":         {header + vector(funcSec) + vector(typeSec), "type section: section comes twice or out of order (byte 13)"},
	"twice":         {header + vector(typeSec) + vector(typeSec), "type section: section comes twice or out of order (byte 13)"},
	"late count":    {header + vector(codeSec) + section(countSec, "\x00"), "data count section: section comes twice or out of order (byte 13)"},
	"size":          {header + "\x01\x05\x00", "type section: size of 5 bytes, 1 are left (byte 10)"},
	"size, small":   {header + section(typeSec, "\x01\x60\x00"), "type section: 1 types in 2 bytes (byte 11)"},
	"size, large":   {header + section(typeSec, "\x00\x60\x00"), "type section: 2 bytes are left over (byte 11)"},
	"long number":   {header + "\x01\x81\x80\x80\x80\x80\x00", "type section: number over 32 bits (byte 14)"},
	"large number":  {header + "\x01\x80\x80\x80\x80\x10", "type section: number over 32 bits (byte 14)"},
	"long i32":      {body(noLoc, "\x41\x80\x80\x80\x80\x80\x00"+end), "code section, function 0: number over 32 bits (byte 29)"},
	"large i32":     {body(noLoc, "\x41\x80\x80\x80\x80\x08"+end), "code section, function 0: number over 32 bits (byte 29)"},
	"small i32":     {body(noLoc, "\x41\xff\xff\xff\xff\x77"+end), "code section, function 0: number over 32 bits (byte 29)"},
	"large i64":     {body(noLoc, "\x42\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"+end), "code section, function 0: number over 64 bits (byte 34)"},
	"large block":   {body(noLoc, "\x02\x80\x80\x80\x80\x10"+end), "code section, function 0: number over 33 bits (byte 29)"},
	"struct":        {header + vector(typeSec, "\x5f\x00\x00"), "type section: type of form 0x5f is no function (byte 12)"},
	"typed ref":     {header + vector(typeSec, "\x60\x01\x64\x70\x00"), "type section: typed references are not supported (byte 14)"},
	"exnref":        {header + vector(typeSec, "\x60\x01\x69\x00"), "type section: type 0x69 is none of WebAssembly 2.0 (byte 14)"},
	"no type":       {header + vector(funcSec, "\x00"), "function section: type 0 of 0 (byte 12)"},
	"no code":       {header + vector(typeSec, unit) + vector(funcSec, "\x00"), "code of 0 functions, but 1 are declared (byte 18)"},
	"no function":   {header + vector(codeSec, "\x02\x00\x0b"), "code section: code of 1 functions, but 0 are declared (byte 11)"},
	"import kind":   {header + vector(importSec, "\x00\x00\x05\x00"), "import section: kind 5 is none of WebAssembly 2.0 (byte 14)"},
	"tag import":    {header + vector(importSec, "\x00\x00\x04\x00\x00"), "import section: tags, of exceptions, are not supported (byte 14)"},
	"tag export":    {header + vector(exportSec, "\x00\x04\x00"), "export section: tags, of exceptions, are not supported (byte 13)"},
	"UTF-8":         {header + vector(importSec, "\x01\xff\x00\x00\x00"), "import section: name is not UTF-8 (byte 13)"},
	"table init":    {header + vector(tableSec, "\x40\x00\x70\x00\x00\xd0\x70\x0b"), "table section: tables that begin with a value are not supported (byte 12)"},
	"table of i32":  {header + vector(tableSec, "\x7f\x00\x00"), "table section: type i32 is none of references (byte 12)"},
	"typed table":   {header + vector(tableSec, "\x63\x70\x00\x00"), "table section: typed references are not supported (byte 12)"},
	"table bounds":  {header + vector(tableSec, "\x70\x01\x02\x01"), "table section: size of at least 2 and at most 1 (byte 15)"},
	"two memories":  {header + vector(memorySec, aMem, aMem), "memory section: 2 memories, at most 1 (byte 11)"},
	"other memory":  {header + vector(importSec, "\x00\x00\x02"+aMem) + vector(memorySec, aMem), "memory section: 2 memories, at most 1 (byte 19)"},
	"shared":        {header + vector(memorySec, "\x03\x01\x01"), "memory section: shared memories, of threads, are not supported (byte 12)"},
	"64 bits":       {header + vector(memorySec, "\x04\x01"), "memory section: tables and memories of 64 bits are not supported (byte 12)"},
	"limits":        {header + vector(memorySec, "\x08\x01"), "memory section: limits of kind 8 are none of WebAssembly 2.0 (byte 12)"},
	"pages":         {header + vector(memorySec, "\x00\x81\x80\x04"), "memory section: size of 65537, at most 65536 (byte 15)"},
	"mutability":    {header + vector(globalSec, "\x7f\x02"+zero), "global section: mutability is 2, neither 0 nor 1 (byte 13)"},
	"shared global": {header + vector(globalSec, "\x7f\x03"+zero), "global section: mutability is 3, neither 0 nor 1 (byte 13)"},

	"not constant":   {header + vector(globalSec, "\x7f\x00\x3f\x00\x0b"), "global section: instruction 0x3f is not constant (byte 14)"},
	"extended":       {header + vector(globalSec, "\x7f\x00\x41\x00\x41\x00\x6a\x0b"), "global section: constant expression of more than one instruction (byte 16)"},
	"wrong constant": {header + vector(globalSec, "\x7e\x00"+zero), "global section: constant expression of type i32, not i64 (byte 15)"},
	"own global":     {header + vector(globalSec, "\x7f\x00"+zero, "\x7f\x00\x23\x00\x0b"), "global section: imported global 0 of 0 (byte 20)"},
	"mutable global": {
		header + vector(importSec, "\x00\x00\x03\x7f\x01") + vector(globalSec, "\x7f\x00\x23\x00\x0b"),
		"global section: constant expression reads a global that may change (byte 23)",
	},
	"offset": {
		header + vector(memorySec, aMem) + vector(dataSec, "\x00\x42\x00\x0b\x00"),
		"data section: constant expression of type i64, not i32 (byte 19)",
	},

	"export twice": {
		header + vector(memorySec, aMem) + vector(exportSec, "\x01m\x02\x00", "\x01m\x02\x00"),
		`export section: export "m" comes twice (byte 24)`,
	},
	"export of none": {header + vector(exportSec, "\x01m\x02\x00"), "export section: memory 0 of 0 (byte 15)"},
	"start":          {header + section(startSec, "\x00"), "start section: function 0 of 0 (byte 11)"},
	"elements":       {header + vector(elemSec, "\x08\x00\x00"), "element segment of kind 8"},
	"element table":  {header + vector(elemSec, "\x00"+zero+"\x00"), "element section: table 0 of 0 (byte 12)"},
	"element kind":   {header + vector(elemSec, "\x01\x01\x00"), "element section: entries of kind 1 (byte 13)"},
	"element type":   {header + vector(elemSec, "\x05\x70\x01\xd0\x6f\x0b"), "element section: constant expression of type externref, not funcref (byte 16)"},
	"element func":   {header + vector(elemSec, "\x01\x00\x01\x00"), "element section: function 0 of 0 (byte 15)"},
	"data":           {header + vector(dataSec, "\x03\x00"), "data section: data segment of kind 3 (byte 12)"},
	"data memory":    {header + vector(dataSec, "\x00"+zero+"\x00"), "data section: memory 0 of 0 (byte 12)"},
	"data count":     {header + section(countSec, "\x01"), "data count of 1, but 0 data segments (byte 11)"},
	"no data count": {
		header + vector(typeSec, unit) + vector(funcSec, "\x00") + vector(codeSec, sized(noLoc+"\xfc\x09\x00"+end)) + vector(dataSec, "\x01\x00"),
		"code section, function 0: data segment used without a data count section (byte 25)",
	},

	"locals":      {body("\x01\xff\xff\xff\xff\x0f\x7f", end), "code section, function 0: 4294967295 locals, at most 4096 (byte 29)"},
	"code size":   {header + vector(typeSec, unit) + vector(funcSec, "\x00") + vector(codeSec, "\x05\x00\x0b"), "code section, function 0: size of 5 bytes, 2 are left (byte 22)"},
	"no end":      {body(noLoc, "\x01\x01"), "code section, function 0: ends early (byte 25)"},
	"open block":  {body(noLoc, "\x02\x40"+end), "code section, function 0: ends early (byte 26)"},
	"behind end":  {body(noLoc, end+"\x01"+end), "code section, function 0: 2 bytes are left over (byte 24)"},
	"else":        {body(noLoc, "\x02\x40\x05"+end+end), "code section, function 0: else without if (byte 26)"},
	"else of if":  {body(noLoc, "\x41\x00\x04\x40\x05\x05"+end+end), "code section, function 0: else without if (byte 29)"},
	"outer else":  {body(noLoc, "\x05"+end), "code section, function 0: else without if (byte 24)"},
	"block type":  {body(noLoc, "\x02\x01"+end+end), "code section, function 0: block of type 1 of 1 (byte 25)"},
	"long void":   {body(noLoc, "\x02\xc0\x7f"+end+end), "code section, function 0: block of type -64 of 1 (byte 26)"},
	"block ref":   {body(noLoc, "\x02\x64\x70"+end+end), "code section, function 0: block of type -28 of 1 (byte 25)"},
	"label":       {body(noLoc, "\x02\x40\x0c\x02"+end+end), "code section, function 0: label 2 of 2 (byte 27)"},
	"br_table":    {body(noLoc, "\x41\x00\x0e\x01\x00\x01"+end), "code section, function 0: label 1 of 1 (byte 29)"},
	"local":       {rich("\x20\x01" + end), "code section, function 0: local 1 of 1 (byte 62)"},
	"global":      {rich("\x23\x01" + end), "code section, function 0: global 1 of 1 (byte 62)"},
	"function":    {rich("\x10\x01" + end), "code section, function 0: function 1 of 1 (byte 62)"},
	"reference":   {rich("\xd2\x01" + end), "code section, function 0: function 1 of 1 (byte 62)"},
	"call type":   {rich("\x11\x01\x00" + end), "code section, function 0: type 1 of 1 (byte 62)"},
	"call table":  {rich("\x11\x00\x01" + end), "code section, function 0: table 1 of 1 (byte 63)"},
	"table":       {rich("\x25\x01" + end), "code section, function 0: table 1 of 1 (byte 62)"},
	"segment":     {rich("\xfc\x0c\x01\x00" + end), "code section, function 0: element segment 1 of 1 (byte 63)"},
	"init table":  {rich("\xfc\x0c\x00\x01" + end), "code section, function 0: table 1 of 1 (byte 64)"},
	"copy table":  {rich("\xfc\x0e\x00\x01" + end), "code section, function 0: table 1 of 1 (byte 64)"},
	"drop":        {rich("\xfc\x0d\x01" + end), "code section, function 0: element segment 1 of 1 (byte 63)"},
	"data index":  {rich("\xfc\x08\x01\x00" + end), "code section, function 0: data segment 1 of 1 (byte 63)"},
	"data drop":   {rich("\xfc\x09\x01" + end), "code section, function 0: data segment 1 of 1 (byte 63)"},
	"memory":      {rich("\x3f\x01" + end), "code section, function 0: several memories are not supported (byte 62)"},
	"memory copy": {rich("\xfc\x0a\x00\x01" + end), "code section, function 0: several memories are not supported (byte 64)"},
	"memory init": {rich("\xfc\x08\x00\x01" + end), "code section, function 0: several memories are not supported (byte 64)"},
	"no memory":   {body(noLoc, "\x28\x00\x00"+end), "code section, function 0: instruction 0x28 without a memory (byte 24)"},
	"no memory 2": {body(noLoc, "\xfc\x0b\x00"+end), "code section, function 0: instruction 0xfc 11 without a memory (byte 25)"},
	"alignment":   {rich("\x28\x03\x00" + end), "code section, function 0: alignment of 2^3, at most 2^2 (byte 62)"},
	"memory bits": {rich("\x28\x42\x00\x00" + end), "code section, function 0: alignment of 2^66, at most 2^2 (byte 62)"},
	"lane":        {rich("\xfd\x15\x10" + end), "code section, function 0: lane 16 of 16 (byte 63)"},
	"memory lane": {rich("\xfd\x57\x00\x00\x02" + end), "code section, function 0: lane 2 of 2 (byte 65)"},
	"shuffle":     {rich("\xfd\x0d" + strings.Repeat("\x20", 16) + end), "code section, function 0: lane 32 of 32 (byte 78)"},
	"select":      {rich("\x1c\x02\x7f\x7f" + end), "code section, function 0: select of 2 types, not 1 (byte 62)"},
	"null":        {rich("\xd0\x7f" + end), "code section, function 0: type i32 is none of references (byte 62)"},
	"threads":     {rich("\xfe\x00\x02\x00" + end), "code section, function 0: threads are not supported (byte 61)"},
	"tail call":   {rich("\x12\x00" + end), "code section, function 0: tail calls are not supported (byte 61)"},
	"throw":       {rich("\x08\x00" + end), "code section, function 0: exceptions are not supported (byte 61)"},
	"call_ref":    {rich("\x14\x00" + end), "code section, function 0: typed references and garbage collection are not supported (byte 61)"},
	"relaxed":     {rich("\xfd\x80\x02" + end), "code section, function 0: relaxed SIMD is not supported (byte 63)"},
	"misc":        {rich("\xfc\x80\x02" + end), "code section, function 0: instruction 0xfc 256 is none of WebAssembly 2.0 (byte 63)"},
	"wide":        {rich("\xfc\x13" + end), "code section, function 0: instruction 0xfc 19 is none of WebAssembly 2.0 (byte 62)"},
	"SIMD hole":   {rich("\xfd\xa2\x01" + end), "code section, function 0: instruction 0xfd 162 is none of WebAssembly 2.0 (byte 63)"},
	"opcode":      {rich("\xff" + end), "code section, function 0: instruction 0xff is none of WebAssembly 2.0 (byte 61)"},

	"names twice":   {header + section(custom, "\x04name") + section(custom, "\x04name"), "custom section: names come twice (byte 22)"},
	"custom name":   {header + section(custom, "\x05name"), "custom section: ends early (byte 11)"},
	"custom UTF-8":  {header + section(custom, "\x01\xff"), "custom section: name is not UTF-8 (byte 12)"},
	"name of none":  {header + section(custom, "\x04name\x01\x04\x01\x00\x01f"), "name section: 1 names, at most 0 (byte 18)"},
	"names doubled": {body(noLoc, end) + section(custom, "\x04name\x01\x01\x00\x01\x01\x00"), "name section: subsection 1 comes twice or out of order (byte 35)"},
	"names order": {
		body(noLoc, end) + section(custom, "\x04name\x01\x07\x02\x00\x01a\x00\x01b"),
		"name section: 2 names, at most 1 (byte 34)",
	},
	"name twice": {
		header + vector(typeSec, unit) + vector(importSec, times(2, "\x00\x00\x00\x00")...) +
			section(custom, "\x04name\x01\x07\x02\x00\x01a\x00\x01b"),
		"name section: names are not in the order of their functions (byte 41)",
	},
}

func TestRefused(t *testing.T) {
	for name, tt := range refused {
		_, err := module.Decode([]byte(tt.wasm), module.DefaultCaps())
		checkError(t, name, err, tt.want)
	}
}

// TestCutOff: a module that ends anywhere but behind a section is refused, and what
// is accepted is what was whole.
func TestCutOff(t *testing.T) {
	whole := rich("\x20\x00\x04\x40" + end + end)
	n := 0
	for i := range len(whole) {
		if _, err := module.Decode([]byte(whole[:i]), module.DefaultCaps()); err == nil {
			n++
		}
	}
	// Behind the header and the first section; behind the others, code is missing.
	if n != 2 {
		t.Errorf("%d parts are accepted, want 2", n)
	}
}

// TestOpcodes tries every opcode with immediates of all shapes: what is accepted
// must be to the compiler what it was, and nothing else may be accepted by it.
func TestOpcodes(t *testing.T) {
	c := newCompiler(t)
	immediates := []string{
		"", "\x00", "\x00\x00", "\x00\x00\x00", "\x00\x00\x00\x00", strings.Repeat("\x00", 8), strings.Repeat("\x00", 16),
		void + end, "\x70", "\x01\x7f", "\x01\x00\x00", "\x05\x00", "\x05\x00\x00",
	}
	known := 0
	for op := range 0x300 {
		code := string([]byte{byte(op)})
		if op >= 0x100 {
			code = string([]byte{[]byte{0xfc, 0xfd}[op>>8-1]}) + number(op&0xff)
		}
		if op == 0xfc || op == 0xfd {
			continue // the prefixes
		}
		ok := false
		for _, imm := range immediates {
			// What the instruction takes, and what it leaves, cannot be known: nothing
			// behind an unreachable is missing or too much.
			wasm := []byte(rich("\x00" + code + imm + "\x00" + end))
			if checkSame(t, c, fmt.Sprintf("%#x %q", op, imm), wasm) {
				ok = true
			} else if c.compile(wasm) == nil {
				t.Errorf("%#x %q: only the compiler accepts it", op, imm)
			}
		}
		if ok {
			known++
		}
	}
	// All of the specification, section 5.4, but else and end.
	if want := 181 + 18 + 236; known != want {
		t.Errorf("%d opcodes are accepted, want %d", known, want)
	}
}

func TestStructure(t *testing.T) {
	wasm := header + vector(typeSec, unit, "\x60\x02\x7f\x7e\x01\x7d") +
		vector(importSec, sized("env")+sized("f")+"\x00\x01", sized("env")+sized("g")+"\x03\x7f\x00") +
		vector(funcSec, "\x00") + vector(tableSec, "\x70\x01\x01\x02") + vector(memorySec, "\x01\x01\x03") +
		vector(globalSec, "\x7e\x01\x42\x7f\x0b") + vector(exportSec, sized("run")+"\x00\x01") + section(startSec, "\x01") +
		vector(elemSec, "\x00\x23\x00\x0b\x01\x01") + section(countSec, "\x01") +
		vector(codeSec, sized("\x02\x02\x7f\x01\x7b"+
			"\x02\x40\x20\x00\x0e\x01\x00\x01\x0b"+ // block, local.get, br_table
			"\x28\x02\x08\x1a"+ // i32.load, drop
			"\xfd\x0c0123456789abcdef\x21\x02"+end)) +
		vector(dataSec, "\x00"+zero+"\x02hi") + section(custom, "\x04name\x01\x06\x01\x01\x03run") +
		section(custom, "\x0b.debug_line...") +
		section(custom, "\x0a.debug_strone") + section(custom, "\x0a.debug_strtwo") + section(custom, "\x03any.")
	got, err := module.Decode([]byte(wasm), module.DefaultCaps())
	if err != nil {
		t.Fatal(err)
	}
	start := uint32(1)
	want := &module.Module{
		Types: []module.FuncType{{}, {Params: []module.ValType{module.I32, module.I64}, Results: []module.ValType{module.F32}}},
		Imports: []module.Import{
			{Module: "env", Name: "f", Kind: module.KindFunc, Type: 1},
			{Module: "env", Name: "g", Kind: module.KindGlobal, Global: module.GlobalType{Type: module.I32}},
		},
		Funcs: []module.Func{{
			Locals: []module.Locals{{Count: 2, Type: module.I32}, {Count: 1, Type: module.V128}},
			Body: []module.Instr{
				module.Block(module.OpBlock, module.BlockEmpty),
				{Op: module.OpLocalGet},
				{Op: module.OpBrTable, Imm: 2},
				{Op: module.OpEnd},
				{Op: module.OpI32Load, Align: 2, Imm: 8},
				{Op: module.OpDrop},
				{Op: module.OpV128Const},
				{Op: module.OpLocalSet, Index: 2},
				{Op: module.OpEnd},
			},
			Targets: []uint32{0, 1},
			Vectors: [][16]byte{[16]byte([]byte("0123456789abcdef"))},
		}},
		Tables:   []module.Table{{Type: module.Funcref, Limits: module.Limits{Min: 1, Max: 2, HasMax: true}}},
		Memories: []module.Limits{{Min: 1, Max: 3, HasMax: true}},
		Globals: []module.Global{{
			GlobalType: module.GlobalType{Type: module.I64, Mutable: true},
			Init:       module.Const{Instr: module.Instr{Op: module.OpI64Const, Imm: 1<<64 - 1}},
		}},
		Exports: []module.Export{{Name: "run", Kind: module.KindFunc, Index: 1}},
		Start:   &start,
		Elems: []module.Elem{{
			Offset: module.Const{Instr: module.Instr{Op: module.OpGlobalGet}}, Type: module.Funcref, Funcs: []uint32{1},
		}},
		Datas:        []module.Data{{Offset: module.Const{Instr: module.Instr{Op: module.OpI32Const}}, Init: []byte("hi")}},
		HasDataCount: true,
		Names:        []module.Name{{Func: 1, Name: "run"}},
		Debug: module.Debug{
			Dropped: module.Dropped{Sections: 3, Bytes: 9},
			Line:    []byte("..."), Str: []byte("one"),
			Offsets: [][]uint32{{7, 9, 11, 15, 16, 19, 20, 38, 40}},
		},
		Custom: module.Dropped{Sections: 1, Bytes: 1},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("decoded\n%+v\nwant\n%+v", got, want)
	}
	f := &got.Funcs[0]
	if labels := f.Labels(&f.Body[2]); !reflect.DeepEqual(labels, []uint32{0, 1}) {
		t.Errorf("labels are %v", labels)
	}
	if got.TypeOf(0) != &got.Types[1] || got.TypeOf(1) != &got.Types[0] || got.Imported(module.KindGlobal) != 1 {
		t.Error("imports are miscounted")
	}
	if b := f.Body[0].BlockType(); b != module.BlockEmpty {
		t.Errorf("type of the block is %d", b)
	}
}
