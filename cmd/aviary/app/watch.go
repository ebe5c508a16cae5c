package app

import (
	"context"
	"time"

	"github.com/aviary-host/aviary/cmd/aviary/watch"
)

// watchPause is how long nothing happens to a file before it is taken to be whole.
const watchPause = 100 * time.Millisecond

// watchFiles has the plugins that want it follow their files, from before these are read
// for the first time.
func (a *App) watchFiles(cfg *Config) (err error) {
	byPath := map[string][]string{}
	for i := range cfg.Plugins {
		if p := &cfg.Plugins[i]; p.Watch {
			byPath[p.Path] = append(byPath[p.Path], p.Name)
		}
	}
	if len(byPath) == 0 {
		return nil
	}
	a.watcher, err = watch.New(watchPause, func(path string) {
		for _, name := range byPath[path] {
			// What becomes of it is in the log. If it is refused, what serves goes on, and the
			// next change is tried again.
			_, _ = a.Reload(context.Background(), name)
		}
	})
	for path := range byPath {
		if err == nil {
			err = a.watcher.Add(path)
		}
	}
	return err
}

func (a *App) stopWatching() error {
	if a.watcher == nil {
		return nil
	}
	return a.watcher.Close()
}
