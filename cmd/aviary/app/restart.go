package app

import (
	"context"
	"errors"
	"net/url"
	"path/filepath"
	"time"

	"github.com/aviary-host/aviary/plugins/history"
)

// modulesDir is where in the data directory the last modules of plugins are.
const modulesDir = "modules"

// historyDir is where those of one plugin are; nowhere without a data directory. The prefix
// keeps a name such as .. from leading elsewhere.
func historyDir(dataDir, plugin string) string {
	if dataDir == "" {
		return ""
	}
	return filepath.Join(dataDir, modulesDir, "plugin-"+url.PathEscape(plugin))
}

// configured is the hash of the module that the configuration has now; that of an empty one
// if it has none that can be read.
func (l *line) configured() string {
	wasm, err := l.plugin.module()
	if err != nil {
		wasm = nil
	}
	return hashOf(wasm)
}

// first loads the generation that the server starts with: what was live, unless the
// configuration has another module since. If that cannot be loaded, what was live is better
// than nothing.
func (l *line) first(ctx context.Context) error {
	l.deploying.Lock()
	defer l.deploying.Unlock()
	if l.serving() != nil {
		return nil // its file has changed already
	}
	live, config, ok := l.kept.Live()
	wasm, err := l.plugin.module()
	if ok && err == nil && hashOf(wasm) == config {
		if err := l.resume(ctx, live); err == nil || ctx.Err() != nil {
			return err
		}
	}
	if err == nil {
		err = l.begin(ctx, wasm)
	}
	if err == nil || ctx.Err() != nil || !ok {
		return err
	}
	l.app.log.Error("the module of the configuration is refused: the last one that served goes on", "code", "PLUGIN_REFUSED",
		"plugin", l.plugin.Name, "sha", live.Module[:12], "err", err)
	if again := l.resume(ctx, live); again != nil {
		return errors.Join(err, again)
	}
	return nil
}

// begin loads the module of the configuration.
func (l *line) begin(ctx context.Context, wasm []byte) error {
	next, err := l.build(ctx, wasm, l.newest+1, Origin{Source: sourceConfig})
	if err != nil {
		return err
	}
	if err := l.keep(next, wasm); err != nil { // it is in the configuration as well
		l.app.log.Error("the module is not kept: there is no way back to it", "code", "NOT_KEPT", "plugin", l.plugin.Name, "sha", next.Hash()[:12], "err", err)
	}
	l.swap(next)
	return nil
}

// resume loads the module that was live.
func (l *line) resume(ctx context.Context, live history.Entry) error {
	wasm, err := l.kept.Module(live.Module)
	if err != nil {
		l.app.log.Error("the module that was live cannot be read", "code", "NOT_RESUMED", "plugin", l.plugin.Name, "sha", live.Module[:12], "err", err)
		return err
	}
	next, err := l.build(ctx, wasm, live.Generation, Origin{Source: live.Source})
	if err != nil {
		return err
	}
	l.swap(next)
	l.app.log.Info("plugin resumed", "plugin", l.plugin.Name, "generation", next.number,
		"sha", live.Module[:12], "source", live.Source, "since", live.Time.Format(time.RFC3339))
	return nil
}
