package meter_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/plugins/meter"
	"github.com/aviary-host/aviary/plugins/module"
)

// endless are guests that are there to be stopped, of which one would take all memory
// of the machine for its table; and one that spends nearly all on growth, whose price is
// that of the memory.
var endless = []string{"fuel_", "stack_", "grow", "scribble"}

// slow are guests that are left out under the race detector: two that are built as
// conformance.wasm is, which stays, and one that calls host functions by the ten thousand.
var slow = []string{"bench.wasm", "chat.wasm", "imports.wasm"}

// callbackPages is the memory that guests may have.
const callbackPages = 256

// callbackScript is what guests are asked: joins of topics that they may know, and
// then events that they may, some of which fail.
func callbackScript() []abi.Request {
	script := []abi.Request{{Callback: abi.CallbackConnect, Params: []byte(`{"name":"Ada"}`), Headers: []byte(`{}`), Config: []byte(`{}`)}}
	long := `{"text":"` + strings.Repeat("tea ", 300) + `","n":[1,2.5,{"a":null}],"name":"Grace","user":"u2"}`
	for _, topic := range []string{"room:1", "presence:1", "pres:1", "custom:1", "realtime:1"} {
		script = append(script, abi.Request{
			Callback: abi.CallbackJoin, Topic: []byte(topic), Ref: []byte("1"), JoinRef: []byte("1"), Config: []byte(`{"greeting":"hi"}`),
			Payload: []byte(`{"name":"Ada","user":"u1","config":{"broadcast":{"self":true}}}`),
		})
		for _, event := range []string{
			"echo", "new_msg", "typing", "shout", "push", "track", "list", "double", "broadcast", "subscribe", "kind", "async", "u", "nonsense",
		} {
			script = append(script, abi.Request{
				Callback: abi.CallbackHandleIn, Topic: []byte(topic), Event: []byte(event), Ref: []byte("2"), JoinRef: []byte("1"),
				Payload: []byte(long),
			})
		}
		script = append(script,
			abi.Request{Callback: abi.CallbackHandleIn, Topic: []byte(topic), Event: []byte("echo"), Ref: []byte("3"), Binary: true, Payload: make([]byte, 16<<10)},
			abi.Request{Callback: abi.CallbackHandleIn, Topic: []byte(topic), Event: []byte("echo"), Ref: []byte("4"), Payload: []byte("{}")},
			abi.Request{Callback: abi.CallbackHandleIn, Topic: []byte(topic), Event: []byte("new_msg"), Ref: []byte("5"), Payload: []byte(`{"bad`)},
			abi.Request{Callback: abi.CallbackHandleInfo, Topic: []byte(topic), Reason: uint32(abi.InfoMessage), Event: []byte("tick"), Payload: []byte("{}")},
			abi.Request{Callback: abi.CallbackHandleOut, Topic: []byte(topic), Event: []byte("new_msg"), Payload: []byte("{}")},
			abi.Request{Callback: abi.CallbackTerminate, Topic: []byte(topic), Reason: uint32(abi.ReasonLeft)},
		)
	}
	return script
}

// guest is an instance of a guest in a world, which is made again after a failure.
type guest struct {
	*world
	compiled wazero.CompiledModule
	mod      api.Module
	buffer   uint32
}

// begin makes the instance, as SPEC.md section 2 says.
func (g *guest) begin(t *testing.T) error {
	t.Helper()
	g.clear(t)
	var err error
	if g.mod, err = g.instance(g.compiled, ""); err != nil {
		return err
	}
	if g.mod.ExportedFunction(abi.ExportInit) != nil {
		if _, err = g.call(t, g.mod, abi.ExportInit); err != nil {
			return err
		}
	}
	if _, err = g.call(t, g.mod, abi.ExportMarker); err != nil {
		return err
	}
	results, err := g.call(t, g.mod, abi.ExportAlloc, abi.RequestBuffer)
	if err == nil {
		g.buffer = uint32(results[0])
	}
	return err
}

// reaction is what came of a callback.
type reaction struct {
	response []byte // a view
	trap     string
	memory   []byte // a view
	charged  int64
	executed int64
}

// handle runs a callback.
func (g *guest) handle(t *testing.T, req *abi.Request) reaction {
	t.Helper()
	mem := g.mod.ExportedMemory(abi.ExportMemory)
	room, ok := mem.Read(g.buffer, abi.RequestBuffer)
	if !ok {
		return reaction{trap: "the buffer ends past the memory"}
	}
	size := len(abi.AppendRequest(room[:0], req))
	executed, counts := g.mod.ExportedGlobal(executedExport).(api.MutableGlobal)
	if counts {
		executed.Set(0)
	}
	var out reaction
	results, charged, err := g.charge(t, g.mod, req.Callback.String(), uint64(g.buffer), uint64(size))
	out.charged, out.trap = charged, trap(err)
	if counts {
		out.executed = int64(executed.Get())
	}
	if err == nil {
		out.response, _ = mem.Read(uint32(results[0]>>32), uint32(results[0]))
	}
	out.memory, _ = mem.Read(0, mem.Size())
	out.memory = withoutZeros(out.memory)
	return out
}

// offer defines what guests import: wazero's WASI, whose clocks and random numbers are
// always the same, and functions of ours that do nothing.
func offer(t *testing.T, w *world, m *module.Module) {
	t.Helper()
	if _, err := wasi_snapshot_preview1.Instantiate(context.Background(), w.runtime); err != nil {
		t.Fatal(err)
	}
	b := w.runtime.NewHostModuleBuilder(abi.ImportModule)
	for i := range m.Imports {
		if imp := &m.Imports[i]; imp.Module == abi.ImportModule && imp.Kind == module.KindFunc {
			typ := m.Types[imp.Type]
			b.NewFunctionBuilder().WithGoModuleFunction(nothing(imp.Name), valueTypes(typ.Params), valueTypes(typ.Results)).Export(imp.Name)
		}
	}
	if _, err := b.Instantiate(context.Background()); err != nil {
		t.Fatal(err)
	}
}

var errPanic = errors.New("the guest panics")

func nothing(name string) api.GoModuleFunc {
	return func(_ context.Context, _ api.Module, stack []uint64) {
		if name == abi.ImportPanic {
			panic(errPanic)
		}
		if len(stack) > 0 {
			stack[0] = 0
		}
	}
}

func valueTypes(types []module.ValType) []api.ValueType {
	out := make([]api.ValueType, len(types))
	for i, t := range types {
		out[i] = api.ValueType(t)
	}
	return out
}

// sums is what callbacks of a guest cost, but for those that failed.
type sums struct {
	calls             int
	charged, executed int64
	worst             float64 // of calls that are not tiny
}

func (s sums) String() string {
	return fmt.Sprintf("%4d callbacks, charged %9d for %9d instructions: x%.3f, at most x%.3f",
		s.calls, s.charged, s.executed, float64(s.charged)/float64(s.executed), s.worst)
}

// tiny is so few instructions that what is charged for an entry counts.
const tiny = 200

func (s *sums) add(charged, executed int64) {
	s.calls++
	s.charged += charged
	s.executed += executed
	if executed >= tiny {
		s.worst = max(s.worst, float64(charged)/float64(executed))
	}
}

// TestCallbacks runs the guests of the repository with and without meters, in compiler
// and interpreter: responses, failures and memory are the same, and what is charged is
// no less than what is executed and at most 1.5 times that.
func TestCallbacks(t *testing.T) {
	ran := 0
	for name, wasm := range guests(t) {
		m, err := module.Decode(wasm, module.DefaultCaps())
		if err != nil || !speaks(m) || slices.ContainsFunc(endless, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
			continue
		}
		ran++
		if raceEnabled && slices.Contains(slow, name) {
			continue
		}
		t.Run(name, func(t *testing.T) { runCallbacks(t, m) })
	}
	if ran < 25 {
		t.Errorf("only %d guests", ran)
	}
}

// speaks tells whether a module would be admitted: not all fault guests are.
func speaks(m *module.Module) bool {
	types := map[string]module.FuncType{
		abi.ExportMarker: {Results: []module.ValType{module.I64}},
		abi.ExportAlloc:  {Params: []module.ValType{module.I32}, Results: []module.ValType{module.I32}},
		abi.ExportInit:   {},
	}
	for c := abi.CallbackConnect; int(c) < abi.NumCallbacks; c++ {
		types[c.String()] = module.FuncType{Params: []module.ValType{module.I32, module.I32}, Results: []module.ValType{module.I64}}
	}
	required := map[string]bool{abi.ExportMarker: true, abi.ExportAlloc: true, abi.ExportMemory: true, "join": true}
	for i := range m.Exports {
		x := &m.Exports[i]
		want, known := types[x.Name]
		if known && (x.Kind != module.KindFunc || !reflect.DeepEqual(*m.TypeOf(x.Index), want)) {
			return false
		}
		delete(required, x.Name)
	}
	refused := slices.ContainsFunc(m.Exports, func(x module.Export) bool { return strings.HasPrefix(x.Name, meter.Prefix) }) ||
		slices.ContainsFunc(m.Memories, func(memory module.Limits) bool { return memory.Min > callbackPages })
	foreign := slices.ContainsFunc(m.Imports, func(imp module.Import) bool {
		return imp.Kind != module.KindFunc || imp.Module != abi.ImportModule && imp.Module != abi.WASIModule
	})
	return len(required) == 0 && !foreign && !refused
}

func runCallbacks(t *testing.T, m *module.Module) {
	compiler := engine().WithMemoryLimitPages(callbackPages)
	interpreter := wazero.NewRuntimeConfigInterpreter().WithMemoryLimitPages(callbackPages)
	worlds := []*world{
		newWorldOn(t, compiler, false), newWorldOn(t, compiler, false), newWorldOn(t, compiler, true), newWorldOn(t, interpreter, true),
	}
	var all []*guest
	for i, w := range worlds {
		w.pages = callbackPages
		offer(t, w, m)
		toCompile := m
		if i == 1 {
			toCompile = counting(m)
		}
		compiled, err := w.compile(toCompile)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, &guest{world: w, compiled: compiled})
	}
	if !beginAll(t, all) {
		return
	}
	var sum sums
	for _, req := range callbackScript() {
		if all[0].mod.ExportedFunction(req.Callback.String()) == nil {
			continue
		}
		if r := react(t, all, &req); r[0].trap != "" {
			if !beginAll(t, all) {
				t.Fatal("no instance after a failure")
			}
		} else {
			sum.add(r[2].charged, r[1].executed)
		}
	}
	if sum.calls == 0 {
		return
	}
	t.Log(sum)
	if sum.worst > 1.5 || float64(sum.charged) > 1.5*float64(sum.executed) && sum.executed > tiny {
		t.Errorf("charged is more than 1.5 times what was executed: %v", sum)
	}
}

// beginAll makes instances in all worlds, or in none.
func beginAll(t *testing.T, all []*guest) bool {
	t.Helper()
	var first error
	for i, g := range all {
		err := g.begin(t)
		if i == 0 {
			first = err
		}
		if trap(err) != trap(first) {
			t.Errorf("world %d begins with %v, the first with %v", i, err, first)
		}
	}
	return first == nil && !t.Failed()
}

// react runs a callback in all worlds.
func react(t *testing.T, all []*guest, req *abi.Request) []reaction {
	t.Helper()
	var out []reaction
	for i, g := range all {
		r := g.handle(t, req)
		out = append(out, r)
		if !bytes.Equal(r.response, out[0].response) || r.trap != out[0].trap || !bytes.Equal(r.memory, out[0].memory) {
			t.Fatalf("%v %s: world %d gives %.100q, %s, the first %.100q, %s", req.Callback, req.Event, i, r.response, r.trap, out[0].response, out[0].trap)
		}
	}
	if out[2].charged < out[1].executed || out[2].charged != out[3].charged {
		t.Errorf("%v %s: charged %d, in the interpreter %d, for %d", req.Callback, req.Event, out[2].charged, out[3].charged, out[1].executed)
	}
	return out
}
