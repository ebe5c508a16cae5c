package aviary

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aviary-host/aviary/abi"
)

// TestModule builds a guest for WebAssembly and looks at what it exports and
// imports.
func TestModule(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a module")
	}
	out := filepath.Join(t.TempDir(), "chat.wasm")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-ldflags=-s -w", "-o", out, "../../examples/chat/guest")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	module, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	exports, imports := names(t, module)
	for c := abi.CallbackConnect; int(c) < abi.NumCallbacks; c++ {
		if !slices.Contains(exports, c.String()) {
			t.Errorf("no export %s", c)
		}
	}
	for _, name := range []string{abi.ExportMarker, abi.ExportAlloc, abi.ExportMemory, abi.ExportInit} {
		if !slices.Contains(exports, name) {
			t.Errorf("no export %s", name)
		}
	}
	for _, name := range imports {
		if !slices.Contains(allowedImports, name) {
			t.Errorf("import %s is none of SPEC 6", name)
		}
	}
	if !slices.Contains(imports, "aviary.panic") {
		t.Error("panics are not reported")
	}
	if len(module) > 2_200_000 {
		t.Errorf("the module has grown to %d bytes: what large package is linked now?", len(module))
	}
}

var allowedImports = strings.Fields(`
	aviary.log aviary.presence_list aviary.config aviary.panic
	` + wasi(`args_get args_sizes_get environ_get environ_sizes_get clock_res_get clock_time_get random_get
	fd_write proc_exit sched_yield poll_oneoff fd_close fd_fdstat_get fd_fdstat_set_flags fd_prestat_get
	fd_prestat_dir_name fd_read fd_seek`))

func wasi(list string) string {
	return abi.WASIModule + "." + strings.Join(strings.Fields(list), " "+abi.WASIModule+".")
}

// names reads the export and import sections of a module.
func names(t *testing.T, module []byte) (exports, imports []string) {
	t.Helper()
	r := reader{module[8:]} // after magic and version
	for len(r.b) > 0 {
		id := r.byte()
		section := reader{r.take(r.uint())}
		switch id {
		case 2:
			for range section.uint() {
				imports = append(imports, section.name()+"."+section.name())
				if section.byte() != 0 {
					t.Fatal("an import that is no function")
				}
				section.uint()
			}
		case 7:
			for range section.uint() {
				exports = append(exports, section.name())
				section.byte()
				section.uint()
			}
		}
	}
	return exports, imports
}

type reader struct{ b []byte }

func (r *reader) take(n int) []byte {
	taken := r.b[:n]
	r.b = r.b[n:]
	return taken
}

func (r *reader) byte() byte { return r.take(1)[0] }

func (r *reader) uint() int {
	v, n := binary.Uvarint(r.b)
	r.take(n)
	return int(v)
}

func (r *reader) name() string { return string(r.take(r.uint())) }

// TestNoLargeDependencies keeps out what would make every guest larger.
func TestNoLargeDependencies(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", ".")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, dep := range strings.Fields(string(out)) {
		switch dep {
		case "fmt", "reflect", "encoding/json", "encoding/binary", "time", "os", "strings", "bytes", "sort":
			t.Errorf("imports %s", dep)
		}
		if strings.HasPrefix(dep, "github.com/") && dep != "github.com/aviary-host/aviary/abi" &&
			dep != "github.com/aviary-host/aviary/sdk/go" {
			t.Errorf("imports %s", dep)
		}
	}
}
