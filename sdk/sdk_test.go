package sdk_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aviary-host/aviary/sdk"
)

func find(t *testing.T, name string) *sdk.Language {
	t.Helper()
	l, err := sdk.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	return &l
}

func TestFind(t *testing.T) {
	if l := find(t, "go"); l.Title != "Go" || l.Output != "{{name}}.wasm" {
		t.Errorf("go is %+v", l)
	}
	_, err := sdk.Find("cobol")
	if !errors.Is(err, sdk.ErrLanguage) || !strings.Contains(err.Error(), `unknown language "cobol": there are`) {
		t.Errorf("cobol: %v", err)
	}
}

// TestLanguages: each language.json says all that a build needs.
func TestLanguages(t *testing.T) {
	all, err := sdk.Languages()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range all {
		if l.Title == "" || l.Extension == "" || len(l.Tools) == 0 || len(l.Library) == 0 || l.LibraryDir == "" ||
			len(l.Build) == 0 || l.Output == "" || len(l.Watch) == 0 || (len(l.Setup) > 0) != (l.SetupDone != "") {
			t.Errorf("%s: something is missing: %+v", l.Name, l)
		}
		for _, tool := range l.Tools {
			if tool.Command == "" || len(tool.Version) == 0 || tool.Install == "" {
				t.Errorf("%s: something is missing of a tool: %+v", l.Name, tool)
			}
		}
	}
}

// TestLibraryIsEmbedded: what language.json counts among the library is in the binary, for
// which sdk.go needs a line.
func TestLibraryIsEmbedded(t *testing.T) {
	all, err := sdk.Languages()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range all {
		written, err := l.Write(filepath.Join(t.TempDir(), "p"), "p")
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		err = filepath.WalkDir(l.Name, func(name string, entry fs.DirEntry, err error) error {
			rel := strings.TrimPrefix(filepath.ToSlash(name), l.Name+"/")
			if err != nil || entry.IsDir() || !sdk.Match(l.Library, rel) || strings.HasSuffix(rel, "_test.go") {
				return err
			}
			n++
			if want := l.LibraryDir + "/" + strings.TrimSuffix(rel, ".tmpl"); !slices.Contains(written, want) {
				t.Errorf("sdk/%s is of the library, and a project has no %s: does a go:embed line of sdk/sdk.go name it?", name, want)
			}
			return nil
		})
		if err != nil || n == 0 {
			t.Errorf("%s: %d files of the library, %v", l.Name, n, err)
		}
	}
}

func TestMatch(t *testing.T) {
	patterns := []string{"*.go", "src/**", "a/*.c"}
	for name, want := range map[string]bool{
		"main.go": true, "src/x.rs": true, "src/deep/er/x.rs": true, "a/b.c": true,
		"main.rs": false, "cmd/main.go": false, "src": false, "srcs/x": false, "a/b/c.c": false, "": false,
	} {
		if got := sdk.Match(patterns, name); got != want {
			t.Errorf("%q matches %v: %t", name, patterns, got)
		}
	}
}

func TestCheckName(t *testing.T) {
	for name, good := range map[string]bool{
		"a": true, "room": true, "my-room-2": true, strings.Repeat("a", 40): true,
		"": false, "Room": false, "2rooms": false, "-room": false, "my room": false, "../room": false, "r\u00f6m": false, strings.Repeat("a", 41): false,
	} {
		err := sdk.CheckName(name)
		if (err == nil) != good || err != nil && !errors.Is(err, sdk.ErrName) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// TestWrite: placeholders, suffixes and the shared files are what a project needs.
func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "first-room")
	written, err := find(t, "go").Write(dir, "first-room")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"go.mod":                          "module first-room\n",
		"main.go":                         "Command first-room is",
		".gitignore":                      "/first-room.wasm",
		"README.md":                       "make first-room.wasm",
		"aviary.toml":                     `path = "first-room.wasm"`,
		"aviary.json":                     `"output": "first-room.wasm"`,
		"tests/join.json":                 `"presence_track"`,
		"aviary/go.mod":                   "module github.com/aviary-host/aviary\n",
		"aviary/abi/names.go":             "package abi",
		"aviary/sdk/go/effects.go":        "package aviary",
		"aviary/sdk/go/aviarytest/doc.go": "package aviarytest",
	} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s has no %q: %v\n%s", name, want, err, text)
		}
		if !slices.Contains(written, name) {
			t.Errorf("%s is not among the files that Write names", name)
		}
		if strings.Contains(string(text), "{{name}}") || strings.Contains(string(text), "{{output}}") {
			t.Errorf("%s has placeholders left", name)
		}
	}
	for _, name := range written {
		if strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, ".tmpl") || name == "aviary/abi/source.go" {
			t.Errorf("%s is of no use to a project", name)
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	there := t.TempDir()
	if _, err := find(t, "go").Write(there, "room"); !errors.Is(err, sdk.ErrExists) || !strings.Contains(err.Error(), there) {
		t.Errorf("a directory that is there: %v", err)
	}
	none := filepath.Join(there, "none")
	if _, err := find(t, "go").Write(none, "Room"); !errors.Is(err, sdk.ErrName) {
		t.Errorf("a bad name: %v", err)
	}
	if _, err := os.Stat(none); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something was written: %v", err)
	}
}
