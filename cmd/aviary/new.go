package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/aviary-host/aviary/cmd/aviary/project"
	"github.com/aviary-host/aviary/sdk"
)

type newCmd struct {
	Name string `arg:"" optional:"" help:"Of the project and its directory: a-z, 0-9 and -."`
	Lang string `short:"l" default:"go" help:"Language; --list names those there are."`
	List bool   `help:"List the languages, and whether their tools are there."`
}

// Validate wants a name where there is something to be made.
func (c *newCmd) Validate() error {
	if c.Name == "" && !c.List {
		return errors.New("<name> is missing: aviary new NAME --lang LANG")
	}
	return nil
}

// Run writes a new project in a directory of its name.
func (c *newCmd) Run(out io.Writer) error {
	if c.List {
		return listLanguages(out)
	}
	l, err := sdk.Find(c.Lang)
	if err != nil {
		return err
	}
	files, err := l.Write(c.Name, c.Name)
	if err != nil {
		return err
	}
	var own []string
	for _, name := range files {
		if !strings.HasPrefix(name, "aviary/") {
			own = append(own, name)
		}
	}
	_, err = fmt.Fprintf(out, "%s is a project in %s: %s, and the SDK in aviary/\n", c.Name, l.Title, strings.Join(own, " "))
	p, openErr := project.Open(c.Name)
	if err = errors.Join(err, openErr); err != nil {
		return err
	}
	if missing := p.CheckTools(); missing != nil {
		_, err = fmt.Fprintf(out, "to build it: %v\n", missing)
	}
	_, nextErr := fmt.Fprintf(out, "\n  cd %s\n  aviary test     # build, and run the cases in tests/\n  aviary dev      # build, serve, and do so again when a file is saved\n", c.Name)
	return errors.Join(err, nextErr)
}

func listLanguages(out io.Writer) error {
	all, err := sdk.Languages()
	if err != nil {
		return err
	}
	for i := range all {
		p := project.Project{File: all[i].Project("x")}
		state := "ready"
		if missing := p.CheckTools(); missing != nil {
			state = missing.Error()
		}
		if _, err := fmt.Fprintf(out, "%-15s %-12s %s\n", all[i].Name, all[i].Title, state); err != nil {
			return err
		}
	}
	return nil
}

type buildCmd struct {
	Dir string `short:"C" default:"." type:"path" placeholder:"DIR" help:"Directory of the project."`
}

// Run builds the project, and says what it made.
func (c *buildCmd) Run(ctx context.Context, out io.Writer) error {
	p, err := project.Open(c.Dir)
	if err != nil {
		return err
	}
	if err := p.Build(ctx, out); err != nil {
		return err
	}
	info, err := os.Stat(p.Module())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s: %d KiB\n", filepath.ToSlash(p.File.Output), (info.Size()+1023)>>10)
	return err
}
