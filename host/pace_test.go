package host

import (
	"testing"
	"time"
)

// TestPace: who works for long lets go, and only who does.
func TestPace(t *testing.T) {
	let := 0
	letGo := func() { let++ }
	var p pace
	for range 3 * batchLook {
		p.step(batchLook, letGo)
		p.since = time.Now() // no time has passed
	}
	if let != 0 {
		t.Errorf("it let go %d times", let)
	}
	for range batchLook {
		p.since = time.Now().Add(-2 * longStint)
		p.step(batchLook, letGo)
	}
	if let != 1 {
		t.Errorf("it let go %d times, want once in %d steps", let, batchLook)
	}
	p = pace{}
	p.step(1, letGo)
	p.since = p.since.Add(-2 * longStint)
	p.step(1, letGo)
	if let != 2 {
		t.Errorf("it let go %d times, want at each step", let)
	}
}

// TestTakeBuffer: a little that waits for long does not keep a large buffer.
func TestTakeBuffer(t *testing.T) {
	s, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{1, readBufferSize, keepBuffer} {
		large := make([]byte, 0, keepBuffer)
		s.buffers.Put(&large)
		b := s.takeBuffer(size)
		if len(*b) != 0 || cap(*b) < size || cap(*b) > max(4*size, readBufferSize) {
			t.Errorf("for %d bytes: %d of %d", size, len(*b), cap(*b))
		}
	}
}
