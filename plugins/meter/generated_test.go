package meter_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/aviary-host/aviary/plugins/module"
)

// seed returns bytes for a generator.
func seed(n uint64) []byte {
	r := rand.New(rand.NewPCG(n, 4))
	data := make([]byte, 50+r.IntN(3000))
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	return data
}

// trial is one generated module in several worlds.
type trial struct {
	plain, counted, metered, interpreted *world
}

func newTrial(t testing.TB) *trial {
	compiler, interpreter := engine(), wazero.NewRuntimeConfigInterpreter()
	tr := &trial{
		plain: newWorldOn(t, compiler, false), counted: newWorldOn(t, compiler, false),
		metered: newWorldOn(t, compiler, true), interpreted: newWorldOn(t, interpreter, true),
	}
	for _, w := range tr.worlds() {
		if _, err := w.runtime.NewHostModuleBuilder("env").NewFunctionBuilder().
			WithGoModuleFunction(api.GoModuleFunc(mix), []api.ValueType{api.ValueTypeI64, api.ValueTypeI32}, []api.ValueType{api.ValueTypeI64}).
			Export("mix").Instantiate(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	return tr
}

func (tr *trial) worlds() []*world { return []*world{tr.plain, tr.counted, tr.metered, tr.interpreted} }

// mix is the function that generated modules import. It traps now and then.
func mix(_ context.Context, _ api.Module, stack []uint64) {
	if uint32(stack[1])%64 == 63 {
		panic(errMix)
	}
	stack[0] = stack[0]*31 + uint64(uint32(stack[1]))
}

var errMix = errors.New("no mix of that")

// outcome is all that can be seen of a call.
type outcome struct {
	results []uint64
	trap    string
	globals []uint64
	memory  []byte

	charged, executed, bound int64
}

// outcomes makes an instance of a module and calls its functions several times.
func (w *world) outcomes(t testing.TB, m *module.Module, args []byte) []outcome {
	t.Helper()
	mod, err := w.instantiate(m.Encode(), "")
	if err != nil {
		t.Fatalf("%v\n%x", err, m.Encode())
	}
	defer w.forget(t)
	g := generator{data: args}
	var all []outcome
	for range 2 {
		for i := range m.Exports {
			if x := &m.Exports[i]; x.Kind == module.KindFunc {
				all = append(all, w.outcome(t, mod, x.Name, &g))
			}
		}
	}
	return all
}

func (w *world) outcome(t testing.TB, mod api.Module, name string, g *generator) outcome {
	t.Helper()
	var args []uint64
	for _, p := range mod.ExportedFunction(name).Definition().ParamTypes() {
		switch p {
		case api.ValueTypeI32, api.ValueTypeF32:
			args = append(args, uint64(uint32(g.bits())))
		case api.ValueTypeI64, api.ValueTypeF64:
			args = append(args, g.bits())
		default: // a vector
			args = append(args, g.bits(), g.bits())
		}
	}
	mod.ExportedGlobal("g0").(api.MutableGlobal).Set(genGas)
	counters := map[string]*int64{}
	var out outcome
	for export, to := range map[string]*int64{executedExport: &out.executed, boundExport: &out.bound} {
		if global, ok := mod.ExportedGlobal(export).(api.MutableGlobal); ok {
			global.Set(0)
			counters[export] = to
		}
	}
	var err error
	out.results, out.charged, err = w.charge(t, mod, name, args...)
	out.trap = trap(err)
	for export, to := range counters {
		*to = int64(mod.ExportedGlobal(export).Get())
	}
	for _, global := range []string{"g0", "g1", "g2", "g4", "g5"} { // g3 is a vector
		out.globals = append(out.globals, mod.ExportedGlobal(global).Get())
	}
	out.memory = written(mod.ExportedMemory("memory"))
	return out
}

// written returns a copy of a memory, without the zeros at its end.
func written(mem api.Memory) []byte {
	all, _ := mem.Read(0, mem.Size())
	return bytes.Clone(withoutZeros(all))
}

// withoutZeros cuts off the zeros at the end, most of them page by page: memories are of
// megabytes, and mostly zeros.
func withoutZeros(memory []byte) []byte {
	var zeros [4096]byte
	for bytes.HasSuffix(memory, zeros[:]) {
		memory = memory[:len(memory)-len(zeros)]
	}
	return bytes.TrimRight(memory, "\x00")
}

// effort is what generated modules did.
type effort struct{ returns, traps, charged, executed int64 }

// check runs a generated module with and without meters.
func (tr *trial) check(t testing.TB, data []byte, sum *effort) {
	t.Helper()
	m := generate(data)
	args := data[min(len(data), 10):]
	want := tr.plain.outcomes(t, m, args)
	counted := tr.counted.outcomes(t, counting(m), args)
	got := tr.metered.outcomes(t, m, args)
	again := tr.interpreted.outcomes(t, m, args)
	for i := range want {
		for _, o := range []outcome{counted[i], got[i], again[i]} {
			same := slices.Equal(o.results, want[i].results) && o.trap == want[i].trap &&
				slices.Equal(o.globals, want[i].globals) && bytes.Equal(o.memory, want[i].memory)
			if !same {
				t.Fatalf("call %d gives %+v, want %+v\n%x", i, o, want[i], m.Encode())
			}
		}
		if c := got[i].charged; c < counted[i].executed || c > counted[i].bound || c != again[i].charged {
			t.Errorf("call %d costs %d, or %d in the interpreter; executed were %d, at most %d are due\n%x",
				i, c, again[i].charged, counted[i].executed, counted[i].bound, m.Encode())
		}
		sum.charged += got[i].charged
		sum.executed += counted[i].executed
		if want[i].trap == "" {
			sum.returns++
		} else {
			sum.traps++
		}
	}
}

// TestGeneratedModules runs valid modules of random code, with and without meters:
// results, traps, memory and globals are the same in compiler and interpreter, the
// stack is given back, and what is charged is at least what was executed, and no more
// than the documentation of the package allows.
func TestGeneratedModules(t *testing.T) {
	modules := uint64(500)
	if raceEnabled {
		modules = 100
	}
	tr := newTrial(t)
	var sum effort
	for n := range modules {
		tr.check(t, seed(n), &sum)
		if t.Failed() {
			t.Fatalf("module %d", n)
		}
	}
	t.Logf("%+v", sum)
	if n := int64(modules); sum.executed < 1000*n || sum.returns < 2*n || sum.traps < n {
		t.Error("these modules do too little")
	}
}

// FuzzGenerated is that with bytes that a fuzzer finds.
func FuzzGenerated(f *testing.F) {
	for n := range uint64(20) {
		f.Add(seed(n))
	}
	tr := newTrial(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := module.Decode(generate(data).Encode(), module.DefaultCaps()); err != nil {
			t.Fatal(err)
		}
		tr.check(t, data, &effort{})
	})
}
