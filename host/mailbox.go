package host

import (
	"sync"

	"github.com/aviary-host/aviary/abi"
)

// mailKind says what a piece of mail makes a channel do.
type mailKind uint8

const (
	mailIn        mailKind = iota // handle_in
	mailLeave                     // phx_leave
	mailInfo                      // handle_info
	mailOut                       // handle_out of an intercepted broadcast
	mailPush                      // server push to this channel's client
	mailEnd                       // end for a reason of the host
	mailRenew                     // move to another generation, or end
	mailKill                      // end as if crashed, without terminate
	mailOverflown                 // the mailbox was full: end with an error
)

// mail is one message for a channel. It owns its bytes.
type mail struct {
	kind    mailKind
	info    abi.InfoKind
	reason  abi.Reason
	event   string
	payload []byte
	source  string
	ref     []byte
	binary  bool // payload is raw bytes, not JSON text
	fan     *Fanout
	timer   *timer
}

// mailbox makes the callbacks of one channel happen one after the other. There
// is no goroutine to it: the one who finds it idle becomes the runner, runs
// what it came with, then what others left meanwhile. The zero value is idle. One
// that is idle holds nothing.
type mailbox struct {
	mu      sync.Mutex
	changed *sync.Cond // when mail is taken, and at the end; nil while nobody waits for that
	left    *backlog   // nil when there is none
	busy    bool
	closed  bool
}

// backlog is the mail that waits.
type backlog struct {
	urgent *mail // comes before queue
	queue  []mail
	bytes  int // of the mail in queue
}

// size is what a piece of mail counts for: the bytes that it owns, and itself.
func (m *mail) size() int {
	n := mailOverhead + len(m.event) + len(m.payload) + len(m.source) + len(m.ref)
	if m.fan != nil {
		n += len(m.fan.payload) // shared, but perhaps held by nobody else any more
	}
	return n
}

// mailOverhead is about what a mail takes in the queue, in bytes.
const mailOverhead = 160

func (b *mailbox) fullLocked() bool {
	return b.left != nil && (len(b.left.queue) >= maxMailbox || b.left.bytes >= maxMailboxBytes)
}

// leftLocked returns the backlog to add to.
func (b *mailbox) leftLocked() *backlog {
	if b.left == nil {
		b.left = new(backlog)
	}
	return b.left
}

// waitLocked waits until something has changed.
func (b *mailbox) waitLocked() {
	if b.changed == nil {
		b.changed = sync.NewCond(&b.mu)
	}
	b.changed.Wait()
}

// changedLocked wakes all who wait. They make a new Cond if they go on waiting.
func (b *mailbox) changedLocked() {
	if b.changed != nil {
		b.changed.Broadcast()
		b.changed = nil
	}
}

// enter makes the caller the runner if nobody is and nothing waits. It must
// then call done.
func (b *mailbox) enter() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.busy || b.closed {
		return false
	}
	b.busy = true
	return true
}

// add leaves m for the runner. A runner is due when it reports start: then the
// caller must see to it that run is called. It reports ok false when the
// mailbox is full or closed.
func (b *mailbox) add(m mail, bounded bool) (start, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || bounded && b.fullLocked() {
		return false, false
	}
	left := b.leftLocked()
	left.queue = append(left.queue, m)
	left.bytes += m.size()
	start = !b.busy
	b.busy = true
	return start, true
}

// interrupt leaves m to be handled before all that waits. m is to end the
// channel, so of several the first counts.
func (b *mailbox) interrupt(m mail) (start bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.left != nil && b.left.urgent != nil {
		return false
	}
	b.leftLocked().urgent = &m
	start = !b.busy
	b.busy = true
	return start
}

// isClosed tells whether mail is taken no more.
func (b *mailbox) isClosed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}

// addWhenRoom is add for the one sender that can wait: the reader of the
// channel's own socket, which in turn makes its client wait. If it has to, it
// calls detach before.
func (b *mailbox) addWhenRoom(m mail, detach func()) (start, ok bool) {
	b.mu.Lock()
	if !b.closed && b.fullLocked() {
		b.mu.Unlock()
		detach()
		b.mu.Lock()
	}
	for !b.closed && b.fullLocked() {
		b.waitLocked()
	}
	b.mu.Unlock()
	return b.add(m, false)
}

// next returns the oldest mail; without any the caller is no longer the runner.
func (b *mailbox) next() (m mail, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.changedLocked()
	if b.left == nil {
		b.busy = false
		return mail{}, false
	}
	m = b.left.take()
	if b.left.urgent == nil && len(b.left.queue) == 0 {
		b.left = nil
	}
	return m, true
}

// take returns the mail that comes first, of which there must be some.
func (l *backlog) take() (m mail) {
	if l.urgent != nil {
		m, l.urgent = *l.urgent, nil
		return m
	}
	m = l.queue[0]
	l.bytes -= m.size()
	l.queue[0] = mail{}
	l.queue = l.queue[1:]
	return m
}

// pending tells whether mail waits. Only the runner may ask.
func (b *mailbox) pending() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left != nil {
		return true
	}
	b.busy = false
	b.changedLocked()
	return false
}

// close takes no more mail and returns what waits. Only the runner may close.
func (b *mailbox) close() (left []mail) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left != nil {
		left = b.left.queue
	}
	b.closed, b.left = true, nil
	b.changedLocked()
	return left
}

// wait blocks until the mailbox is closed.
func (b *mailbox) wait() {
	b.mu.Lock()
	for !b.closed {
		b.waitLocked()
	}
	b.mu.Unlock()
}
