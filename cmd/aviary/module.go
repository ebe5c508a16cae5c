package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/aviary-host/aviary/cmd/aviary/app"
	"github.com/aviary-host/aviary/cmd/aviary/play"
	"github.com/aviary-host/aviary/cmd/aviary/project"
	"github.com/aviary-host/aviary/plugins"
)

// moduleFlags say which module a command runs: one that is named, or that of the project
// in a directory, built before.
type moduleFlags struct {
	Dir     string `short:"C" default:"." type:"path" placeholder:"DIR" help:"Directory of the project."`
	Module  string `short:"m" type:"path" placeholder:"FILE" help:"A module in place of the project's."`
	NoBuild bool   `help:"Take the module as it is, without building it."`
}

// find returns the path of the module, and how it is run: as aviary.toml beside it says,
// if there is one.
func (f *moduleFlags) find(ctx context.Context, out io.Writer) (string, plugins.Config, error) {
	cfg := plugins.Config{Name: "module"}
	if f.Module != "" {
		return f.Module, cfg, nil
	}
	p, err := project.Open(f.Dir)
	if err != nil {
		return "", cfg, err
	}
	if !f.NoBuild {
		if err := p.Build(ctx, out); err != nil {
			return "", cfg, err
		}
	}
	cfg.Name = p.File.Name
	file := filepath.Join(f.Dir, configFile)
	if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
		return p.Module(), cfg, nil
	}
	served, err := app.Load(file)
	if err != nil {
		return "", cfg, err
	}
	for i := range served.Plugins {
		if filepath.Clean(served.Plugins[i].Path) == filepath.Clean(p.Module()) {
			cfg, err = served.Plugins[i].Offline()
			break
		}
	}
	return p.Module(), cfg, err
}

// configFile is how the configuration of a server is called by default.
const configFile = "aviary.toml"

// loadModule loads a module for being run without a server.
func loadModule(ctx context.Context, file string, cfg plugins.Config) (*play.Module, error) {
	wasm, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	cfg.Cache = app.UserModules()
	m, err := play.Load(ctx, wasm, cfg)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", app.ErrPlugin, err)
	}
	return m, nil
}
