package history

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aviary-host/aviary/plugins/durable"
)

var errCrash = errors.New("the machine is off")

// frail is a disk that goes off after some steps. The step during which it does is done in
// part: of a file half is written, a rename is done or not.
type frail struct {
	realDisk
	left    int
	renames bool // the rename during which it goes off is done
}

// step tells whether a step is whole; if not, whether it is the one that is done in part.
func (f *frail) step() (whole, part bool) {
	f.left--
	return f.left > 0, f.left == 0
}

func (f *frail) mkdir(dir string) error {
	switch whole, part := f.step(); {
	case whole:
		return f.realDisk.mkdir(dir)
	case part:
		return errors.Join(errCrash, os.MkdirAll(dir, dirMode))
	}
	return errCrash
}

func (f *frail) write(path string, text []byte) error {
	switch whole, part := f.step(); {
	case whole:
		return f.realDisk.write(path, text)
	case part:
		return errors.Join(errCrash, os.WriteFile(path, text[:len(text)/2], durable.FileMode))
	}
	return errCrash
}

func (f *frail) rename(from, to string) error {
	switch whole, part := f.step(); {
	case whole:
		return f.realDisk.rename(from, to)
	case part && f.renames:
		return errors.Join(errCrash, os.Rename(from, to))
	}
	return errCrash
}

func (f *frail) clean(dir string, keep func(string) bool) error {
	if whole, _ := f.step(); whole {
		return f.realDisk.clean(dir, keep)
	}
	return errCrash
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func keep(s *Store, text string, generation int) error {
	e := Entry{Module: hash(text), Generation: generation, Source: "test", Time: time.Unix(int64(generation), 0).UTC()}
	return s.Keep(e, []byte(text), hash("config"))
}

// live is the text of the module that a store finds live.
func live(t *testing.T, s *Store) string {
	t.Helper()
	e, config, ok := s.Live()
	if !ok {
		return ""
	}
	wasm, err := s.Module(e.Module)
	if err != nil {
		t.Fatal(err)
	}
	if config != hash("config") || e.Generation > s.Newest() {
		t.Errorf("live is %+v of %s", e, config)
	}
	return string(wasm)
}

func mustOpen(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestCrashAtEachStep: whatever step a crash comes at, what is found afterwards is a whole
// module, the old or the new, and the next deployment works.
func TestCrashAtEachStep(t *testing.T) {
	for _, tt := range []struct {
		name  string
		old   []string // kept before, the last one live
		steps int      // that one more takes
	}{
		{"the first", nil, 6},
		{"the second", []string{"one"}, 6},
		{"one too many", []string{"one", "two", "three"}, 6},
	} {
		for _, renames := range []bool{false, true} {
			t.Run(tt.name, func(t *testing.T) {
				before := ""
				for crash := 1; ; crash++ {
					dir := filepath.Join(t.TempDir(), "modules", "plugin")
					s := mustOpen(t, dir)
					for i, text := range tt.old {
						if err := keep(s, text, i+1); err != nil {
							t.Fatal(err)
						}
						before = text
					}
					s.disk = &frail{left: crash, renames: renames}
					err := keep(s, "new", len(tt.old)+1)
					if err != nil && !errors.Is(err, errCrash) {
						t.Fatal(err)
					}
					again := mustOpen(t, dir)
					switch got := live(t, again); {
					case err == nil && got != "new":
						t.Errorf("crash at step %d after it was kept: %q is live, want new", crash, got)
					case got != before && got != "new":
						t.Errorf("crash at step %d: %q is live, want %q or new", crash, got, before)
					}
					if err := keep(again, "next", 9); err != nil || live(t, mustOpen(t, dir)) != "next" {
						t.Errorf("crash at step %d: the next is not kept: %v", crash, err)
					}
					checkFiles(t, dir)
					if f := s.disk.(*frail); f.left > 0 {
						if crash-1 != tt.steps {
							t.Errorf("%d steps were tried, want %d", crash-1, tt.steps)
						}
						return
					}
				}
			})
		}
	}
}

// checkFiles holds that there is nothing beside what is needed.
func checkFiles(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, dir)
	if len(entries) != len(s.Entries())+1 {
		t.Errorf("%d files for %d modules", len(entries), len(s.Entries()))
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !s.keeps(e.Name()) || info.Mode().Perm() != durable.FileMode {
			t.Errorf("%s is left over or has mode %s: %v", e.Name(), info.Mode(), err)
		}
	}
}

// expectKept holds which modules are kept, of those whose text is one letter, and which is
// live, also when the store is opened again. It returns the store that it has opened.
func expectKept(t *testing.T, s *Store, want, alive string) *Store {
	t.Helper()
	if s.dir != "" {
		s = mustOpen(t, s.dir)
	}
	got := ""
	for _, e := range s.Entries() {
		for _, text := range []string{"a", "b", "c", "d"} {
			if e.Module == hash(text) {
				got += text
			}
		}
	}
	if got != want || live(t, s) != alive {
		t.Errorf("kept are %s with %s live, want %s with %s", got, live(t, s), want, alive)
	}
	return s
}

// TestOrder: three are kept in their order; to go back is to go to the one before, and a new
// one comes behind all.
func TestOrder(t *testing.T) {
	for name, dir := range map[string]string{"disk": filepath.Join(t.TempDir(), "p"), "memory": ""} {
		t.Run(name, func(t *testing.T) {
			s := mustOpen(t, dir)
			if _, ok := s.Before(); ok || live(t, s) != "" || s.Newest() != 0 {
				t.Error("an empty store has something")
			}
			for i, text := range []string{"a", "b", "c", "d"} {
				if err := keep(s, text, i+1); err != nil {
					t.Fatal(err)
				}
			}
			s = expectKept(t, s, "bcd", "d")
			expectNotKept(t, s)
			for i, want := range []string{"c", "b"} {
				e, ok := s.Before()
				if !ok || e.Module != hash(want) {
					t.Fatalf("before is %+v, want %s", e, want)
				}
				e.Generation = 5 + i
				if err := s.Go(e, hash("config")); err != nil {
					t.Fatal(err)
				}
				s = expectKept(t, s, "bcd", want)
			}
			if _, ok := s.Before(); ok || s.Newest() != 6 {
				t.Errorf("there is one before the oldest, or the newest is %d", s.Newest())
			}
			if err := keep(s, "c", 7); err != nil {
				t.Fatal(err)
			}
			s = expectKept(t, s, "bdc", "c")
			expectNotKept(t, s)
		})
	}
}

// expectNotKept asks for a module that has been dropped, and offers one that is not what it says.
func expectNotKept(t *testing.T, s *Store) {
	t.Helper()
	if _, err := s.Module(hash("a")); !errors.Is(err, ErrNotKept) {
		t.Errorf("error %v, want %v", err, ErrNotKept)
	}
	if err := s.Go(Entry{Module: hash("a")}, ""); !errors.Is(err, ErrNotKept) {
		t.Errorf("error %v, want %v", err, ErrNotKept)
	}
	if err := s.Keep(Entry{Module: hash("x")}, []byte("y"), ""); !errors.Is(err, ErrDamaged) {
		t.Errorf("error %v, want %v", err, ErrDamaged)
	}
}

// TestDamage: what is not as it was written is not used.
func TestDamage(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	if err := keep(s, "a", 1); err != nil {
		t.Fatal(err)
	}
	module := filepath.Join(dir, hash("a")+moduleSuffix)
	if err := os.WriteFile(module, []byte("b"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Module(hash("a")); !errors.Is(err, ErrDamaged) {
		t.Errorf("error %v, want %v", err, ErrDamaged)
	}
	text, err := os.ReadFile(filepath.Join(dir, listName))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range [][2]string{
		{`"version": 1`, `"version": 2`},
		{`"live": 0`, `"live": 1`},
		{`"newest": 1`, `"newest": 0`},
		{hash("a"), strings.ToUpper(hash("a"))},
		{hash("config"), "../../etc"},
		{hash("a"), "x"},
		{`"newest"`, `"newset"`},
		{"}\n", "} {}\n"},
		{"{", ""},
		{string(text), "{}"},
	} {
		bad := strings.Replace(string(text), tt[0], tt[1], 1)
		if bad == string(text) {
			t.Fatalf("%s is not there to be replaced", tt[0])
		}
		if err := os.WriteFile(filepath.Join(dir, listName), []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), listName) {
			t.Errorf("%s for %s: error %v, want %v", tt[1], tt[0], err, ErrDamaged)
		}
	}
}

// FuzzList: whatever is in the file, it is refused or says what it holds.
func FuzzList(f *testing.F) {
	s, err := Open(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	for i, text := range []string{"a", "b", "c"} {
		if err := keep(s, text, i+1); err != nil {
			f.Fatal(err)
		}
		seed, err := os.ReadFile(s.path(listName))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
	}
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := decodeList(text)
		if err != nil {
			if !errors.Is(err, ErrDamaged) || !reflect.DeepEqual(l, list{}) {
				t.Errorf("refused with %v and %+v", err, l)
			}
			return
		}
		if e := l.Modules[l.Live]; !isHash(e.Module) || filepath.Base(e.Module) != e.Module {
			t.Errorf("live is %q", e.Module)
		}
	})
}
