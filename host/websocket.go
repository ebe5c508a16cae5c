package host

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/aviary-host/aviary/abi"
	"github.com/gobwas/ws"
)

// closeWait is how long a client has to answer a close frame.
const closeWait = 2 * time.Second

// readBufferSize is the room for one read; what a client sends in one packet
// usually fits.
const readBufferSize = 4 << 10

var errSlowClient = errors.New("client does not read: queue_bytes exceeded")

// errClosedByClient tells that the client's close frame has come.
var errClosedByClient = errors.New("closed by the client")

// webSocket is the link of a socket over a connection of its own (RFC 6455): a
// goroutine that reads, and the outbox.
type webSocket struct {
	// Constant.
	*Socket
	conn net.Conn
	in   io.Reader // conn, behind what was read of it during the handshake

	out  outbox
	slow atomic.Bool // was cut off because it does not read

	// Owned by the reader.
	frames frameReader
	armed  time.Time // when the read deadline was last set
	until  time.Time // when the answer to our close frame is due, once it was sent
	answer []byte    // to the client's close frame, behind the answers to what it sent before
}

// newWebSocket gives s its link. in reads from conn, behind what was read of it
// already.
func newWebSocket(s *Socket, conn net.Conn, in io.Reader) *webSocket {
	w := &webSocket{Socket: s, conn: conn, in: in}
	w.frames.max = s.mount.MaxFrame
	if s.deflates {
		w.frames.flates = &s.srv.flates
	}
	w.out.conn, w.out.limit, w.out.pool, w.out.away = conn, s.mount.QueueBytes, &s.srv.buffers, &s.away
	w.out.start, w.out.fail = w.startWriter, w.writerEnded
	s.link = w
	return w
}

func (w *webSocket) push(binary bool, text []byte) {
	if !w.deflates || len(text) < deflateAbove {
		w.out.pushMessage(opCode(binary), text)
		return
	}
	b := w.srv.scratch.Get().(*scratch)
	b.frame = appendDeflated(b.frame[:0], &w.srv.flates, opCode(binary), text)
	w.out.push(b.frame, false)
	w.srv.release(b)
}

func (w *webSocket) pushShared(e *encoded) {
	frame := e.frame
	if w.deflates && len(e.text) >= deflateAbove {
		frame = e.deflated(&w.srv.flates)
	}
	w.out.push(frame, true)
}

func (w *webSocket) startWriter() { w.srv.work.Go(w.out.flush) }

// writerEnded gives up the connection: nothing more can be said on it. It may
// be called under a topic's lock, so it only notes why.
func (w *webSocket) writerEnded(err error) {
	w.slow.Store(errors.Is(err, errSlowClient))
	w.abort()
}

// abort ends the connection without a word. The reader sees it and cleans up.
func (w *webSocket) abort() {
	if err := w.conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		w.log.Debug("closing the connection failed", "err", err)
	}
}

// run reads until the connection ends, then ends the channels. It is the
// socket's goroutine.
func (w *webSocket) run() {
	err := w.readLoop()
	w.log.Debug("connection ended", "err", err)
	if w.answer != nil {
		w.endChannels()
		w.out.pushLast(w.answer)
	}
	if !errors.Is(err, errClosedByClient) || !w.out.leaveToWriter() {
		w.out.close()
		w.abort()
	}
	if w.slow.Load() {
		w.log.Warn("client cut off: it does not read fast enough", "code", "SLOW_CLIENT", "limit", w.mount.QueueBytes, "key", "mount.queue_bytes")
		w.srv.stats.slowClients.Add(1)
	}
	w.endChannels()
}

// readLoop reads and dispatches until the connection ends; it returns why.
func (w *webSocket) readLoop() error {
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
		w.out.cork()
		used, need, err := w.consume(buf[:n])
		w.out.uncork()
		if err != nil {
			return err
		}
		if used > 0 { // else the race detector would look at all of it, for each piece of a long frame
			n = copy(buf, buf[used:n])
		}
		buf = resize(buf, n, need)
	}
}

// consume handles the frames in b. What a client must not send closes the
// connection, but it is read on: the client has to answer the close frame, and
// a connection that is ended with bytes unread is reset, which can lose the
// frame on its way.
func (w *webSocket) consume(b []byte) (used, need int, err error) {
	for !w.frames.broken {
		n, need, err := w.frames.read(b[used:], w)
		used += n
		if err == nil || !w.refuse(err) {
			return used, need, err
		}
	}
	return len(b), 0, nil
}

// refuse closes the socket for what its client must not send; false when err is
// about something else.
func (w *webSocket) refuse(err error) bool {
	var ce *closeError
	if !errors.As(err, &ce) {
		return false
	}
	if !w.closing.Load() { // else it has been told; a line for each bad frame would let it fill the log
		w.tenant.clientFault(w.log, "client refused", "PROTOCOL", "close", int(ce.code), "reason", ce.reason)
		w.close(ce.code, ce.reason, abi.ReasonClosed)
	}
	return true
}

// survives decides about a failed read. A deadline that has passed closes an
// idle connection; it is also how close wakes the reader, and what ends the
// wait for a client's answer.
func (w *webSocket) survives(err error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	if !w.closing.Load() {
		// Phoenix closes with 1002 or 1000 by adapter; phoenix.js before 1.8.16
		// stays away after 1000.
		reason := fmt.Sprintf("idle for longer than %s (mount.idle_timeout)", w.mount.IdleTimeout)
		w.close(ws.StatusProtocolError, reason, abi.ReasonHeartbeatTimeout)
	}
	return w.until.IsZero() || time.Now().Before(w.until)
}

// resize gives buf room for need bytes, and back its usual size when it is
// empty. need is bounded by the frame reader.
func resize(buf []byte, n, need int) []byte {
	want := max(need, readBufferSize)
	if want == len(buf) || n > 0 && want < len(buf) {
		return buf
	}
	b := make([]byte, want)
	copy(b, buf[:n])
	return b
}

// armReadDeadline sees to it that the next read ends in time.
func (w *webSocket) armReadDeadline() error {
	if w.closing.Load() {
		return w.windDown()
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
		return w.windDown()
	}
	return err
}

// windDown is what the reader does when the socket was told to close: the
// batch at hand is over, the channels end, the client is told if it has not
// been, and gets closeWait to answer.
func (w *webSocket) windDown() error {
	if w.until.IsZero() {
		w.endChannels()
		w.sayClose()
		w.until = time.Now().Add(closeWait)
	}
	return w.conn.SetReadDeadline(w.until)
}

// message takes one message from the frame reader.
func (w *webSocket) message(op ws.OpCode, payload []byte) error {
	if err := w.receive(payload, op == ws.OpBinary); err != nil {
		return closeFor(err)
	}
	return nil
}

// fragment counts a frame that makes no message yet.
func (w *webSocket) fragment() error {
	if err := w.overFrames(); err != nil {
		return closeFor(err)
	}
	return nil
}

// closeFor returns how the socket is closed for an error of receive.
func closeFor(err error) *closeError {
	var over *excess
	if errors.As(err, &over) {
		return &closeError{ws.StatusPolicyViolation, over.Error()}
	}
	return &closeError{ws.StatusInternalServerError, ""} // it has been logged
}

// control takes one control frame from the frame reader (RFC 6455 section 5.5).
func (w *webSocket) control(op ws.OpCode, payload []byte) error {
	if err := w.overFrames(); err != nil && op != ws.OpClose {
		return closeFor(err)
	}
	switch op {
	case ws.OpPing:
		if !w.closing.Load() {
			w.out.push(appendFrame(make([]byte, 0, len(payload)+2), ws.OpPong, payload), false)
		}
	case ws.OpClose:
		if w.closing.Swap(true) {
			w.sayClose() // ours, unless it is queued already
		} else {
			w.answer = appendFrame(nil, ws.OpClose, closeEcho(payload))
		}
		return errClosedByClient
	}
	return nil
}

// hangUp tells the client, at once or when the channels have ended, and has the
// reader wind down.
func (w *webSocket) hangUp(f *farewell) {
	if !f.patient() {
		w.sayClose()
	}
	if err := w.conn.SetReadDeadline(time.Unix(1, 0)); err != nil { // wakes the reader
		w.log.Debug("connection is gone already", "err", err)
	}
}

func (w *webSocket) sayClose() {
	w.out.pushLast(appendCloseFrame(nil, w.farewell.code, w.farewell.reason))
}
