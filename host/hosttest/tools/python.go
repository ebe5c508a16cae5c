package tools

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Python returns the interpreter of a virtual environment that holds the packages
// of requirements, a file that names all of them, dependencies too, as NAME==VERSION.
// They are installed once for each content of the file and each python3, into the
// user's cache directory.
func Python(t testing.TB, requirements string) string {
	t.Helper()
	text, err := os.ReadFile(requirements)
	if err != nil {
		t.Fatalf("requirements: %v", err)
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		missing(t, "python3 is not installed")
	}
	// An environment is of no use to another interpreter.
	id, err := exec.CommandContext(t.Context(), python, "-c", "import sys; print(sys.executable, sys.version)").Output()
	if err != nil {
		missing(t, "python3 does not run: %v", err)
	}
	environment := kit{
		name:  "python",
		spec:  string(id) + string(text),
		fill:  func(dir string) error { return pipInstall(python, dir, string(text)) },
		check: func(dir string) error { return checkWheels(dir, string(text)) },
	}
	return interpreter(environment.home(t))
}

func interpreter(environment string) string { return filepath.Join(environment, "bin", "python") }

// pipInstall makes an environment that works wherever it is moved to, but for the
// scripts in its bin.
func pipInstall(python, dir, requirements string) error {
	if err := run(dir, python, "-m", "venv", dir); err != nil {
		return err
	}
	list := filepath.Join(dir, "requirements.txt")
	if err := os.WriteFile(list, []byte(requirements), 0o644); err != nil {
		return err
	}
	return run(dir, interpreter(dir), "-m", "pip", "install", "--disable-pip-version-check",
		"--only-binary", ":all:", "--no-deps", "-r", list)
}

// checkWheels tells whether the environment in dir holds all of requirements.
func checkWheels(dir, requirements string) error {
	for line := range strings.Lines(requirements) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, version, ok := strings.Cut(line, "==")
		if !ok {
			return fmt.Errorf("%q is not NAME==VERSION", line)
		}
		info := strings.ReplaceAll(name, "-", "_") + "-" + version + ".dist-info"
		found, err := filepath.Glob(filepath.Join(dir, "lib", "python3*", "site-packages", info))
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return fmt.Errorf("%s has no %s", dir, line)
		}
	}
	return nil
}
