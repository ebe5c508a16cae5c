package module_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/aviary-host/aviary/plugins/module"
)

// compiler validates as the host does. The interpreter compiles faster and
// validates with the same code.
type compiler struct{ runtime wazero.Runtime }

func newCompiler(t testing.TB) compiler {
	t.Helper()
	config := wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(api.CoreFeaturesV2)
	c := compiler{wazero.NewRuntimeWithConfig(context.Background(), config)}
	t.Cleanup(func() {
		if err := c.runtime.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return c
}

func (c compiler) compile(wasm []byte) error {
	compiled, err := c.runtime.CompileModule(context.Background(), wasm)
	if err != nil {
		return err
	}
	return compiled.Close(context.Background())
}

// reencode reads a module and writes it, and checks that what was written reads
// the same.
func reencode(wasm []byte, caps module.Caps) ([]byte, error) {
	first, err := module.Decode(wasm, caps)
	if err != nil {
		return nil, err
	}
	encoded := first.Encode()
	again, err := module.Decode(encoded, caps)
	if err != nil {
		return nil, errors.Join(errDiffers, err)
	}
	again.Custom, again.Debug = first.Custom, first.Debug
	if !reflect.DeepEqual(again, first) {
		return nil, errDiffers
	}
	return encoded, nil
}

var errDiffers = errors.New("the encoded module is another one")

// script is a script of the specification's test suite, as wast2json writes it.
type script struct {
	Commands []struct {
		Type     string
		Line     int
		Filename string
		Text     string
	}
}

// source returns the directory of wazero's module.
func source(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// scripts reads a directory of the test suite that comes with wazero.
func scripts(t *testing.T, dir string) map[string]script {
	t.Helper()
	dir = filepath.Join(source(t), "internal", "integration_test", "spectest", dir, "testdata")
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts in %s: %v", dir, err)
	}
	found := map[string]script{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var s script
		if err := json.Unmarshal(text, &s); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		found[file] = s
	}
	return found
}

// forEach calls f for each binary module of the scripts of a directory, of which
// there are at least so many, with its name and what the suite says is wrong.
func forEach(t *testing.T, dir string, least int, f func(name, wrong string, wasm []byte)) {
	t.Helper()
	n := 0
	for file, s := range scripts(t, dir) {
		for _, cmd := range s.Commands {
			if !strings.HasSuffix(cmd.Filename, ".wasm") {
				continue // text
			}
			wasm, err := os.ReadFile(filepath.Join(filepath.Dir(file), cmd.Filename))
			if err != nil {
				t.Fatal(err)
			}
			wrong := ""
			if cmd.Type == "assert_invalid" || cmd.Type == "assert_malformed" {
				wrong = cmd.Text
			}
			n++
			f(cmd.Filename, wrong, wasm)
		}
	}
	if n < least {
		t.Errorf("found only %d modules", n)
	}
}

// overCaps are the valid modules of the test suite that are refused, and nowValid
// those of version 1 that a host of version 2 must accept.
var (
	overCaps = map[string]string{
		"br_table.0.wasm": "24616 targets of br_table, at most 16384",
	}
	nowValid = map[string]string{
		"type.3.wasm": "invalid result arity", "type.4.wasm": "invalid result arity",
		"func.20.wasm": "invalid result arity", "func.21.wasm": "invalid result arity",
		"imports.49.wasm":           "multiple tables",
		"unreached-invalid.87.wasm": "type mismatch", // of labels that cannot be reached
	}
)

// TestSpecification runs the modules of the specification's test suite: those that
// are valid are read and written without a difference to the compiler, and the
// others are refused, here or there.
func TestSpecification(t *testing.T) {
	for dir, least := range map[string]int{"v1": 2500, "v2": 4500} {
		t.Run(dir, func(t *testing.T) {
			c := newCompiler(t)
			forEach(t, dir, least, func(name, wrong string, wasm []byte) {
				switch why, over := overCaps[name]; {
				case over && dir == "v1":
					_, err := reencode(wasm, module.DefaultCaps())
					checkError(t, name, err, why)
				default:
					valid := wrong == "" || dir == "v1" && nowValid[name] == wrong
					if got := checkSame(t, c, name, wasm); got != valid {
						_, err := module.Decode(wasm, module.DefaultCaps())
						t.Errorf("%s (%s): accepted: %t, %v", name, wrong, got, err)
					}
				}
			})
		})
	}
}

// TestProposals: what is accepted of the modules that use later features is to the
// compiler, which knows some of these, what it was.
func TestProposals(t *testing.T) {
	for dir, least := range map[string]int{
		"exception-handling": 20, "extended-const": 20, "tail-call": 30, "threads": 20, "typed-function-references": 50,
	} {
		t.Run(dir, func(t *testing.T) {
			c := newCompiler(t)
			forEach(t, dir, least, func(name, _ string, wasm []byte) {
				checkSame(t, c, name, wasm)
			})
		})
	}
}

// TestToolchains: the modules of wazero's own tests and examples, which TinyGo,
// Rust, Zig, Emscripten, AssemblyScript and a fuzzer made, are accepted where the
// compiler accepts them.
func TestToolchains(t *testing.T) {
	c := newCompiler(t)
	n := 0
	err := filepath.WalkDir(source(t), func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == "spectest":
			return fs.SkipDir
		case filepath.Ext(path) != ".wasm":
			return nil
		}
		n++
		wasm, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name := filepath.Base(path)
		if accepted := checkSame(t, c, name, wasm); !accepted && c.compile(wasm) == nil {
			_, err := module.Decode(wasm, module.DefaultCaps())
			t.Errorf("%s: only the compiler accepts it: %v", name, err)
		}
		return nil
	})
	if err != nil || n < 130 {
		t.Errorf("found %d modules: %v", n, err)
	}
}

// checkSame checks that a module, if it is accepted, is encoded without a difference
// to the compiler.
func checkSame(t *testing.T, c compiler, name string, wasm []byte) (accepted bool) {
	t.Helper()
	encoded, err := reencode(wasm, module.DefaultCaps())
	if errors.Is(err, errDiffers) {
		t.Errorf("%s: %v", name, err)
	}
	if err != nil {
		return false
	}
	before, after := c.compile(wasm), c.compile(encoded)
	if (before == nil) != (after == nil) {
		t.Errorf("%s: the compiler says %v, and when encoded %v", name, before, after)
	}
	return after == nil
}

// checkError checks that an error is of this package, in one line, and has a text
// in it.
func checkError(t *testing.T, name string, err error, want string) {
	t.Helper()
	var refusal *module.Error
	if !errors.As(err, &refusal) || refusal.Func < -1 || refusal.Offset < 0 {
		t.Errorf("%s: error is %T %v", name, err, err)
		return
	}
	if got := err.Error(); !strings.Contains(got, want) || strings.Contains(got, "\n") {
		t.Errorf("%s: error is\n%s\nwant\n%s", name, got, want)
	}
}
