package meter_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero/api"

	"github.com/aviary-host/aviary/plugins/meter"
	"github.com/aviary-host/aviary/plugins/module"
)

func resettable(t *testing.T, m *module.Module) *module.Module {
	t.Helper()
	out, err := meter.Instrument(m, meter.Config{Stack: testStack, MemoryPages: testPages, Resettable: true})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestMemoryOfResettable: the engine's memory has the size that the guest's may grow to.
func TestMemoryOfResettable(t *testing.T) {
	size := module.Instr{Op: module.OpMemorySize}
	for _, tt := range []struct {
		name string
		have module.Limits
		body []module.Instr
		want uint32 // pages of the engine's
	}{
		{"grows without a limit", module.Limits{Min: 1}, code(num(1), grow, drop), testPages},
		{"grows to its own", module.Limits{Min: 1, Max: 4, HasMax: true}, code(num(1), grow, drop), 4},
		{"grows to less than its own", module.Limits{Min: 1, Max: 65536, HasMax: true}, code(num(1), grow, drop), testPages},
		{"does not grow", module.Limits{Min: 3, Max: 4, HasMax: true}, code(size, drop), 3},
	} {
		m := testModule(tt.body)
		m.Memories[0] = tt.have
		want := module.Limits{Min: tt.want, Max: tt.want, HasMax: true}
		if got := resettable(t, m).Memories; len(got) != 1 || got[0] != want {
			t.Errorf("%s: memory is %v, want %v", tt.name, got, want)
		}
	}
	m := testModule(code())
	m.Memories[0].Min, m.Memories[0].Max = testPages+1, testPages+1
	_, err := meter.Instrument(m, meter.Config{MemoryPages: testPages, Resettable: true})
	if want := "memory of 1001 pages, at most 1000"; err == nil || err.Error() != want {
		t.Errorf("too large: %v, want %s", err, want)
	}
}

// TestGrowthIsCounted grows a memory step by step, and looks at what the guest sees.
func TestGrowthIsCounted(t *testing.T) {
	set := func(global uint32) module.Instr { return module.Instr{Op: module.OpGlobalSet, Index: global} }
	m := testModule(code(get(0), grow, set(0), module.Instr{Op: module.OpMemorySize}, set(1)))
	for range 2 {
		m.Globals = append(m.Globals, module.Global{
			GlobalType: module.GlobalType{Type: module.I32, Mutable: true},
			Init:       module.Const{Instr: num(0)},
		})
	}
	w := newWorld(t, true)
	w.reset = true
	mod, err := w.instantiate(m.Encode(), "")
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) int32 { return int32(mod.ExportedGlobal(name).Get()) }
	for _, step := range []struct {
		by         uint64
		gives, has int32
		fuel       int64
	}{
		{0, 1, 1, 6},
		{1, 1, 2, 6 + 1<<14},
		{3, -1, 2, 6}, // one too many costs no more than to ask
		{1<<32 - 1, -1, 2, 6},
		{1<<32 - 2, -1, 2, 6},
		{2, 2, 4, 6 + 2<<14},
		{0, 4, 4, 6},
		{1, -1, 4, 6},
	} {
		fuel := w.fuelOf(t, mod, "f", step.by)
		gives, has := read(meter.GlobalExport+"0"), read(meter.GlobalExport+"1")
		if gives != step.gives || has != step.has || fuel != step.fuel {
			t.Errorf("growth by %d gives %d, has %d, costs %d; want %d, %d, %d", step.by, gives, has, fuel, step.gives, step.has, step.fuel)
		}
		if pages := read(meter.PagesExport); pages != step.has {
			t.Errorf("growth by %d: the host sees %d pages, the guest %d", step.by, pages, step.has)
		}
	}
	// Whoever sets the count back undoes the growth.
	mod.ExportedGlobal(meter.PagesExport).(api.MutableGlobal).Set(1)
	if _, err := mod.ExportedFunction("f").Call(context.Background(), 0); err != nil || read(meter.GlobalExport+"1") != 1 {
		t.Errorf("put back to 1 page, the guest sees %d: %v", read(meter.GlobalExport+"1"), err)
	}
}

// TestSegmentsOfResettable: what would fill the memory is taken out, without another
// getting its number.
func TestSegmentsOfResettable(t *testing.T) {
	active := module.Data{Offset: module.Const{Instr: num(8)}, Init: []byte("active")}
	passive := module.Data{Mode: module.ModePassive, Init: []byte("passive")}
	m := testModule(code())
	m.Datas = []module.Data{active}
	if out := resettable(t, m); len(out.Datas) != 0 || out.HasDataCount {
		t.Errorf("segments are %v", out.Datas)
	}
	m.Datas, m.HasDataCount = []module.Data{active, passive}, true
	out := resettable(t, m)
	if len(out.Datas) != 2 || out.Datas[0].Mode != module.ModePassive || len(out.Datas[0].Init) != 0 || string(out.Datas[1].Init) != "passive" {
		t.Errorf("segments are %v", out.Datas)
	}
	if string(m.Datas[0].Init) != "active" {
		t.Error("the old module was changed")
	}
}

// TestGlobalsOfResettable: the host sees all that can change.
func TestGlobalsOfResettable(t *testing.T) {
	m := testModule(code())
	for i, typ := range []module.ValType{module.I32, module.I64, module.F32, module.F64, module.I32} {
		m.Globals = append(m.Globals, module.Global{
			GlobalType: module.GlobalType{Type: typ, Mutable: i != 4},
			Init: module.Const{Instr: module.Instr{Op: map[module.ValType]module.Op{
				module.I32: module.OpI32Const, module.I64: module.OpI64Const, module.F32: module.OpF32Const, module.F64: module.OpF64Const,
			}[typ]}},
		})
	}
	var got []string
	for _, x := range resettable(t, m).Exports {
		if x.Kind == module.KindGlobal {
			got = append(got, fmt.Sprintf("%s=%d", strings.TrimPrefix(x.Name, meter.Prefix), x.Index))
		}
	}
	want := []string{"fuel=5", "stack=6", "global_0=0", "global_1=1", "global_2=2", "global_3=3", "pages=7"}
	if !slices.Equal(got, want) {
		t.Errorf("exported are %v, want %v", got, want)
	}
}

func TestCheckResettable(t *testing.T) {
	at := func(op module.Op) func(*module.Module) {
		return func(m *module.Module) {
			m.Funcs = slices.Clone(m.Funcs)
			m.Funcs[1].Body = code(module.Instr{Op: op})
		}
	}
	global := func(typ module.ValType, mutable bool) func(*module.Module) {
		return func(m *module.Module) {
			m.Globals = []module.Global{{GlobalType: module.GlobalType{Type: typ, Mutable: mutable}}}
		}
	}
	imports := func(kind module.Kind) func(*module.Module) {
		return func(m *module.Module) { m.Imports = []module.Import{{Module: "env", Name: "it", Kind: kind}} }
	}
	for _, tt := range []struct {
		change func(*module.Module)
		want   string
	}{
		{func(*module.Module) {}, ""},
		{at(module.OpTableGet), ""},
		{at(module.OpMemoryInit), ""},
		{at(module.OpTableSet), "function 1 changes a table"},
		{at(module.OpTableGrow), "function 1 changes a table"},
		{at(module.OpTableFill), "function 1 changes a table"},
		{at(module.OpTableCopy), "function 1 changes a table"},
		{at(module.OpTableInit), "function 1 changes a table"},
		{at(module.OpElemDrop), "function 1 drops a segment"},
		{at(module.OpDataDrop), "function 1 drops a segment"},
		{global(module.F64, true), ""},
		{global(module.V128, false), ""},
		{global(module.V128, true), "global 0 of type v128 can change"},
		{global(module.Funcref, true), "global 0 of type funcref can change"},
		{global(module.Externref, true), "global 0 of type externref can change"},
		{imports(module.KindFunc), ""},
		{imports(module.KindMemory), `module imports the memory "it"`},
		{imports(module.KindTable), `module imports the table "it"`},
		{imports(module.KindGlobal), `module imports the global "it"`},
	} {
		m := testModule(code())
		tt.change(m)
		got := ""
		if err := meter.CheckResettable(m); err != nil {
			got = err.Error()
			if _, err := meter.Instrument(m, meter.Config{MemoryPages: testPages, Resettable: true}); err == nil || err.Error() != got {
				t.Errorf("%s, but Instrument says %v", got, err)
			}
		}
		if got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}
