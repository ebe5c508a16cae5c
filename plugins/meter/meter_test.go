package meter_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/aviary-host/aviary/plugins/meter"
	"github.com/aviary-host/aviary/plugins/module"
)

// Short names for what the tables below are written with.
var (
	get, set, tee = op1(module.OpLocalGet), op1(module.OpLocalSet), op1(module.OpLocalTee)
	brIf          = op1(module.OpBrIf)
	call          = op1(module.OpCall)
	num           = func(v uint64) module.Instr { return module.Instr{Op: module.OpI32Const, Imm: v} }
	add           = module.Instr{Op: module.OpI32Add}
	nop           = module.Instr{Op: module.OpNop}
	drop          = module.Instr{Op: module.OpDrop}
	end           = module.Instr{Op: module.OpEnd}
	ret           = module.Instr{Op: module.OpReturn}
	otherwise     = module.Instr{Op: module.OpElse}
	block         = module.Block(module.OpBlock, module.BlockEmpty)
	loop          = module.Block(module.OpLoop, module.BlockEmpty)
	cond          = module.Block(module.OpIf, module.BlockEmpty)
	fill          = module.Instr{Op: module.OpMemoryFill}
	grow          = module.Instr{Op: module.OpMemoryGrow}
)

func op1(o module.Op) func(uint32) module.Instr {
	return func(index uint32) module.Instr { return module.Instr{Op: o, Index: index} }
}

// work is straight code of n instructions that cost 1 each; n is even.
func work(n int) []module.Instr {
	return slices.Repeat([]module.Instr{num(1), num(2), drop, drop}, n/2)
}

func code(parts ...any) []module.Instr {
	var out []module.Instr
	for _, part := range parts {
		switch p := part.(type) {
		case module.Instr:
			out = append(out, p)
		case []module.Instr:
			out = append(out, p...)
		}
	}
	return append(out, end)
}

// testModule has a function f of type (i32) -> () with this body, a function g of
// the same type that does nothing, and a memory of 1 to 4 pages.
func testModule(body []module.Instr) *module.Module {
	return &module.Module{
		Types:    []module.FuncType{{Params: []module.ValType{module.I32}}},
		Funcs:    []module.Func{{Body: body}, {Body: code()}},
		Memories: []module.Limits{{Min: 1, Max: 4, HasMax: true}},
		Exports:  []module.Export{{Name: "f"}, {Name: "memory", Kind: module.KindMemory}},
	}
}

// show writes a body as a line: what is added by its meaning, what was there in
// the text format.
func show(f *module.Func, fuel, stack uint32) string {
	names := map[module.Op]string{
		module.OpLocalGet: "get", module.OpLocalSet: "set", module.OpLocalTee: "tee", module.OpBr: "br", module.OpBrIf: "br_if",
		module.OpCall: "call", module.OpI32Add: "add", module.OpDrop: "drop", module.OpEnd: "end", module.OpElse: "else",
		module.OpReturn: "return", module.OpNop: "nop", module.OpBlock: "block", module.OpLoop: "loop", module.OpIf: "if",
		module.OpMemoryFill: "memory.fill", module.OpMemoryGrow: "memory.grow", module.OpMemorySize: "memory.size",
		module.OpI32Sub: "i32.sub", module.OpI64Sub: "i64.sub", module.OpI32LtS: "i32.lt_s", module.OpI64LtS: "i64.lt_s",
		module.OpI32ShrU: "i32.shr_u", module.OpI64ExtendI32U: "i64.extend", module.OpI64Shl: "i64.shl", module.OpI64Add: "i64.add",
		module.OpI32LeU: "i32.le_u", module.OpSelect: "select",
	}
	var words []string
	for i := range f.Body {
		in := &f.Body[i]
		word := names[in.Op]
		switch in.Op {
		case module.OpLocalGet, module.OpLocalSet, module.OpLocalTee, module.OpBr, module.OpBrIf, module.OpCall:
			word += fmt.Sprintf(" %d", in.Index)
		case module.OpI32Const, module.OpI64Const:
			word = fmt.Sprint(in.Imm)
		case module.OpGlobalGet, module.OpGlobalSet:
			word = map[uint32]string{fuel: "fuel", stack: "stack"}[in.Index]
			if in.Op == module.OpGlobalSet {
				word = "=" + word
			}
		}
		words = append(words, word)
	}
	text := strings.Join(words, " ")
	for long, short := range map[string]string{
		"i64.sub tee 1 =fuel get 1 0 i64.lt_s if 0 call 0 end": "SPEND",
		"i64.sub =fuel": "CHARGE",
		"=stack stack 0 i32.lt_s if 1 call 0 end": "TAKE",
	} {
		text = strings.ReplaceAll(text, long, short)
	}
	return text
}

// In the table, SPEND is
//
//	fuel -= price; if fuel < 0 { host(OutOfFuel) }
//
// and CHARGE is that without the if; TAKE is
//
//	stack -= size; if stack < 0 { host(OutOfStack) }
//
// One is the price of a call by itself. Local 0 is the parameter.
func TestInstrument(t *testing.T) {
	for _, tt := range []struct {
		name string
		body []module.Instr
		want string
	}{
		// f(n) {}
		{"nothing", code(), "fuel 1 SPEND end"},
		// f(n) { n = n }
		{"straight", code(get(0), nop, set(0)), "fuel 3 SPEND get 0 nop set 0 end"},
		// f(n) { return }, which has nothing to give back
		{"return of a leaf", code(ret), "fuel 2 SPEND return end"},
		// f(n) { if n { n = n } else { n } }: both branches are short
		{
			"short branches", code(get(0), cond, get(0), set(0), otherwise, get(0), drop, end),
			"fuel 6 SPEND get 0 if get 0 set 0 else get 0 drop end end",
		},
		// f(n) { if n { 8 instructions } else { 4 instructions } }
		{
			"long and short branch", code(get(0), cond, work(8), otherwise, work(4), end),
			"fuel 7 SPEND get 0 if fuel 8 CHARGE" + workText(8) + " else" + workText(4) + " end end",
		},
		// f(n) { if n { 4 instructions } else { 2 instructions }}: together they are more than f pays for
		{
			"two short branches", code(get(0), cond, work(4), otherwise, work(2), end),
			"fuel 5 SPEND get 0 if fuel 4 CHARGE" + workText(4) + " else" + workText(2) + " end end",
		},
		// f(n) { while n { n = n } }
		{
			"loop", code(loop, get(0), set(0), get(0), brIf(0), end),
			"fuel 1 SPEND loop fuel 4 SPEND get 0 set 0 get 0 br_if 0 end end",
		},
		// for {}
		{"empty loop", code(loop, end), "fuel 1 SPEND loop fuel 1 SPEND end end"},
		// behind a block that is left early, long code has its own price, short not
		{
			"behind a block", code(block, get(0), brIf(0), get(0), drop, end, work(8)),
			"fuel 4 SPEND block get 0 br_if 0 get 0 drop end fuel 8 CHARGE" + workText(8) + " end",
		},
		// a block that nobody leaves is no block
		{"within a block", code(block, get(0), drop, end, get(0), drop), "fuel 3 SPEND block get 0 drop end get 0 drop end"},
		// f(n) { g(n); return }: 64 for the frame, 8 for the parameter, 2 for each of 4
		{
			"call", code(get(0), call(1), ret),
			"stack 80 i32.sub TAKE block fuel 4 SPEND get 0 call 2 br 0 end stack 80 add =stack end",
		},
		// f(n) { { if n { return } } g(n) }
		{
			"return out of blocks", code(block, get(0), cond, ret, end, end, get(0), call(1)),
			"stack 90 i32.sub TAKE block fuel 6 SPEND block get 0 if br 2 end end get 0 call 2 end stack 90 add =stack end",
		},
		// memory.fill(1, 2, n); local 2 is the length
		{
			"fill", code(num(1), num(2), get(0), fill),
			"fuel 5 SPEND 1 2 get 0 tee 2 fuel get 2 5 i32.shr_u i64.extend SPEND get 2 262144 i32.le_u if memory.fill else call 3 end end",
		},
		// memory.fill(1, 2, 3)
		{
			"short fill", code(num(1), num(2), num(3), fill),
			"fuel 5 SPEND 1 2 3 tee 2 fuel get 2 5 i32.shr_u i64.extend SPEND memory.fill end",
		},
		// memory.grow(n), of a memory that may have 100 pages
		{
			"grow", code(get(0), grow, drop),
			"fuel 3 SPEND get 0 tee 2 fuel memory.size i64.extend get 2 i64.extend i64.add 8 i64.shl get 2 i64.extend 14 i64.shl i64.add 0 get 2 100 i32.le_u select SPEND memory.grow drop end",
		},
	} {
		m, err := meter.Instrument(testModule(tt.body), meter.Config{Stack: testStack, MemoryPages: 100})
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got := show(&m.Funcs[0], 0, 1); got != tt.want {
			t.Errorf("%s:\n%s\nwant\n%s", tt.name, got, tt.want)
		}
	}
}

func workText(n int) string { return strings.Repeat(" 1 2 drop drop", n/2) }

// TestPrices runs code and looks at what it cost.
func TestPrices(t *testing.T) {
	count := code(loop, work(8), get(0), num(1<<32-1), add, tee(0), brIf(0), end) // n times 13
	for _, tt := range []struct {
		name string
		body []module.Instr
		arg  uint64
		want int64
	}{
		{"nothing", code(), 0, 1},
		{"loop of 1", count, 1, 1 + 13},
		{"loop of 1000", count, 1000, 1 + 13*1000},
		{"fill of nothing", code(num(0), num(7), get(0), fill), 0, 5},
		{"fill of 31 bytes", code(num(0), num(7), get(0), fill), 31, 5},
		{"fill of a page", code(num(0), num(7), get(0), fill), 65536, 5 + 2048},
		{"growth by nothing", code(get(0), grow, drop), 0, 3 + 256},
		{"growth by 3", code(get(0), grow, drop), 3, 3 + 4*256 + 3<<14},
		{"growth by 4, which fails", code(get(0), grow, drop), 4, 3 + 5*256 + 4<<14},
		{"growth by far too much", code(get(0), grow, drop), 1<<32 - 1, 3},
		{"calls", code(slices.Repeat([]module.Instr{get(0), call(1)}, 10)), 0, 21 + 10},
	} {
		for range 2 { // two instances, on which it is the same
			w := newWorld(t, true)
			mod, err := w.instantiate(testModule(tt.body).Encode(), "")
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			if got := w.fuelOf(t, mod, "f", tt.arg); got != tt.want {
				t.Errorf("%s: costs %d, want %d", tt.name, got, tt.want)
			}
		}
	}
}

// TestInstrumentLeavesTheOldModule: it writes the same afterwards.
func TestInstrumentLeavesTheOldModule(t *testing.T) {
	for name, wasm := range guests(t) {
		m, err := module.Decode(wasm, module.DefaultCaps())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		before := m.Encode()
		out, err := meter.Instrument(m, meter.Config{Stack: testStack})
		if strings.HasSuffix(name, "_meter.wasm") {
			if err == nil {
				t.Errorf("%s: accepted", name)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if _, err := module.Decode(out.Encode(), meter.Caps(module.DefaultCaps())); err != nil {
			t.Errorf("%s, metered: %v", name, err)
		}
		if !slices.Equal(before, m.Encode()) {
			t.Errorf("%s: was changed", name)
		}
	}
}

// TestCaps: what is within the caps is measured again with its meters, since a branch
// is more work for a compiler than most of what it stands beside.
func TestCaps(t *testing.T) {
	caps := module.DefaultCaps()
	caps.Steps = math.MaxInt
	for _, tt := range []struct {
		name string
		part []module.Instr
		most int // that the guest's caps allow: 32768 basic blocks
		with int // and the meter's
	}{
		{"loops", []module.Instr{loop, end}, 16383, 6552},                   // 2, and 3 for a branch
		{"fills", []module.Instr{num(0), num(0), num(0), fill}, 6553, 4095}, // 5, and 3
		{"growth", []module.Instr{num(0), grow, drop}, 52000, 10921},        // 0, and 3
		{"branches", []module.Instr{num(0), cond, end}, 10922, 10921},       // 3, and the one at the entry
		{"calls", []module.Instr{num(0), call(1)}, 65000, 65000},            // none
	} {
		check := func(n int) (plain, metered error) {
			m := testModule(code(slices.Repeat(tt.part, n)))
			_, plain = module.Decode(m.Encode(), caps)
			out, err := meter.Instrument(m, meter.Config{Stack: testStack})
			if err != nil {
				t.Fatal(err)
			}
			_, metered = module.Decode(out.Encode(), meter.Caps(caps))
			return plain, metered
		}
		if plain, metered := check(tt.with); plain != nil || metered != nil {
			t.Errorf("%d %s: %v, metered %v", tt.with, tt.name, plain, metered)
		}
		if plain, metered := check(tt.most); plain != nil || (metered == nil) != (tt.most == tt.with) {
			t.Errorf("%d %s: %v, metered %v", tt.most, tt.name, plain, metered)
		}
		if tt.with < tt.most {
			if _, metered := check(tt.with + 1); metered == nil || !strings.Contains(metered.Error(), "basic blocks, at most 32768") {
				t.Errorf("%d %s, metered: %v", tt.with+1, tt.name, metered)
			}
		}
	}
}

func TestTablesAreClamped(t *testing.T) {
	limits := func(l ...module.Limits) []module.Table {
		var tables []module.Table
		for _, l := range l {
			tables = append(tables, module.Table{Type: module.Funcref, Limits: l})
		}
		return tables
	}
	for _, tt := range []struct {
		name       string
		have, want []module.Table
	}{
		{"open", limits(module.Limits{Min: 10}), limits(module.Limits{Min: 10, Max: 1000, HasMax: true})},
		{"high", limits(module.Limits{Min: 10, Max: 5000, HasMax: true}), limits(module.Limits{Min: 10, Max: 1000, HasMax: true})},
		{"low", limits(module.Limits{Min: 10, Max: 50, HasMax: true}), limits(module.Limits{Min: 10, Max: 50, HasMax: true})},
		{"too large", limits(module.Limits{Min: 2000}), limits(module.Limits{Min: 2000, Max: 2000, HasMax: true})},
		{"two", limits(module.Limits{Min: 600}, module.Limits{}), limits(
			module.Limits{Min: 600, Max: 800, HasMax: true}, module.Limits{Max: 200, HasMax: true})},
	} {
		m := testModule(code())
		m.Tables = tt.have
		out, err := meter.Instrument(m, meter.Config{TableEntries: 1000})
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		} else if !slices.Equal(out.Tables, tt.want) {
			t.Errorf("%s: tables are %v, want %v", tt.name, out.Tables, tt.want)
		}
	}
}

// TestStartFunctionHasNoType: it takes nothing and gives nothing.
func TestStartFunctionHasNoType(t *testing.T) {
	m := testModule(code())
	start := uint32(1)
	m.Start = &start
	_, err := meter.Instrument(m, meter.Config{Stack: testStack})
	if want := "start function has 1 parameters and 0 results, not none"; err == nil || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
	m.Types = append(m.Types, module.FuncType{})
	m.Funcs[1].Type = 1
	if _, err := meter.Instrument(m, meter.Config{Stack: testStack}); err != nil {
		t.Error(err)
	}
}

// TestFunctionsAreFollowed: everything that names a function names the same one
// behind the import.
func TestFunctionsAreFollowed(t *testing.T) {
	start := uint32(1)
	ref := module.Const{Instr: module.Instr{Op: module.OpRefFunc, Index: 2}}
	m := testModule(code(module.Instr{Op: module.OpRefFunc, Index: 1}, drop, num(0), call(0)))
	m.Imports = []module.Import{{Module: "m", Name: "f"}}
	m.Exports[0].Index = 1
	m.Types = append(m.Types, module.FuncType{})
	m.Start, m.Funcs[0].Type = &start, 1
	m.Globals = []module.Global{{GlobalType: module.GlobalType{Type: module.Funcref}, Init: ref}}
	m.Elems = []module.Elem{{Mode: module.ModePassive, Funcs: []uint32{0, 1, 2}}, {Mode: module.ModePassive, Exprs: []module.Const{ref}}}
	m.Names = []module.Name{{Func: 0, Name: "imported"}, {Func: 2, Name: "g"}}
	out, err := meter.Instrument(m, meter.Config{Stack: testStack})
	if err != nil {
		t.Fatal(err)
	}
	names := []module.Name{{Func: 0, Name: "imported"}, {Func: 2, Name: "$1"}, {Func: 3, Name: "g"}}
	began := module.Export{Name: meter.StartExport, Index: 2}
	switch {
	case out.Exports[0].Index != 2, out.Start != nil, !slices.Contains(out.Exports, began), out.Globals[0].Init.Index != 3,
		!slices.Equal(out.Elems[0].Funcs, []uint32{0, 2, 3}), out.Elems[1].Exprs[0].Index != 3, !slices.Equal(out.Names, names):
		t.Errorf("%+v", out)
	}
	if got := show(&out.Funcs[0], 1, 2); !strings.Contains(got, " drop 0 call 0 end ") {
		t.Errorf("code is %s", got)
	}
	if !slices.ContainsFunc(out.Funcs[0].Body, func(in module.Instr) bool { return in.Op == module.OpRefFunc && in.Index == 2 }) {
		t.Error("ref.func was left behind")
	}
}
