package module_test

import (
	"errors"
	"testing"

	"github.com/aviary-host/aviary/plugins/module"
)

// FuzzDecode: whatever the bytes, there is a module or a refusal; and what is
// accepted can be written and read again.
func FuzzDecode(f *testing.F) {
	for _, wasm := range guests(f) {
		if len(wasm) < 10_000 {
			f.Add(wasm)
		}
	}
	for _, wasm := range accepted {
		f.Add([]byte(wasm))
	}
	for _, tt := range refused {
		f.Add([]byte(tt.wasm))
	}
	f.Fuzz(func(t *testing.T, wasm []byte) {
		_, err := reencode(wasm, module.DefaultCaps())
		var refusal *module.Error
		switch {
		case errors.Is(err, errDiffers):
			t.Error(err)
		case err == nil:
		case !errors.As(err, &refusal):
			t.Errorf("error is %T %v", err, err)
		case refusal.Offset < 0 || refusal.Offset > len(wasm):
			t.Errorf("byte %d of %d", refusal.Offset, len(wasm))
		}
	})
}

// FuzzCompile: what is accepted is to the compiler what it was. The exceptions are
// modules that are spelled in ways the compiler does not know, where only what was
// written again is good.
func FuzzCompile(f *testing.F) {
	for _, wasm := range guests(f) {
		if len(wasm) < 10_000 {
			f.Add(wasm)
		}
	}
	for _, wasm := range accepted {
		f.Add([]byte(wasm))
	}
	c := newCompiler(f)
	f.Fuzz(func(t *testing.T, wasm []byte) {
		encoded, err := reencode(wasm, module.DefaultCaps())
		if err != nil {
			return
		}
		if before, after := c.compile(wasm), c.compile(encoded); before == nil && after != nil {
			t.Errorf("only the original compiles: %v", after)
		}
	})
}
