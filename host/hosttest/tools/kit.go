package tools

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// kit is what a package manager installs for tests, once for each spec, into the
// user's cache directory.
type kit struct {
	name  string                 // of its directory in the cache
	spec  string                 // exact versions, and all else that the result depends on
	fill  func(dir string) error // installs into an empty directory
	check func(dir string) error // tells whether all of spec is there
}

// home returns the directory that the kit is installed in.
func (k kit) home(t testing.TB) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatalf("no cache directory for %s: %v", k.name, err)
	}
	sum := sha256.Sum256([]byte(k.spec))
	home := filepath.Join(cache, "aviary", k.name, hex.EncodeToString(sum[:8]))
	if k.check(home) == nil {
		return home
	}
	if err := k.install(home); err != nil {
		missing(t, "packages for %s: %v", k.name, err)
	}
	if err := k.check(home); err != nil {
		t.Fatalf("%s: something else was installed than asked for: %v", k.name, err)
	}
	return home
}

// install fills a directory beside home and moves it there, so that tests running
// at the same time never see half of it.
func (k kit) install(home string) error {
	parent := filepath.Dir(home)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp(parent, "install-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }() // gone after the rename, or of no use to anybody
	if err := k.fill(work); err != nil {
		return err
	}
	err = os.Rename(work, home)
	if errors.Is(err, fs.ErrExist) {
		return nil // another test was first; home checks what it left
	}
	return err
}
