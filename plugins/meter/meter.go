package meter

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/aviary-host/aviary/plugins/module"
)

// What is added to a module.
const (
	// HostModule and HostFunc are the import by which a guest tells its host that
	// something has run out. Its type is (i32) -> (), its argument a Reason.
	HostModule = "aviary_host"
	HostFunc   = "fuel"

	// Prefix begins the exports that no guest may have.
	Prefix = "__aviary_"

	// FuelExport is a mutable i64, 0 at first. It is signed: what is below zero was
	// spent already, though it was not there.
	FuelExport = Prefix + "fuel"

	// StackExport is a mutable i32, Config.Stack at first; bytes.
	StackExport = Prefix + "stack"

	// StartExport is the module's start function, () -> (), if it has one. It is no
	// start function any more: who makes an instance calls it, before anything else.
	StartExport = Prefix + "start"

	// PagesExport is a mutable i32 of modules made with Config.Resettable that have a
	// memory: its size as the guest sees it, in pages of 64 KiB.
	PagesExport = Prefix + "pages"

	// GlobalExport and a number make the name of a mutable global of the guest's, of
	// modules made with Config.Resettable. The numbers are the indices of the globals.
	GlobalExport = Prefix + "global_"
)

// Reason is what ran out.
type Reason uint32

// The reasons for which a guest calls HostFunc.
const (
	OutOfFuel Reason = iota
	OutOfStack
)

// MaxStack is the most that Config.Stack may be, in bytes: more than that and the
// engine's own limit comes first.
const MaxStack = 32 << 20

// Config says how much a guest gets.
type Config struct {
	// Stack is the initial value of the stack global, in bytes, at most MaxStack.
	Stack uint32

	// MemoryPages is the most memory that the engine gives, in pages of 64 KiB. To
	// ask for more than that costs nothing, since it fails.
	MemoryPages uint32

	// TableEntries is the most that all tables of the module may grow to, together.
	// They begin with what the module says: that is for module.Caps to bound.
	TableEntries uint32

	// Resettable makes a module whose instances can be put back to what they were, see
	// doc.go. CheckResettable says whether it can be one.
	Resettable bool
}

// Error says why a module cannot be metered.
type Error struct {
	Problem string // one line; names in it are the guest's
}

func (e *Error) Error() string { return e.Problem }

// Instrument returns the module with what meters it. The error is an [*Error]. It
// takes time in proportion to the module's code.
func Instrument(m *module.Module, cfg Config) (*module.Module, error) {
	if err := checkNames(m); err != nil {
		return nil, err
	}
	// As it is exported, no engine looks at this.
	if m.Start != nil {
		if t := m.TypeOf(*m.Start); len(t.Params)+len(t.Results) > 0 {
			return nil, &Error{fmt.Sprintf("start function has %d parameters and %d results, not none", len(t.Params), len(t.Results))}
		}
	}
	if cfg.Stack > MaxStack {
		return nil, &Error{fmt.Sprintf("stack of %d bytes, at most %d", cfg.Stack, MaxStack)}
	}
	out := *m
	w := &writer{
		old: m, m: &out,
		host: uint32(m.Imported(module.KindFunc)), fuel: uint32(m.Imported(module.KindGlobal) + len(m.Globals)),
		pages: cfg.MemoryPages, entries: cfg.TableEntries,
	}
	w.stack = w.fuel + 1
	if cfg.Resettable {
		if err := w.fix(&cfg); err != nil {
			return nil, err
		}
	}
	w.types()
	w.findPieces()
	w.clampTables(cfg.TableEntries)
	w.globals(cfg.Stack)
	w.references()
	if cfg.Resettable {
		w.expose()
	}
	w.functions()
	return &out, nil
}

// checkNames refuses a module that could get at what is added.
func checkNames(m *module.Module) error {
	for i := range m.Imports {
		if m.Imports[i].Module == HostModule {
			return &Error{fmt.Sprintf("module imports %.100q from %s, which is not for guests", m.Imports[i].Name, HostModule)}
		}
	}
	for i := range m.Exports {
		if strings.HasPrefix(m.Exports[i].Name, Prefix) {
			return &Error{fmt.Sprintf("module exports %.100q; names that begin with %s are the host's", m.Exports[i].Name, Prefix)}
		}
	}
	return nil
}

// writer makes the new module out of the old one.
type writer struct {
	old, m *module.Module

	host        uint32 // index of HostFunc; functions of the module come one later
	fuel, stack uint32 // indices of the globals

	pages, entries uint32 // bounds of growth, see Config
	size           uint32 // index of the global that counts pages, if there is one
	fixed          bool   // there is: the memory itself does not grow

	pieces

	wraps map[uint32]module.BlockType // of the block around a body, by the function's type
	plan  plan
	body  []module.Instr // of the function that is being written; used again
	trace trace
}

// types adds the import and the types that are needed.
func (w *writer) types() {
	w.m.Types = slices.Clone(w.old.Types)
	w.m.Imports = append(slices.Clip(w.old.Imports), module.Import{
		Module: HostModule, Name: HostFunc, Kind: module.KindFunc,
		Type: w.typeOf(module.FuncType{Params: []module.ValType{module.I32}}),
	})
	w.wraps = map[uint32]module.BlockType{}
}

// typeOf returns the index of a type, which it adds if it is not there.
func (w *writer) typeOf(t module.FuncType) uint32 {
	i := slices.IndexFunc(w.m.Types, func(o module.FuncType) bool {
		return slices.Equal(o.Params, t.Params) && slices.Equal(o.Results, t.Results)
	})
	if i < 0 {
		i = len(w.m.Types)
		w.m.Types = append(w.m.Types, t)
	}
	return uint32(i)
}

// wrap returns the type of a block that has the results of a function.
func (w *writer) wrap(typ uint32) module.BlockType {
	if t, ok := w.wraps[typ]; ok {
		return t
	}
	var t module.BlockType
	switch results := w.old.Types[typ].Results; len(results) {
	case 0:
		t = module.BlockEmpty
	case 1:
		t = module.BlockType(results[0]) - 128
	default:
		t = module.BlockType(w.typeOf(module.FuncType{Results: results}))
	}
	w.wraps[typ] = t
	return t
}

// clampTables bounds the growth of tables. Each gets an equal part of what is not
// taken from the beginning.
func (w *writer) clampTables(entries uint32) {
	w.m.Tables = slices.Clone(w.old.Tables)
	room := uint64(entries)
	for i := range w.m.Tables {
		room -= min(room, uint64(w.m.Tables[i].Min))
	}
	for i := range w.m.Tables {
		t := &w.m.Tables[i]
		most := uint32(min(uint64(t.Min)+room/uint64(len(w.m.Tables)), math.MaxUint32))
		if !t.HasMax || t.Max > most {
			t.HasMax, t.Max = true, most
		}
	}
}

// globals adds and exports the two globals.
func (w *writer) globals(stack uint32) {
	w.m.Globals = append(slices.Clone(w.old.Globals),
		variable(module.I64, module.OpI64Const, 0), variable(module.I32, module.OpI32Const, uint64(stack)))
	w.m.Exports = slices.Clone(w.old.Exports)
	w.export(FuelExport, w.fuel)
	w.export(StackExport, w.stack)
}

// variable returns a global that can change.
func variable(t module.ValType, op module.Op, v uint64) module.Global {
	return module.Global{
		GlobalType: module.GlobalType{Type: t, Mutable: true},
		Init:       module.Const{Instr: module.Instr{Op: op, Imm: v}},
	}
}

// export makes a global visible.
func (w *writer) export(name string, global uint32) {
	w.m.Exports = append(w.m.Exports, module.Export{Name: name, Kind: module.KindGlobal, Index: global})
}

// shifted returns where a function is once the import is there.
func (w *writer) shifted(f uint32) uint32 {
	if f >= w.host {
		return f + 1
	}
	return f
}

// references follows the functions in all that names them, but for code.
func (w *writer) references() {
	shift := func(c *module.Const) {
		if c.Op == module.OpRefFunc {
			c.Index = w.shifted(c.Index)
		}
	}
	for i := range w.m.Globals {
		shift(&w.m.Globals[i].Init)
	}
	if w.old.Start != nil {
		w.m.Start = nil
		w.m.Exports = append(w.m.Exports, module.Export{Name: StartExport, Kind: module.KindFunc, Index: *w.old.Start})
	}
	for i := range w.m.Exports {
		if x := &w.m.Exports[i]; x.Kind == module.KindFunc {
			x.Index = w.shifted(x.Index)
		}
	}
	w.m.Elems = slices.Clone(w.old.Elems)
	for i := range w.m.Elems {
		e := &w.m.Elems[i]
		e.Funcs, e.Exprs = slices.Clone(e.Funcs), slices.Clone(e.Exprs)
		for j := range e.Funcs {
			e.Funcs[j] = w.shifted(e.Funcs[j])
		}
		for j := range e.Exprs {
			shift(&e.Exprs[j])
		}
	}
	w.names()
}

// names keeps the names of functions, and gives those that have none the name under
// which an engine would show them, had there been no shift.
func (w *writer) names() {
	w.m.Names = make([]module.Name, 0, len(w.old.Names)+len(w.old.Funcs))
	rest := w.old.Names
	for f := range w.host + uint32(len(w.old.Funcs)) {
		name := ""
		if len(rest) > 0 && rest[0].Func == f {
			name, rest = rest[0].Name, rest[1:]
		}
		if name == "" && f >= w.host {
			name = "$" + strconv.FormatUint(uint64(f), 10)
		}
		if name != "" {
			w.m.Names = append(w.m.Names, module.Name{Func: w.shifted(f), Name: name})
		}
	}
}
