package plugins_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/plugins"
)

// TestCacheDirIsOurs: a directory that others can get at is refused, in words that say
// what to do.
func TestCacheDirIsOurs(t *testing.T) {
	dir := t.TempDir()
	make := func(name string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(make("target", 0o700), link); err != nil {
		t.Fatal(err)
	}
	open := make("open", 0o777)
	sticky := make("sticky", 0o777|os.ModeSticky)
	for path, want := range map[string]string{
		make("ours", 0o700):              "",
		filepath.Join(dir, "new/deeper"): "",
		filepath.Join(sticky, "ours"):    "",
		make("group", 0o750):             "has mode 0750: others than its owner could get at it, so it has to be 0700",
		make("read", 0o704):              "has mode 0704: others",
		file:                             "file: not a directory",
		link:                             "link is a symbolic link",
		filepath.Join(open, "ours"):      "could be replaced by another: " + open + " has mode 0777",
	} {
		c, err := plugins.OpenCacheDir(path)
		switch {
		case want == "" && (err != nil || c.Path() != path):
			t.Errorf("%s: %v", path, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
	info, err := os.Stat(filepath.Join(dir, "new/deeper"))
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("what was made has mode %v, %v", info.Mode(), err)
	}
}

// TestCacheIsUsed: the second plugin finds what the first has compiled, and neither
// needs the other.
func TestCacheIsUsed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	cache, err := plugins.OpenCacheDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	entries := func() (n int) {
		err := filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				n++
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	first := load(t, fault(t, "echo"), plugins.Config{Cache: cache})
	kept := entries()
	if kept == 0 {
		t.Fatal("nothing was kept")
	}
	second := load(t, fault(t, "echo"), plugins.Config{Cache: cache})
	if n := entries(); n != kept {
		t.Errorf("%d entries, then %d", kept, n)
	}
	closePlugin(t, first)
	if got := mustHandle(t, second, abi.CallbackHandleIn, "still there"); got != "still there" {
		t.Errorf("echo is %s", got)
	}
}
