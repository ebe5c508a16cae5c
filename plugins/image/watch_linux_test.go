package image

import (
	"bytes"
	"math/rand/v2"
	"os"
	"runtime"
	"syscall"
	"testing"
)

// watchedMemory is a memory of some pages, by a method that can be watched.
func watchedMemory(t *testing.T, pages int) (*Memory, []byte) {
	t.Helper()
	before := make([]byte, pages*os.Getpagesize())
	for i := range before {
		before[i] = byte(i / 7)
	}
	i, err := New(before, Scan)
	if err != nil {
		t.Skip("no PAGEMAP_SCAN: ", err)
	}
	if !i.counted {
		t.Fatal("this kernel has PAGEMAP_SCAN, and counts no page faults")
	}
	m, err := i.Map()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		if err := i.Close(); err != nil {
			t.Error(err)
		}
	})
	return m, before
}

// reset puts m back and tells whether the kernel was asked.
func reset(t *testing.T, m *Memory) (asked bool) {
	t.Helper()
	m.pages.arg = scanArg{}
	if err := m.Reset(); err != nil {
		t.Fatal(err)
	}
	return m.pages.arg.size != 0
}

// TestWatchSavesTheScan: the kernel is asked when a page is written for the first time,
// whoever writes it, and hardly ever else.
func TestWatchSavesTheScan(t *testing.T) {
	m, before := watchedMemory(t, 64)
	page := os.Getpagesize()
	m.data[3*page]++
	if !reset(t, m) {
		t.Error("not asked the first time")
	}
	asked := 0
	const rounds = 200
	for range rounds {
		m.Watch()
		m.data[3*page+5]++
		if reset(t, m) {
			asked++
		}
	}
	if asked > rounds/2 { // the thread may have page faults of its own
		t.Errorf("asked %d times of %d where nothing new was written", asked, rounds)
	}

	m.Watch()
	m.data[9*page]++
	if !reset(t, m) {
		t.Error("not asked when a page was new")
	}
	m.data[9*page]++
	if !reset(t, m) {
		t.Error("not asked when nobody watched")
	}
	m.Watch()
	m.Unwatch()
	if !reset(t, m) {
		t.Error("not asked when the watch was given up")
	}

	var pipe [2]int
	if err := syscall.Pipe(pipe[:]); err != nil {
		t.Fatal(err)
	}
	if _, err := syscall.Write(pipe[1], []byte("written by the kernel")); err != nil {
		t.Fatal(err)
	}
	m.Watch()
	if _, err := syscall.Read(pipe[0], m.data[20*page:21*page]); err != nil {
		t.Fatal(err)
	}
	if !reset(t, m) {
		t.Error("not asked when the kernel wrote a new page")
	}
	for _, fd := range pipe {
		if err := syscall.Close(fd); err != nil {
			t.Error(err)
		}
	}
	if !bytes.Equal(m.data, before) {
		t.Error("not put back")
	}
}

// TestWatchedMemoriesArePutBack: whatever is written, on whatever thread, beside others
// that do the same and cause faults of their own.
func TestWatchedMemoriesArePutBack(t *testing.T) {
	done := make(chan struct{})
	for worker := range 4 {
		m, before := watchedMemory(t, 2*MaxCopied)
		go func() {
			defer func() { done <- struct{}{} }()
			rnd := rand.New(rand.NewPCG(uint64(worker), 7))
			for range 500 {
				if rnd.IntN(10) > 0 {
					m.Watch()
				}
				writes := rnd.IntN(4)
				if rnd.IntN(50) == 0 {
					writes = len(m.data) / 4096 // more than are copied
				}
				for range writes {
					m.data[min(rnd.IntN(len(m.data)), rnd.IntN(len(m.data)), rnd.IntN(len(m.data)))]++
					if rnd.IntN(4) == 0 {
						runtime.Gosched()
					}
				}
				if rnd.IntN(20) == 0 {
					m.Unwatch()
				}
				if err := m.Reset(); err != nil || !bytes.Equal(m.data, before) {
					t.Errorf("not put back: %v", err)
					return
				}
			}
		}()
	}
	for range 4 {
		<-done
	}
}
