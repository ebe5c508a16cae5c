package plugins_test

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"testing"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/plugins"
)

// soakCallbacks returns how many callbacks TestSoak runs: AVIARY_SOAK, if it is set (see
// make soak).
func soakCallbacks(t *testing.T) int {
	t.Helper()
	text := os.Getenv("AVIARY_SOAK")
	switch {
	case text == "" && raceEnabled:
		return 2_000
	case text == "":
		return 20_000
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 10 {
		t.Fatalf("AVIARY_SOAK is %q, not a number of at least 10", text)
	}
	return n
}

// What this process may have grown by between a tenth of the callbacks and all of them,
// which is what its run-time takes for itself. The guest may not have grown at all.
const (
	mostSoakHeap = 256 << 10
	mostSoakRSS  = 8 << 20
)

// footprint is the memory that there is at some time.
type footprint struct {
	heap, rss int64  // bytes, of this process
	pages     uint64 // of 64 KiB, of the guest
}

func (f footprint) String() string {
	return fmt.Sprintf("%d KiB of heap, %d KiB in all, %d pages of the guest", f.heap>>10, f.rss>>10, f.pages)
}

// TestSoak runs many callbacks of a guest in Go: memory stays flat, whether it is put back
// after each of them or not.
func TestSoak(t *testing.T) {
	total := soakCallbacks(t)
	for _, isolation := range []plugins.Isolation{plugins.IsolateCall, plugins.IsolateInstance} {
		t.Run(isolation.String(), func(t *testing.T) {
			p := load(t, echoGuest(t, "go-sdk"), plugins.Config{Instances: 1, Isolation: isolation})
			buf := soak(t, p, total/10, nil)
			early := footprintOf(t, p)
			soak(t, p, total-total/10, buf)
			late := footprintOf(t, p)
			t.Logf("after %d callbacks %v", total/10, early)
			t.Logf("after %d callbacks %v", total, late)
			if late.heap > early.heap+mostSoakHeap || !raceEnabled && late.rss > early.rss+mostSoakRSS {
				t.Errorf("this process has grown from %v to %v, at most %d and %d KiB more are in order", early, late, mostSoakHeap>>10, mostSoakRSS>>10)
			}
			if late.pages != early.pages {
				t.Errorf("the guest has grown from %d to %d pages", early.pages, late.pages)
			}
			if s := p.Stats(); s.Calls != int64(total) || s.InstancesMade > 2 { // one of which was for the picture
				t.Errorf("%d callbacks on %d instances", s.Calls, s.InstancesMade)
			}
		})
	}
}

// soak runs so many callbacks and returns the buffer that they need.
func soak(t *testing.T, p *plugins.Plugin, callbacks int, buf []byte) []byte {
	t.Helper()
	req := sandboxRequest()
	var resp abi.Response
	for n := range callbacks {
		var err error
		if buf, err = p.Handle(req, buf, &resp); err != nil || string(resp.Payload) != string(req.Payload) {
			t.Fatalf("callback %d answers %s: %v", n, resp.Payload, err)
		}
	}
	return buf
}

// footprintOf looks at the memory once all that need not be kept is given back.
func footprintOf(t *testing.T, p *plugins.Plugin) footprint {
	t.Helper()
	pages, err := p.GuestPages()
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC() // pools are emptied in two steps
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	var size, resident int64
	if text, err := os.ReadFile("/proc/self/statm"); err == nil { // of Linux
		if _, err := fmt.Sscan(string(text), &size, &resident); err != nil {
			t.Fatal(err)
		}
	}
	return footprint{heap: int64(m.HeapAlloc), rss: resident * int64(os.Getpagesize()), pages: pages}
}
