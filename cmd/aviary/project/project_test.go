package project_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aviary-host/aviary/cmd/aviary/project"
	"github.com/aviary-host/aviary/sdk"
)

// write makes a project of a file, and opens it.
func write(t *testing.T, file sdk.Project) (*project.Project, error) {
	t.Helper()
	text, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, sdk.ProjectFile), text, 0o600); err != nil {
		t.Fatal(err)
	}
	return project.Open(dir)
}

// shell is a project that is built by sh.
func shell(setup, build string) sdk.Project {
	f := sdk.Project{
		Name: "room", Output: "out.wasm", Watch: []string{"*.src", "deep/**"},
		Build: [][]string{{"WORD=made", "sh", "-c", build}},
	}
	if setup != "" {
		f.Setup, f.SetupDone = [][]string{{"sh", "-c", setup}}, "done"
	}
	return f
}

func TestOpenRefuses(t *testing.T) {
	good := shell("", "true")
	for want, change := range map[string]func(*sdk.Project){
		"name \"Room\": a project's name":      func(f *sdk.Project) { f.Name = "Room" },
		"output \"../x\" is not a file within": func(f *sdk.Project) { f.Output = "../x" },
		"output \"\" is not a file within":     func(f *sdk.Project) { f.Output = "" },
		"build has no command":                 func(f *sdk.Project) { f.Build = nil },
		"names nothing to run":                 func(f *sdk.Project) { f.Build = [][]string{{"A=b"}} },
	} {
		f := good
		change(&f)
		if _, err := write(t, f); !errors.Is(err, project.ErrProject) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	dir := t.TempDir()
	if _, err := project.Open(dir); !errors.Is(err, project.ErrProject) || !strings.Contains(err.Error(), "aviary new NAME") {
		t.Errorf("no file: %v", err)
	}
	for text, want := range map[string]string{
		`{"nam":"x"}`: `unknown field "nam"`, `{`: "unexpected EOF", `{} {}`: "something follows",
	} {
		if err := os.WriteFile(filepath.Join(dir, sdk.ProjectFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := project.Open(dir); !errors.Is(err, project.ErrProject) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

// TestBuild: the setup runs once, settings in front of a command reach it, and what it
// says is passed on.
func TestBuild(t *testing.T) {
	p, err := write(t, shell("echo setup >> log; touch done", `echo said; echo build >> log; echo $WORD > out.wasm`))
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	for range 2 {
		if err := p.Build(t.Context(), &said); err != nil {
			t.Fatal(err)
		}
	}
	log, err := os.ReadFile(filepath.Join(p.Dir, "log"))
	if err != nil || string(log) != "setup\nbuild\nbuild\n" || said.String() != "said\nsaid\n" {
		t.Errorf("ran %q and said %q, %v", log, said.String(), err)
	}
	if made, err := os.ReadFile(p.Module()); err != nil || string(made) != "made\n" {
		t.Errorf("made %q, %v", made, err)
	}
}

func TestBuildFails(t *testing.T) {
	p, err := write(t, shell("", "echo main.src:7: no such word >&2; exit 3"))
	if err != nil {
		t.Fatal(err)
	}
	var failed *project.BuildError
	if err := p.Build(t.Context(), nil); !errors.As(err, &failed) || failed.Output != "main.src:7: no such word\n" ||
		!strings.HasSuffix(failed.Error(), "exit status 3") {
		t.Errorf("got %v, %+v", err, failed)
	}
	if p, err = write(t, shell("", "true")); err != nil {
		t.Fatal(err)
	}
	if err := p.Build(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "made no out.wasm") {
		t.Errorf("nothing was made: %v", err)
	}
	p.File.Tools = []sdk.Tool{{Command: "no-such-tool-at-all", Install: "ask somebody"}}
	var missing *project.ToolError
	if err := p.Build(t.Context(), nil); !errors.As(err, &missing) || missing.Error() != "no-such-tool-at-all is not in the PATH: ask somebody" {
		t.Errorf("a tool is missing: %v", err)
	}
}

// TestBuildEnds: a command ends with its context, and what it started is not waited for.
func TestBuildEnds(t *testing.T) {
	p, err := write(t, shell("", "echo begun; exec sleep 1000"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := p.Build(ctx, writerFunc(func() { cancel() })); err == nil {
		t.Error("it went well")
	}
}

// writerFunc is told of each write.
type writerFunc func()

func (f writerFunc) Write(p []byte) (int, error) { f(); return len(p), nil }

func TestSources(t *testing.T) {
	p, err := write(t, shell("", "true"))
	if err != nil {
		t.Fatal(err)
	}
	p.File.Watch = append(p.File.Watch, "one/*/x.src")
	for _, name := range []string{"a.src", "b.txt", "deep/er/c", "other/d.src", "one/two/x.src", "one/two/three/x.src", "one/x.src"} {
		at := filepath.Join(p.Dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	found, err := p.Sources()
	got := slices.Sorted(maps.Keys(found))
	if want := []string{"a.src", filepath.Join("deep", "er", "c"), filepath.Join("one", "two", "x.src")}; err != nil || !slices.Equal(got, want) {
		t.Errorf("sources are %q, want %q, %v", got, want, err)
	}
}
