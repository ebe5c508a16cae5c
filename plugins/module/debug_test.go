package module_test

import (
	"debug/dwarf"
	"encoding/binary"
	"reflect"
	"strings"
	"testing"

	"github.com/aviary-host/aviary/plugins/module"
)

// sections returns the custom sections of an encoded module by their names.
func sections(t *testing.T, wasm []byte) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	rest := wasm[len(header):]
	for len(rest) > 0 {
		id := rest[0]
		size, n := binary.Uvarint(rest[1:])
		contents := rest[1+n:][:size]
		rest = rest[1+n+int(size):]
		if id == custom {
			size, n := binary.Uvarint(contents)
			found[string(contents[n:][:size])] = contents[n+int(size):]
		}
	}
	return found
}

// TestTracesAreTheHosts: in place of the guest's debug information stands what says
// nothing but that there is code, which a debugger can read.
func TestTracesAreTheHosts(t *testing.T) {
	code := body(noLoc, "\x01\x01"+end)
	m, err := module.Decode([]byte(code+section(custom, "\x0b.debug_lineSECRET")+section(custom, "\x0b.debug_infoSECRET")), module.DefaultCaps())
	if err != nil {
		t.Fatal(err)
	}
	out := m.Encode()
	found := sections(t, out)
	if len(found) != 3 || strings.Contains(string(out), "SECRET") || !strings.HasPrefix(string(out), code) {
		t.Fatalf("encoded as %q", out)
	}
	ranges, got := firstLines(t, found)
	if !reflect.DeepEqual(ranges, [][2]uint64{{1, 1<<31 - 1}}) {
		t.Errorf("ranges are %x", ranges)
	}
	if got[0].Address != 1 || got[0].Line != 0 || got[0].File.Name != "?" || got[1].Address != 1<<31-1 || !got[1].EndSequence {
		t.Errorf("lines are %+v", got)
	}
}

// firstLines reads the ranges of the first unit, and its first two lines.
func firstLines(t *testing.T, sections map[string][]byte) (ranges [][2]uint64, lines [2]dwarf.LineEntry) {
	t.Helper()
	data, err := dwarf.New(sections[".debug_abbrev"], nil, nil, sections[".debug_info"], sections[".debug_line"], nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	unit, err := data.Reader().Next()
	if err != nil {
		t.Fatal(err)
	}
	if ranges, err = data.Ranges(unit); err != nil {
		t.Fatal(err)
	}
	r, err := data.LineReader(unit)
	if err != nil {
		t.Fatal(err)
	}
	for i := range lines {
		if err := r.Next(&lines[i]); err != nil {
			t.Fatal(err)
		}
	}
	return ranges, lines
}

// TestOffsets: they are where instructions stand, whether the module is the guest's or
// was written here, and they cost a module without lines nothing.
func TestOffsets(t *testing.T) {
	odd := header + section(custom, "\x05first") + vector(typeSec, unit) + vector(funcSec, "\x00", "\x00") +
		"\x0a\x91\x80\x00" + "\x82\x00" + "\x84\x00" + "\x00" + "\x01\x01" + end + sized("\x01\x00\x7f"+"\x41\x80\x00\x1a"+end)
	lines := section(custom, "\x0b.debug_line")
	for name, tt := range map[string]struct {
		wasm string
		want [][]uint32
	}{
		"lines":    {odd + lines, [][]uint32{{5, 6, 7}, {12, 15, 16}}},
		"none":     {odd + section(custom, "\x0b.debug_info"), nil},
		"no code":  {header + lines, nil},
		"in front": {header + lines + odd[len(header):], [][]uint32{{5, 6, 7}, {12, 15, 16}}},
	} {
		m, err := module.Decode([]byte(tt.wasm), module.DefaultCaps())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !reflect.DeepEqual(m.Debug.Offsets, tt.want) {
			t.Errorf("%s: offsets are %v, want %v", name, m.Debug.Offsets, tt.want)
		}
		again, err := module.Decode(m.Encode(), module.DefaultCaps())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if want := [][]uint32{{3, 4, 5}, {8, 10, 11}}; tt.want != nil && !reflect.DeepEqual(again.Debug.Offsets, want) {
			t.Errorf("%s, encoded: offsets are %v, want %v", name, again.Debug.Offsets, want)
		}
		if tt.want == nil && len(sections(t, m.Encode())) != 0 {
			t.Errorf("%s: something was added", name)
		}
	}
}
