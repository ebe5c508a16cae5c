package meter_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/aviary-host/aviary/plugins/module"
)

// script is a script of the specification's test suite, as wast2json writes it.
type script struct {
	Commands []command
}

type command struct {
	Type     string
	Line     int
	Name     string // of a module
	As       string // name under which it is registered
	Filename string
	Action   action
}

type action struct {
	Type, Field, Module string
	Args                []arg
}

type arg struct {
	Type     string
	LaneType string `json:"lane_type"`
	Value    any
}

// scripts finds the scripts of the test suite that comes with wazero.
func scripts(t testing.TB, dir string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	if err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(strings.TrimSpace(string(out)), "internal", "integration_test", "spectest", dir, "testdata")
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) < 50 {
		t.Fatalf("%d scripts in %s: %v", len(files), dir, err)
	}
	return files
}

// tally counts what the scripts did.
type tally struct{ modules, calls, traps int }

// differentWhenResettable are scripts that see how Config.Resettable changes memory.
var differentWhenResettable = map[string]string{
	"imports.json":     "one module imports the memory of another",
	"linking.json":     "likewise",
	"memory_grow.json": "reads and writes past the end of a memory that can grow",
	"memory_trap.json": "likewise",
}

// TestMeteredModulesDoTheSame runs the specification's test suite with and without
// meters, in the compiler and in the interpreter, which differ in what they make of
// NaNs: results and traps are the same, and no stack is kept.
func TestMeteredModulesDoTheSame(t *testing.T) {
	suites := map[string]tally{"v1": {750, 15_000, 250}, "v2": {1600, 47_000, 2200}}
	engines := map[string]wazero.RuntimeConfig{"compiler": engine(), "interpreter": wazero.NewRuntimeConfigInterpreter()}
	if raceEnabled {
		delete(engines, "compiler") // it would be the interpreter too
		delete(suites, "v1")
	}
	for name, config := range engines {
		for dir, least := range suites {
			t.Run(name+" "+dir, func(t *testing.T) { runScripts(t, config, dir, least, false) })
			if dir == "v2" { // which has what v1 has, and more
				t.Run(name+" resettable", func(t *testing.T) { runScripts(t, config, dir, least, true) })
			}
		}
	}
}

func runScripts(t *testing.T, config wazero.RuntimeConfig, dir string, least tally, reset bool) {
	t.Helper()
	var sum tally
	for _, file := range scripts(t, dir) {
		if _, differs := differentWhenResettable[filepath.Base(file)]; differs && reset {
			continue
		}
		n := runScript(t, config, file, reset)
		sum.modules += n.modules
		sum.calls += n.calls
		sum.traps += n.traps
	}
	t.Logf("%+v", sum)
	if sum.modules < least.modules || sum.calls < least.calls || sum.traps < least.traps {
		t.Errorf("only %+v, want %+v", sum, least)
	}
}

// run is one script in both worlds.
type run struct {
	t       *testing.T
	plain   *world
	metered *world
	last    [2]api.Module // nil after a module that could not be made
	named   map[string][2]api.Module
	tally   tally
}

func runScript(t *testing.T, config wazero.RuntimeConfig, file string, reset bool) tally {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var s script
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	r := run{t: t, plain: newWorldOn(t, config, false), metered: newWorldOn(t, config, true), named: map[string][2]api.Module{}}
	r.make(spectest(), "spectest", "spectest")
	r.metered.reset = reset
	for i := range s.Commands {
		r.step(file, s.Commands[i:])
	}
	return r.tally
}

// step does the first of the commands.
func (r *run) step(file string, commands []command) {
	cmd := &commands[0]
	where := fmt.Sprintf("%s line %d", filepath.Base(file), cmd.Line)
	switch cmd.Type {
	case "module", "assert_uninstantiable", "assert_unlinkable":
		if !strings.HasSuffix(cmd.Filename, ".wasm") {
			return
		}
		wasm, err := os.ReadFile(filepath.Join(filepath.Dir(file), cmd.Filename))
		if err != nil {
			r.t.Fatal(err)
		}
		r.make(wasm, registered(commands), cmd.Filename)
		if cmd.Name != "" {
			r.named[cmd.Name] = r.last
		}
	case "action", "assert_return", "assert_trap", "assert_exhaustion":
		if cmd.Action.Type == "invoke" {
			r.invoke(where+" "+cmd.Action.Field, cmd)
		}
	}
}

// registered returns the name under which the module of the first command is later
// imported, if it is.
func registered(commands []command) string {
	for i, cmd := range commands {
		switch {
		case cmd.Type == "register" && cmd.Name == commands[0].Name:
			return cmd.As
		case i > 0 && cmd.Type == "module" && commands[0].Name == "":
			return ""
		}
	}
	return ""
}

func (r *run) make(wasm []byte, name, file string) {
	var errs [2]error
	for i, w := range []*world{r.plain, r.metered} {
		r.last[i], errs[i] = w.instantiate(wasm, name)
	}
	r.tally.modules++
	if trap(errs[0]) != trap(errs[1]) {
		r.t.Errorf("%s: instantiation ends with %v, metered with %v", file, errs[0], errs[1])
	}
	if errs[0] != nil || errs[1] != nil {
		r.last = [2]api.Module{}
	}
}

func (r *run) invoke(where string, cmd *command) {
	mods := r.last
	if cmd.Action.Module != "" {
		mods = r.named[cmd.Action.Module]
	}
	if mods[0] == nil {
		return
	}
	var args []uint64
	for _, a := range cmd.Action.Args {
		args = append(args, a.words(r.t)...)
	}
	want, wantErr := r.plain.call(r.t, mods[0], cmd.Action.Field, args...)
	got, gotErr := r.metered.call(r.t, mods[1], cmd.Action.Field, args...)
	r.tally.calls++
	if wantErr != nil {
		r.tally.traps++
	}
	if overflows := strings.Contains(trap(wantErr), "stack overflow"); overflows && errors.Is(gotErr, errStack) {
		return
	}
	if trap(wantErr) != trap(gotErr) || len(want) != len(got) {
		r.t.Errorf("%s: gives %v, %v, metered %v, %v", where, want, wantErr, got, gotErr)
		return
	}
	results := mods[0].ExportedFunction(cmd.Action.Field).Definition().ResultTypes()
	for i := range want {
		// A reference is an address, which differs.
		isRef := len(results) == len(want) && results[i] == api.ValueType(module.Funcref)
		if same := want[i] == got[i] || isRef && want[i] != 0 && got[i] != 0; !same {
			r.t.Errorf("%s: gives %x, metered %x", where, want, got)
		}
	}
}

// trap returns the first line of an error, without what says where it was.
func trap(err error) string {
	if err == nil {
		return ""
	}
	text, _, _ := strings.Cut(err.Error(), "\n")
	if strings.HasPrefix(text, "start function[") { // which is none with meters
		_, text, _ = strings.Cut(text, "] failed: ")
	}
	text, _, _ = strings.Cut(text, ": maximum size mismatch") // sizes of tables, which differ
	return text
}

// words returns the argument as wazero takes it.
func (a *arg) words(t *testing.T) []uint64 {
	t.Helper()
	if a.Type != "v128" {
		return []uint64{number(t, a.Type, a.Value)}
	}
	bits, err := strconv.Atoi(a.LaneType[1:])
	if err != nil {
		t.Fatal(err)
	}
	words := make([]uint64, 2)
	for i, lane := range a.Value.([]any) {
		words[i*bits/64] |= number(t, a.LaneType, lane) & (1<<bits - 1) << (i * bits % 64)
	}
	return words
}

func number(t *testing.T, typ string, value any) uint64 {
	t.Helper()
	text, ok := value.(string)
	switch {
	case !ok || text == "null":
		return 0
	case strings.HasPrefix(text, "nan"):
		if typ == "f32" {
			return 0x7fc00000
		}
		return 0x7ff8000000000000
	case strings.HasPrefix(text, "-"):
		v, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(typ, "32") {
			return uint64(uint32(v))
		}
		return uint64(v)
	}
	v, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	if typ == "externref" { // wazero takes 0 for null
		v++
	}
	return v
}

// spectest is the module that the suite's modules import.
func spectest() []byte {
	i32, i64, f32, f64 := module.I32, module.I64, module.F32, module.F64
	m := &module.Module{
		Tables:   []module.Table{{Type: module.Funcref, Limits: module.Limits{Min: 10, Max: 20, HasMax: true}}},
		Memories: []module.Limits{{Min: 1, Max: 2, HasMax: true}},
		Exports:  []module.Export{{Name: "table", Kind: module.KindTable}, {Name: "memory", Kind: module.KindMemory}},
	}
	prints := map[string][]module.ValType{
		"print": nil, "print_i32": {i32}, "print_i64": {i64}, "print_f32": {f32}, "print_f64": {f64},
		"print_i32_f32": {i32, f32}, "print_f64_f64": {f64, f64},
	}
	for name, params := range prints {
		n := uint32(len(m.Types))
		m.Types = append(m.Types, module.FuncType{Params: params})
		m.Funcs = append(m.Funcs, module.Func{Type: n, Body: []module.Instr{{Op: module.OpEnd}}})
		m.Exports = append(m.Exports, module.Export{Name: name, Index: n})
	}
	for i, g := range []struct {
		typ  module.ValType
		op   module.Op
		bits uint64
	}{
		{i32, module.OpI32Const, 666},
		{i64, module.OpI64Const, 666},
		{f32, module.OpF32Const, 0x4426a666},
		{f64, module.OpF64Const, 0x4084d4cccccccccd},
	} {
		m.Globals = append(m.Globals, module.Global{
			GlobalType: module.GlobalType{Type: g.typ},
			Init:       module.Const{Instr: module.Instr{Op: g.op, Imm: g.bits}},
		})
		m.Exports = append(m.Exports, module.Export{Name: "global_" + g.typ.String(), Kind: module.KindGlobal, Index: uint32(i)})
	}
	slices.Reverse(m.Exports)
	return m.Encode()
}
