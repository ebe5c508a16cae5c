package watch_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aviary-host/aviary/cmd/aviary/watch"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// told collects what a watcher says: the path, and the file's text at that time.
type told chan [2]string

func start(t *testing.T, paths ...string) told {
	t.Helper()
	all := make(told, 100)
	w, err := watch.New(20*time.Millisecond, func(path string) {
		text, err := os.ReadFile(path)
		if err != nil {
			text = []byte(err.Error())
		}
		all <- [2]string{path, string(text)}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for range 2 {
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	for _, path := range paths {
		if err := w.Add(path); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// expect waits until the file was told of with the text; with others on the way if it was
// written in pieces so slowly that they were told of.
func (c told) expect(t *testing.T, path, text string) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		select {
		case got := <-c:
			if got == [2]string{path, text} {
				return
			}
			if got[0] != path {
				t.Errorf("%s is told of, want %s", got[0], path)
			}
		case <-deadline:
			t.Fatalf("%s with %q is not told of", path, text)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// TestChanges: however a file comes to be another, it is told of when it is.
func TestChanges(t *testing.T) {
	dir := t.TempDir()
	path, other := filepath.Join(dir, "room.wasm"), filepath.Join(dir, "other.wasm")
	write(t, path, "1")
	write(t, other, "1")
	all := start(t, path, other)
	for _, step := range []struct {
		name, want string
		do         func()
	}{
		{"written in place", "two", func() { write(t, path, "two") }},
		{"renamed over", "three", func() { write(t, path+".tmp", "three"); rename(t, path+".tmp", path) }},
		{"away and back", "four", func() {
			rename(t, path, path+".old")
			write(t, path, "four")
		}},
		{"removed and made", "five", func() {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			write(t, path, "five")
		}},
		{"in pieces", "sixsixsix", func() {
			f, err := os.Create(path)
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if _, err := f.WriteString("six"); err != nil {
					t.Fatal(err)
				}
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(step.name, func(t *testing.T) {
			step.do()
			all.expect(t, path, step.want)
		})
	}
	write(t, filepath.Join(dir, "unwatched"), "x")
	write(t, other, "2") // of all that follows in the directory, only this is told
	all.expect(t, other, "2")
}

// TestLinks: a directory that is replaced by turning a link to it, as Kubernetes does with
// volumes, changes the files behind it.
func TestLinks(t *testing.T) {
	dir := t.TempDir()
	for _, v := range []string{"v1", "v2"} {
		if err := os.Mkdir(filepath.Join(dir, v), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, v, "room.wasm"), v)
	}
	link := func(to, name string) {
		t.Helper()
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	link("v1", "data")
	link(filepath.Join("data", "room.wasm"), "room.wasm")
	path := filepath.Join(dir, "room.wasm")
	all := start(t, path)
	link("v2", "data.tmp")
	rename(t, filepath.Join(dir, "data.tmp"), filepath.Join(dir, "data"))
	all.expect(t, path, "v2")
	write(t, filepath.Join(dir, "v2", "room.wasm"), "written behind the link")
	all.expect(t, path, "written behind the link")
}

// TestAddRefuses: a directory that is not there cannot be watched.
func TestAddRefuses(t *testing.T) {
	w, err := watch.New(time.Millisecond, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Add(filepath.Join(t.TempDir(), "nowhere", "x.wasm")); err == nil {
		t.Error("a file in no directory is watched")
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}
