package dev

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// maxEvents is how many of them a page can still ask for.
const maxEvents = 500

// Event is something that the page shows.
type Event struct {
	Number  int            `json:"number"` // from 1
	Time    time.Time      `json:"time"`
	Kind    string         `json:"kind"` // log, build, deploy, failed
	Level   string         `json:"level,omitempty"`
	Message string         `json:"message"`
	Attrs   map[string]any `json:"attrs,omitempty"`
}

// The kinds of events.
const (
	kindLog    = "log"
	kindBuild  = "build"  // a build begins
	kindDeploy = "deploy" // a generation is live
	kindFailed = "failed" // a build or a deployment failed
)

// events keeps the last ones.
type events struct {
	mu     sync.Mutex // guards the following
	newest int
	all    []Event // the last maxEvents, in order
}

func (e *events) add(ev Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.newest++
	ev.Number = e.newest
	if len(e.all) == maxEvents {
		e.all = append(e.all[:0], e.all[1:]...)
	}
	e.all = append(e.all, ev)
}

// list returns what is kept, a copy.
func (e *events) list() []Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]Event{}, e.all...)
}

// handler is a slog.Handler that keeps records as events, and passes them on. Of callbacks
// that failed it tells explain in their place.
type handler struct {
	next    slog.Handler
	events  *events
	explain func(attrs map[string]any)
	attrs   []slog.Attr
}

// Enabled implements slog.Handler.
func (h *handler) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelDebug }

// Handle implements slog.Handler.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	ev := Event{Time: r.Time, Kind: kindLog, Level: r.Level.String(), Message: r.Message, Attrs: map[string]any{}}
	add := func(a slog.Attr) bool {
		flatten(ev.Attrs, "", a)
		return true
	}
	for _, a := range h.attrs {
		add(a)
	}
	r.Attrs(add)
	failed := ev.Attrs[attrCode] == codeFailed || ev.Attrs[attrCode] == codeDenied
	if failed {
		h.explain(ev.Attrs)
	}
	h.events.add(ev)
	if failed || !h.next.Enabled(ctx, r.Level) {
		return nil
	}
	return h.next.Handle(ctx, r)
}

// flatten puts an attribute into a map of texts; those of a group have its name in front.
func flatten(to map[string]any, prefix string, a slog.Attr) {
	v := a.Value.Resolve()
	if v.Kind() != slog.KindGroup {
		to[prefix+a.Key] = v.String()
		return
	}
	for _, member := range v.Group() {
		flatten(to, prefix+a.Key+".", member)
	}
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	with.next, with.attrs = h.next.WithAttrs(attrs), append(slices.Clone(h.attrs), attrs...)
	return &with
}

// WithGroup implements slog.Handler. Nothing here logs in groups.
func (h *handler) WithGroup(name string) slog.Handler {
	with := *h
	with.next = h.next.WithGroup(name)
	return &with
}

// state is what the page asks for.
type state struct {
	Project  string   `json:"project"`
	Language string   `json:"language"`
	Socket   string   `json:"socket"` // path of a mount
	Topics   []string `json:"topics"`

	Building   bool   `json:"building"`
	Failed     string `json:"failed"` // what the compiler, or the server, says of the last change; empty: it is live
	Generation int    `json:"generation"`
	Module     string `json:"module"` // SHA-256
	BuildMS    int64  `json:"build_ms"`
	DeployMS   int64  `json:"deploy_ms"`
	Channels   int64  `json:"channels"` // that moved to the generation

	Quota   int64 `json:"quota"`   // fuel of a callback
	Plugins any   `json:"plugins"` // as GET /api/v1/plugins
	Server  any   `json:"server"`  // as GET /api/v1/info

	Events []Event `json:"events"`
}

func (s *state) encode() ([]byte, error) { return json.Marshal(s) }
