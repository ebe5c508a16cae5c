package plugins

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tetratelabs/wazero/api"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/plugins/lines"
	"github.com/aviary-host/aviary/plugins/meter"
	"github.com/aviary-host/aviary/plugins/module"
)

// Admission: what a module must look like before any of its code runs.

func (p *Plugin) refuse(format string, args ...any) error {
	return &LoadError{Plugin: p.name, Problem: oneLine(fmt.Sprintf(format, args...))}
}

// refuseFor refuses because of an error, whose first line is shown.
func (p *Plugin) refuseFor(problem string, err error) error {
	return &LoadError{Plugin: p.name, Problem: problem + ": " + oneLine(firstLine(err.Error())), Err: err}
}

// checkMagic turns away what is no core module in words of its own, since
// handing over the wrong file is the likeliest mistake.
func (p *Plugin) checkMagic(wasm []byte) error {
	switch {
	case !bytes.HasPrefix(wasm, []byte("\x00asm")):
		return p.refuse("not a WebAssembly module: it does not begin with the bytes \\0asm")
	case bytes.HasPrefix(wasm[4:], []byte{0x0d, 0, 1, 0}):
		return p.refuse("a WebAssembly component: this host runs core modules")
	case !bytes.HasPrefix(wasm[4:], []byte{1, 0, 0, 0}):
		return p.refuse("not a WebAssembly module of binary version 1")
	}
	return nil
}

// read takes the module apart (SPEC.md section 1). Only what is written from that
// is compiled, so that the compiler sees nothing that was not looked at.
func (p *Plugin) read(wasm []byte) (*module.Module, error) {
	if err := p.checkMagic(wasm); err != nil {
		return nil, err
	}
	m, err := module.Decode(wasm, module.DefaultCaps())
	if err != nil {
		return nil, p.refuseFor("module is not accepted", err)
	}
	if err := p.checkMemory(m); err != nil {
		return nil, err
	}
	return m, nil
}

// write returns what is compiled: the module as it was read, but so that it counts
// its fuel and stack (SPEC.md section 8).
func (p *Plugin) write(m *module.Module) ([]byte, error) {
	caps := module.DefaultCaps()
	metered, err := meter.Instrument(m, meter.Config{
		Stack: p.granted.stack, MemoryPages: uint32(p.memoryLimit / pageSize), TableEntries: uint32(caps.TableEntries),
		Resettable: p.resettable(),
	})
	if err != nil {
		return nil, p.refuse("%v", err)
	}
	if p.resettable() {
		p.segments, p.numGlobals = segmentsOf(m), len(m.Globals)
		for i := range m.Memories {
			p.firstPages, p.memoryPages = m.Memories[i].Min, metered.Memories[i].Min
		}
	}
	wasm := metered.Encode()
	written, err := module.Decode(wasm, meter.Caps(caps))
	if err != nil {
		return nil, p.refuseFor("module is not accepted with its meters", err)
	}
	p.lines = lines.Read(metered, written)
	return wasm, nil
}

// admit checks exports and imports of the compiled module (SPEC.md sections 2
// and 6).
func (p *Plugin) admit(m *module.Module) error {
	p.exports = p.compiled.ExportedFunctions()
	for _, check := range []func() error{
		p.checkVersion, p.checkLibrary, p.checkExports,
		func() error { return p.checkForeign(m) }, p.checkImports,
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// checkVersion looks for the marker export of this host's version.
func (p *Plugin) checkVersion() error {
	if _, ok := p.exports[abi.ExportMarker]; ok {
		return nil
	}
	var versions []uint64
	for name := range p.exports {
		digits, ok := strings.CutPrefix(name, abi.MarkerPrefix)
		if n, err := strconv.ParseUint(digits, 10, 32); ok && err == nil {
			versions = append(versions, n)
		}
	}
	if len(versions) == 0 {
		return p.refuse("module exports no %s or other version of the marker function; this host speaks version %d (is it built with an Aviary SDK?)",
			abi.ExportMarker, abi.Version)
	}
	slices.Sort(versions)
	words := "version " + strconv.FormatUint(versions[0], 10)
	for _, v := range versions[1:] {
		words += " and " + strconv.FormatUint(v, 10)
	}
	return p.refuse("module speaks ABI %s, this host speaks version %d", words, abi.Version)
}

// checkLibrary refuses a module that only its _start, which is never called,
// would initialise (SPEC.md section 2): it would trap somewhere in a run-time
// that was not set up.
func (p *Plugin) checkLibrary() error {
	const program = "_start"
	_, starts := p.exports[program]
	if _, initialises := p.exports[abi.ExportInit]; !starts || initialises {
		return nil
	}
	return p.refuse("module exports %s but no %s: it is a program, not a library; in Go, build it with -buildmode=c-shared",
		program, abi.ExportInit)
}

// checkMemory refuses a module that wants more memory than it may have in words
// of its own: wazero's count pages, and drop what is no whole MiB.
func (p *Plugin) checkMemory(m *module.Module) error {
	for _, memory := range m.Memories {
		if need := uint64(memory.Min) * pageSize; need > p.memoryLimit {
			return p.refuse("module needs at least %s of memory, it may have %s (plugin.memory)",
				sizeText(need, true), sizeText(p.memoryLimit, false))
		}
	}
	return nil
}

// checkExports checks presence and types of the exports of SPEC.md section 2.
func (p *Plugin) checkExports() error {
	if _, ok := p.compiled.ExportedMemories()[abi.ExportMemory]; !ok {
		return p.refuse("module exports no memory named %q", abi.ExportMemory)
	}
	i64 := []api.ValueType{api.ValueTypeI64}
	required := func(name string, params, results []api.ValueType) error {
		if _, ok := p.exports[name]; !ok {
			return p.refuse("module exports no function %s, which is required", name)
		}
		return p.checkType(name, params, results)
	}
	if err := required(abi.ExportMarker, nil, i64); err != nil {
		return err
	}
	if err := required(abi.ExportAlloc, i32s(1), i32s(1)); err != nil {
		return err
	}
	if err := required(abi.CallbackJoin.String(), i32s(2), i64); err != nil {
		return err
	}
	if err := p.checkType(abi.ExportInit, nil, nil); err != nil {
		return err
	}
	for c := abi.CallbackConnect; int(c) < abi.NumCallbacks; c++ {
		if err := p.checkType(c.String(), i32s(2), i64); err != nil {
			return err
		}
	}
	return nil
}

// checkType checks the type of an exported function, if there is one.
func (p *Plugin) checkType(name string, params, results []api.ValueType) error {
	def, ok := p.exports[name]
	if ok && !hasType(def, params, results) {
		return p.refuse("export %s has type %s, not %s", name,
			typeText(def.ParamTypes(), def.ResultTypes()), typeText(params, results))
	}
	return nil
}

// checkForeign refuses imports that are no functions, which wazero's API does not
// show.
func (p *Plugin) checkForeign(m *module.Module) error {
	for i := range m.Imports {
		if imp := &m.Imports[i]; imp.Kind != module.KindFunc {
			return p.refuse("module imports the %s %q.%q, but a host offers functions only",
				imp.Kind, short(imp.Module), short(imp.Name))
		}
	}
	return nil
}

// checkImports refuses functions that the host does not offer, or not with
// that type.
func (p *Plugin) checkImports() error {
	offered := hostFuncs()
	for _, def := range p.compiled.ImportedFunctions() {
		module, name, _ := def.Import()
		if module == meter.HostModule {
			continue // ours
		}
		i := slices.IndexFunc(offered, func(f hostFunc) bool { return f.module == module && f.name == name })
		if i < 0 {
			return p.refuse("module imports %q.%q, which this host does not offer; allowed are %s",
				short(module), short(name), listImports(offered))
		}
		f := &offered[i]
		if !hasType(def, f.params, f.results) {
			return p.refuse("module imports %s.%s with type %s, but it has type %s", module, name,
				typeText(def.ParamTypes(), def.ResultTypes()), typeText(f.params, f.results))
		}
	}
	return nil
}

// short keeps a long name of the module's from pushing out what we say of it.
func short(name string) string { return name[:min(len(name), 100)] }

// listImports names all functions in a line, such as "aviary: config log; ...".
func listImports(offered []hostFunc) string {
	names := map[string][]string{}
	for i := range offered {
		f := &offered[i]
		names[f.module] = append(names[f.module], f.name)
	}
	var parts []string
	for _, module := range []string{abi.ImportModule, abi.WASIModule} {
		slices.Sort(names[module])
		parts = append(parts, module+": "+strings.Join(names[module], " "))
	}
	return strings.Join(parts, "; ")
}

// offerImports defines the host functions that the module imports, and no
// others but that of its meter.
func (p *Plugin) offerImports(ctx context.Context) error {
	_, err := p.runtime.NewHostModuleBuilder(meter.HostModule).NewFunctionBuilder().
		WithGoModuleFunction(api.GoModuleFunc(hostMeter), i32s(1), nil).
		WithName(meter.HostFunc).Export(meter.HostFunc).Instantiate(ctx)
	if err != nil {
		return err
	}
	offered := hostFuncs()
	for _, module := range []string{abi.ImportModule, abi.WASIModule} {
		b := p.runtime.NewHostModuleBuilder(module)
		used := false
		for i := range offered {
			f := &offered[i]
			if f.module != module || !p.imports(f) {
				continue
			}
			used = true
			b.NewFunctionBuilder().
				WithGoModuleFunction(api.GoModuleFunc(f.call), f.params, f.results).
				WithName(f.name).Export(f.name)
		}
		if !used {
			continue
		}
		if _, err := b.Instantiate(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (p *Plugin) imports(f *hostFunc) bool {
	return slices.ContainsFunc(p.compiled.ImportedFunctions(), func(def api.FunctionDefinition) bool {
		module, name, _ := def.Import()
		return f.module == module && f.name == name
	})
}

// checkMarker checks what the marker of an instance says (SPEC.md section 2.1).
func (p *Plugin) checkMarker(m abi.Marker) error {
	switch {
	case m.Revision() > abi.Revision:
		return p.refuse("module needs revision %d of ABI version %d, this host knows revisions up to %d",
			m.Revision(), abi.Version, abi.Revision)
	case m.Absent(abi.CallbackJoin):
		return p.refuse("marker says that join is not there, which is required")
	case p.accepted && m != p.marker:
		return p.refuse("marker was %#x in the first instance and is %#x in another", uint64(p.marker), uint64(m))
	}
	return nil
}

// accept keeps the marker of the first instance.
func (p *Plugin) accept(m abi.Marker) {
	p.marker, p.accepted = m, true
	for c := abi.CallbackConnect; int(c) < abi.NumCallbacks; c++ {
		_, exported := p.exports[c.String()]
		p.callback[c] = exported && !m.Absent(c)
	}
}

// sizeText writes a size of memory in MiB with at most one decimal, rounded up or
// down, or in KiB if it is less than one.
func sizeText(bytes uint64, up bool) string {
	const mib = 1 << 20
	if bytes < mib {
		return strconv.FormatUint(bytes>>10, 10) + " KiB"
	}
	tenths := bytes * 10 / mib
	if up && tenths*mib < bytes*10 {
		tenths++
	}
	text := strconv.FormatUint(tenths/10, 10)
	if tenths%10 != 0 {
		text += "." + strconv.FormatUint(tenths%10, 10)
	}
	return text + " MiB"
}

func hasType(def api.FunctionDefinition, params, results []api.ValueType) bool {
	return slices.Equal(def.ParamTypes(), params) && slices.Equal(def.ResultTypes(), results)
}

// typeText writes a type as SPEC.md does: "(i32, i32) -> (i64)".
func typeText(params, results []api.ValueType) string {
	list := func(types []api.ValueType) string {
		names := make([]string, len(types))
		for i, t := range types {
			names[i] = api.ValueTypeName(t)
		}
		return "(" + strings.Join(names, ", ") + ")"
	}
	return list(params) + " -> " + list(results)
}
