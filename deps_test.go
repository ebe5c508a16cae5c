// Package aviary_test holds the rules of structure over the whole module.
package aviary_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/aviary-host/aviary/"

// pkg is what the rules look at of a package.
type pkg struct {
	ImportPath   string
	Dir          string
	Name         string
	Imports      []string
	GoFiles      []string
	IgnoredFiles []string `json:"IgnoredGoFiles"`
}

// allowed says which packages of this module a package may import, by the
// longest prefix of its path that is listed: ARCHITECTURE.md, "One rule".
var allowed = map[string][]string{
	"abi":      {},
	"abi/tck":  {"abi", "plugins"},
	"wire":     {},
	"pubsub":   {},
	"presence": {},
	"plugins":  {"abi", "plugins/fair", "plugins/image", "plugins/lines", "plugins/module", "plugins/meter"},
	"host":     {"abi", "wire", "pubsub", "presence", "host"},
	"sdk":      {"abi"},
	"sdk/go":   {"abi", "sdk/go"},
	"bench":    {"bench"},
	"cmd":      {"abi", "host", "plugins", "cmd", "bench/load", "examples/chat", "sdk"},

	"sdk/sdktest": {"cmd/aviary", "host/hosttest", "sdk"},

	"presence/group": {},

	"bench/floor": {},
	"bench/load":  {},

	"plugins/image":   {},
	"plugins/fair":    {},
	"plugins/module":  {},
	"plugins/meter":   {"plugins/module"},
	"plugins/lines":   {"plugins/module"},
	"plugins/traps":   {"abi", "plugins"},
	"plugins/durable": {},
	"plugins/history": {"plugins/durable"},
	"plugins/hostile": {"abi", "plugins/module", "plugins/meter"},

	"host/auth":   {"wire"},
	"host/client": {},
	"host/limit":  {},
	"host/origin": {},

	"examples/chat":              {},
	"examples/chat/guest":        {"sdk/go"},
	"examples/conformance":       {"cmd/aviary/app", "host"},
	"examples/conformance/guest": {"sdk/go"},
	"examples/bench":             {"abi", "host", "plugins"},
	"examples/bench/guest":       {"sdk/go"},
}

// owners says which directories may import a third party's package, by prefix of its
// path: one, but for what speaks to the operating system. RATIONALE.md has a line on each.
var owners = map[string][]string{
	"github.com/bytedance/sonic":      {"wire"},
	"github.com/tetratelabs/wazero":   {"plugins"},
	"github.com/valyala/fasthttp":     {"host"},
	"github.com/gobwas/ws":            {"host"},
	"github.com/go-jose/go-jose/v4":   {"host/auth"},
	"github.com/alecthomas/kong":      {"cmd"},
	"github.com/fsnotify/fsnotify":    {"cmd/aviary/watch"},
	"github.com/pelletier/go-toml/v2": {"cmd"},
	"golang.org/x/sys":                {"bench", "host", "plugins/image"},
}

// standardOnly are packages that every guest carries: only the standard
// library, and not the parts of it that are large in WebAssembly.
var (
	standardOnly = []string{"abi"}
	heavy        = []string{"fmt", "reflect", "encoding/json", "encoding/binary", "net", "os"}
)

func TestDependencyRule(t *testing.T) {
	for _, p := range packages(t) {
		rel := relative(p.ImportPath)
		rule, ok := longest(allowed, rel)
		if !ok {
			t.Errorf("%s: no rule says what it may import; add one to %s", rel, "deps_test.go")
			continue
		}
		for _, imp := range p.Imports {
			checkImport(t, rel, imp, allowed[rule])
		}
	}
}

func checkImport(t *testing.T, rel, imp string, may []string) {
	t.Helper()
	if own, ok := strings.CutPrefix(imp, module); ok {
		for _, prefix := range may {
			if within(own, prefix) {
				return
			}
		}
		t.Errorf("%s imports %s; it may import only %v of this module", rel, own, may)
		return
	}
	if !strings.Contains(strings.SplitN(imp, "/", 2)[0], ".") {
		for _, name := range standardOnly {
			if rel == name {
				checkHeavy(t, rel, imp)
			}
		}
		return
	}
	owner, ok := longest(owners, imp)
	if !ok {
		t.Errorf("%s imports %s, which has no owner in deps_test.go and no line in RATIONALE.md", rel, imp)
	} else if !slices.ContainsFunc(owners[owner], func(dir string) bool { return within(rel, dir) }) {
		t.Errorf("%s imports %s, which belongs to %v", rel, imp, owners[owner])
	}
}

func checkHeavy(t *testing.T, rel, imp string) {
	t.Helper()
	for _, h := range heavy {
		if imp == h {
			t.Errorf("%s imports %s, which every guest would carry", rel, imp)
		}
	}
}

// TestPackageDocs wants a doc.go in every package that is not a command.
func TestPackageDocs(t *testing.T) {
	for _, p := range packages(t) {
		if p.Name == "main" || len(p.GoFiles) == 1 {
			continue
		}
		if _, err := os.Stat(filepath.Join(p.Dir, "doc.go")); err != nil {
			t.Errorf("%s has no doc.go", relative(p.ImportPath))
		}
	}
}

// packages lists every package of the module that has files of its own on this
// system.
func packages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p pkg
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(p.GoFiles) > 0 {
			all = append(all, p)
		}
	}
	if len(all) < 10 {
		t.Fatalf("go list found only %d packages", len(all))
	}
	return all
}

func relative(importPath string) string { return strings.TrimPrefix(importPath, module) }

func within(path, prefix string) bool { return path == prefix || strings.HasPrefix(path, prefix+"/") }

// longest returns the longest key of m that path is within.
func longest[V any](m map[string]V, path string) (key string, ok bool) {
	for k := range m {
		if within(path, k) && len(k) >= len(key) {
			key, ok = k, true
		}
	}
	return key, ok
}
