package plugins

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestForeignImportInDamagedModules(t *testing.T) {
	const head = "\x00asm\x01\x00\x00\x00"
	for name, wasm := range map[string]string{
		"section without length": head + "\x02",
		"section past the end":   head + "\x02\x05\x00",
		"endless number":         head + "\x02\xff\xff\xff\xff\xff\xff",
		"number over 32 bits":    head + "\x02\xff\xff\xff\xff\x7f",
		"fewer entries":          head + "\x02\x01\x03",
		"entry cut off":          head + "\x02\x05\x01\x01a\x01b",
	} {
		if f, found, err := foreignImport([]byte(wasm)); found || !errors.Is(err, errImportSection) {
			t.Errorf("%s: %+v %t %v", name, f, found, err)
		}
	}
	for _, wasm := range []string{"", "\x00as", head, head + "\x00\x02\x01n", head + "\x02\x01\x00"} {
		if f, found, err := foreignImport([]byte(wasm)); found || err != nil {
			t.Errorf("%q: %+v %t %v", wasm, f, found, err)
		}
	}
	tag := head + "\x02\x08\x01\x01a\x01b\x04\x00\x00"
	if f, found, err := foreignImport([]byte(tag)); f != (foreign{"a", "b", "tag"}) || !found || err != nil {
		t.Errorf("tag: %+v %t %v", f, found, err)
	}
}

func TestDeclaredMemory(t *testing.T) {
	const head = "\x00asm\x01\x00\x00\x00"
	for wasm, want := range map[string]uint64{
		"":                            0,
		head:                          0,
		head + "\x05\x03\x01\x00\x22": 34 * pageSize,
		head + "\x01\x00\x05\x04\x01\x01\x02\x09": 2 * pageSize,
		head + "\x05\x03\x01\x04\x22":             0, // of 64 bits
		head + "\x05\x01\x00":                     0,
		head + "\x05\x02\x01\x00":                 0,
		head + "\x05\x09\x01":                     0,
		head + "\x05":                             0,
	} {
		if got := declaredMemory([]byte(wasm)); got != want {
			t.Errorf("%q: %d, want %d", wasm, got, want)
		}
	}
}

func TestSizeText(t *testing.T) {
	for pages, want := range map[uint64][2]string{
		1: {"64 KiB", "64 KiB"}, 16: {"1 MiB", "1 MiB"}, 32: {"2 MiB", "2 MiB"}, 34: {"2.2 MiB", "2.1 MiB"}, 40: {"2.5 MiB", "2.5 MiB"},
		300: {"18.8 MiB", "18.7 MiB"}, 65536: {"4096 MiB", "4096 MiB"},
	} {
		if up, down := sizeText(pages*pageSize, true), sizeText(pages*pageSize, false); up != want[0] || down != want[1] {
			t.Errorf("%d pages: %s, %s", pages, up, down)
		}
	}
}

func FuzzForeignImport(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "faults", "*.wasm"))
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		wasm, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(wasm)
	}
	f.Fuzz(func(t *testing.T, wasm []byte) {
		declaredMemory(wasm) // must not panic
		imp, found, err := foreignImport(wasm)
		if found != (imp.kind != "") || found && err != nil {
			t.Errorf("%+v %t %v", imp, found, err)
		}
	})
}
