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
	runtime wazero.Runtime
	metered bool
	reset   bool // modules are made resettable, those that can be
	modules []api.Module

	budget, spent int64 // of all calls; what was handed out
}

func newWorld(t testing.TB, metered bool) *world {
	t.Helper()
	config := wazero.NewRuntimeConfig()
	if raceEnabled { // it makes the compiler very slow
		config = wazero.NewRuntimeConfigInterpreter()
	}
	w := &world{
		runtime: wazero.NewRuntimeWithConfig(context.Background(), config.WithCoreFeatures(api.CoreFeaturesV2)),
		metered: metered, budget: 1 << 50,
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
	m := old
	if w.metered {
		cfg := meter.Config{Stack: testStack, MemoryPages: 1 << 16, TableEntries: 1<<32 - 1}
		if w.reset && meter.CheckResettable(old) == nil {
			cfg.Resettable, cfg.MemoryPages = true, testPages
		}
		if m, err = meter.Instrument(old, cfg); err != nil {
			return nil, err
		}
	}
	compiled, err := w.runtime.CompileModule(context.Background(), m.Encode())
	if err != nil {
		return nil, err
	}
	mod, err := w.runtime.InstantiateModule(context.Background(), compiled, wazero.NewModuleConfig().WithName(name).WithStartFunctions())
	if err != nil || !w.metered {
		return mod, err
	}
	w.modules = append(w.modules, mod)
	return mod, w.begin(old, mod)
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

// call calls an export. Of metered modules it checks that the stack is given back.
func (w *world) call(t testing.TB, mod api.Module, name string, args ...uint64) ([]uint64, error) {
	t.Helper()
	results, err := mod.ExportedFunction(name).Call(context.Background(), args...)
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
	fuel := mod.ExportedGlobal(meter.FuelExport).(api.MutableGlobal)
	fuel.Set(testSlice)
	w.spent = testSlice
	if _, err := w.call(t, mod, name, args...); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return w.spent - int64(fuel.Get())
}
