package host

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/aviary-host/aviary/abi"
	"github.com/gobwas/ws"
)

// closeWait is how long a client has to answer a close frame.
const closeWait = 2 * time.Second

var errSlowClient = errors.New("client does not read: queue_bytes exceeded")

// errClosedByClient tells that the client's close frame has come.
var errClosedByClient = errors.New("closed by the client")

// webSocket is the link of a socket over a connection of its own (RFC 6455). It
// takes what was read of the connection and says what is to be written; who reads
// and writes is the carrier's affair.
type webSocket struct {
	*Socket         // constant
	carry   carrier // constant
	out     outbox
	slow    atomic.Bool // was cut off because it does not read

	// Owned by the goroutine that reads.
	frames frameReader
	answer []byte // to the client's close frame, behind the answers to what it sent before
	pace   pace   // of the messages of the batch at hand
}

// carrier moves the bytes of a webSocket: by a goroutine of its own (stream), or
// by a loop that does so for many (looped). All methods may be called from any
// goroutine, also under a topic's lock: none blocks.
type carrier interface {
	// attend has the outbox flushed soon. It is called when nobody else sees to that.
	attend()

	// wind has the socket wound down when the batch at hand has been read: the
	// channels end, the client is told, and gets closeWait to answer.
	wind()

	// cut ends the connection without a word. Reading ends with an error.
	cut()
}

// init gives s its link. The carrier is also what the outbox writes to.
func (w *webSocket) init(s *Socket, carry carrier, conn writer) {
	w.Socket, w.carry = s, carry
	w.frames.max = s.mount.MaxFrame
	if s.deflates {
		w.frames.flates = &s.srv.flates
	}
	w.out.conn, w.out.limit, w.out.pool = conn, s.mount.QueueBytes, &s.srv.buffers
	s.link = w
}

func (w *webSocket) push(binary bool, text []byte) {
	if !w.deflates || len(text) < deflateAbove {
		w.attended(w.out.pushMessage(opCode(binary), text))
		return
	}
	b := w.srv.scratch.Get().(*scratch)
	b.frame = appendDeflated(b.frame[:0], &w.srv.flates, opCode(binary), text)
	w.attended(w.out.push(b.frame))
	w.srv.release(b)
}

func (w *webSocket) pushShared(e *encoded) {
	frame := &e.frame
	if w.deflates && len(e.text) >= deflateAbove {
		frame = e.deflated(&w.srv.flates)
	}
	w.attended(w.out.pushShared(frame))
}

func (w *webSocket) pushLast(frame []byte) { w.attended(w.out.pushLast(frame)) }

// attended sees to the outbox after a push.
func (w *webSocket) attended(unattended bool, err error) {
	if unattended {
		w.carry.attend()
	}
	w.failed(err)
}

// failed gives up the connection if err says that nothing can be said on it any
// more. It may be called under a topic's lock, so it only notes why.
func (w *webSocket) failed(err error) {
	if err == nil {
		return
	}
	if errors.Is(err, errSlowClient) {
		w.slow.Store(true)
	}
	w.carry.cut()
}

func (w *webSocket) abort() { w.carry.cut() }

// handle takes what was read: it calls consume, and writes at once what comes of
// that. What comes in meanwhile gets a writer of its own: a busy topic must not keep
// the reader from reading.
func (w *webSocket) handle(b []byte) (used, need int, err error) {
	w.out.cork()
	w.pace = pace{}
	used, need, err = w.consume(b)
	w.uncork()
	return used, need, err
}

func (w *webSocket) uncork() {
	if !w.out.uncork() {
		return
	}
	w.wrote(w.out.writeBatch())
}

// wrote follows a write. What has come meanwhile is written in its turn, behind what
// other connections have.
func (w *webSocket) wrote(p progress, err error) {
	if p == progressMore {
		w.carry.attend()
	}
	w.failed(err)
}

// unplug is for the reader that may not come back soon: what waits for it to flush
// is to be written without it.
func (w *webSocket) unplug() {
	if w.out.uncork() {
		w.carry.attend()
	}
}

// finish is what follows the end of reading, for which err is the reason: the
// channels end, and so does the connection. It blocks until the callbacks at work
// have ended.
func (w *webSocket) finish(err error) {
	w.log.Debug("connection ended", "err", err)
	if w.answer != nil {
		w.endChannels()
		w.pushLast(w.answer)
	}
	if !errors.Is(err, errClosedByClient) || !w.out.leaveToWriter() {
		w.out.close()
		w.carry.cut()
	}
	if w.slow.Load() {
		w.log.Warn("client cut off: it does not read fast enough", "code", "SLOW_CLIENT", "limit", w.mount.QueueBytes, "key", "mount.queue_bytes")
		w.srv.stats.slowClients.Add(1)
	}
	w.endChannels()
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

// tooIdle closes a socket that has sent nothing for as long as its mount allows.
// Phoenix closes with 1002 or 1000 by adapter; phoenix.js before 1.8.16 stays away
// after 1000.
func (w *webSocket) tooIdle() {
	reason := fmt.Sprintf("idle for longer than %s (mount.idle_timeout)", w.mount.IdleTimeout)
	w.close(ws.StatusProtocolError, reason, abi.ReasonHeartbeatTimeout)
}

// message takes one message from the frame reader.
func (w *webSocket) message(op ws.OpCode, payload []byte) error {
	if err := w.receive(payload, op == ws.OpBinary); err != nil {
		return closeFor(err)
	}
	w.pace.step(batchLook, w.detach)
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
			w.attended(w.out.pushMessage(ws.OpPong, payload))
		}
	case ws.OpClose:
		w.answer = appendFrame(nil, ws.OpClose, closeEcho(payload))
		if w.closing.Swap(true) { // ours, unless it is queued already
			w.answer = w.closeFrame()
		}
		return errClosedByClient
	}
	return nil
}

// hangUp tells the client, at once or when the channels have ended, and has the
// socket wound down.
func (w *webSocket) hangUp(f *farewell) {
	if !f.patient() {
		w.sayClose()
	}
	w.carry.wind()
}

// windDown ends the channels and tells the client, if it has not been told. It
// blocks until the callbacks at work have ended.
func (w *webSocket) windDown() {
	w.endChannels()
	w.sayClose()
}

func (w *webSocket) sayClose() { w.pushLast(w.closeFrame()) }

func (w *webSocket) closeFrame() []byte {
	return appendCloseFrame(nil, w.farewell.code, w.farewell.reason)
}
