package sdk

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aviary-host/aviary/abi"
)

const (
	dirMode  = 0o755
	fileMode = 0o644

	// ProjectFile is the file of a project that says how it is built: a [Project].
	ProjectFile = "aviary.json"

	maxName = 40 // characters of a project's name
)

// Errors of [Language.Write].
var (
	ErrName   = errors.New("a project's name has 1 to 40 of a-z, 0-9 and -, and begins with a letter")
	ErrExists = errors.New("is there already")
)

// Project is what a project says of itself, in its ProjectFile: the parts of a
// [Language] that a build needs, made for this project.
type Project struct {
	Name      string     `json:"name"`
	Language  string     `json:"language"`
	Tools     []Tool     `json:"tools"`
	Setup     [][]string `json:"setup"`
	SetupDone string     `json:"setup_done"`
	Build     [][]string `json:"build"`
	Output    string     `json:"output"`
	Watch     []string   `json:"watch"`
}

// CheckName tells whether a project may have that name. The error wraps ErrName.
func CheckName(name string) error {
	bad := name == "" || len(name) > maxName || name[0] < 'a' || name[0] > 'z'
	for _, c := range name {
		bad = bad || c != '-' && (c < 'a' || c > 'z') && (c < '0' || c > '9')
	}
	if bad {
		return fmt.Errorf("%q: %w", name, ErrName)
	}
	return nil
}

// Project returns what a project of that name says of itself.
func (l *Language) Project(name string) Project {
	fill := filler(name)
	return Project{
		Name: name, Language: l.Name, Tools: slices.Clone(l.Tools),
		Setup: fillAll(fill, l.Setup), SetupDone: fill.Replace(l.SetupDone),
		Build: fillAll(fill, l.Build), Output: fill.Replace(l.Output), Watch: fillAll(fill, [][]string{l.Watch})[0],
	}
}

func filler(name string) *strings.Replacer {
	return strings.NewReplacer("{{name}}", name, "{{crate}}", strings.ReplaceAll(name, "-", "_"))
}

func fillAll(fill *strings.Replacer, commands [][]string) [][]string {
	all := make([][]string, len(commands))
	for i, command := range commands {
		all[i] = make([]string, len(command))
		for j, word := range command {
			all[i][j] = fill.Replace(word)
		}
	}
	return all
}

// Write makes a new project of that name in dir, which must not exist, and returns its
// files, with slashes. What it has made when it fails stays. The error wraps ErrName or
// ErrExists where one of them is to blame.
func (l *Language) Write(dir, name string) ([]string, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	if _, err := os.Lstat(dir); err == nil {
		return nil, fmt.Errorf("%s %w", dir, ErrExists)
	}
	w := writer{dir: dir, project: l.Project(name)}
	w.fill = filler(name)
	w.extra = strings.NewReplacer("{{output}}", w.project.Output, "{{title}}", l.Title)
	if err := w.writeAll(l); err != nil {
		return nil, err
	}
	slices.Sort(w.written)
	return w.written, nil
}

// writer writes the files of a project.
type writer struct {
	dir     string
	project Project
	fill    *strings.Replacer
	extra   *strings.Replacer // for what all languages have in common
	written []string
}

func (w *writer) writeAll(l *Language) error {
	if err := w.copyTree("project", "", true); err != nil {
		return err
	}
	if err := w.copyTree("testdata/tests", "tests", false); err != nil {
		return err
	}
	if err := w.copyTree(l.Name+"/template", "", true); err != nil {
		return err
	}
	if err := w.copyLibrary(l); err != nil {
		return err
	}
	if l.ABIDir != "" {
		if err := w.copyFiles(abi.Source(), "", l.ABIDir, abiFile); err != nil {
			return err
		}
	}
	text, err := json.MarshalIndent(w.project, "", "  ")
	if err != nil {
		return err
	}
	return w.write(ProjectFile, append(text, '\n'))
}

// abiFile tells which files of package abi go with the SDK: all that a guest is made of.
func abiFile(name string) bool { return isSource(name) && name != "source.go" }

// isSource leaves out the tests of libraries in Go.
func isSource(name string) bool { return !strings.HasSuffix(name, "_test.go") }

// copyTree copies the files below an embedded directory, as templates if so.
func (w *writer) copyTree(from, to string, template bool) error {
	return fs.WalkDir(files, from, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		name = path.Join(to, strings.TrimPrefix(name, from+"/"))
		if template {
			text = []byte(w.extra.Replace(w.fill.Replace(string(text))))
		}
		return w.write(w.fill.Replace(name), text)
	})
}

func (w *writer) copyLibrary(l *Language) error {
	return w.copyFiles(files, l.Name, l.LibraryDir, func(name string) bool {
		return isSource(name) && Match(l.Library, name)
	})
}

// copyFiles copies the files below a directory that pick chooses by their path in it, as
// they are.
func (w *writer) copyFiles(from fs.FS, dir, to string, pick func(string) bool) error {
	root := path.Join(".", dir)
	return fs.WalkDir(from, root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		rel := strings.TrimPrefix(strings.TrimPrefix(name, dir), "/")
		if !pick(rel) {
			return nil
		}
		text, err := fs.ReadFile(from, name)
		if err != nil {
			return err
		}
		return w.write(path.Join(to, rel), text)
	})
}

// write writes a file under the name that its own stands for.
func (w *writer) write(name string, text []byte) error {
	parent, base := path.Split(strings.TrimSuffix(name, ".tmpl"))
	if rest, ok := strings.CutPrefix(base, "dot."); ok {
		base = "." + rest
	}
	name = path.Join(parent, base)
	at := filepath.Join(w.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(at), dirMode); err != nil {
		return err
	}
	f, err := os.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	w.written = append(w.written, name)
	return errors.Join(err, f.Close())
}
