package host

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"testing"
)

// attendedOutbox is an outbox with goroutines that see to it.
type attendedOutbox struct {
	outbox
	failed  chan error
	running sync.WaitGroup
}

// pipeWriter writes to one end of a pipe, which waits for the reader of the other.
type pipeWriter struct{ net.Conn }

func (p pipeWriter) write(chunks [][]byte) (rest [][]byte, err error) {
	buffers := net.Buffers(chunks)
	_, err = buffers.WriteTo(p.Conn)
	return nil, err
}

func (pipeWriter) awaitRoom() {}

// outboxOver makes an outbox over one end of a pipe.
func outboxOver(conn net.Conn, limit int) *attendedOutbox {
	return newAttended(pipeWriter{conn}, limit)
}

func newAttended(conn writer, limit int) *attendedOutbox {
	o := &attendedOutbox{failed: make(chan error, 8)}
	o.conn, o.limit, o.pool = conn, limit, &sync.Pool{New: func() any { return new([]byte) }}
	return o
}

func (o *attendedOutbox) note(err error) {
	if err != nil {
		o.failed <- err
	}
}

func (o *attendedOutbox) attend(unattended bool, err error) {
	o.note(err)
	if unattended {
		o.running.Go(func() { o.note(o.flush()) })
	}
}

// release is uncork and what follows.
func (o *attendedOutbox) release() {
	if o.uncork() {
		o.note(o.flush())
	}
}

// TestOutboxKeepsOrder: frames small and large, shared and not, corked and not,
// arrive whole and in the order in which they were pushed, also while a write
// is under way.
func TestOutboxKeepsOrder(t *testing.T) {
	near, far := net.Pipe()
	o := outboxOver(near, 1<<30)
	rnd := rand.New(rand.NewPCG(5, 6))
	var want []byte
	got := make(chan []byte, 1)
	go func() {
		all, err := io.ReadAll(far)
		if err != nil {
			t.Error(err)
		}
		got <- all
	}()
	for i := range 3000 {
		size := 1 + rnd.IntN(200)
		if rnd.IntN(20) == 0 {
			size = copyBelow + rnd.IntN(5000)
		}
		frame := bytes.Repeat([]byte{byte(i)}, size)
		want = append(want, frame...)
		shared := rnd.IntN(2) == 0
		if shared {
			o.attend(o.pushShared(&frame))
		} else {
			o.attend(o.push(frame))
		}
		if !shared {
			clear(frame) // it was copied
		}
		switch rnd.IntN(10) {
		case 0:
			o.cork()
		case 1, 2:
			o.release()
		}
	}
	o.release()
	o.running.Wait()
	if err := near.Close(); err != nil {
		t.Error(err)
	}
	if all := <-got; !bytes.Equal(all, want) {
		t.Errorf("%d bytes arrived, %d were pushed, or not in this order", len(all), len(want))
	}
}

// TestOutboxIsBounded: what waits never exceeds the limit by more than a frame; the client that lets
// it come to that is given up, once, and nothing follows.
func TestOutboxIsBounded(t *testing.T) {
	near, far := net.Pipe()
	o := outboxOver(near, 1000)
	for range 100 {
		o.attend(o.push(make([]byte, 100))) // nobody reads
	}
	if err := <-o.failed; !errors.Is(err, errSlowClient) {
		t.Error(err)
	}
	o.mu.Lock()
	waiting := o.bytes
	o.mu.Unlock()
	if waiting > 1100 {
		t.Errorf("%d bytes wait", waiting)
	}
	if err := errors.Join(near.Close(), far.Close()); err != nil {
		t.Error(err)
	}
	o.running.Wait()
	o.attend(o.push([]byte("more")))
	if len(o.chunks) != 0 || o.tail != nil || o.numRefs > 0 {
		t.Error("a closed outbox took a frame")
	}
}

func TestNothingFollowsTheCloseFrame(t *testing.T) {
	near, far := net.Pipe()
	o := outboxOver(near, 1000)
	o.cork()
	o.attend(o.push([]byte("a")))
	o.attend(o.pushLast([]byte("close")))
	o.attend(o.push([]byte("b")))
	o.attend(o.pushLast([]byte("close again")))
	got := make(chan []byte, 1)
	go func() {
		all, err := io.ReadAll(far)
		if err != nil {
			t.Error(err)
		}
		got <- all
	}()
	o.release()
	o.running.Wait()
	if err := near.Close(); err != nil {
		t.Error(err)
	}
	if s := string(<-got); s != "aclose" {
		t.Errorf("sent %q", s)
	}
}

// await waits for a condition of the outbox, which nobody announces.
func (o *attendedOutbox) await(condition func() bool) {
	for {
		o.mu.Lock()
		ok := condition()
		o.mu.Unlock()
		if ok {
			return
		}
		runtime.Gosched()
	}
}
