package meter_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/tetratelabs/wazero/api"

	"github.com/aviary-host/aviary/plugins/meter"
	"github.com/aviary-host/aviary/plugins/module"
)

const (
	testPiece = 256 << 10
	testRoom  = 64 << 16 // of the memory below
)

// pieceModule exports fill and copy, of type (i32, i32, i32) -> (), and a memory of 64
// pages that does not grow.
func pieceModule() *module.Module {
	body := func(o module.Op) []module.Instr {
		return code(get(0), get(1), get(2), module.Instr{Op: o})
	}
	return &module.Module{
		Types:    []module.FuncType{{Params: []module.ValType{module.I32, module.I32, module.I32}}},
		Funcs:    []module.Func{{Body: body(module.OpMemoryFill)}, {Body: body(module.OpMemoryCopy)}},
		Memories: []module.Limits{{Min: testRoom >> 16, Max: testRoom >> 16, HasMax: true}},
		Exports:  []module.Export{{Name: "fill"}, {Name: "copy", Index: 1}, {Name: "memory", Kind: module.KindMemory}},
	}
}

// TestPiecesDoTheSame fills and copies with and without meters: the memory is the same
// afterwards, and so is the trap of what ends past it, which has written nothing.
func TestPiecesDoTheSame(t *testing.T) {
	worlds := []*world{newWorld(t, false), newWorld(t, true)}
	var mods []api.Module
	for _, w := range worlds {
		mod, err := w.instantiate(pieceModule().Encode(), "")
		if err != nil {
			t.Fatal(err)
		}
		noise(mod)
		mods = append(mods, mod)
	}
	run := func(name string, args ...uint64) {
		t.Helper()
		var ends []string
		for i, w := range worlds {
			_, err := w.call(t, mods[i], name, args...)
			ends = append(ends, trap(err))
		}
		plain, _ := mods[0].Memory().Read(0, testRoom)
		metered, _ := mods[1].Memory().Read(0, testRoom)
		if ends[0] != ends[1] || !bytes.Equal(plain, metered) {
			t.Fatalf("%s%d ends with %q, metered %q; memories equal: %v", name, args, ends[0], ends[1], bytes.Equal(plain, metered))
		}
	}
	lengths := []uint64{0, 1, testPiece - 1, testPiece, testPiece + 1, 2 * testPiece, 3*testPiece + 7, testRoom, testRoom + 1, 1<<32 - 1}
	places := []uint64{0, 1, testPiece, testRoom - testPiece - 1, testRoom, testRoom + 1, 1<<32 - testPiece, 1<<32 - 1}
	for _, n := range lengths {
		for _, to := range places {
			run("fill", to, n&0xff, n)
			for _, from := range places {
				run("copy", to, from, n)
			}
		}
	}
	// Those that overlap, in both directions, by less than a piece and by more.
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		n := testPiece + rng.Uint64N(testRoom/2)
		to := rng.Uint64N(testRoom - n)
		from := min(to+rng.Uint64N(2*testPiece), testRoom-n)
		run("copy", to, from, n)
		noise(mods...)
		run("copy", from, to, n)
	}
}

// noise writes the same to the memories of modules.
func noise(mods ...api.Module) {
	for _, mod := range mods {
		rng := rand.New(rand.NewPCG(1, 2))
		b, _ := mod.Memory().Read(0, testRoom)
		for i := 0; i < len(b); i += 97 {
			b[i] = byte(rng.Uint32())
		}
	}
}

// TestPiecesLetOthersBy: between two pieces the guest calls the host.
func TestPiecesLetOthersBy(t *testing.T) {
	for _, name := range []string{"fill", "copy"} {
		for _, args := range [][]uint64{{0, 1, testRoom - 1}, {1, 0, testRoom - 1}} { // both directions
			w := newWorld(t, true)
			mod, err := w.instantiate(pieceModule().Encode(), "")
			if err != nil {
				t.Fatal(err)
			}
			fuel := mod.ExportedGlobal(meter.FuelExport).(api.MutableGlobal)
			calls := func(n uint64) int {
				fuel.Set(1 << 40)
				w.refills = 0
				args[2] = n
				if _, err := mod.ExportedFunction(name).Call(context.Background(), args...); err != nil {
					t.Fatal(err)
				}
				return w.refills
			}
			for n, want := range map[uint64]int{testPiece: 0, testPiece + 1: 1, 2 * testPiece: 1, testRoom - 1: testRoom/testPiece - 1} {
				if got := calls(n); got != want {
					t.Errorf("%s%d calls the host %d times, want %d", name, args, got, want)
				}
			}
		}
	}
}

// TestPiecesHaveNames: they are in traces.
func TestPiecesHaveNames(t *testing.T) {
	out, err := meter.Instrument(pieceModule(), meter.Config{Stack: testStack})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(out.Names); got != "[{1 $0} {2 $1} {3 memory.fill} {4 memory.copy}]" {
		t.Errorf("names are %s", got)
	}
	none, err := meter.Instrument(testModule(code(num(0), num(0), num(8), fill)), meter.Config{Stack: testStack})
	if err != nil {
		t.Fatal(err)
	}
	if len(none.Funcs) != 2 {
		t.Errorf("%d functions are added for what is short", len(none.Funcs)-2)
	}
}
