package host

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aviary-host/aviary/abi"
)

// TestMailboxRunsOneAtATime: many senders, one runner at any time, nothing lost,
// and each sender's mail in its order.
func TestMailboxRunsOneAtATime(t *testing.T) {
	const senders, each = 8, 2000
	var box mailbox
	var running atomic.Int32
	var runners, sending sync.WaitGroup
	last := make([]int, senders) // owned by the runner
	got := 0
	handle := func(m *mail) {
		if running.Add(1) != 1 {
			t.Error("two runners at once")
		}
		sender, n := int(m.info), int(m.reason)
		if n != last[sender]+1 {
			t.Errorf("sender %d: %d came after %d", sender, n, last[sender])
		}
		last[sender] = n
		got++
		running.Add(-1)
	}
	run := func() {
		for {
			m, ok := box.next()
			if !ok {
				return
			}
			handle(&m)
		}
	}
	for s := range senders {
		sending.Go(func() {
			for n := 1; n <= each; n++ {
				m := mail{info: abi.InfoKind(s), reason: abi.Reason(n)}
				if s == 0 && box.enter() { // as the reader does
					handle(&m)
					if box.pending() {
						runners.Go(run)
					}
					continue
				}
				if start, ok := box.addWhenRoom(m, stay); ok && start {
					runners.Go(run)
				}
			}
		})
	}
	sending.Wait()
	runners.Wait()
	if got != senders*each {
		t.Errorf("%d of %d were handled", got, senders*each)
	}
	if box.left != nil || box.changed != nil || box.busy {
		t.Errorf("left behind: %+v, waited for %v, busy %v", box.left, box.changed != nil, box.busy)
	}
}

func TestMailboxIsBounded(t *testing.T) {
	fill := func(payload int) (n int) {
		var box mailbox
		if !box.enter() {
			t.Fatal("not idle at first")
		}
		for {
			if _, ok := box.add(mail{payload: make([]byte, payload)}, true); !ok {
				return n
			}
			n++
		}
	}
	if n := fill(0); n != maxMailbox {
		t.Errorf("%d small ones fit, want %d", n, maxMailbox)
	}
	if n := fill(64 << 10); n != 16 {
		t.Errorf("%d of 64 KiB fit, want 16", n)
	}
}

// TestMailboxClosedLetsEverybodyGo: who waits for room or for the end returns.
func TestMailboxClosedLetsEverybodyGo(t *testing.T) {
	var box mailbox
	if !box.enter() {
		t.Fatal("not idle at first")
	}
	for range maxMailbox {
		box.add(mail{}, true)
	}
	var waiting sync.WaitGroup
	waiting.Go(func() {
		if _, ok := box.addWhenRoom(mail{}, stay); ok {
			t.Error("a closed mailbox took mail")
		}
	})
	waiting.Go(box.wait)
	box.close()
	waiting.Wait()
	if box.enter() {
		t.Error("a closed mailbox has a runner")
	}
	if m, ok := box.next(); ok {
		t.Errorf("a closed mailbox gave %+v", m)
	}
}
