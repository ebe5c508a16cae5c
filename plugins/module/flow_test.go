package module

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// specification returns the valid modules of version 2 of the specification's test
// suite, which comes with wazero.
func specification(t *testing.T) map[string][]byte {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "internal/integration_test/spectest/v2/testdata/*.json"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]byte{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var script struct {
			Commands []struct{ Type, Filename string }
		}
		if err := json.Unmarshal(text, &script); err != nil {
			t.Fatal(err)
		}
		for _, cmd := range script.Commands {
			if cmd.Type != "module" {
				continue
			}
			if found[cmd.Filename], err = os.ReadFile(filepath.Join(filepath.Dir(file), cmd.Filename)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return found
}

// TestHeights: the operands that are counted are those that a valid module has at the
// end of each block. The suite has every instruction.
func TestHeights(t *testing.T) {
	modules, used := 0, map[Op]bool{}
	for name, wasm := range specification(t) {
		m, err := Decode(wasm, DefaultCaps())
		if err != nil {
			continue // over a cap
		}
		modules++
		var funcs []uint32
		for i := range m.Imports {
			if m.Imports[i].Kind == KindFunc {
				funcs = append(funcs, m.Imports[i].Type)
			}
		}
		for i := range m.Funcs {
			funcs = append(funcs, m.Funcs[i].Type)
		}
		f := flow{types: m.Types, funcs: funcs}
		for i := range m.Funcs {
			if !checkHeights(t, &f, &m.Funcs[i], used) {
				t.Errorf("%s: function %d", name, i)
			}
		}
	}
	if modules < 1000 {
		t.Errorf("only %d modules", modules)
	}
	for op := range opTable {
		if opTable[op].shape != shapeUnknown && !used[Op(op)] {
			t.Errorf("no module uses %v", Op(op))
		}
	}
}

func checkHeights(t *testing.T, f *flow, fn *Func, used map[Op]bool) (ok bool) {
	t.Helper()
	f.begin(&f.types[fn.Type], 0)
	for i := range fn.Body {
		in := &fn.Body[i]
		used[in.Op] = true
		if b := &f.frames[len(f.frames)-1]; !f.at.dead && (in.Op == OpEnd || in.Op == OpElse) && f.at.height != b.before.height+b.results {
			t.Errorf("%d operands before instruction %d, want %d", f.at.height, i, b.before.height+b.results)
			return false
		}
		var targets []uint32
		if in.Op == OpBrTable {
			targets = fn.Targets[:uint64(in.Index)+in.Imm]
		}
		f.follow(in, targets)
	}
	return true
}

// TestSteps: each part of the sum by itself. A body has one local, i32, and the
// module two globals.
func TestSteps(t *testing.T) {
	get, end := Instr{Op: OpLocalGet}, Instr{Op: OpEnd}
	load := Instr{Op: OpI32Load}
	block, loop, cond := Block(OpBlock, BlockEmpty), Block(OpLoop, BlockEmpty), Block(OpIf, BlockEmpty)
	branch, dead := Instr{Op: OpBrIf}, Instr{Op: OpUnreachable}
	for _, tt := range []struct {
		name string
		body []Instr
		want uint64
	}{
		{"nothing", nil, 1},                               // behind the entry
		{"block", []Instr{block, end}, 1 + 3},             // a block after another: entered, left, and one deeper
		{"two in a row", []Instr{get, branch}, 1 + 3},     // entered, left; one local looked up over a run of 1
		{"a look back", []Instr{get, branch, get}, 4 + 1}, // over a run of 1
		{"a carried operand", []Instr{get, get, branch}, 4 + carrySteps},
		{"a dead way", []Instr{get, cond, get, get, get, dead, get, get, get, end}, 3 + 1 + 1 + 1 + 2 + 2 + 3},
		{"a loop", []Instr{loop, get, branch, end}, 1 + 1 + 2 + 3 + 3 + 4},
		{"what is behind a jump", []Instr{dead, get, cond, get, branch, end}, 0},
		{"bounds", []Instr{get, load, {Op: OpDrop}, get, branch}, 4 + 4}, // remembered at two ends and two beginnings
		{"globals after a call", []Instr{{Op: OpCall}}, 1 + 2*globalSteps},
		{"globals over a branch", []Instr{{Op: OpGlobalGet}, get, branch}, 4 + 2*carrySteps},
	} {
		f := flow{types: []FuncType{{}}, funcs: []uint32{0}, globals: 2}
		f.begin(&f.types[0], 1)
		for _, in := range append(tt.body, end) {
			f.follow(&in, nil)
		}
		if f.steps != tt.want {
			t.Errorf("%s: %d steps, want %d", tt.name, f.steps, tt.want)
		}
	}
}
