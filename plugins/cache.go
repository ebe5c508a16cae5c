package plugins

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

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

// unfinished is how long a file that is being written is left alone: a crash may have left
// it, or a plugin is being loaded.
const unfinished = time.Hour

// Trim removes entries, those that were written first, until the rest has no more bytes than
// the limit. Whose module is loaded keeps its code, and compiles it again at its next start.
// Several processes may do so in one directory. A nil CacheDir has nothing.
func (c *CacheDir) Trim(limit int64) error {
	if c == nil {
		return nil
	}
	type entry struct {
		path string
		info fs.FileInfo
	}
	var all []entry
	var bytes int64
	err := filepath.WalkDir(c.path, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return ignoreGone(err)
		}
		info, err := d.Info()
		if err != nil {
			return ignoreGone(err)
		}
		bytes += info.Size()
		if filepath.Ext(path) != ".tmp" || time.Since(info.ModTime()) > unfinished {
			all = append(all, entry{path, info})
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("cache directory: %w", err)
	}
	slices.SortStableFunc(all, func(a, b entry) int { return a.info.ModTime().Compare(b.info.ModTime()) })
	for _, e := range all {
		if bytes <= limit {
			break
		}
		if err := ignoreGone(os.Remove(e.path)); err != nil {
			return fmt.Errorf("cache directory: %w", err)
		}
		bytes -= e.info.Size()
	}
	return nil
}

// ignoreGone returns err, nil if it says that a file is not there: another process was first.
func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

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
