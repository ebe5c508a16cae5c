package app

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/aviary-host/aviary/plugins"
)

// Offline returns how the plugin is run without a server: with its budgets, and with the
// settings and secrets that it may see.
func (p *Plugin) Offline() (plugins.Config, error) {
	g, err := p.grant()
	if err != nil {
		return plugins.Config{}, fmt.Errorf("%w: plugin %q: %w", ErrConfig, p.Name, err)
	}
	settings, err := g.settings(p.Settings)
	if err != nil {
		return plugins.Config{}, fmt.Errorf("%w: plugin %s: settings: %w", ErrConfig, p.Name, err)
	}
	return plugins.Config{
		Name: p.Name, Settings: settings, Secrets: g.secrets,
		MemoryPages: uint32((int64(p.Memory) + pageSize - 1) / pageSize),
		Fuel:        uint64(p.Fuel), Deadline: p.Deadline.Duration, Stack: uint32(p.Stack),
	}, nil
}

// PluginStats counts what the plugins have done, as GET /api/v1/plugins shows it.
func (a *App) PluginStats() any { return a.pluginStats() }

// UserModules opens the directory of compiled modules in the user's cache, which servers
// use too. It is nil where it cannot be had, and then modules are compiled each time.
func UserModules() *plugins.CacheDir {
	base, err := os.UserCacheDir()
	if err != nil {
		return nil
	}
	dir, err := plugins.OpenCacheDir(filepath.Join(base, "aviary", "modules"))
	if err != nil {
		return nil
	}
	return dir
}
