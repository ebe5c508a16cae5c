package meter_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/aviary-host/aviary/plugins/meter"
	"github.com/aviary-host/aviary/plugins/module"
)

// refusedHere are the reasons for which a module that the compiler would take is
// refused. A refusal for any other reason has to be the compiler's too.
var refusedHere = []string{
	", at most ",             // caps
	" not supported",         // features that the compiler may know
	" is none of WebAssembl", // the same

	// What the specification refuses (3.3.8), and the compiler does not look at.
	"constant expression reads a global that may change",
}

// admission takes modules the way of a plugin up to the compiler.
type admission struct{ runtime wazero.Runtime }

func newAdmission(t testing.TB) *admission {
	t.Helper()
	// The interpreter compiles faster, and validates with the same code.
	config := wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(api.CoreFeaturesV2)
	a := &admission{wazero.NewRuntimeWithConfig(context.Background(), config)}
	t.Cleanup(func() {
		if err := a.runtime.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return a
}

func (a *admission) compile(wasm []byte) error {
	compiled, err := a.runtime.CompileModule(context.Background(), wasm)
	if err != nil {
		return err
	}
	return compiled.Close(context.Background())
}

// check takes a module: what it was, what is written of it, and that with meters must
// be the same to the compiler.
func (a *admission) check(t testing.TB, wasm []byte) {
	t.Helper()
	m, err := module.Decode(wasm, module.DefaultCaps())
	if err != nil {
		if !listed(t, err) && !greedy(wasm) && a.compile(wasm) == nil {
			t.Errorf("only the compiler accepts it: %v", err)
		}
		return
	}
	encoded := m.Encode()
	again, err := module.Decode(encoded, module.DefaultCaps())
	if err != nil {
		t.Fatalf("accepted, but not what is written: %v", err)
	}
	again.Custom, again.Debug = m.Custom, m.Debug
	if !reflect.DeepEqual(again, m) {
		t.Fatal("what is written is another module")
	}
	before, after := a.compile(wasm), a.compile(encoded)
	if (before == nil) != (after == nil) {
		t.Errorf("the compiler says %v, and of what is written %v", before, after)
	}
	for _, resettable := range []bool{false, true} {
		if !resettable || meter.CheckResettable(m) == nil {
			a.meter(t, m, resettable, after)
		}
	}
}

// meter compares what the compiler says of a module with its meters with plain, what it says
// of it without.
func (a *admission) meter(t testing.TB, m *module.Module, resettable bool, plain error) {
	t.Helper()
	metered, err := meter.Instrument(m, meter.Config{Stack: testStack, MemoryPages: 256, TableEntries: 1 << 16, Resettable: resettable})
	if err != nil {
		var refusal *meter.Error
		if !errors.As(err, &refusal) {
			t.Errorf("error is %T %v", err, err)
		}
		return
	}
	encoded := metered.Encode()
	if _, err = module.Decode(encoded, meter.Caps(module.DefaultCaps())); err != nil {
		if !listed(t, err) {
			t.Errorf("accepted, but not with meters: %v", err)
		}
		return
	}
	with := a.compile(encoded)
	if m.Start != nil && with == nil && plain != nil && strings.Contains(plain.Error(), "undeclared function index") {
		return // its start function is exported with meters, which declares it for ref.func
	}
	if (with == nil) != (plain == nil) {
		t.Errorf("the compiler says %v, and with meters (resettable %v) %v", plain, resettable, with)
	}
}

// listed tells whether an error, which must be of package module, is for one of the
// reasons that are listed.
func listed(t testing.TB, err error) bool {
	t.Helper()
	var refusal *module.Error
	if !errors.As(err, &refusal) {
		t.Errorf("error is %T %v", err, err)
		return true
	}
	for _, reason := range refusedHere {
		if strings.Contains(refusal.Problem, reason) {
			return true
		}
	}
	return false
}

// greedy tells whether there may be a number of more than 21 bits in a module, for which
// the compiler would make room: it takes lengths at their word, that of a module
// which was refused included.
func greedy(wasm []byte) bool {
	run := 0
	for _, b := range wasm {
		if run++; b < 0x80 {
			run = 0
		}
		if run == 3 {
			return true
		}
	}
	return false
}

// edit changes a module in places that data chooses, in ways that leave it a module
// that can be written, though hardly a valid one.
func edit(wasm, data []byte) []byte {
	m, err := module.Decode(wasm, module.DefaultCaps())
	if err != nil || len(m.Funcs) == 0 {
		return wasm
	}
	g := generator{data: data}
	for len(g.data) > 0 {
		f := &m.Funcs[g.n(len(m.Funcs))]
		i, j := g.n(len(f.Body)), g.n(len(f.Body))
		switch in := &f.Body[i]; g.n(8) {
		case 0:
			f.Body[i], f.Body[j] = f.Body[j], f.Body[i]
		case 1:
			in.Op = pick(&g, genOps[pick(&g, genTypes)]).op
		case 2:
			in.Index = uint32(g.n(256))
		case 3:
			if in.Op != module.OpBrTable {
				in.Imm = g.bits()
			}
		case 4:
			in.Align, in.Lane = uint8(g.n(5)), uint8(g.n(20))
		case 5:
			f.Type = uint32(g.n(len(m.Types)))
		case 6:
			f.Body = slices.Delete(f.Body, i, min(i+1, len(f.Body)-1))
		case 7:
			m.Types[g.n(len(m.Types))] = module.FuncType{Params: g.types(3, true), Results: g.types(3, true)}
		}
		switch f.Body[i].Op {
		case module.OpBrTable, module.OpV128Const, module.OpI8x16Shuffle: // these look into the function
			f.Body[i] = module.Instr{Op: module.OpUnreachable}
		}
	}
	return m.Encode()
}

// FuzzAdmission: whatever the bytes, there is no panic, what is written is valid if the
// module was, and nothing is accepted here and refused by the compiler or the other way
// round, but for the reasons that are listed.
func FuzzAdmission(f *testing.F) {
	for _, wasm := range guests(f) {
		if len(wasm) < 10_000 {
			f.Add(wasm, []byte{})
		}
	}
	for n := range uint64(50) {
		f.Add(generate(seed(n)).Encode(), []byte{})
	}
	for i, wasm := range specified(f) {
		if i%20 == 0 || fuzzing() { // all of them have a test in package module
			f.Add(wasm, []byte{})
		}
	}
	a := newAdmission(f)
	f.Fuzz(func(t *testing.T, wasm, edits []byte) {
		a.check(t, edit(wasm, edits[:min(len(edits), 100)]))
	})
}

// fuzzing tells whether this is more than a run of the seeds.
func fuzzing() bool { return flag.Lookup("test.fuzz").Value.String() != "" }

// specified returns the modules of the specification's test suite, valid or not.
func specified(t testing.TB) [][]byte {
	t.Helper()
	var all [][]byte
	for _, dir := range []string{"v1", "v2"} {
		for _, file := range scripts(t, dir) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var s script
			if err := json.Unmarshal(text, &s); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			for i := range s.Commands {
				name := s.Commands[i].Filename
				if filepath.Ext(name) != ".wasm" {
					continue
				}
				wasm, err := os.ReadFile(filepath.Join(filepath.Dir(file), name))
				if err != nil {
					t.Fatal(err)
				}
				if len(wasm) < 10_000 {
					all = append(all, wasm)
				}
			}
		}
	}
	return all
}
