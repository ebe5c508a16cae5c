package host

import (
	"context"
	"log/slog"
)

// socketLines is a socket as the handler of its log. A logger made with With
// keeps its attributes written out, some hundreds of bytes; most sockets never
// write a line, so here they are put to a line when there is one.
type socketLines Socket

var _ slog.Handler = (*socketLines)(nil)

// Enabled tells what the tenant's handler does.
func (s *socketLines) Enabled(ctx context.Context, level slog.Level) bool {
	return s.tenant.log.Enabled(ctx, level)
}

// Handle writes a line.
func (s *socketLines) Handle(ctx context.Context, r slog.Record) error {
	return s.handler().Handle(ctx, r)
}

// WithAttrs returns a handler that keeps attrs behind those of the socket.
func (s *socketLines) WithAttrs(attrs []slog.Attr) slog.Handler { return s.handler().WithAttrs(attrs) }

// WithGroup returns a handler that puts what follows into a group.
func (s *socketLines) WithGroup(name string) slog.Handler { return s.handler().WithGroup(name) }

func (s *socketLines) handler() slog.Handler {
	return s.tenant.log.Handler().WithAttrs([]slog.Attr{slog.String("socket", s.id)})
}

// log returns a logger for lines of the channel. It is made anew each time, for
// the same reason.
func (c *Channel) log() *slog.Logger {
	attrs := []any{"plugin", c.route.plugin}
	if gen := c.gen.Load(); gen != nil {
		attrs = gen.attrs(c.route.plugin)
	}
	return c.socket.log.With(append(attrs, "topic", c.topic)...)
}
