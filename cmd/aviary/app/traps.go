package app

import (
	"path/filepath"

	"github.com/aviary-host/aviary/plugins"
	"github.com/aviary-host/aviary/plugins/traps"
)

// trapsDir is where in the data directory records of failures are.
const trapsDir = "traps"

// openTraps opens the store of the records of failed callbacks, if there is a
// directory for it.
func (a *App) openTraps(cfg *Config) (err error) {
	if cfg.DataDir == "" {
		return nil
	}
	a.traps, err = traps.Open(traps.Config{Dir: filepath.Join(cfg.DataDir, trapsDir), Logger: a.log})
	return err
}

// onTrap returns what keeps the records of a plugin, nil if nothing does.
func (a *App) onTrap(p *Plugin) func(*plugins.Trap) {
	if a.traps == nil {
		return nil
	}
	return a.traps.Keeper(p.Payloads)
}
