package watch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Watcher watches files.
type Watcher struct {
	pause    time.Duration
	onChange func(path string)
	events   *fsnotify.Watcher
	ended    sync.WaitGroup

	mu    sync.Mutex // guards the following
	files map[string]*file
}

// file is one that is watched.
type file struct {
	path string      // as it was given
	told os.FileInfo // as it was told of; nil: it was not there
}

// New returns a Watcher that calls onChange with the path of a file, as it was given to Add,
// after it has changed and nothing has happened to its directory for a pause.
func New(pause time.Duration, onChange func(path string)) (*Watcher, error) {
	events, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch: %w", err)
	}
	w := &Watcher{pause: pause, onChange: onChange, events: events, files: map[string]*file{}}
	w.ended.Go(w.run)
	return w, nil
}

// Add watches a file, which need not be there; its directory has to be.
func (w *Watcher) Add(path string) error {
	f := &file{path: path}
	info, err := os.Stat(path)
	if err == nil {
		f.told = info
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.followLocked(f); err != nil {
		return fmt.Errorf("watch %s: %w", path, err)
	}
	w.files[path] = f
	return nil
}

// followLocked watches the directory of a file, and, where its path leads through links,
// that of what is at their end.
func (w *Watcher) followLocked(f *file) error {
	dirs := []string{filepath.Dir(f.path)}
	if end, err := filepath.EvalSymlinks(f.path); err == nil {
		dirs = append(dirs, filepath.Dir(end))
	}
	for _, dir := range dirs {
		if err := w.events.Add(dir); err != nil && dir == dirs[0] {
			return err
		}
	}
	return nil
}

// mostPauses is for how many pauses a directory in which something happens all the time,
// such as one with a log, may put off what is told.
const mostPauses = 10

// run waits for events, and tells of what they have come to when there was none for a
// while.
func (w *Watcher) run() {
	quiet := time.NewTimer(w.pause)
	defer quiet.Stop()
	last := time.Now()
	for {
		ok := true
		select {
		case _, ok = <-w.events.Events:
		case _, ok = <-w.events.Errors: // some events are lost, perhaps ours
		case <-quiet.C:
			w.tell()
			last = time.Now()
			continue
		}
		if !ok {
			return
		}
		if time.Since(last) > mostPauses*w.pause {
			w.tell()
			last = time.Now()
		}
		quiet.Reset(w.pause)
	}
}

func (w *Watcher) tell() {
	for _, path := range w.changed() {
		w.onChange(path)
	}
}

// changed returns the files that are others than they were told to be.
func (w *Watcher) changed() (paths []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.files {
		info, err := os.Stat(f.path)
		if err != nil || f.told != nil && same(f.told, info) {
			continue // one that is away may come back
		}
		f.told = info
		if w.followLocked(f) == nil {
			paths = append(paths, f.path)
		}
	}
	return paths
}

func same(a, b os.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// Close ends the watch. When it has returned, onChange is not called any more.
func (w *Watcher) Close() error {
	err := w.events.Close()
	w.ended.Wait()
	if errors.Is(err, fsnotify.ErrClosed) {
		return nil
	}
	return err
}
