package host

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
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
)

// outbox is the bounded queue of frames that wait to be written to a
// connection, in wire order. push never blocks and never writes; whoever
// finds it unattended becomes the writer.
type outbox struct {
	conn  net.Conn
	limit int         // bytes; exceeded by one frame at most
	pool  *sync.Pool  // of *[]byte
	start func()      // starts a goroutine that calls flush
	fail  func(error) // called once, without the lock, when the outbox has ended by itself

	// away tells what may keep the reader from coming back and uncorking soon.
	away *atomic.Int32

	mu      sync.Mutex
	chunks  [][]byte // to write, in order; never the tail
	tail    *[]byte  // owned buffer that small frames are appended to
	tailAt  int      // bytes of tail that are in chunks already
	bytes   int      // queued; what the writer has taken is as much again at most
	corked  bool     // the reader will flush when it has handled its batch
	writing bool     // somebody is the writer
	last    bool     // the close frame is queued; nothing may follow it
	hangUp  bool     // the writer ends the connection when all is written
	closed  bool

	// Owned by the writer.
	one   [1][]byte // chunks of the usual write, so that it allocates nothing
	armed time.Time // when the write deadline was last set
}

var errHungUp = errors.New("closed by the client, all is written")

// push queues a whole frame. A shared frame is never changed afterwards by
// anybody and may be kept; an unshared one is copied. Once the outbox is
// closed frames are dropped: there is nobody to send them to.
func (o *outbox) push(frame []byte, shared bool) { o.add(nil, frame, shared, false) }

// pushMessage queues one message as a frame of its own. It is copied.
func (o *outbox) pushMessage(op ws.OpCode, payload []byte) {
	var head [maxFrameHeader]byte
	o.add(appendFrameHeader(head[:0], op, len(payload)), payload, false, false)
}

// pushLast queues the close frame: RFC 6455 section 5.5.1 lets nothing follow.
func (o *outbox) pushLast(frame []byte) { o.add(nil, frame, false, true) }

// add queues a frame, of which head may be apart from the rest unless it is
// shared.
func (o *outbox) add(head, frame []byte, shared, last bool) {
	o.mu.Lock()
	if o.closed || o.last {
		o.mu.Unlock()
		return
	}
	o.last = last
	// What counts is what waits already, behind what is being written: a frame
	// may be longer than the limit, and that does not make its receiver slow.
	if o.bytes >= o.limit {
		o.closeLocked()
		o.mu.Unlock()
		o.fail(errSlowClient)
		return
	}
	o.bytes += len(head) + len(frame)
	if shared && len(frame) >= copyBelow {
		o.sealTail()
		o.chunks = append(o.chunks, frame)
	} else {
		o.appendTail(head, frame)
	}
	wake := !o.writing && (!o.corked || o.away.Load() > 0)
	o.writing = o.writing || wake
	o.mu.Unlock()
	if wake {
		o.start()
	}
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

// cork tells that the caller will flush soon, so that push need not start a
// writer, unless a callback keeps the caller away.
func (o *outbox) cork() {
	o.mu.Lock()
	o.corked = true
	o.mu.Unlock()
}

// uncork writes what was queued since cork, in the caller's goroutine, unless
// another writer is at it. What comes in meanwhile gets a writer of its own: a
// busy topic must not keep the reader from reading.
func (o *outbox) uncork() {
	o.mu.Lock()
	o.corked = false
	if o.writing || o.bytes == 0 || o.closed {
		o.mu.Unlock()
		return
	}
	o.writing = true
	o.mu.Unlock()
	if o.writeBatch() {
		o.start()
	}
}

// flush writes until the queue is empty. The caller has set writing.
func (o *outbox) flush() {
	for o.writeBatch() {
	}
}

// writeBatch writes what is queued and tells whether the caller is still the
// writer, because more has come.
func (o *outbox) writeBatch() (more bool) {
	o.mu.Lock()
	if o.closed {
		o.writing = false
		o.mu.Unlock()
		return false
	}
	chunks, tail := o.takeLocked()
	o.mu.Unlock()

	err := o.write(chunks)
	o.one[0] = nil
	o.recycle(tail)
	return o.written(err)
}

// written goes on after a write.
func (o *outbox) written(err error) (more bool) {
	o.mu.Lock()
	if err == nil && o.bytes == 0 && o.hangUp {
		err = errHungUp
	}
	more = err == nil && !o.closed && o.bytes > 0
	o.writing = more
	ended := err != nil && !o.closed
	if ended {
		o.closeLocked()
	}
	o.mu.Unlock()
	if ended {
		o.fail(err)
	}
	return more
}

// takeLocked takes what is queued, and the buffer that part of it lies in.
func (o *outbox) takeLocked() (chunks [][]byte, tail *[]byte) {
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

func (o *outbox) write(chunks [][]byte) error {
	// The deadline is moved now and then rather than at each write, which
	// would cost as much as a tenth of it.
	if now := time.Now(); now.Sub(o.armed) > writeTimeout/8 {
		o.armed = now
		if err := o.conn.SetWriteDeadline(now.Add(writeTimeout + writeTimeout/8)); err != nil {
			return err
		}
	}
	if len(chunks) == 1 {
		_, err := o.conn.Write(chunks[0])
		return err
	}
	buffers := net.Buffers(chunks)
	_, err := buffers.WriteTo(o.conn)
	return err
}

func (o *outbox) recycle(tail *[]byte) {
	if tail == nil || cap(*tail) > keepBuffer {
		return
	}
	*tail = (*tail)[:0]
	o.pool.Put(tail)
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
	o.chunks, o.tail, o.tailAt = nil, nil, 0
}
