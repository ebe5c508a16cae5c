package app

import (
	"cmp"
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

// Bounds of Config.CacheSize. With the least, what one large module is compiled to fits.
const (
	defaultCacheSize = 1 << 30
	minCacheSize     = 64 << 20
)

// checkCache refuses a bound that would have every module compiled anew at each start.
func (c *Config) checkCache() error {
	if c.CacheSize != 0 && c.CacheSize < minCacheSize {
		return fmt.Errorf("cache_size: %d bytes, at least %d", c.CacheSize, minCacheSize)
	}
	return nil
}

// trimCache keeps the directory within its bound. That it cannot is no reason to stop.
func (a *App) trimCache(cfg *Config) {
	if err := a.cache.Trim(int64(cmp.Or(cfg.CacheSize, defaultCacheSize))); err != nil {
		a.log.Warn("compiled modules take more room than they may (cache_size)", "code", "CACHE_NOT_TRIMMED", "err", err)
	}
}

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
