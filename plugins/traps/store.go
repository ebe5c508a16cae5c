package traps

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aviary-host/aviary/plugins"
)

const (
	maxFiles  = 200
	maxBytes  = 64 << 20
	perMinute = 10

	dirMode  = 0o700
	fileMode = 0o600
)

// Config says where records are kept. A bound that is 0 means its default.
type Config struct {
	Dir       string // made if it is not there
	Files     int    // at most; 0 means 200
	Bytes     int64  // of all files, at most; 0 means 64 MiB
	PerMinute int    // records of a plugin; 0 means 10

	// Logger is told when a record cannot be written; nil means nobody is.
	Logger *slog.Logger
}

// Store keeps records in a directory.
type Store struct {
	cfg Config
	now func() time.Time

	mu      sync.Mutex // guards the following, and the directory
	files   []file     // by name, and so by time
	bytes   int64
	minutes map[string]*minute // by plugin
}

// file is a record in the directory.
type file struct {
	name string
	size int64
}

// plugin returns whose record it is, as names spell that.
func (f file) plugin() string {
	plugin, _, _ := strings.Cut(f.name[len(timeLayout):], ".")
	return strings.TrimPrefix(plugin, "-")
}

// minute is how many records a plugin has made in a minute.
type minute struct {
	began            time.Time
	written, skipped int
}

// Open makes the directory if need be and looks at what is in it. One that others
// may read is refused: records may hold what users have sent.
func Open(cfg Config) (*Store, error) {
	if cfg.Files <= 0 {
		cfg.Files = maxFiles
	}
	if cfg.Bytes <= 0 {
		cfg.Bytes = maxBytes
	}
	if cfg.PerMinute <= 0 {
		cfg.PerMinute = perMinute
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Store{cfg: cfg, now: time.Now, minutes: map[string]*minute{}}
	if err := s.open(); err != nil {
		return nil, fmt.Errorf("trap records (data_dir): %w", err)
	}
	return s, nil
}

func (s *Store) open() error {
	if err := os.MkdirAll(s.cfg.Dir, dirMode); err != nil {
		return err
	}
	info, err := os.Stat(s.cfg.Dir)
	if err != nil {
		return err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" { // which has no such modes
		return fmt.Errorf("%s has mode %04o, it must be %04o: others must not read it", s.cfg.Dir, mode, dirMode)
	}
	entries, err := os.ReadDir(s.cfg.Dir) // sorted by name
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || !isName(e.Name()) {
			continue // gone, or not ours
		}
		s.files = append(s.files, file{e.Name(), info.Size()})
		s.bytes += info.Size()
	}
	return s.prune("", 0)
}

// Keeper returns what a plugin's Config.OnTrap is set to: it writes a record, with
// payloads if so, and says where.
func (s *Store) Keeper(payloads bool) func(*plugins.Trap) {
	return func(t *plugins.Trap) {
		name, err := s.keep(t, payloads)
		if err != nil {
			s.cfg.Logger.Warn("trap record not written", "code", "TRAP_NOT_KEPT", "plugin", t.Plugin, "err", err)
			return
		}
		t.File = name
	}
}

// keep writes a record and returns its path, "" if the plugin has written enough in
// this minute.
func (s *Store) keep(t *plugins.Trap, payloads bool) (path string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.minute(t.Plugin)
	if m.written >= s.cfg.PerMinute {
		m.skipped++
		return "", nil
	}
	m.written++
	r, err := newRecord(t, payloads)
	if err != nil {
		return "", err
	}
	r.Skipped, m.skipped = m.skipped, 0
	text, err := r.encode()
	if err != nil {
		return "", err
	}
	if err := s.prune(safe(r.Plugin), int64(len(text))); err != nil {
		return "", err
	}
	return s.write(r, text)
}

// minute returns the count of a plugin, begun anew where its minute is over.
func (s *Store) minute(plugin string) *minute {
	now := s.now()
	m := s.minutes[plugin]
	if m == nil {
		m = &minute{began: now}
		s.minutes[plugin] = m
	}
	if now.Sub(m.began) >= time.Minute {
		m.began, m.written = now, 0
	}
	return m
}

// prune removes files until there is room for one more, of a plugin and so many bytes.
func (s *Store) prune(plugin string, bytes int64) error {
	room := s.cfg.Files
	if bytes > 0 {
		room--
	}
	for len(s.files) > 0 && (len(s.files) > room || s.bytes+bytes > s.cfg.Bytes) {
		at := s.spare(plugin, bytes, len(s.files) > room)
		if err := os.Remove(filepath.Join(s.cfg.Dir, s.files[at].name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		s.bytes -= s.files[at].size
		s.files = slices.Delete(s.files, at, at+1)
	}
	if bytes > s.cfg.Bytes {
		return fmt.Errorf("a record of %d bytes, where all may have %d", bytes, s.cfg.Bytes)
	}
	return nil
}

// spare returns which file goes next: the oldest of the plugin that has the most files, or
// the most bytes, with the record that is to come. So one that fails all the time pushes
// out its own, and each has at least its share of the room.
func (s *Store) spare(plugin string, bytes int64, byFiles bool) (at int) {
	has := map[string]int64{}
	for _, f := range s.files {
		if byFiles {
			has[f.plugin()]++
		} else {
			has[f.plugin()] += f.size
		}
	}
	if own, ok := has[plugin]; ok && byFiles {
		has[plugin] = own + 1
	} else if ok {
		has[plugin] = own + bytes
	}
	for i, f := range s.files {
		if has[f.plugin()] > has[s.files[at].plugin()] {
			at = i
		}
	}
	return at
}

// write writes a file of its own for a record.
func (s *Store) write(r *Record, text []byte) (path string, err error) {
	name := newName(r, 0)
	var f *os.File
	for n := 1; ; n++ {
		path = filepath.Join(s.cfg.Dir, name)
		f, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
		if !errors.Is(err, fs.ErrExist) || n == maxTwins {
			break
		}
		name = newName(r, n)
	}
	if err != nil {
		return "", err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(path))
	}
	at, _ := slices.BinarySearchFunc(s.files, name, func(f file, name string) int { return strings.Compare(f.name, name) })
	s.files = slices.Insert(s.files, at, file{name, int64(len(text))})
	s.bytes += int64(len(text))
	return path, nil
}

// Names begin with the time, so that they sort by it.
const (
	timeLayout = "20060102T150405.000000000Z"
	suffix     = ".json"
	maxTwins   = 100 // records of one nanosecond
)

// newName returns the name of a record's file, the n-th that is tried.
func newName(r *Record, n int) string {
	name := r.Time.UTC().Format(timeLayout) + "-" + safe(r.Plugin)
	if n > 0 {
		name += fmt.Sprintf(".%d", n) // no plugin has a dot there
	}
	return name + suffix
}

// isName recognises what newName returns.
func isName(name string) bool {
	if len(name) < len(timeLayout)+len(suffix) || !strings.HasSuffix(name, suffix) {
		return false
	}
	_, err := time.Parse(timeLayout, name[:len(timeLayout)])
	return err == nil
}

// safe makes a plugin's name fit for that of a file.
func safe(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return '_'
	}, name)
	return name[:min(len(name), 64)]
}
