package plugins

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tetratelabs/wazero"
)

// CacheDir is a directory in which compiled modules are kept between starts.
//
// Whoever can write there can have this process run any code: the entries are machine
// code, and what checks them guards against accidents only. So [OpenCacheDir] is the one
// way to get one.
type CacheDir struct{ path string }

// OpenCacheDir makes the directory if there is none, and checks that nobody but the user
// of this process can get at it: it is a directory and no link to one, belongs to that
// user, and has mode 0700; and nobody else could put another in its place.
func OpenCacheDir(path string) (*CacheDir, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("cache directory: %w", err)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("cache directory: %w", err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		return nil, fmt.Errorf("cache directory: %w", err)
	}
	parent, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("cache directory: %w", err)
	}
	const groupOrOthers, groupOrOthersWrite = 0o077, 0o022
	switch mode := info.Mode(); {
	case mode&os.ModeSymlink != 0:
		return nil, fmt.Errorf("cache directory %s is a symbolic link", path)
	case !mode.IsDir():
		return nil, fmt.Errorf("cache directory %s is no directory", path)
	case mode.Perm()&groupOrOthers != 0:
		return nil, fmt.Errorf("cache directory %s has mode %04o: others than its owner could get at it, so it has to be 0700", path, mode.Perm())
	case !ownedByUs(info):
		return nil, fmt.Errorf("cache directory %s belongs to another user", path)
	case parent.Mode().Perm()&groupOrOthersWrite != 0 && parent.Mode()&os.ModeSticky == 0:
		return nil, fmt.Errorf("cache directory %s could be replaced by another: %s has mode %04o", path, filepath.Dir(path), parent.Mode().Perm())
	}
	return &CacheDir{path}, nil
}

// Path returns where the directory is.
func (c *CacheDir) Path() string { return c.path }

// attach gives a runtime a view of the directory that is its own: closing it frees what
// was compiled there. A nil CacheDir changes nothing.
func (c *CacheDir) attach(config wazero.RuntimeConfig) (wazero.RuntimeConfig, wazero.CompilationCache, error) {
	if c == nil {
		return config, nil, nil
	}
	cache, err := wazero.NewCompilationCacheWithDir(c.path)
	if err != nil {
		return config, nil, errors.Join(err, cache.Close(context.Background()))
	}
	return config.WithCompilationCache(cache), cache, nil
}
