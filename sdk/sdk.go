package sdk

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// A language is there when its language.json is. Its library needs a line of its own
// here, as patterns that matched everything would embed what builds leave behind.
//
//go:embed */language.json */template project testdata/tests
//go:embed go/*.go go/aviaryjson/*.go go/aviarytest/*.go
//go:embed assemblyscript/*.ts assemblyscript/lib/*.ts
//go:embed rust/Cargo.toml rust/README.md rust/src/*.rs
var files embed.FS

// ErrLanguage tells that there is no language of a name.
var ErrLanguage = errors.New("unknown language")

// Tool is a command that a build needs.
type Tool struct {
	Command string   `json:"command"` // found in the PATH
	Version []string `json:"version"` // prints its version
	Install string   `json:"install"` // a line that says how to get it
}

// Language is a language.json: how modules are written in it and built. Commands run in
// the directory of the project, without a shell; elements such as GOOS=wasip1 in front of
// a command are for its environment. Paths are relative to that directory and have
// slashes.
type Language struct {
	Name      string `json:"name"`      // of --lang
	Title     string `json:"title"`     // for people
	Extension string `json:"extension"` // of source files, without a dot
	Tools     []Tool `json:"tools"`

	Library    []string `json:"library"`     // files beside language.json that a project gets, as [Match] has it
	LibraryDir string   `json:"library_dir"` // where it gets them
	ABIDir     string   `json:"abi_dir"`     // where it gets the Go files of package abi; empty: it does not

	Setup     [][]string `json:"setup"`      // run before the first build
	SetupDone string     `json:"setup_done"` // a file that is there afterwards
	Build     [][]string `json:"build"`
	Output    string     `json:"output"` // the module that Build makes
	Watch     []string   `json:"watch"`  // what a build depends on, as Match has it
}

// Languages returns all languages, by name.
func Languages() ([]Language, error) {
	names, err := fs.Glob(files, "*/language.json")
	if err != nil {
		return nil, err
	}
	all := make([]Language, len(names))
	for i, name := range names {
		if all[i], err = read(name); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Find returns the language of a name. The error wraps ErrLanguage and names those there
// are.
func Find(name string) (Language, error) {
	all, err := Languages()
	if err != nil {
		return Language{}, err
	}
	names := make([]string, len(all))
	for i := range all {
		if names[i] = all[i].Name; names[i] == name {
			return all[i], nil
		}
	}
	return Language{}, fmt.Errorf("%w %q: there are %s", ErrLanguage, name, strings.Join(names, ", "))
}

// read reads a language.json, strictly.
func read(name string) (l Language, err error) {
	text, err := files.ReadFile(name)
	if err != nil {
		return l, err
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err = dec.Decode(&l); err == nil {
		_, err = dec.Token()
	}
	if !errors.Is(err, io.EOF) {
		return l, fmt.Errorf("sdk/%s: %w", name, cmpErr(err))
	}
	if dir := path.Dir(name); l.Name != dir {
		return l, fmt.Errorf("sdk/%s: the name is %q, the directory %q", name, l.Name, dir)
	}
	return l, nil
}

// cmpErr words the error that is none: something follows the object.
func cmpErr(err error) error {
	if err == nil {
		return errors.New("something follows the object")
	}
	return err
}

// Match tells whether a path matches one of patterns: as path.Match has it, and a last
// element ** stands for everything below a directory.
func Match(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		if dir, ok := strings.CutSuffix(pattern, "/**"); ok {
			return strings.HasPrefix(name, dir+"/")
		}
		ok, err := path.Match(pattern, name)
		return err == nil && ok
	})
}
