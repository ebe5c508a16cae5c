package plugins

import (
	"bytes"
	"context"
	"log/slog"
	"strings"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/plugins/fair"
)

// Bounds on what one callback may write to the log.
const (
	maxLines  = 64 // log lines; the rest is counted
	maxRecent = 16 // lines of standard error kept for a CallError
	maxDump   = 8  // lines of the dump of a run-time that gives up; the rest is for debugging
)

// guestLog writes what a guest says in one callback to the log of the host:
// lines of the log import and of standard output and error. It belongs to an
// instance and is used by the goroutine that has it.
type guestLog struct {
	logger   *slog.Logger // with plugin and src
	tenant   *fair.Tenant // bounds the lines of all its guests
	callback abi.Callback // 0 during initialisation

	// Of the request, and the caller's; empty outside of callbacks. The request
	// itself is not kept, so that it need not be on the heap.
	topic, socket, event []byte

	lines        int        // written in this callback
	dropped      int        // not written, over maxLines
	droppedLevel slog.Level // the highest of them

	stdout, stderr lineBuffer

	recent   []string // last lines of standard error, at most maxRecent
	headline string   // the one of them that tells why the guest gave up, if any does

	dumping bool // the run-time of the guest is giving up
	dumped  int  // lines that it wrote of that, but for headlines
}

// begin forgets the callback before.
func (g *guestLog) begin(req *abi.Request) {
	g.callback, g.topic, g.socket, g.event = req.Callback, req.Topic, req.SocketID, nil
	switch req.Callback {
	case abi.CallbackHandleIn, abi.CallbackHandleInfo, abi.CallbackHandleOut:
		g.event = req.Event
	}
	g.lines, g.dropped, g.droppedLevel = 0, 0, slog.LevelDebug
	g.dumping, g.dumped = false, 0
	if len(g.recent) > 0 {
		g.recent, g.headline = g.recent[:0], ""
	}
}

// end writes what the callback left unfinished, and lets go of the request.
func (g *guestLog) end() {
	g.stdout.flush(g.outLine)
	g.stderr.flush(g.errLine)
	if g.dropped > 0 {
		level := slog.LevelWarn
		if g.droppedLevel <= slog.LevelDebug { // few see those anyway
			level = slog.LevelDebug
		}
		g.write(level, "more log lines were dropped", slog.Int("dropped", g.dropped))
	}
	g.topic, g.socket, g.event = nil, nil, nil
}

// line writes one line of a guest, cut to maxText.
func (g *guestLog) line(level slog.Level, text []byte) {
	if g.lines >= maxLines {
		g.dropped++
		g.droppedLevel = max(g.droppedLevel, level)
		return
	}
	g.lines++
	if !g.logger.Enabled(context.Background(), level) {
		return
	}
	text = text[:min(len(text), maxText)]
	g.write(level, strings.ToValidUTF8(string(text), "\uFFFD"))
}

// write writes a line if the tenant may have one more. Those that it may not are
// counted, and told of in front of the next one.
func (g *guestLog) write(level slog.Level, text string, more ...slog.Attr) {
	hidden, ok := g.tenant.Line()
	if !ok {
		return
	}
	if hidden > 0 {
		g.emit(slog.LevelWarn, "log lines of the tenant were dropped", slog.Int("dropped", hidden),
			slog.String("tenant", g.tenant.Name()), slog.String("key", "tenant.log_lines"))
	}
	g.emit(level, text, more...)
}

func (g *guestLog) emit(level slog.Level, text string, more ...slog.Attr) {
	where := g.callback.String()
	if g.callback == 0 {
		where = abi.ExportInit
	}
	more = append(more, slog.String("callback", where))
	for _, of := range [...]struct {
		key   string
		value []byte
	}{{"topic", g.topic}, {"socket", g.socket}, {"event", g.event}} {
		if len(of.value) > 0 {
			more = append(more, slog.String(of.key, string(of.value)))
		}
	}
	g.logger.LogAttrs(context.Background(), level, text, more...)
}

func (g *guestLog) outLine(text []byte) {
	g.line(slog.LevelInfo, text)
}

func (g *guestLog) errLine(text []byte) {
	s := string(text)
	g.line(g.errLevel(s), text)
	if len(g.recent) == maxRecent {
		g.recent = append(g.recent[:0], g.recent[1:]...)
	}
	g.recent = append(g.recent, s)
	switch {
	case isHeadline(s):
		g.headline = oneLine(s)
	case strings.HasSuffix(g.headline, ":"): // Rust puts the message on a line of its own
		g.headline = oneLine(g.headline + " " + s)
	}
}

// errLevel returns the level of a line of standard error. It is warn, but for a
// run-time that gives up: of its dump of stacks, only headlines and the first
// lines.
func (g *guestLog) errLevel(s string) slog.Level {
	switch {
	case isHeadline(s):
		g.dumping = true
	case g.dumping:
		if g.dumped++; g.dumped > maxDump {
			return slog.LevelDebug
		}
	default:
		g.dumping = strings.HasPrefix(s, "runtime: ") || strings.HasPrefix(s, "goroutine ")
	}
	return slog.LevelWarn
}

// isHeadline recognises the line by which the run-times of Go, Rust and C say
// why they gave up. It is followed by a stack trace that may push it out of the
// last lines.
func isHeadline(s string) bool {
	return strings.HasPrefix(s, "panic: ") || strings.HasPrefix(s, "fatal error: ") ||
		strings.HasPrefix(s, "thread '") && strings.Contains(s, "panicked at") ||
		strings.HasPrefix(s, "Assertion failed: ")
}

// outOfMemory tells whether a headline of Go says so.
func outOfMemory(headline string) bool {
	return strings.HasPrefix(headline, "fatal error: ") &&
		(strings.Contains(headline, "out of memory") || strings.Contains(headline, "cannot allocate memory"))
}

// lastWords returns what the guest said on standard error before it gave up:
// the line that tells why, else the last one, else nothing.
func (g *guestLog) lastWords() string {
	if g.headline != "" || len(g.recent) == 0 {
		return g.headline
	}
	return oneLine(g.recent[len(g.recent)-1])
}

// lineBuffer puts lines together from the pieces in which a guest writes them.
type lineBuffer struct {
	partial []byte // the line so far, at most maxText bytes of it
}

// write passes each line that p completes to emit, without blank ones.
func (b *lineBuffer) write(p []byte, emit func(line []byte)) {
	for {
		end := bytes.IndexByte(p, '\n')
		if end < 0 {
			b.add(p)
			return
		}
		b.add(p[:end])
		b.flush(emit)
		p = p[end+1:]
	}
}

func (b *lineBuffer) add(p []byte) {
	b.partial = append(b.partial, p[:min(len(p), maxText-len(b.partial))]...)
}

// flush passes the unfinished line to emit.
func (b *lineBuffer) flush(emit func(line []byte)) {
	if len(b.partial) == 0 {
		return
	}
	if line := bytes.TrimRight(b.partial, " \t\r"); len(line) > 0 {
		emit(line)
	}
	b.partial = b.partial[:0]
}

// slogLevel translates the level of a guest; unknown ones count as errors.
func slogLevel(l abi.Level) slog.Level {
	switch l {
	case abi.LevelDebug:
		return slog.LevelDebug
	case abi.LevelInfo:
		return slog.LevelInfo
	case abi.LevelWarn:
		return slog.LevelWarn
	case abi.LevelError:
	}
	return slog.LevelError
}
