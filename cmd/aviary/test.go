package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/aviary-host/aviary/cmd/aviary/play"
	"github.com/aviary-host/aviary/plugins"
)

// errTests tells that cases fail, which has been printed.
var errTests = errors.New("cases fail")

type testCmd struct {
	Cases []string `arg:"" optional:"" type:"path" help:"Cases, files of JSON; default: tests/*.json of the project."`
	moduleFlags
}

// Run builds the module, plays the cases and prints what came of them.
func (c *testCmd) Run(ctx context.Context, out io.Writer) error {
	file, cfg, err := c.find(ctx, out)
	if err != nil {
		return err
	}
	if len(c.Cases) == 0 {
		if c.Cases, err = filepath.Glob(filepath.Join(c.Dir, "tests", "*.json")); err != nil {
			return err
		}
		if len(c.Cases) == 0 {
			return fmt.Errorf("there are no cases in %s: see docs/testing.md", filepath.Join(c.Dir, "tests"))
		}
		slices.Sort(c.Cases)
	}
	r := tester{file: file, cfg: cfg, modules: map[string]*play.Module{}}
	err = r.runAll(ctx, out, c.Cases)
	return errors.Join(err, r.close())
}

// tester plays cases. A module has its settings from the start, so there is one for all
// cases that have the same.
type tester struct {
	file    string
	cfg     plugins.Config
	modules map[string]*play.Module // by settings
	totals  play.Totals
}

func (r *tester) runAll(ctx context.Context, out io.Writer, files []string) error {
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		c, err := play.ParseCase(text)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		m, err := r.module(ctx, c)
		if err != nil {
			return err
		}
		r.totals.Quota = m.Quota()
		if err := r.totals.Report(out, filepath.Base(file), c, m.Play(c)); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(out, r.totals.Summary())
	if err == nil && r.totals.Failed > 0 {
		return fmt.Errorf("%s: %d of %d %w", filepath.Base(r.file), r.totals.Failed, r.totals.Cases, errTests)
	}
	return err
}

// module returns the module for a case, whose settings it has.
func (r *tester) module(ctx context.Context, c *play.Case) (*play.Module, error) {
	cfg := r.cfg
	if len(c.Settings) > 0 {
		cfg.Settings = c.Settings
	} else {
		c.Settings = cfg.Settings
	}
	if m := r.modules[string(cfg.Settings)]; m != nil {
		return m, nil
	}
	m, err := loadModule(ctx, r.file, cfg)
	if err == nil {
		r.modules[string(cfg.Settings)] = m
	}
	return m, err
}

func (r *tester) close() error {
	var err error
	for _, m := range r.modules {
		err = errors.Join(err, m.Close())
	}
	return err
}
