package host

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
)

// choosyWriter takes a few bytes at a time, and often none.
type choosyWriter struct {
	rnd  *rand.Rand
	got  bytes.Buffer
	room chan struct{} // told when somebody waits for room
}

func (w *choosyWriter) write(chunks [][]byte) (rest [][]byte, err error) {
	for len(chunks) > 0 && w.rnd.IntN(3) > 0 {
		n := min(1+w.rnd.IntN(300), len(chunks[0]))
		w.got.Write(chunks[0][:n])
		chunks = behind(chunks, n)
	}
	return chunks, nil
}

// resumed goes on as a loop does.
func (o *attendedOutbox) resumed() {
	p, err := o.resume()
	o.attend(p == progressMore, err)
}

func (w *choosyWriter) awaitRoom() { w.room <- struct{}{} }

// TestOutboxWaitsForRoom: what a connection has no room for is written when there is
// some, in order and once, whoever pushes meanwhile.
func TestOutboxWaitsForRoom(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 8))
	w := &choosyWriter{rnd: rand.New(rand.NewPCG(9, 10)), room: make(chan struct{}, 1)}
	o := newAttended(w, 1<<30)
	over := make(chan struct{})
	o.running.Go(func() {
		for {
			select {
			case <-w.room:
				o.resumed()
			case <-over:
				return
			}
		}
	})
	var want []byte
	for i := range 3000 {
		size := 1 + rnd.IntN(200)
		if rnd.IntN(20) == 0 {
			size = copyBelow + rnd.IntN(5000)
		}
		frame := bytes.Repeat([]byte{byte(i)}, size)
		want = append(want, frame...)
		if rnd.IntN(2) == 0 {
			o.attend(o.pushShared(&frame))
		} else {
			o.attend(o.push(frame))
		}
	}
	o.await(func() bool { return !o.writing && o.bytes == 0 })
	close(over)
	o.running.Wait()
	if !bytes.Equal(w.got.Bytes(), want) {
		t.Errorf("%d bytes arrived, %d were pushed, or not in this order", w.got.Len(), len(want))
	}
	if len(o.failed) > 0 {
		t.Error(<-o.failed)
	}
}

// TestOutboxClosedWhileItWaits: nobody is the writer any more, and nothing is kept.
func TestOutboxClosedWhileItWaits(t *testing.T) {
	w := &choosyWriter{room: make(chan struct{}, 1), rnd: rand.New(rand.NewPCG(0, 0))}
	o := newAttended(full{w}, 100)
	o.attend(o.push([]byte("frame")))
	o.running.Wait()
	<-w.room
	o.attend(o.push(make([]byte, 100))) // waits
	if _, err := o.push([]byte("one too many")); !errors.Is(err, errSlowClient) {
		t.Error(err)
	}
	o.resumed()
	if o.chunks != nil || o.tail != nil || len(o.failed) > 0 {
		t.Errorf("left %d chunks, tail %v, %d errors", len(o.chunks), o.tail, len(o.failed))
	}
}

// full takes nothing.
type full struct{ *choosyWriter }

func (full) write(chunks [][]byte) (rest [][]byte, err error) { return chunks, nil }

func TestBehind(t *testing.T) {
	chunks := func() [][]byte { return [][]byte{[]byte("one"), []byte("2"), []byte("three")} }
	all := bytes.Join(chunks(), nil)
	for n := range len(all) + 1 {
		if got := bytes.Join(behind(chunks(), n), nil); !bytes.Equal(got, all[n:]) {
			t.Errorf("behind %d: %q, want %q", n, got, all[n:])
		}
	}
}
