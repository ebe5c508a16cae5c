package durable_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/aviary-host/aviary/plugins/durable"
)

func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if _, err := durable.Read(path, 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a file: %v", err)
	}
	if err := os.WriteFile(path, make([]byte, 100), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := durable.Read(path, 99); err == nil || err.Error() != "it is over 99 bytes" {
		t.Errorf("error %v", err)
	}
	if text, err := durable.Read(path, 100); err != nil || len(text) != 100 {
		t.Errorf("%d bytes, %v", len(text), err)
	}
}

// TestWrite: a file that is there is replaced whole, and nobody else may read it any more.
func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := os.WriteFile(path, []byte("something longer"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := durable.Write(path, []byte("short")); err != nil {
		t.Fatal(err)
	}
	if err := durable.SyncDir(dir); err != nil {
		t.Fatal(err)
	}
	text, err := durable.Read(path, 5)
	info, statErr := os.Stat(path)
	if err != nil || statErr != nil || string(text) != "short" || info.Mode().Perm() != durable.FileMode {
		t.Errorf("%q, %v, %v", text, info, errors.Join(err, statErr))
	}
	if err := durable.SyncDir(path + ".missing"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a directory: %v", err)
	}
}
