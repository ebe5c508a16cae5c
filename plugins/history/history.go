package history

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Kept is how many modules are kept, with the live one.
const Kept = 3

const (
	listName     = "live.json"
	moduleSuffix = ".wasm"
	listVersion  = 1

	maxList   = 64 << 10 // bytes
	maxModule = 64 << 20
)

// ErrDamaged is wrapped where what is on the disk is not what was written.
var ErrDamaged = errors.New("damaged")

// ErrNotKept tells that a module is not among those that are kept.
var ErrNotKept = errors.New("no such module is kept")

// Entry is a module that is kept.
type Entry struct {
	Module     string    `json:"module"`     // SHA-256 in hexadecimal digits
	Generation int       `json:"generation"` // under which it served last
	Source     string    `json:"source"`     // where it came from
	Time       time.Time `json:"time"`       // when it began to serve, the last time
}

// list is the form of the file live.json.
type list struct {
	Version int     `json:"version"`
	Live    int     `json:"live"`   // in Modules
	Newest  int     `json:"newest"` // number of a generation, ever
	Config  string  `json:"config"` // SHA-256 of the module in the configuration, when the live one began to serve
	Modules []Entry `json:"modules"`
}

// Store keeps the modules of one plugin.
type Store struct {
	dir  string // empty: nothing outlasts the process
	disk disk
	list list

	memory map[string][]byte // modules by hash, where there is no directory
}

// Open reads what is kept in dir, which is made when something is to be kept. An empty dir
// is a Store in memory. A list that is damaged is an error: somebody has to decide.
func Open(dir string) (*Store, error) { return open(dir, realDisk{}) }

func open(dir string, d disk) (*Store, error) {
	s := &Store{dir: dir, disk: d, list: list{Version: listVersion, Live: -1}, memory: map[string][]byte{}}
	if dir == "" {
		return s, nil
	}
	text, err := d.read(s.path(listName), maxList)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s, nil
	case err == nil:
		s.list, err = decodeList(text)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w; put it right, or remove it to begin with the module of the configuration", s.path(listName), err)
	}
	return s, nil
}

// decodeList reads what Keep wrote, and nothing else.
func decodeList(text []byte) (list, error) {
	var l list
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&l); err != nil {
		return list{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	rest := bytes.TrimSpace(text[dec.InputOffset():])
	switch {
	case len(rest) > 0:
		return list{}, fmt.Errorf("%w: %d bytes follow the JSON object", ErrDamaged, len(rest))
	case l.Version != listVersion:
		return list{}, fmt.Errorf("%w: its version is %d, this server reads %d", ErrDamaged, l.Version, listVersion)
	case len(l.Modules) == 0 || len(l.Modules) > Kept:
		return list{}, fmt.Errorf("%w: it has %d modules, it has to have 1 to %d", ErrDamaged, len(l.Modules), Kept)
	case l.Live < 0 || l.Live >= len(l.Modules):
		return list{}, fmt.Errorf("%w: live = %d is none of its %d modules", ErrDamaged, l.Live, len(l.Modules))
	case !isHash(l.Config):
		return list{}, fmt.Errorf("%w: config is no SHA-256", ErrDamaged)
	}
	for i := range l.Modules {
		e := &l.Modules[i]
		switch {
		case !isHash(e.Module):
			return list{}, fmt.Errorf("%w: modules[%d].module is no SHA-256", ErrDamaged, i)
		case e.Generation < 1 || e.Generation > l.Newest:
			return list{}, fmt.Errorf("%w: modules[%d].generation = %d is not within 1 to newest = %d", ErrDamaged, i, e.Generation, l.Newest)
		case slices.ContainsFunc(l.Modules[:i], func(other Entry) bool { return other.Module == e.Module }):
			return list{}, fmt.Errorf("%w: modules[%d] is there twice", ErrDamaged, i)
		}
	}
	return l, nil
}

func isHash(text string) bool {
	raw, err := hex.DecodeString(text)
	return err == nil && len(raw) == sha256.Size && strings.ToLower(text) == text
}

// Live returns the module that serves, and the SHA-256 of the module that the configuration
// had then; false when nothing was kept yet.
func (s *Store) Live() (live Entry, config string, ok bool) {
	if s.list.Live < 0 {
		return Entry{}, "", false
	}
	return s.list.Modules[s.list.Live], s.list.Config, true
}

// Newest returns the greatest number of a generation that was kept, ever; 0 for none.
func (s *Store) Newest() int { return s.list.Newest }

// Entries returns the modules that are kept, oldest first. The caller owns them.
func (s *Store) Entries() []Entry { return slices.Clone(s.list.Modules) }

// Before returns the module that was kept before the live one; false if none is.
func (s *Store) Before() (Entry, bool) {
	if s.list.Live < 1 {
		return Entry{}, false
	}
	return s.list.Modules[s.list.Live-1], true
}

// Keep makes wasm, of SHA-256 e.Module, the live module. When it returns without an error,
// that is on the disk; with one, what was live is, unless the last step of all failed: what
// cannot be known then is which of the two a restart finds.
func (s *Store) Keep(e Entry, wasm []byte, config string) error {
	if sum := sha256.Sum256(wasm); hex.EncodeToString(sum[:]) != e.Module {
		return fmt.Errorf("%w: the module is not %s", ErrDamaged, e.Module)
	}
	if err := s.write(e.Module, wasm); err != nil {
		return err
	}
	next := s.list
	next.Modules = slices.DeleteFunc(slices.Clone(next.Modules), func(other Entry) bool { return other.Module == e.Module })
	next.Modules = append(next.Modules, e)
	next.Modules = next.Modules[max(0, len(next.Modules)-Kept):]
	next.Live, next.Config = len(next.Modules)-1, config
	return s.commit(next, e.Generation)
}

// Go makes a module that is kept the live one, in its place among the others. The error
// wraps ErrNotKept if it is not.
func (s *Store) Go(e Entry, config string) error {
	at := slices.IndexFunc(s.list.Modules, func(other Entry) bool { return other.Module == e.Module })
	if at < 0 {
		return fmt.Errorf("%w: %s", ErrNotKept, e.Module)
	}
	next := s.list
	next.Modules = slices.Clone(next.Modules)
	next.Modules[at] = e
	next.Live, next.Config = at, config
	return s.commit(next, e.Generation)
}

// Module returns a module that is kept. The error wraps ErrNotKept or ErrDamaged, or is of
// the disk.
func (s *Store) Module(hash string) ([]byte, error) {
	if !slices.ContainsFunc(s.list.Modules, func(e Entry) bool { return e.Module == hash }) {
		return nil, fmt.Errorf("%w: %s", ErrNotKept, hash)
	}
	if s.dir == "" {
		return s.memory[hash], nil
	}
	wasm, err := s.disk.read(s.path(hash+moduleSuffix), maxModule)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(wasm); hex.EncodeToString(sum[:]) != hash {
		return nil, fmt.Errorf("%s: %w: it has another hash", s.path(hash+moduleSuffix), ErrDamaged)
	}
	return wasm, nil
}

func (s *Store) path(name string) string { return filepath.Join(s.dir, name) }

// write puts a module where it belongs, unless it is there.
func (s *Store) write(hash string, wasm []byte) error {
	if s.dir == "" {
		s.memory[hash] = bytes.Clone(wasm)
		return nil
	}
	if err := s.disk.mkdir(s.dir); err != nil {
		return err
	}
	return s.place(hash+moduleSuffix, wasm)
}

// place writes a file whole or not at all.
func (s *Store) place(name string, text []byte) error {
	next := s.path(name + ".next")
	if err := s.disk.write(next, text); err != nil {
		return err
	}
	return s.disk.rename(next, s.path(name))
}

// commit makes next the list, then removes what is not in it.
func (s *Store) commit(next list, generation int) error {
	next.Newest = max(next.Newest, generation)
	if s.dir == "" {
		s.list = next
		s.forget()
		return nil
	}
	text, err := json.MarshalIndent(next, "", "\t")
	if err != nil {
		return fmt.Errorf("history: %w", err)
	}
	if err := s.place(listName, append(text, '\n')); err != nil {
		return err
	}
	s.list = next
	// What is left over takes room and does no harm.
	_ = s.disk.clean(s.dir, s.keeps)
	return nil
}

// keeps tells whether a file of the directory is one of ours that is needed.
func (s *Store) keeps(name string) bool {
	return name == listName || slices.ContainsFunc(s.list.Modules, func(e Entry) bool { return name == e.Module+moduleSuffix })
}

// forget lets go of modules in memory that are not in the list.
func (s *Store) forget() {
	for hash := range s.memory {
		if !s.keeps(hash + moduleSuffix) {
			delete(s.memory, hash)
		}
	}
}
