package project

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aviary-host/aviary/sdk"
)

// ErrProject is wrapped where a project, or its aviary.json, is not as it should be.
var ErrProject = errors.New("no project")

// Project is a directory with an aviary.json.
type Project struct {
	File sdk.Project // its aviary.json
	Dir  string
}

// Open reads the aviary.json of a directory, strictly. The error wraps ErrProject.
func Open(dir string) (*Project, error) {
	file := filepath.Join(dir, sdk.ProjectFile)
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: there is no %s in %s; `aviary new NAME` makes one", ErrProject, sdk.ProjectFile, dir)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProject, err)
	}
	p := &Project{Dir: dir}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p.File); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrProject, file, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: %s: something follows the object", ErrProject, file)
	}
	if problem := p.problem(); problem != "" {
		return nil, fmt.Errorf("%w: %s: %s", ErrProject, file, problem)
	}
	return p, nil
}

// problem tells what is wrong with an aviary.json, "" if nothing is.
func (p *Project) problem() string {
	switch {
	case sdk.CheckName(p.File.Name) != nil:
		return "name " + sdk.CheckName(p.File.Name).Error()
	case !filepath.IsLocal(filepath.FromSlash(p.File.Output)):
		return fmt.Sprintf("output %q is not a file within the project", p.File.Output)
	case len(p.File.Build) == 0:
		return "build has no command"
	}
	for _, command := range slices.Concat(p.File.Setup, p.File.Build) {
		if _, argv := environment(command); len(argv) == 0 {
			return fmt.Sprintf("the command %q names nothing to run", command)
		}
	}
	return ""
}

// environment splits a command into the settings in front of it and the rest.
func environment(command []string) (settings, argv []string) {
	n := slices.IndexFunc(command, func(word string) bool { return !isSetting(word) })
	if n < 0 {
		return command, nil
	}
	return command[:n], command[n:]
}

// isSetting tells whether a word is NAME=value.
func isSetting(word string) bool {
	name, _, found := strings.Cut(word, "=")
	return found && name != "" && strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == ""
}

// Module returns the path of the module that a build makes.
func (p *Project) Module() string { return filepath.Join(p.Dir, filepath.FromSlash(p.File.Output)) }

// Sources returns the files that a build depends on, and when each was changed last.
func (p *Project) Sources() (map[string]time.Time, error) {
	found := map[string]time.Time{}
	err := filepath.WalkDir(p.Dir, func(name string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it has gone while we looked
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(p.Dir, name)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if !leads(p.File.Watch, filepath.ToSlash(rel)) {
				return filepath.SkipDir // such as what a build leaves, which may be large
			}
			return nil
		}
		if !sdk.Match(p.File.Watch, filepath.ToSlash(rel)) {
			return nil
		}
		info, err := entry.Info()
		if err == nil {
			found[rel] = info.ModTime()
		}
		return nil
	})
	return found, err
}

// leads tells whether a directory may hold something that matches one of patterns.
func leads(patterns []string, dir string) bool {
	if dir == "." {
		return true
	}
	parts := strings.Split(dir, "/")
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		wanted := strings.Split(pattern, "/")
		for i, part := range parts {
			if i == len(wanted) {
				return false
			}
			if wanted[i] == "**" {
				return true
			}
			if ok, err := path.Match(wanted[i], part); err != nil || !ok {
				return false
			}
		}
		return len(wanted) > len(parts)
	})
}
