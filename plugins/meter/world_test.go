package meter_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/aviary-host/aviary/plugins/meter"
	"github.com/aviary-host/aviary/plugins/module"
)

const (
	testStack = 1 << 20
	testSlice = 1000
	testPages = 1000 // of a resettable memory
)

var (
	errFuel  = errors.New("out of fuel")
	errStack = errors.New("out of stack")
)

// world is a runtime in which modules are metered, or are not.
type world struct {
	runtime  wazero.Runtime
	metered  bool
	reset    bool   // modules are made resettable, those that can be
	pages    uint32 // of memory, at most
	modules  []api.Module
	compiled map[wazero.CompiledModule]*module.Module // with what they were made of

	budget, spent int64 // of all calls; what was handed out
	refills       int
}

// engine is the compiler.
func engine() wazero.RuntimeConfig {
	if raceEnabled { // it makes the compiler very slow
		return wazero.NewRuntimeConfigInterpreter()
	}
	return wazero.NewRuntimeConfig()
}

func newWorld(t testing.TB, metered bool) *world {
	t.Helper()
	return newWorldOn(t, engine(), metered)
}

func newWorldOn(t testing.TB, config wazero.RuntimeConfig, metered bool) *world {
	t.Helper()
	w := &world{
		runtime: wazero.NewRuntimeWithConfig(context.Background(), config.WithCoreFeatures(api.CoreFeaturesV2)),
		metered: metered, pages: 1 << 16, budget: 1 << 50,
		compiled: map[wazero.CompiledModule]*module.Module{},
	}
	t.Cleanup(func() {
		if err := w.runtime.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	_, err := w.runtime.NewHostModuleBuilder(meter.HostModule).NewFunctionBuilder().
		WithGoModuleFunction(api.GoModuleFunc(w.refill), []api.ValueType{api.ValueTypeI32}, nil).
		Export(meter.HostFunc).Instantiate(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// refill is the function that guests call when something has run out.
func (w *world) refill(_ context.Context, mod api.Module, stack []uint64) {
	if meter.Reason(stack[0]) == meter.OutOfStack {
		panic(errStack)
	}
	w.refills++
	fuel := mod.ExportedGlobal(meter.FuelExport).(api.MutableGlobal)
	w.spent += testSlice - int64(fuel.Get())
	if w.spent-testSlice > w.budget {
		panic(errFuel)
	}
	fuel.Set(testSlice)
}

// instantiate reads, meters and writes a module, and makes an instance of it.
func (w *world) instantiate(wasm []byte, name string) (api.Module, error) {
	old, err := module.Decode(wasm, module.DefaultCaps())
	if err != nil {
		return nil, err
	}
	compiled, err := w.compile(old)
	if err != nil {
		return nil, err
	}
	return w.instance(compiled, name)
}

// compile meters, writes and compiles a module.
func (w *world) compile(old *module.Module) (wazero.CompiledModule, error) {
	m := old
	if w.metered {
		cfg := meter.Config{Stack: testStack, MemoryPages: w.pages, TableEntries: 1<<32 - 1}
		if w.reset && meter.CheckResettable(old) == nil {
			cfg.Resettable, cfg.MemoryPages = true, testPages
		}
		var err error
		if m, err = meter.Instrument(old, cfg); err != nil {
			return nil, err
		}
	}
	compiled, err := w.runtime.CompileModule(context.Background(), m.Encode())
	if err == nil {
		w.compiled[compiled] = old
	}
	return compiled, err
}

// instance makes an instance of a module.
func (w *world) instance(compiled wazero.CompiledModule, name string) (api.Module, error) {
	mod, err := w.runtime.InstantiateModule(context.Background(), compiled, wazero.NewModuleConfig().WithName(name).WithStartFunctions())
	if err != nil {
		return mod, err
	}
	w.modules = append(w.modules, mod)
	return mod, w.begin(w.compiled[compiled], mod)
}

// begin does what an engine does with data segments and the start function, where it
// was taken out.
func (w *world) begin(old *module.Module, mod api.Module) error {
	if pages := mod.ExportedGlobal(meter.PagesExport); pages != nil {
		for i, d := range old.Datas {
			if d.Mode != module.ModeActive {
				continue
			}
			if at, end := uint64(uint32(d.Offset.Imm)), uint64(uint32(d.Offset.Imm))+uint64(len(d.Init)); end > pages.Get()<<16 || !mod.Memory().Write(uint32(at), d.Init) {
				return fmt.Errorf("data[%d]: out of bounds memory access", i)
			}
		}
	}
	if start := mod.ExportedFunction(meter.StartExport); start != nil {
		_, err := start.Call(context.Background())
		return err
	}
	return nil
}

// clear frees all instances.
func (w *world) clear(t testing.TB) {
	t.Helper()
	for _, mod := range w.modules {
		if err := mod.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
	w.modules = nil
}

// forget frees all compiled modules, whose instances are cleared.
func (w *world) forget(t testing.TB) {
	t.Helper()
	w.clear(t)
	for compiled := range w.compiled {
		if err := compiled.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
	clear(w.compiled)
}

// call calls an export. Of metered modules it checks that the stack is given back.
func (w *world) call(t testing.TB, mod api.Module, name string, args ...uint64) ([]uint64, error) {
	t.Helper()
	results, err := mod.ExportedFunction(name).Call(context.Background(), args...)
	clearUpper(results, mod.ExportedFunction(name).Definition().ResultTypes())
	if !w.metered {
		return results, err
	}
	for _, m := range w.modules {
		stack := m.ExportedGlobal(meter.StackExport).(api.MutableGlobal)
		if err == nil && stack.Get() != testStack {
			t.Errorf("%s: %d bytes of stack are left, not %d", name, stack.Get(), testStack)
		}
		stack.Set(testStack)
	}
	return results, err
}

// fuelOf calls an export and returns what it spent.
func (w *world) fuelOf(t testing.TB, mod api.Module, name string, args ...uint64) int64 {
	t.Helper()
	_, charged, err := w.charge(t, mod, name, args...)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return charged
}

// charge calls an export and returns what came of it and what it spent, 0 without
// meters.
func (w *world) charge(t testing.TB, mod api.Module, name string, args ...uint64) (results []uint64, charged int64, err error) {
	t.Helper()
	if !w.metered {
		results, err = w.call(t, mod, name, args...)
		return results, 0, err
	}
	fuel := mod.ExportedGlobal(meter.FuelExport).(api.MutableGlobal)
	fuel.Set(testSlice)
	w.spent = testSlice
	results, err = w.call(t, mod, name, args...)
	return results, w.spent - int64(fuel.Get()), err
}

// clearUpper clears what an engine leaves above the 32 bits of a result.
func clearUpper(results []uint64, types []api.ValueType) {
	for _, t := range types {
		switch {
		case len(results) == 0:
			return // there was a trap
		case t == api.ValueTypeI32, t == api.ValueTypeF32:
			results[0] = uint64(uint32(results[0]))
		case t == api.ValueType(module.V128):
			results = results[1:]
		}
		results = results[1:]
	}
}
