package traps

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// open opens a store in a directory of the test's own.
func open(t *testing.T, cfg Config) *Store {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = filepath.Join(t.TempDir(), "data", "traps")
	}
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.now = func() time.Time { return noon }
	return s
}

// list returns the names in a directory, without the times.
func list(t *testing.T, s *Store) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(s.cfg.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, strings.TrimPrefix(e.Name(), noon.Format("20060102T150405.")))
	}
	return names
}

// keep keeps a trap of so many nanoseconds past noon, and returns its file.
func keep(s *Store, past int, payload int) string {
	trap := newTrap(payload)
	trap.Time = noon.Add(time.Duration(past))
	s.Keeper(true)(trap)
	return trap.File
}

func TestStoreKeepsRecords(t *testing.T) {
	s := open(t, Config{})
	path := keep(s, 0, 10)
	if keep(s, 0, 20) == path {
		t.Fatal("two traps of a nanosecond have one file")
	}
	if got := fmt.Sprint(list(t, s)); got != "[000000005Z-chat.1.json 000000005Z-chat.json]" {
		t.Errorf("files are %s", got)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Decode(text)
	if err != nil || r.Sizes.Payload != 10 || !r.Replayable {
		t.Errorf("%v: %+v", err, r)
	}
	for at, want := range map[string]os.FileMode{s.cfg.Dir: 0o700, filepath.Dir(s.cfg.Dir): 0o700, path: 0o600} {
		if info, err := os.Stat(at); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, %v, want %v", at, info.Mode().Perm(), err, want)
		}
	}
}

// TestOldestGo: of records in number and in bytes, also of those of the last run, and
// nothing that is no record.
func TestOldestGo(t *testing.T) {
	s := open(t, Config{Files: 3})
	other := filepath.Join(s.cfg.Dir, "notes.json")
	if err := os.WriteFile(other, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		keep(s, 10*i, 10)
	}
	if got := fmt.Sprint(list(t, s)); got != "[000000025Z-chat.json 000000035Z-chat.json 000000045Z-chat.json notes.json]" {
		t.Errorf("files are %s", got)
	}
	s = open(t, Config{Dir: s.cfg.Dir, Bytes: 3 * s.bytes / 2})
	keep(s, 50, 10)
	keep(s, 60, 10)
	if got := fmt.Sprint(list(t, s)); got != "[000000035Z-chat.json 000000045Z-chat.json 000000055Z-chat.json 000000065Z-chat.json notes.json]" {
		t.Errorf("files are %s", got)
	}
	s = open(t, Config{Dir: s.cfg.Dir, Files: 1})
	if got := fmt.Sprint(list(t, s)); got != "[000000065Z-chat.json notes.json]" {
		t.Errorf("after a start with less room files are %s", got)
	}
}

// TestMinute: a plugin that fails all the time does not push out the records of
// others; what has no record is counted in the next.
func TestMinute(t *testing.T) {
	s := open(t, Config{PerMinute: 2})
	now := noon
	s.now = func() time.Time { return now }
	for i := range 7 {
		if kept := keep(s, i, 1) != ""; kept != (i < 2) {
			t.Errorf("trap %d is kept: %t", i, kept)
		}
	}
	trap := newTrap(1)
	trap.Plugin, trap.Time = "../other plugin", noon.Add(100)
	if s.Keeper(false)(trap); filepath.Base(trap.File) != "20260102T120000.000000105Z-___other_plugin.json" {
		t.Errorf("the other plugin's record is %q", trap.File)
	}
	now = now.Add(time.Minute)
	text, err := os.ReadFile(keep(s, 200, 1))
	if err != nil {
		t.Fatal(err)
	}
	if r, err := Decode(text); err != nil || r.Skipped != 5 {
		t.Errorf("%v: %+v", err, r)
	}
}

// TestShares: a plugin that fails all the time pushes out its own records, by number and by
// bytes, also those of an earlier start.
func TestShares(t *testing.T) {
	fail := func(s *Store, plugin string, past, payload int) {
		trap := newTrap(payload)
		trap.Plugin, trap.Time = plugin, noon.Add(time.Duration(past))
		if s.Keeper(true)(trap); trap.File == "" {
			t.Errorf("no record of %s", plugin)
		}
	}
	s := open(t, Config{Files: 4, PerMinute: 1000})
	fail(s, "quiet", 0, 10)
	fail(s, "other", 10, 10)
	for i := range 20 {
		fail(s, "loud", 20+i, 10)
	}
	if got := fmt.Sprint(list(t, s)); got != "[000000005Z-quiet.json 000000015Z-other.json 000000043Z-loud.json 000000044Z-loud.json]" {
		t.Errorf("files are %s", got)
	}
	for i := range 3 { // has none of its own to push out at first
		fail(s, "late", 50+i, 10)
	}
	if got := fmt.Sprint(list(t, s)); got != "[000000005Z-quiet.json 000000015Z-other.json 000000044Z-loud.json 000000057Z-late.json]" {
		t.Errorf("files are %s", got)
	}
	s = open(t, Config{Dir: s.cfg.Dir, Bytes: s.bytes + 40_000, PerMinute: 1000})
	for i := range 20 {
		fail(s, "loud", 60+i, 10_000)
	}
	if got := fmt.Sprint(list(t, s)); !strings.HasPrefix(got, "[000000005Z-quiet.json 000000015Z-other.json 000000057Z-late.json 00") ||
		!strings.HasSuffix(got, "084Z-loud.json]") {
		t.Errorf("files are %s", got)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	shared, plain := filepath.Join(dir, "shared"), filepath.Join(dir, "plain")
	if err := os.Mkdir(shared, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(shared, 0o750); err != nil { // whatever the umask
		t.Fatal(err)
	}
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for at, want := range map[string]string{
		shared: "trap records (data_dir): " + shared + " has mode 0750, it must be 0700: others must not read it",
		plain:  "trap records (data_dir): mkdir " + plain + ": not a directory",
	} {
		if _, err := Open(Config{Dir: at}); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// TestFailureToWriteIsLogged: the callback's own failure is not hidden by it.
func TestFailureToWriteIsLogged(t *testing.T) {
	var out bytes.Buffer
	s := open(t, Config{Logger: slog.New(slog.NewTextHandler(&out, nil))})
	if err := os.RemoveAll(s.cfg.Dir); err != nil {
		t.Fatal(err)
	}
	if path := keep(s, 0, 1); path != "" || !strings.Contains(out.String(), "code=TRAP_NOT_KEPT plugin=chat") {
		t.Errorf("file %q, log %s", path, &out)
	}
	out.Reset()
	trap := newTrap(1)
	trap.Request = trap.Request[:50]
	if s.Keeper(true)(trap); trap.File != "" || !strings.Contains(out.String(), "its request") {
		t.Errorf("file %q, log %s", trap.File, &out)
	}
}

// TestStoreFromManyGoroutines: as plugins fail at once.
func TestStoreFromManyGoroutines(t *testing.T) {
	s := open(t, Config{Files: 7, PerMinute: 1000})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 10 {
				trap := newTrap(j)
				trap.Plugin, trap.Time = fmt.Sprint("p", i), noon
				if s.Keeper(j%2 == 0)(trap); trap.File == "" {
					t.Error("not kept")
				}
			}
		})
	}
	wg.Wait()
	if n := len(list(t, s)); n != 7 || len(s.files) != 7 {
		t.Errorf("%d files, %d known, want 7", n, len(s.files))
	}
}
