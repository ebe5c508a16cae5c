package plugins_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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

// TestCacheTrim: the entries that were written first go, in whichever directory they are, and
// what is being written stays.
func TestCacheTrim(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	cache, err := plugins.OpenCacheDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	write := func(name string, bytes int, age time.Duration) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, make([]byte, bytes), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, now, now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	write("v1/oldest", 100, 5*time.Hour)
	write("v1/left.1.tmp", 100, 4*time.Hour)
	write("v2/older", 100, 3*time.Hour)
	write("v2/young.1.tmp", 100, time.Minute)
	write("v2/newest", 100, 0)
	for _, tt := range []struct {
		limit int64
		want  string
	}{
		{500, "left.1.tmp oldest newest older young.1.tmp"},
		{499, "left.1.tmp newest older young.1.tmp"},
		{300, "newest older young.1.tmp"},
		{299, "newest young.1.tmp"},
		{0, "young.1.tmp"},
	} {
		if err := cache.Trim(tt.limit); err != nil {
			t.Fatal(err)
		}
		var left []string
		for _, path := range glob(t, filepath.Join(dir, "*", "*")) {
			left = append(left, filepath.Base(path))
		}
		if got := strings.Join(left, " "); got != tt.want {
			t.Errorf("with a limit of %d there are %s, want %s", tt.limit, got, tt.want)
		}
	}
	if err := (*plugins.CacheDir)(nil).Trim(0); err != nil {
		t.Error(err)
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return paths
}
