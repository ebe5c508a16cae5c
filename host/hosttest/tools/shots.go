package tools

import (
	"os"
	"path/filepath"
	"testing"
)

// Shots returns a directory for the screenshots of a browser: the one that AVIARY_SHOTS
// names, which is made, or one that goes with the test.
func Shots(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("AVIARY_SHOTS")
	if dir == "" {
		return t.TempDir()
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}
