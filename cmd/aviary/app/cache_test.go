package app

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// started starts an app with a guest, and ends it.
func started(t *testing.T, cacheDir string) (log string, err error) {
	t.Helper()
	var text strings.Builder
	a, err := Start(context.Background(), &Config{
		CacheDir: cacheDir, HTTP: HTTP{Addr: "127.0.0.1:0"},
		Plugins: []Plugin{{Name: "echo", Wasm: module(t), Topics: Topics{"room:*"}}},
	}, slog.New(slog.NewTextHandler(&text, nil)))
	if err == nil {
		err = a.Close(context.Background())
	}
	return text.String(), err
}

// TestCacheDir: what is kept where, and what a directory costs that others can get at.
func TestCacheDir(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "user"))
	t.Setenv("HOME", filepath.Join(dir, "home"))
	open := filepath.Join(dir, "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o755); err != nil { // whatever the umask
		t.Fatal(err)
	}
	_, err := started(t, open)
	if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "cache_dir: cache directory "+open+" has mode 0755") {
		t.Errorf("error %v", err)
	}
	if _, err := started(t, "off"); err != nil {
		t.Error(err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "[uh]*")); err != nil || len(left) != 0 {
		t.Errorf("without a cache there are %v, %v", left, err)
	}
	if log, err := started(t, UserCache); err != nil || strings.Contains(log, "NO_CACHE") {
		t.Errorf("%v\n%s", err, log)
	}
	kept, err := filepath.Glob(filepath.Join(dir, "*", "aviary", "modules", "*", "*"))
	if err != nil || len(kept) != 1 {
		t.Errorf("kept are %v, %v", kept, err)
	}
}

// TestCacheSize: what was compiled long ago makes room for what is compiled now.
func TestCacheSize(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(dir, "old")
	if err := os.WriteFile(old, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Truncate(old, defaultCacheSize), os.Chtimes(old, time.Time{}, time.Now().Add(-time.Hour))); err != nil { // a hole
		t.Fatal(err)
	}
	if log, err := started(t, dir); err != nil || strings.Contains(log, "CACHE_NOT_TRIMMED") {
		t.Errorf("%v\n%s", err, log)
	}
	kept, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if _, gone := os.Stat(old); !errors.Is(gone, os.ErrNotExist) || err != nil || len(kept) != 1 {
		t.Errorf("old: %v; kept are %v, %v", gone, kept, err)
	}
	_, err = Load(write(t, "cache_size = \"1MiB\"\n"+plugin))
	if err == nil || !strings.Contains(err.Error(), "cache_size: 1048576 bytes, at least 67108864") {
		t.Errorf("error %v", err)
	}
}

func TestCacheDirOfAFile(t *testing.T) {
	for text, want := range map[string]string{
		"":                         UserCache,
		"cache_dir = \"off\"\n":    "off",
		"cache_dir = \"/c/d\"\n":   "/c/d",
		"cache_dir = \"compiled\"": "compiled",
	} {
		path := write(t, text+"\n"+plugin)
		cfg, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		if want == "compiled" {
			want = filepath.Join(filepath.Dir(path), want)
		}
		if cfg.CacheDir != want {
			t.Errorf("%q is %s, want %s", text, cfg.CacheDir, want)
		}
	}
}
