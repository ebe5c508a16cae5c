package host

import (
	"errors"
	"sync"
	"time"

	"github.com/gobwas/ws"
)

// writeTimeout bounds one write to a client that has stopped reading, give or
// take an eighth.
const writeTimeout = 10 * time.Second

const (
	// copyBelow is the length under which a shared frame is copied behind its
	// neighbours rather than kept as a reference: one write of many small
	// frames costs less than a vector of them.
	copyBelow = 4 << 10
	// keepBuffer is the largest buffer that goes back to the pool.
	keepBuffer = 64 << 10
	// maxRefs is how many shared frames wait as references.
	maxRefs = 8
)

// writer is the connection under an outbox. Only whoever is the outbox's writer
// calls it.
type writer interface {
	// write writes chunks one after the other, and returns what the connection
	// has no room for now. It may change chunks.
	write(chunks [][]byte) (rest [][]byte, err error)

	// awaitRoom has resume called when there is room again.
	awaitRoom()
}

// outbox is the bounded queue of frames that wait to be written to a
// connection, in wire order. push never blocks and never writes, but tells when
// nobody sees to the queue: then its caller must see to it that flush is called.
// Whoever writes is the writer, which is one at a time.
//
// Frames that all members of a topic get wait as references while there are few and
// no others, so that broadcasts to many cost no buffers: they are put together when
// they are written.
type outbox struct {
	conn  writer
	limit int        // bytes; exceeded by one frame at most
	pool  *sync.Pool // of *[]byte

	mu      sync.Mutex
	refs    [maxRefs]*[]byte // shared frames, which are all there is
	numRefs int
	chunks  [][]byte // otherwise: to write, in order; never the tail
	tail    *[]byte  // owned buffer that small frames are appended to
	tailAt  int      // bytes of tail that are in chunks already
	bytes   int      // queued; what the writer has taken is as much again at most
	corked  bool     // the reader will flush when it has handled its batch
	writing bool     // somebody is the writer, or is to be
	last    bool     // the close frame is queued; nothing may follow it
	hangUp  bool     // the writer ends the connection when all is written
	closed  bool
	blocked time.Time // since when the connection has no room for what is in rest; zero if it has

	// Owned by the writer.
	one      [1][]byte // chunks of the usual write, so that it allocates nothing
	rest     [][]byte  // what the connection had no room for
	restTail *[]byte   // the buffer that part of it lies in
}

var errHungUp = errors.New("closed by the client, all is written")

// push queues a whole frame, which is copied. Once the outbox is closed frames are
// dropped: there is nobody to send them to.
//
// unattended tells that flush has to be called. After an error, which comes once,
// the outbox is closed.
func (o *outbox) push(frame []byte) (unattended bool, err error) {
	return o.add(nil, frame, nil, false)
}

// pushShared is push for a frame that nobody changes any more. It is kept.
func (o *outbox) pushShared(frame *[]byte) (unattended bool, err error) {
	return o.add(nil, nil, frame, false)
}

// pushMessage queues one message as a frame of its own. It is copied.
func (o *outbox) pushMessage(op ws.OpCode, payload []byte) (unattended bool, err error) {
	var head [maxFrameHeader]byte
	return o.add(appendFrameHeader(head[:0], op, len(payload)), payload, nil, false)
}

// pushLast queues the close frame: RFC 6455 section 5.5.1 lets nothing follow.
func (o *outbox) pushLast(frame []byte) (unattended bool, err error) {
	return o.add(nil, frame, nil, true)
}

// add queues a frame: head and frame, or shared.
func (o *outbox) add(head, frame []byte, shared *[]byte, last bool) (unattended bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || o.last {
		return false, nil
	}
	o.last = last
	// What counts is what waits already, behind what is being written: a frame
	// may be longer than the limit, and that does not make its receiver slow.
	if o.bytes >= o.limit {
		o.closeLocked()
		return false, errSlowClient
	}
	if shared != nil {
		o.queueSharedLocked(shared)
		o.bytes += len(*shared)
	} else {
		o.spillLocked()
		o.appendTail(head, frame)
		o.bytes += len(head) + len(frame)
	}
	unattended = !o.writing && !o.corked
	o.writing = o.writing || unattended
	return unattended, nil
}

func (o *outbox) queueSharedLocked(frame *[]byte) {
	if o.tail == nil && o.chunks == nil && o.numRefs < maxRefs {
		o.refs[o.numRefs] = frame
		o.numRefs++
		return
	}
	o.spillLocked()
	o.queueLocked(*frame)
}

// spillLocked makes of references what waits beside frames that are copied.
func (o *outbox) spillLocked() {
	for i, frame := range o.refs[:o.numRefs] {
		o.queueLocked(*frame)
		o.refs[i] = nil
	}
	o.numRefs = 0
}

// queueLocked queues a shared frame, of which a small one is copied.
func (o *outbox) queueLocked(frame []byte) {
	if len(frame) < copyBelow {
		o.appendTail(nil, frame)
		return
	}
	o.sealTail()
	o.chunks = append(o.chunks, frame)
}

func (o *outbox) appendTail(head, frame []byte) {
	if o.tail == nil {
		o.tail = o.pool.Get().(*[]byte)
	}
	*o.tail = append(append(*o.tail, head...), frame...)
}

// sealTail makes a chunk of what was appended to the tail since the last one.
func (o *outbox) sealTail() {
	if o.tail == nil || len(*o.tail) == o.tailAt {
		return
	}
	o.chunks = append(o.chunks, (*o.tail)[o.tailAt:])
	o.tailAt = len(*o.tail)
}

// cork tells that the caller will flush soon, so that nobody else need do it,
// until uncork or unplug.
func (o *outbox) cork() {
	o.mu.Lock()
	o.corked = true
	o.mu.Unlock()
}

// uncork ends what cork began, and makes the caller the writer if something is
// queued and nobody is: then it must call writeBatch.
func (o *outbox) uncork() (writer bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.corked = false
	writer = !o.writing && o.bytes > 0 && !o.closed
	o.writing = o.writing || writer
	return writer
}

// progress is what has become of the writer.
type progress uint8

const (
	progressDone    progress = iota // there was no more to write: the caller is not the writer any more
	progressMore                    // more has come meanwhile, and the caller is still the writer
	progressBlocked                 // awaitRoom was called: who calls resume is the next writer
)

// flush writes until the queue is empty or the connection has no room. The
// caller is the writer, and is not afterwards. After an error, which comes once,
// the outbox is closed.
func (o *outbox) flush() error {
	for {
		p, err := o.writeBatch()
		if p != progressMore {
			return err
		}
	}
}

// writeBatch writes what is queued. The caller is the writer.
func (o *outbox) writeBatch() (progress, error) {
	o.mu.Lock()
	if o.closed {
		o.writing = false
		o.mu.Unlock()
		return progressDone, nil
	}
	chunks, tail := o.takeLocked()
	o.mu.Unlock()
	return o.write(chunks, tail)
}

// resume goes on with what the connection had no room for, as writeBatch does with
// what is queued. It does nothing if nobody waits for room.
func (o *outbox) resume() (progress, error) {
	o.mu.Lock()
	waits := !o.blocked.IsZero()
	o.blocked = time.Time{}
	o.mu.Unlock()
	if !waits {
		return progressDone, nil
	}
	rest, tail := o.rest, o.restTail
	o.rest, o.restTail = nil, nil
	return o.write(rest, tail)
}

// write writes chunks, part of which may lie in tail.
func (o *outbox) write(chunks [][]byte, tail *[]byte) (progress, error) {
	rest, err := o.conn.write(chunks)
	if len(rest) > 0 && err == nil {
		o.rest, o.restTail = rest, tail
		if o.block() {
			o.conn.awaitRoom()
		}
		return progressBlocked, nil
	}
	o.one[0] = nil
	recycle(o.pool, tail)
	return o.written(err)
}

// block notes that the connection has no room; false if it is given up anyway.
func (o *outbox) block() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		o.writing = false
		return false
	}
	o.blocked = time.Now()
	return true
}

// written goes on after a write.
func (o *outbox) written(err error) (progress, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err == nil && o.bytes == 0 && o.hangUp {
		err = errHungUp
	}
	if err == nil && !o.closed && o.bytes > 0 {
		return progressMore, nil
	}
	o.writing = false
	if err == nil || o.closed {
		return progressDone, nil
	}
	o.closeLocked()
	return progressDone, err
}

// takeLocked takes what is queued, and the buffer that part of it lies in.
func (o *outbox) takeLocked() (chunks [][]byte, tail *[]byte) {
	if o.numRefs == 1 {
		o.one[0] = *o.refs[0]
		o.refs[0], o.numRefs, o.bytes = nil, 0, 0
		return o.one[:], nil
	}
	o.spillLocked()
	if len(o.chunks) == 0 {
		o.one[0] = *o.tail
		chunks = o.one[:]
	} else {
		o.sealTail()
		chunks = o.chunks
	}
	tail = o.tail
	o.chunks, o.tail, o.tailAt, o.bytes = nil, nil, 0, 0
	return chunks, tail
}

// recycle gives a buffer back, if there is one, unless it has grown past what is worth
// keeping.
func recycle(pool *sync.Pool, b *[]byte) {
	if b == nil || cap(*b) > keepBuffer {
		return
	}
	*b = (*b)[:0]
	pool.Put(b)
}

// takeBuffer takes an empty buffer with room for n bytes, which may be kept for long
// and so is not much larger.
func (s *Server) takeBuffer(n int) *[]byte {
	b := s.buffers.Get().(*[]byte)
	if cap(*b) < n || cap(*b) > max(4*n, readBufferSize) {
		recycle(&s.buffers, b)
		own := make([]byte, 0, n)
		b = &own
	}
	return b
}

// isStuck tells whether the client has taken nothing since a time. It closes the
// outbox if so, once.
func (o *outbox) isStuck(since time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || o.blocked.IsZero() || o.blocked.After(since) {
		return false
	}
	o.closeLocked()
	return true
}

// leaveToWriter leaves it to the writer at work to end the connection when all
// is written; false when there is none.
func (o *outbox) leaveToWriter() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.hangUp = o.writing && !o.closed
	return o.hangUp
}

// close drops what is queued and everything to come. Idempotent.
func (o *outbox) close() {
	o.mu.Lock()
	o.closeLocked()
	o.mu.Unlock()
}

func (o *outbox) closeLocked() {
	o.closed = true
	clear(o.refs[:o.numRefs])
	o.numRefs, o.chunks, o.tail, o.tailAt = 0, nil, nil, 0
}
