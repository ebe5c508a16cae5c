package meter

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/aviary-host/aviary/plugins/module"
)

// This file makes modules whose instances can be put back.

// CheckResettable says why the instances of a module cannot be put back by writing to
// their memory and to what Config.Resettable exports: an [*Error], or nil if they can.
func CheckResettable(m *module.Module) error {
	for i := range m.Imports {
		if kind := m.Imports[i].Kind; kind != module.KindFunc {
			return &Error{fmt.Sprintf("module imports the %s %.100q", kind, m.Imports[i].Name)}
		}
	}
	for i := range m.Globals {
		// Of others the engine shows a part, or an address that is another in each instance.
		switch g := &m.Globals[i]; g.Type {
		case module.I32, module.I64, module.F32, module.F64:
		default:
			if g.Mutable {
				return &Error{fmt.Sprintf("global %d of type %s can change", i, g.Type)}
			}
		}
	}
	for i := range m.Funcs {
		for j := range m.Funcs[i].Body {
			if what := lasting(m.Funcs[i].Body[j].Op); what != "" {
				return &Error{fmt.Sprintf("function %d %s", m.Imported(module.KindFunc)+i, what)}
			}
		}
	}
	return nil
}

// lasting says what an instruction does to that which cannot be put back, if it does.
func lasting(op module.Op) string {
	switch op {
	case module.OpTableSet, module.OpTableGrow, module.OpTableFill, module.OpTableCopy, module.OpTableInit:
		return "changes a table"
	case module.OpElemDrop, module.OpDataDrop:
		return "drops a segment"
	}
	return ""
}

// fix gives the memory the size that it may grow to, and takes out what fills it: who
// makes an instance writes the active data segments of the old module into it.
func (w *writer) fix(cfg *Config) error {
	if err := CheckResettable(w.old); err != nil {
		return err
	}
	if len(w.old.Memories) == 1 {
		memory := w.old.Memories[0]
		if memory.Min > cfg.MemoryPages {
			return &Error{fmt.Sprintf("memory of %d pages, at most %d", memory.Min, cfg.MemoryPages)}
		}
		if memory.HasMax {
			w.pages = min(w.pages, memory.Max)
		}
		if !w.grows() {
			w.pages = memory.Min // so that the engine knows where it ends
		}
		w.m.Memories = []module.Limits{{Min: w.pages, Max: w.pages, HasMax: true}}
		w.fixed, w.size = true, w.stack+1
	}
	w.m.Datas = nil
	if w.old.HasDataCount { // code may name segments
		w.m.Datas = slices.Clone(w.old.Datas)
		for i := range w.m.Datas {
			if d := &w.m.Datas[i]; d.Mode == module.ModeActive {
				*d = module.Data{Mode: module.ModePassive} // empty, as one that was copied
			}
		}
	}
	return nil
}

// grows tells whether any code grows the memory.
func (w *writer) grows() bool {
	return slices.ContainsFunc(w.old.Funcs, func(f module.Func) bool {
		return slices.ContainsFunc(f.Body, func(in module.Instr) bool { return in.Op == module.OpMemoryGrow })
	})
}

// expose adds the count of pages, and exports what can change.
func (w *writer) expose() {
	for i := range w.old.Globals {
		if w.old.Globals[i].Mutable {
			w.export(GlobalExport+strconv.Itoa(i), uint32(i))
		}
	}
	if !w.fixed {
		return
	}
	w.m.Globals = append(w.m.Globals, variable(module.I32, module.OpI32Const, uint64(w.old.Memories[0].Min)))
	w.export(PagesExport, w.size)
}

// counted writes what stands for memory.size and memory.grow. With n, the pages to
// grow by, on the stack, that is
//
//	length = n; fits = length <= most - pages
//	fuel -= fits ? length << touchPage : 0; look
//	fits ? pages : -1
//	pages += fits ? length : 0
func (c *code) counted(what module.Op) {
	pages := at(module.OpGlobalGet, c.size)
	if what == module.OpMemorySize {
		c.add(pages)
		return
	}
	fits := func() {
		c.add(c.local(module.OpLocalGet), constant(module.OpI32Const, uint64(c.pages)), pages, op(module.OpI32Sub), op(module.OpI32LeU),
			op(module.OpSelect))
	}
	c.add(c.local(module.OpLocalSet), c.global(module.OpGlobalGet),
		c.local(module.OpLocalGet), op(module.OpI64ExtendI32U), constant(module.OpI64Const, touchPage), op(module.OpI64Shl),
		constant(module.OpI64Const, 0))
	fits()
	c.spend(true)
	c.add(pages, constant(module.OpI32Const, 1<<32-1))
	fits()
	c.add(c.local(module.OpLocalGet), constant(module.OpI32Const, 0))
	fits()
	c.add(pages, op(module.OpI32Add), at(module.OpGlobalSet, c.size))
}
