package app

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/aviary-host/aviary/plugins"
)

// What Config.CacheDir may be, beside a path.
const (
	// UserCache stands for a directory of our own where the user's caches are.
	UserCache = "user"

	cacheOff = "off"
)

// openCache opens the directory of compiled modules, if there is to be one. A server that
// was not told where it is does without it where it cannot be had.
func (a *App) openCache(cfg *Config) (*plugins.CacheDir, error) {
	switch cfg.CacheDir {
	case "", cacheOff:
		return nil, nil
	case UserCache:
	default:
		dir, err := plugins.OpenCacheDir(cfg.CacheDir)
		if err != nil {
			return nil, fmt.Errorf("cache_dir: %w", err)
		}
		return dir, nil
	}
	base, err := os.UserCacheDir()
	if err != nil {
		a.log.Info("modules are compiled at each start", "code", "NO_CACHE", "err", err)
		return nil, nil
	}
	dir, err := plugins.OpenCacheDir(filepath.Join(base, "aviary", "modules"))
	if err != nil {
		a.log.Warn("modules are compiled at each start (cache_dir)", "code", "NO_CACHE", "err", err)
		return nil, nil
	}
	return dir, nil
}
