package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// installTimeout bounds one run of a package manager.
const installTimeout = 5 * time.Minute

// missing skips the test, or fails it in CI.
func missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("CI is set, so this test must not be skipped: "+format, args...)
	}
	t.Skipf(format, args...)
}

// Node returns the path of node.
func Node(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("node")
	if err != nil {
		missing(t, "node is not installed")
	}
	return path
}

// NodeModules returns a node_modules directory that holds the dependencies of
// packageJSON, a file that names exact versions. They are installed once for
// each content of the file, into the user's cache directory.
func NodeModules(t testing.TB, packageJSON string) string {
	t.Helper()
	text, err := os.ReadFile(packageJSON)
	if err != nil {
		t.Fatalf("package.json: %v", err)
	}
	if dir := os.Getenv("AVIARY_NODE_MODULES"); dir != "" {
		if err := checkModules(dir, text); err != nil {
			t.Fatalf("AVIARY_NODE_MODULES: %v", err)
		}
		return dir
	}
	modules := kit{
		name:  "node",
		spec:  string(text),
		fill:  func(dir string) error { return npmInstall(dir, text) },
		check: func(dir string) error { return checkModules(filepath.Join(dir, "node_modules"), text) },
	}
	return filepath.Join(modules.home(t), "node_modules")
}

func npmInstall(dir string, packageJSON []byte) error {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return errors.New("npm is not installed")
	}
	if err := os.WriteFile(filepath.Join(dir, "package.json"), packageJSON, 0o644); err != nil {
		return err
	}
	// No lock file: all versions are exact, those of the packages' own
	// dependencies too, and a lock file names one registry's addresses.
	return run(dir, npm, "install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--omit=optional")
}

// checkModules tells whether dir holds the packages that the package.json text
// names, in these versions.
func checkModules(dir string, text []byte) error {
	var want struct {
		Dependencies map[string]string `json:"dependencies"`
	}
	if err := json.Unmarshal(text, &want); err != nil {
		return fmt.Errorf("package.json: %w", err)
	}
	for name, version := range want.Dependencies {
		var got struct {
			Version string `json:"version"`
		}
		b, err := os.ReadFile(filepath.Join(dir, name, "package.json"))
		if err != nil {
			return err
		}
		if err := json.Unmarshal(b, &got); err != nil {
			return fmt.Errorf("package %s: %w", name, err)
		}
		if got.Version != version {
			return fmt.Errorf("%s has %s in version %s, want %s", dir, name, got.Version, version)
		}
	}
	return nil
}

// Chromium returns the path of a Chromium browser: $CHROMIUM, one found in the
// PATH, or one that it installs when it is root on a Debian system.
func Chromium(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("CHROMIUM"); path != "" {
		return path
	}
	if path := findChromium(); path != "" {
		return path
	}
	apt, err := exec.LookPath("apt-get")
	if err != nil || runtime.GOOS != "linux" || os.Geteuid() != 0 {
		missing(t, "chromium is not installed")
	}
	if err := run("", apt, "install", "-y", "--no-install-recommends", "chromium"); err != nil {
		missing(t, "chromium is not installed: %v", err)
	}
	path := findChromium()
	if path == "" {
		missing(t, "chromium is not installed, though apt-get says so")
	}
	return path
}

func findChromium() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// run runs a command in dir and returns what it said if it fails.
func run(dir, name string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), installTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %v: %w\n%s", filepath.Base(name), args, err, out)
	}
	return nil
}
