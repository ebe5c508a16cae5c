package lines_test

import (
	"cmp"
	"debug/dwarf"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aviary-host/aviary/plugins/lines"
	"github.com/aviary-host/aviary/plugins/module"
)

// wasmFiles returns those of a directory and below.
func wasmFiles(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == "spectest":
			return fs.SkipDir
		case filepath.Ext(path) == ".wasm":
			found[path], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// withLines returns the modules that have a line table: our guest in C, and of wazero's
// own tests those that TinyGo, Zig and others made.
func withLines(t testing.TB) map[string][]byte {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	if err != nil {
		t.Fatal(err)
	}
	found := wasmFiles(t, strings.TrimSpace(string(out)))
	for name, wasm := range wasmFiles(t, filepath.Join("..", "testdata", "guests")) {
		found[name] = wasm
	}
	for name, wasm := range found {
		if custom(wasm, ".debug_line") == nil {
			delete(found, name)
		}
	}
	if len(found) < 4 {
		t.Fatalf("%d modules with lines", len(found))
	}
	return found
}

func modules(t testing.TB) map[string]*module.Module {
	t.Helper()
	found := map[string]*module.Module{}
	for name, wasm := range withLines(t) {
		m, err := module.Decode(wasm, module.DefaultCaps())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		found[name] = m
	}
	return found
}

// custom returns the contents of a custom section, nil if there is none.
func custom(wasm []byte, name string) []byte {
	for rest := wasm[8:]; len(rest) > 0; {
		id := rest[0]
		size, n := binary.Uvarint(rest[1:])
		contents := rest[1+n:][:size]
		rest = rest[1+n+int(size):]
		if id != 0 {
			continue
		}
		length, n := binary.Uvarint(contents)
		if string(contents[n:][:length]) == name {
			return contents[n+int(length):]
		}
	}
	return nil
}

// TestSameAsTheStandardLibrary: for each instruction of modules that compilers made,
// the place is that of debug/dwarf.
func TestSameAsTheStandardLibrary(t *testing.T) {
	for name, wasm := range withLines(t) {
		t.Run(filepath.Base(filepath.Dir(name))+"/"+filepath.Base(name), func(t *testing.T) {
			m, err := module.Decode(wasm, module.DefaultCaps())
			if err != nil {
				t.Fatal(err)
			}
			table := lines.Read(m, m)
			want := standard(t, wasm)
			n, bad := 0, 0
			for _, offsets := range m.Debug.Offsets {
				for _, offset := range offsets {
					w := find(want, uint64(offset))
					got, ok := table.At(uint64(offset))
					if ok != (w.Line != 0) || int(got.Line) != w.Line || ok && path.Base(got.File) != path.Base(w.File.Name) {
						if bad++; bad < 10 {
							t.Errorf("offset %d is %+v, want %+v", offset, got, w)
						}
					}
					if ok {
						n++
					}
				}
			}
			t.Logf("%d instructions have lines", n)
			if n < 90 {
				t.Error("too few")
			}
		})
	}
}

// standard reads the lines of a module with the standard library, ascending.
func standard(t *testing.T, wasm []byte) []dwarf.LineEntry {
	t.Helper()
	part := func(name string) []byte { return custom(wasm, ".debug_"+name) }
	data, err := dwarf.New(part("abbrev"), nil, nil, part("info"), part("line"), nil, part("ranges"), part("str"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"line_str", "addr", "str_offsets", "rnglists"} {
		if err := data.AddSection(".debug_"+name, part(name)); err != nil {
			t.Fatal(err)
		}
	}
	var all []dwarf.LineEntry
	for r := data.Reader(); ; r.SkipChildren() {
		unit, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if unit == nil {
			break
		}
		lines, err := data.LineReader(unit)
		if err != nil {
			t.Fatal(err)
		}
		if lines != nil {
			all = append(all, sequences(t, lines)...)
		}
	}
	slices.SortStableFunc(all, func(a, b dwarf.LineEntry) int {
		return cmp.Or(cmp.Compare(a.Address, b.Address), cmp.Compare(min(a.Line, 1), min(b.Line, 1)))
	})
	return all
}

// sequences returns the rows of a unit, without those of code that was removed and
// those of no code.
func sequences(t *testing.T, r *dwarf.LineReader) (all []dwarf.LineEntry) {
	t.Helper()
	var now []dwarf.LineEntry
	for {
		var e dwarf.LineEntry
		switch err := r.Next(&e); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatal(err)
		}
		if !e.EndSequence {
			now = append(now, e)
			continue
		}
		now = slices.DeleteFunc(now, func(o dwarf.LineEntry) bool { return o.Address == e.Address })
		if len(now) > 0 && now[0].Address != 0 && now[0].Address < 0xfffffffe {
			e.Line = 0
			all = append(append(all, now...), e)
		}
		now = nil
	}
}

func find(all []dwarf.LineEntry, offset uint64) dwarf.LineEntry {
	i, _ := slices.BinarySearchFunc(all, offset+1, func(e dwarf.LineEntry, o uint64) int { return cmp.Compare(e.Address, o) })
	if i == 0 {
		return dwarf.LineEntry{}
	}
	return all[i-1]
}
