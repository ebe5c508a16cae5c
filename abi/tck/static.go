package tck

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/plugins"
	"github.com/aviary-host/aviary/plugins/module"
)

// What can be told without running the module: sections 1, 2 and 6, and the sizes of 8.

// Types of exports, as section 2 has them.
const (
	typeMarker   = "() -> (i64)"
	typeAlloc    = "(i32) -> (i32)"
	typeInit     = "() -> ()"
	typeCallback = "(i32, i32) -> (i64)"
)

// wasiNames are the functions of section 6 that are not Aviary's.
const wasiNames = `args_get args_sizes_get environ_get environ_sizes_get clock_res_get clock_time_get random_get fd_write
	proc_exit sched_yield poll_oneoff fd_close fd_fdstat_get fd_fdstat_set_flags fd_prestat_get fd_prestat_dir_name fd_read fd_seek`

// importType returns the type of an import of Aviary's own (section 6), "" if there is none.
func importType(name string) string {
	switch name {
	case abi.ImportLog:
		return "(i32, i32, i32) -> ()"
	case abi.ImportPresenceList, abi.ImportConfig:
		return "(i32, i32, i32, i32) -> (i32)"
	case abi.ImportPanic:
		return "(i32, i32, i32, i32, i32) -> ()"
	}
	return ""
}

// describe notes what the module has.
func (r *Report) describe(m *module.Module) {
	for i := range m.Imports {
		imp := &m.Imports[i]
		item := Item{Name: imp.Module + "." + imp.Name, Type: imp.Kind.String()}
		if imp.Kind == module.KindFunc {
			item.Type = typeText(&m.Types[imp.Type])
		}
		r.Imports = append(r.Imports, item)
	}
	for _, e := range m.Exports {
		item := Item{Name: e.Name, Type: e.Kind.String()}
		if e.Kind == module.KindFunc {
			item.Type = typeText(typeOf(m, e.Index))
		}
		r.Exports = append(r.Exports, item)
		if version, ok := strings.CutPrefix(e.Name, abi.MarkerPrefix); ok {
			if _, err := strconv.ParseUint(version, 10, 32); err == nil {
				r.Versions = append(r.Versions, version)
			}
		}
	}
	for _, memory := range m.Memories {
		r.Memory = Pages{memory.Min, memory.Max}
	}
}

// typeOf returns the type of a function, imports counted.
func typeOf(m *module.Module, index uint32) *module.FuncType {
	for i := range m.Imports {
		if m.Imports[i].Kind != module.KindFunc {
			continue
		}
		if index == 0 {
			return &m.Types[m.Imports[i].Type]
		}
		index--
	}
	return &m.Types[m.Funcs[index].Type]
}

// typeText writes a type as SPEC.md does.
func typeText(t *module.FuncType) string {
	list := func(types []module.ValType) string {
		names := make([]string, len(types))
		for i, t := range types {
			names[i] = t.String()
		}
		return "(" + strings.Join(names, ", ") + ")"
	}
	return list(t.Params) + " -> " + list(t.Results)
}

func (r *Report) checkStatic(m *module.Module) {
	r.checkVersion()
	r.checkExport(abi.ExportMemory, "memory", true)
	r.checkExport(abi.ExportMarker, typeMarker, slices.Contains(r.Versions, strconv.Itoa(abi.Version)))
	r.checkExport(abi.ExportAlloc, typeAlloc, true)
	r.checkExport(abi.ExportInit, typeInit, false)
	for c := abi.CallbackConnect; int(c) < abi.NumCallbacks; c++ {
		r.checkExport(c.String(), typeCallback, c == abi.CallbackJoin)
	}
	if _, starts := r.export("_start"); starts {
		if _, initialises := r.export(abi.ExportInit); !initialises {
			r.find("2", "exports", "_start without _initialize: it is a program, not a library")
		}
	}
	for i := range m.Imports {
		r.checkImport(&m.Imports[i], r.Imports[i].Type)
	}
	limit := plugins.Defaults().MemoryPages
	for _, memory := range m.Memories {
		if memory.Min > limit {
			r.find("8", "memory", fmt.Sprintf("%d pages of 64 KiB at the start, at most %d (plugin.memory)", memory.Min, limit))
		}
	}
}

func (r *Report) checkVersion() {
	spoken := strconv.Itoa(abi.Version)
	switch {
	case len(r.Versions) == 0:
		r.find("2.1", "exports", "no "+abi.ExportMarker+", or other version of the marker")
	case !slices.Contains(r.Versions, spoken):
		r.find("2.1", "exports", "it speaks version "+strings.Join(r.Versions, " and ")+", this host version "+spoken)
	}
}

func (r *Report) export(name string) (Item, bool) {
	for _, e := range r.Exports {
		if e.Name == name {
			return e, true
		}
	}
	return Item{}, false
}

func (r *Report) checkExport(name, want string, required bool) {
	e, ok := r.export(name)
	isFunc := strings.HasPrefix(e.Type, "(")
	switch {
	case !ok && required:
		r.find("2", "exports", name+" is required, and not there")
	case ok && e.Type != want && (isFunc || required):
		r.find("2", "exports", name+" has type "+e.Type+", not "+want)
	}
}

func (r *Report) checkImport(imp *module.Import, typ string) {
	name := imp.Module + "." + imp.Name
	if imp.Kind != module.KindFunc {
		r.find("6", "imports", name+" is a "+imp.Kind.String()+", a host offers functions only")
		return
	}
	want := importType(imp.Name)
	switch {
	case imp.Module == abi.WASIModule && slices.Contains(strings.Fields(wasiNames), imp.Name):
	case imp.Module != abi.ImportModule || want == "":
		r.find("6", "imports", name+" is not offered by a host")
	case typ != want:
		r.find("6", "imports", name+" has type "+typ+", not "+want)
	}
}

// decodeSection tells which section a module breaks that cannot be read: 1.1, or 8 if it
// has too much of something.
func decodeSection(err error) string {
	var bad *module.Error
	if errors.As(err, &bad) && strings.Contains(bad.Problem, ", at most ") && !strings.HasPrefix(bad.Problem, "alignment") {
		return "8"
	}
	return "1.1"
}

// loadSection tells which section a module breaks that is refused.
func loadSection(err error) string {
	if isBudget(err) {
		return "8"
	}
	var refusal *plugins.LoadError
	if !errors.As(err, &refusal) {
		return Intro
	}
	for _, s := range []struct{ begins, section string }{
		{"module does not compile", "1.1"},
		{"module is not accepted", "8"},
		{"module needs revision", "2.1"},
		{"marker ", "2.1"},
		{"aviary_alloc", "2.2"},
		{"module imports", "6"},
		{"module needs at least", "8"},
	} {
		if strings.HasPrefix(refusal.Problem, s.begins) {
			return s.section
		}
	}
	return "2"
}

// staticSection tells whether checkStatic has said all there is to say of a section.
func staticSection(section string) bool {
	return section == "2" || section == "2.1" || section == "6" || section == "8"
}

func loadProblem(err error) string {
	var refusal *plugins.LoadError
	if errors.As(err, &refusal) {
		return refusal.Problem
	}
	return err.Error()
}

// isBudget tells whether a budget ran out.
func isBudget(err error) bool {
	return errors.Is(err, plugins.ErrFuel) || errors.Is(err, plugins.ErrDeadline) || errors.Is(err, plugins.ErrStack)
}
