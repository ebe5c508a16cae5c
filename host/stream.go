package host

import (
	"errors"
	"io"
	"net"
	"os"
	"time"
)

// readBufferSize is the room for one read; what a client sends in one packet
// usually fits.
const readBufferSize = 4 << 10

// stream carries a webSocket by a goroutine that reads, and others that write where
// it does not: for connections that no loop can watch, which are those with TLS, and
// all where there are no loops.
type stream struct {
	webSocket
	conn net.Conn
	in   io.Reader // conn, behind what was read of it during the handshake

	wrote time.Time // when the write deadline was last set; owned by the writer

	// Owned by the reader.
	armed time.Time // when the read deadline was last set
	until time.Time // when the answer to our close frame is due, once it was sent
}

// newStream gives s its link. in reads from conn, behind what was read of it
// already.
func newStream(s *Socket, conn net.Conn, in io.Reader) *stream {
	w := &stream{conn: conn, in: in}
	w.init(s, w, w)
	s.detach = w.unplug
	return w
}

// run reads until the connection ends, then ends the channels. It is the
// socket's goroutine.
func (w *stream) run() { w.finish(w.readLoop()) }

// readLoop reads and dispatches until the connection ends; it returns why.
func (w *stream) readLoop() error {
	buf := make([]byte, readBufferSize)
	n := 0
	for {
		if err := w.armReadDeadline(); err != nil {
			return err
		}
		m, err := w.in.Read(buf[n:])
		if err != nil {
			if w.survives(err) {
				continue
			}
			return err
		}
		n += m
		used, need, err := w.handle(buf[:n])
		if err != nil {
			return err
		}
		if used > 0 { // else the race detector would look at all of it, for each piece of a long frame
			n = copy(buf, buf[used:n])
		}
		buf = resize(buf, n, need)
	}
}

// survives decides about a failed read. A deadline that has passed closes an
// idle connection; it is also how wind wakes the reader, and what ends the
// wait for a client's answer.
func (w *stream) survives(err error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	if !w.closing.Load() {
		w.tooIdle()
	}
	return w.until.IsZero() || time.Now().Before(w.until)
}

// resize gives buf, of which n bytes are taken, more room when it is full, up to
// need bytes, and back its usual size when it is empty. Its room grows with what has
// come: to declare a long frame costs a client nothing.
func resize(buf []byte, n, need int) []byte {
	want := len(buf)
	switch n {
	case 0:
		want = readBufferSize
	case len(buf):
		want = max(min(need, 2*n), n+1)
	}
	if want == len(buf) {
		return buf
	}
	b := make([]byte, want)
	copy(b, buf[:n])
	return b
}

// armReadDeadline sees to it that the next read ends in time.
func (w *stream) armReadDeadline() error {
	if w.closing.Load() {
		return w.await()
	}
	// Moving the deadline at each read would cost as much as a tenth of an
	// echo. So it is moved now and then, and a silent client is closed after
	// one to one and an eighth of the timeout.
	now, timeout := time.Now(), w.mount.IdleTimeout
	if now.Sub(w.armed) <= timeout/8 {
		return nil
	}
	w.armed = now
	err := w.conn.SetReadDeadline(now.Add(timeout + timeout/8))
	if err == nil && w.closing.Load() {
		// close came in between and its deadline, which was to wake this
		// goroutine, has been overwritten.
		return w.await()
	}
	return err
}

// await winds the socket down, if that has not happened, and gives the client
// closeWait to answer.
func (w *stream) await() error {
	if w.until.IsZero() {
		w.windDown()
		w.until = time.Now().Add(closeWait)
	}
	return w.conn.SetReadDeadline(w.until)
}

func (w *stream) attend() {
	w.srv.work.Go(func() { w.failed(w.out.flush()) })
}

// wind wakes the reader.
func (w *stream) wind() {
	if err := w.conn.SetReadDeadline(time.Unix(1, 0)); err != nil {
		w.log.Debug("connection is gone already", "err", err)
	}
}

func (w *stream) cut() {
	if err := w.conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		w.log.Debug("closing the connection failed", "err", err)
	}
}

// write writes all of it, and blocks for as long as that takes.
func (w *stream) write(chunks [][]byte) (rest [][]byte, err error) {
	// The deadline is moved now and then rather than at each write, which
	// would cost as much as a tenth of it.
	if now := time.Now(); now.Sub(w.wrote) > writeTimeout/8 {
		w.wrote = now
		if err := w.conn.SetWriteDeadline(now.Add(writeTimeout + writeTimeout/8)); err != nil {
			return nil, err
		}
	}
	if len(chunks) == 1 {
		_, err := w.conn.Write(chunks[0])
		return nil, err
	}
	buffers := net.Buffers(chunks)
	_, err = buffers.WriteTo(w.conn)
	return nil, err
}

// awaitRoom is never called: write takes all.
func (w *stream) awaitRoom() {}
