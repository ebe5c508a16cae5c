package module_test

import (
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/aviary-host/aviary/plugins/module"
)

// overCap is, for a field of Caps, a module that has n of what it counts, and a
// part of the error when that is one too many. The first n that is tried is n.
type overCap struct {
	n     int
	wasm  func(n int) string
	thing string
}

var overCapsBy = map[string]overCap{
	"Module": {100, func(n int) string { return header + section(custom, "\x01a"+strings.Repeat(".", n-12)) }, "bytes of module"},
	"Types":  {3, func(n int) string { return header + vector(typeSec, times(n, unit)...) }, "types"},
	"Params": {3, func(n int) string { return header + vector(typeSec, "\x60\x00"+sized(strings.Repeat("\x7f", n))) }, "parameters or results"},
	"AllParams": {
		6, func(n int) string {
			return header + vector(typeSec, "\x60\x02\x7f\x7f\x01\x7f", "\x60\x02\x7f\x7f"+sized(strings.Repeat("\x7f", n-5)))
		},
		"parameters and results of all types",
	},
	"Imports": {3, func(n int) string { return header + vector(importSec, times(n, "\x00\x00\x03\x7f\x00")...) }, "imports"},
	"Functions": {
		3, func(n int) string {
			return header + vector(typeSec, unit) + vector(importSec, "\x00\x00\x00\x00") +
				vector(funcSec, times(n-1, "\x00")...) + vector(codeSec, times(n-1, sized(noLoc+end))...)
		},
		"functions",
	},
	"Tables": {
		3, func(n int) string {
			return header + vector(importSec, "\x00\x00\x01"+aTable) + vector(tableSec, times(n-1, aTable)...)
		},
		"tables",
	},
	"TableEntries": {
		90, func(n int) string {
			return header + vector(importSec, "\x00\x00\x01\x70\x00\x05") + vector(tableSec, "\x70\x00"+number(n-5))
		},
		"table entries",
	},
	"Globals": {
		3, func(n int) string {
			return header + vector(importSec, "\x00\x00\x03\x7f\x00") + vector(globalSec, times(n-1, anInt)...)
		},
		"globals",
	},
	"Exports": {
		3, func(n int) string {
			exports := make([]string, n)
			for i := range exports {
				exports[i] = sized(string(rune('a'+i))) + "\x02\x00"
			}
			return header + vector(memorySec, aMem) + vector(exportSec, exports...)
		},
		"exports",
	},
	"Elems": {3, func(n int) string { return header + vector(elemSec, times(n, "\x05\x70\x00")...) }, "element segments"},
	"ElemEntries": {
		6, func(n int) string {
			null := "\xd0\x70\x0b"
			return header + vector(elemSec, "\x05\x70\x02"+null+null, "\x05\x70"+number(n-2)+strings.Repeat(null, n-2))
		},
		"entries of element segments",
	},
	"Datas": {3, func(n int) string { return header + vector(dataSec, times(n, "\x01\x00")...) }, "data segments"},
	"Name": {
		9, func(n int) string {
			return header + vector(importSec, "\x00"+sized(strings.Repeat("n", n))+"\x03\x7f\x00")
		},
		"bytes of a name",
	},
	"Body":   {200, func(n int) string { return body(noLoc, strings.Repeat("\x01", n-2)+end) }, "bytes of code"},
	"Locals": {9, func(n int) string { return body("\x02\x05\x7f"+number(n-5)+"\x7e", end) }, "locals"},
	"AllLocals": {
		9, func(n int) string {
			return header + vector(typeSec, unit) + vector(funcSec, "\x00", "\x00") +
				vector(codeSec, sized("\x01\x05\x7f"+end), sized("\x01"+number(n-5)+"\x7f"+end))
		},
		"locals of all functions",
	},
	"Depth": {5, func(n int) string {
		return body(noLoc, strings.Repeat("\x02\x40", n)+strings.Repeat(end, n+1))
	}, "blocks within each other"},
	"Blocks": { // 1, 1, 2, 3, 1, 2
		10, func(n int) string {
			return body(noLoc, "\x02\x40\x0b\x03\x40\x0b\x41\x00\x04\x40\x0b\x41\x00\x0d\x00"+
				strings.Repeat("\x02\x40\x0b", n-10)+"\x41\x00\x0e\x01\x00\x00"+end)
		},
		"basic blocks",
	},
	"BlockLocals": { // 5 blocks, 2 loops within each other
		5 * 5, func(n int) string {
			return body("\x01"+number(n/5-2)+"\x7f", "\x03\x40\x03\x40\x0b\x0b"+end)
		},
		"basic blocks times locals and loops within each other",
	},
	"Steps": { // 4 to go on after a branch and to meet it at the end, and 1 to look a local up across it
		9, func(n int) string {
			return body("\x01\x01\x7f", "\x41\x00\x0d\x00"+strings.Repeat("\x20\x00", n-4)+end)
		},
		"steps from one basic block to another",
	},
	"Passed": { // by a call, a loop, a branch to it, a block, and a branch to that
		3 + 3 + 1 + 1 + 1, func(n int) string {
			return header + vector(typeSec, "\x60\x01\x7f\x02\x7f\x7f") + vector(funcSec, "\x00") +
				vector(codeSec, sized(noLoc+"\x00\x10\x00\x03\x00\x0c\x00\x0b\x02\x7f\x0c\x00\x0b\x00"+strings.Repeat("\x02\x7f\x00\x0b\x00", n-9)+end))
		},
		"values passed by calls, branches and blocks",
	},
	"Targets": {
		6, func(n int) string {
			return body(noLoc, "\x00\x0e\x01\x00\x00\x0e"+number(n-3)+strings.Repeat("\x00", n-2)+end)
		},
		"targets of br_table",
	},
	"Instructions": {
		9, func(n int) string {
			return header + vector(typeSec, unit) + vector(funcSec, "\x00", "\x00") +
				vector(codeSec, sized(noLoc+"\x01"+end), sized(noLoc+strings.Repeat("\x01", n-3)+end))
		},
		"instructions",
	},
}

// TestCaps: each cap allows what it says, and refuses one more.
func TestCaps(t *testing.T) {
	for i := range reflect.TypeFor[module.Caps]().NumField() {
		name := reflect.TypeFor[module.Caps]().Field(i).Name
		tt, ok := overCapsBy[name]
		if !ok {
			t.Errorf("no test of %s", name)
			continue
		}
		caps := module.DefaultCaps()
		reflect.ValueOf(&caps).Elem().Field(i).SetInt(int64(tt.n))
		if _, err := reencode([]byte(tt.wasm(tt.n)), caps); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		over := tt.n + 1
		if name == "BlockLocals" {
			over = tt.n + 5
		}
		_, err := module.Decode([]byte(tt.wasm(over)), caps)
		checkError(t, name, err, strconv.Itoa(over)+" "+tt.thing+", at most "+strconv.Itoa(tt.n)+" (byte ")
	}
}

// TestNamesAreCut: a function's name is no reason to refuse a module.
func TestNamesAreCut(t *testing.T) {
	caps := module.DefaultCaps()
	caps.Name = 4
	for name, want := range map[string]string{"abcd": "abcd", "abcde": "abcd", "abcé": "abc", "äöü": "äö"} {
		wasm := body(noLoc, end) + section(custom, sized("name")+"\x01"+sized("\x01\x00"+sized(name)))
		m, err := module.Decode([]byte(wasm), caps)
		if err != nil || len(m.Names) != 1 || m.Names[0].Name != want {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
}

// bombs are small modules on which wazero spends seconds, or gigabytes.
var bombs = map[string]struct{ wasm, want string }{
	"locals": {body("\x01\x80\xda\xc4\x09\x7f", end), "20000000 locals, at most 4096"},
	"locals of many functions": {
		header + vector(typeSec, unit) + vector(funcSec, times(40_000, "\x00")...) +
			vector(codeSec, times(40_000, sized("\x01\x80\x20\x7f"+end))...),
		"locals of all functions, at most 1048576",
	},
	"table":        {header + vector(tableSec, "\x70\x00\x80\x80\x80\x40"), "134217728 table entries, at most 65536"},
	"nested loops": {body("\x01\x64\x7f", strings.Repeat("\x03\x40", 3500)+strings.Repeat(end, 3501)), "25203600 basic blocks times locals and loops within each other, at most 2097152"},
	"ifs":          {body("\x01\x01\x7f", strings.Repeat("\x20\x00\x04\x40\x0b", 36_000)+end), "108001 basic blocks, at most 32768"},
	"deep loops":   {body(noLoc, strings.Repeat("\x03\x40", 5000)+strings.Repeat("\x20\x00\x0d\x00\x0b", 5000)+end), "4097 blocks within each other, at most 4096"},
	"br_table":     {body(noLoc, "\x00\x0e"+number(100_000)+strings.Repeat("\x00", 100_001)+end), "100001 targets of br_table, at most 16384"},
	"deep blocks":  {body(noLoc, strings.Repeat("\x02\x40", 100_000)+strings.Repeat(end, 60_001)), "4097 blocks within each other, at most 4096"},
	"large body":   {body(noLoc, strings.Repeat("\x02\x40", 200_000)+strings.Repeat(end, 200_001)), "600002 bytes of code, at most 262144"},
	"results": {
		header + vector(typeSec, "\x60\x00"+sized(strings.Repeat("\x7f", 1000))) + vector(funcSec, "\x00") +
			vector(codeSec, sized(noLoc+strings.Repeat("\x10\x00", 60_000)+"\x00"+end)),
		"60000000 values passed by calls, branches and blocks, at most 524288",
	},
	"counts": {header + section(typeSec, "\xff\xff\xff\xff\x0f"), "4294967295 types, at most 10000"},
}

// TestBombs: they are refused by the cap that is meant, before they cost memory
// that they did not bring along.
func TestBombs(t *testing.T) {
	for name, tt := range bombs {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := module.Decode([]byte(tt.wasm), module.DefaultCaps())
			runtime.ReadMemStats(&after)
			checkError(t, name, err, tt.want)
			if got := after.TotalAlloc - before.TotalAlloc; got > 12<<20 {
				t.Errorf("%d bytes of memory for a module of %d bytes", got, len(tt.wasm))
			}
		})
	}
}

// TestMemory: what a module costs is in proportion to it.
func TestMemory(t *testing.T) {
	const size = 250_000
	for name, wasm := range map[string]string{
		"nops":        header + vector(typeSec, unit) + vector(funcSec, times(8, "\x00")...) + vector(codeSec, times(8, sized(noLoc+strings.Repeat("\x01", size)+end))...),
		"segments":    header + vector(dataSec, times(100_000, "\x01\x00")...),
		"expressions": header + vector(elemSec, "\x05\x70"+number(60_000)+strings.Repeat("\xd0\x70\x0b", 60_000)),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		m, err := module.Decode([]byte(wasm), module.DefaultCaps())
		runtime.ReadMemStats(&after)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 40*uint64(len(wasm)) {
			t.Errorf("%s: %d bytes of memory for a module of %d bytes", name, got, len(wasm))
		}
		runtime.KeepAlive(m)
	}
}
