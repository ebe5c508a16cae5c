package load

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// A connection that never reads is filled at once, or it would take minutes until a
// server comes to feel it: on loopback the kernel keeps 4 MiB for it (the most of
// net.ipv4.tcp_wmem, by default). So it asks for defaultFill echoes of so many bytes.
// What is left over for the server's own queue is a quarter of a megabyte.
const (
	fillRef  = "fill"
	fillBody = 16 << 10
)

// deafBuffer is the receive buffer of a connection that never reads; the kernel
// takes what it holds to be the least.
const deafBuffer = 4096

// deafen has c read nothing any more, and fills what is on the way to it.
func (l *loop) deafen(c *conn) error {
	if err := unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, deafBuffer); err != nil {
		return fmt.Errorf("receive buffer: %w", err)
	}
	c.deaf = true
	if err := l.watch(c); err != nil {
		return err
	}
	body := `{"body":"` + strings.Repeat("x", fillBody) + `"}`
	text := fmt.Appendf(nil, `[%q,%q,%q,"echo",%s]`, joinRef, fillRef, c.topic, body)
	for range l.cfg.fill {
		c.out = appendClientFrame(c.out, opText, text)
	}
	c.frames += l.cfg.fill
	l.mark(c)
	return nil
}
