package plugins_test

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/plugins"
)

// cup reads the guest in C.
func cup(t testing.TB) []byte {
	t.Helper()
	wasm, err := os.ReadFile(filepath.Join("testdata", "guests", "cup", "cup.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	return wasm
}

// stripped returns a module without the custom sections that drop names.
func stripped(wasm []byte, drop func(name string) bool) []byte {
	out := append([]byte(nil), wasm[:8]...)
	for rest := wasm[8:]; len(rest) > 0; {
		size, n := binary.Uvarint(rest[1:])
		whole := rest[:1+n+int(size)]
		rest = rest[len(whole):]
		if id := whole[0]; id == 0 {
			length, m := binary.Uvarint(whole[1+n:])
			if drop(string(whole[1+n+m:][:length])) {
				continue
			}
		}
		out = append(out, whole...)
	}
	return out
}

// mistakes are those of the guest in C, by the payload that asks for them.
var mistakes = []struct {
	payload, message string
	file             string
	line             int
	bare             string // the message when the module was stripped of all custom sections
}{
	{
		"u", "trap: unreachable (spill at src/cup.c:33)", "src/cup.c", 33,
		"trap: unreachable ($5)",
	},
	{
		"d", "trap: integer divide by zero (pour at src/pot.c:7)", "src/pot.c", 7,
		"trap: integer divide by zero ($6)",
	},
	{
		"i", "trap: out of bounds memory access (act at src/pot.h:16)", "src/pot.h", 16, // inlined into act
		"trap: out of bounds memory access ($4)",
	},
	{
		"l", "fuel: over its fuel of 100000 (plugin.fuel), in stir at src/pot.c:23", "src/pot.c", 23,
		"fuel: over its fuel of 100000 (plugin.fuel), in $8",
	},
	{
		"r", "stack: over its stack of 10000 bytes (plugin.stack), in refill at src/pot.c:14", "src/pot.c", 14,
		"stack: over its stack of 10000 bytes (plugin.stack), in $7",
	},
}

// TestErrorsNameLines: of a guest with debug information, an error names file and
// line; of one that was stripped of it, only the function; and of one without names
// its index.
func TestErrorsNameLines(t *testing.T) {
	cfg := plugins.Config{Instances: 1, Fuel: 100_000, Stack: 10_000}
	whole := load(t, cup(t), cfg)
	named := load(t, stripped(cup(t), func(name string) bool { return strings.HasPrefix(name, ".debug_") }), cfg)
	bare := load(t, stripped(cup(t), func(string) bool { return true }), cfg)
	for _, tt := range mistakes {
		place := " at " + tt.file
		withoutPlace := tt.message[:strings.Index(tt.message, place)]
		if strings.HasSuffix(tt.message, ")") {
			withoutPlace += ")"
		}
		for range 2 {
			checkPlace(t, whole, tt.payload, plugins.CallError{Message: tt.message, File: tt.file, Line: tt.line})
		}
		checkPlace(t, named, tt.payload, plugins.CallError{Message: withoutPlace})
		checkPlace(t, bare, tt.payload, plugins.CallError{Message: tt.bare})
	}
	for _, p := range []*plugins.Plugin{whole, named, bare} {
		if got := mustHandle(t, p, abi.CallbackHandleIn, "tea"); got != "tea" {
			t.Errorf("echo is %s", got)
		}
	}
}

// checkPlace checks kind and message, joined, and the place of an error.
func checkPlace(t *testing.T, p *plugins.Plugin, payload string, want plugins.CallError) {
	t.Helper()
	_, err := handle(p, abi.CallbackHandleIn, payload)
	var got *plugins.CallError
	if !errors.As(err, &got) {
		t.Fatalf("%s: error is %T %v", payload, err, err)
	}
	if message := got.Kind.String() + ": " + got.Message; message != want.Message || got.File != want.File || got.Line != want.Line {
		t.Errorf("%s: error is\n%s, %s:%d\nwant\n%s, %s:%d", payload, message, got.File, got.Line, want.Message, want.File, want.Line)
	}
	if strings.Contains(got.Stack, "0x") || want.File == "" && strings.Contains(got.Stack, " at ") {
		t.Errorf("%s: stack is\n%s", payload, got.Stack)
	}
}

// TestTracesNameLines: every frame has its own.
func TestTracesNameLines(t *testing.T) {
	p := load(t, cup(t), plugins.Config{Instances: 1})
	_, err := handle(p, abi.CallbackHandleIn, "d")
	var got *plugins.CallError
	if !errors.As(err, &got) {
		t.Fatal(err)
	}
	want := ".pour(i32,i32) i32 at src/pot.c:7\n.act(i32) i32 at src/cup.c:43\n.handle_in(i32,i32) i64 at src/cup.c:60"
	if got.Stack != want {
		t.Errorf("stack is\n%s\nwant\n%s", got.Stack, want)
	}
}

// TestMistakesAreWhereTheySay: the lines of the table above are those of the source.
func TestMistakesAreWhereTheySay(t *testing.T) {
	for _, tt := range mistakes {
		text, err := os.ReadFile(filepath.Join("testdata", "guests", "cup", tt.file))
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{
			"u": "__builtin_trap();", "d": "u32 each = cups / guests; /* traps for nobody */",
			"i": "return *cup; /* traps out of bounds */", "l": "__attribute__((noinline)) u32 stir(u32 spoons) {",
			"r": "if (depth == 0) {",
		}[tt.payload]
		if got := strings.TrimSpace(strings.Split(string(text), "\n")[tt.line-1]); got != want {
			t.Errorf("%s: line %d of %s is %s, want %s", tt.payload, tt.line, tt.file, got, want)
		}
	}
}
