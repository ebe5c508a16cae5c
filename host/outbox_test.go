package host

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// outboxOver makes an outbox over one end of a pipe, whose writes wait for the
// reader.
func outboxOver(conn net.Conn, limit int) (o *outbox, failed chan error, running *sync.WaitGroup) {
	failed = make(chan error, 8)
	running = &sync.WaitGroup{}
	o = &outbox{
		conn: conn, limit: limit,
		pool: &sync.Pool{New: func() any { return new([]byte) }},
		away: new(atomic.Int32),
		fail: func(err error) { failed <- err },
	}
	o.start = func() { running.Go(o.flush) }
	return o, failed, running
}

// TestOutboxKeepsOrder: frames small and large, shared and not, corked and not,
// arrive whole and in the order in which they were pushed, also while a write
// is under way.
func TestOutboxKeepsOrder(t *testing.T) {
	near, far := net.Pipe()
	o, _, running := outboxOver(near, 1<<30)
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
		o.push(frame, shared)
		if !shared {
			clear(frame) // it was copied
		}
		switch rnd.IntN(10) {
		case 0:
			o.cork()
		case 1, 2:
			o.uncork()
		}
	}
	o.uncork()
	running.Wait()
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
	o, failed, running := outboxOver(near, 1000)
	for range 100 {
		o.push(make([]byte, 100), false) // nobody reads
	}
	if err := <-failed; !errors.Is(err, errSlowClient) {
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
	running.Wait()
	o.push([]byte("more"), false)
	if len(o.chunks) != 0 || o.tail != nil {
		t.Error("a closed outbox took a frame")
	}
}

func TestNothingFollowsTheCloseFrame(t *testing.T) {
	near, far := net.Pipe()
	o, _, running := outboxOver(near, 1000)
	o.cork()
	o.push([]byte("a"), false)
	o.pushLast([]byte("close"))
	o.push([]byte("b"), false)
	o.pushLast([]byte("close again"))
	got := make(chan []byte, 1)
	go func() {
		all, err := io.ReadAll(far)
		if err != nil {
			t.Error(err)
		}
		got <- all
	}()
	o.uncork()
	running.Wait()
	if err := near.Close(); err != nil {
		t.Error(err)
	}
	if s := string(<-got); s != "aclose" {
		t.Errorf("sent %q", s)
	}
}
