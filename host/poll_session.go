package host

import (
	"sync"
	"time"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/wire"
)

// pollSession is the link of a socket over HTTP requests that wait (phoenix
// transports/long_poll_server.ex). It has no goroutine of its own: one handles
// what POSTs brought for as long as there is some.
type pollSession struct {
	// Constant.
	*Socket
	token string
	over  chan struct{} // closed when there is nothing more to wait for

	mu        sync.Mutex
	out       []byte        // messages that wait for a GET: JSON strings, commas between them
	wake      chan struct{} // closed to wake the GET that waits; nil when none does
	gets      uint64        // how many there have been: of two at once the later one counts
	lastGet   time.Time
	idle      *time.Timer // looks whether GETs still come
	posts     []*post
	postBytes int           // of the messages in posts
	reading   bool          // a goroutine handles posts
	fetched   chan struct{} // closed when the last messages of an ending session were taken
	ended     bool          // nothing is taken or kept any more
	lost      bool          // the client will not fetch any more: nothing is kept for it
}

// post is what a POST brought, on its way to the channels.
type post struct {
	frames []postFrame
	bytes  int             // of the messages in frames
	done   chan pollStatus // buffered: whoever waits may have gone
	last   bool            // not a POST but the end of the session
}

// postFrame is one message of a POST. Its bytes are the post's own.
type postFrame struct {
	data   []byte
	binary bool
}

// maxPosts and maxPostBytes bound the POSTs that wait for their turn in one
// session. One may exceed what is left of the bytes. phoenix.js has one under
// way at a time.
const (
	maxPosts     = 16
	maxPostBytes = 1 << 20
)

// newPollSession gives s its link.
func newPollSession(s *Socket) *pollSession {
	p := &pollSession{Socket: s, lastGet: time.Now(), over: make(chan struct{})}
	p.token = s.srv.tokens.sign(s.id, p.lastGet)
	s.link = p
	return p
}

// open begins the session; false when the server is going down.
func (p *pollSession) open() bool {
	if !p.arrive() {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.ended { // a drain may have been as quick
		p.idle = time.AfterFunc(p.patience(), p.checkIdle)
	}
	return true
}

// patience is how long the session lives without a GET.
func (p *pollSession) patience() time.Duration { return p.mount.PollWindow * 3 / 2 }

// checkIdle ends a session to which no GET has come for long. POSTs do not
// count.
func (p *pollSession) checkIdle() {
	p.mu.Lock()
	left := p.patience() - time.Since(p.lastGet)
	if left > 0 && !p.ended {
		p.idle.Reset(left)
	}
	if left <= 0 {
		p.lost, p.out = true, nil // whoever comes now has missed the end
	}
	p.mu.Unlock()
	if left <= 0 {
		p.close(0, "no poll for one and a half poll windows", abi.ReasonHeartbeatTimeout)
	}
}

// push queues a message for the next GET. A session carries text only.
func (p *pollSession) push(_ bool, text []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.ended || p.lost: // what came behind a gap would look as if there was none
		return
	case len(p.out) >= p.mount.QueueBytes:
		p.overflowLocked()
		return
	case len(p.out) > 0:
		p.out = append(p.out, ',')
	}
	p.out = wire.AppendQuoted(p.out, string(text))
	p.wakeLocked()
}

func (p *pollSession) pushShared(e *encoded) { p.push(false, e.text) }

// overflowLocked gives up a client that does not fetch what waits for it.
func (p *pollSession) overflowLocked() {
	p.lost, p.out = true, nil
	p.srv.stats.slowClients.Add(1)
	p.srv.work.Go(func() { // a topic's lock may be held here
		p.log.Warn("client cut off: it does not read fast enough", "code", "SLOW_CLIENT", "limit", p.mount.QueueBytes, "key", "mount.queue_bytes")
		p.close(0, "queue_bytes exceeded", abi.ReasonHeartbeatTimeout)
	})
}

func (p *pollSession) wakeLocked() {
	if p.wake != nil {
		close(p.wake)
		p.wake = nil
	}
}

// poll answers a GET: with what waits, or what comes first within the window.
// Of two at once the later one gets the messages. The earlier one is not answered
// before its window is over: a client that has two by mistake, and polls again at
// each answer, would keep itself busy.
//
// hungUp tells whether the client has ended its connection. What would be written
// there stays for the next GET.
func (p *pollSession) poll(hungUp func() bool) (status pollStatus, messages []byte) {
	if hungUp() {
		return pollNothing, nil // comes late, and is not to stand in the way of its successor
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lastGet = time.Now()
	p.gets++
	turn := p.gets
	if len(p.out) == 0 && !p.ended && !p.awaitLocked(hungUp) {
		return pollNothing, nil
	}
	if len(p.out) == 0 || p.gets != turn {
		return pollNothing, nil
	}
	messages, p.out = p.out, nil
	p.fetchedLocked()
	return pollOK, messages
}

// awaitLocked waits, without the lock, until there is something to take or the
// window is over; false when the client has gone meanwhile.
func (p *pollSession) awaitLocked(hungUp func() bool) bool {
	wake := make(chan struct{})
	p.wake = wake
	p.mu.Unlock()
	timer := time.NewTimer(p.mount.PollWindow)
	select {
	case <-wake:
	case <-p.over:
	case <-timer.C:
	}
	timer.Stop()
	gone := hungUp()
	p.mu.Lock()
	if p.wake == wake {
		p.wake = nil
	}
	return !gone
}

// fetchedLocked lets a session go that waits for its last GET.
func (p *pollSession) fetchedLocked() {
	if p.fetched != nil {
		close(p.fetched)
		p.fetched = nil
	}
}

// submit hands what a POST brought to the channels and waits until each message
// has been taken by the socket, not by its channel, for a window at most.
func (p *pollSession) submit(frames []postFrame) pollStatus {
	b := &post{frames: frames, done: make(chan pollStatus, 1)}
	for i := range frames {
		b.bytes += len(frames[i].data)
	}
	if status := p.hand(b); status != pollOK {
		return status
	}
	timer := time.NewTimer(p.mount.PollWindow)
	defer timer.Stop()
	select {
	case status := <-b.done:
		return status
	case <-timer.C:
		return pollTimeout
	}
}

// hand leaves b for the goroutine that handles posts.
func (p *pollSession) hand(b *post) pollStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.ended || !b.last && p.closing.Load():
		return pollGone
	case !b.last && (len(p.posts) >= maxPosts || p.postBytes >= maxPostBytes):
		return pollTimeout
	}
	p.posts = append(p.posts, b)
	p.postBytes += b.bytes
	if !p.reading {
		p.reading = true
		p.srv.work.Go(p.read)
	}
	return pollOK
}

// read handles posts until there are none. It is the goroutine that reads.
func (p *pollSession) read() {
	for {
		b := p.next()
		switch {
		case b == nil:
			return
		case b.last:
			p.finish()
			return
		}
		b.done <- p.handle(b)
	}
}

func (p *pollSession) next() *post {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.posts) == 0 {
		p.posts, p.reading = nil, false
		return nil
	}
	b := p.posts[0]
	p.posts[0] = nil
	p.posts = p.posts[1:]
	p.postBytes -= b.bytes
	return b
}

// handle takes the messages of one POST. One that cannot be read ends the
// session, which Phoenix's client learns as a timeout (long_poll.ex).
func (p *pollSession) handle(b *post) pollStatus {
	for i := range b.frames {
		if !p.take(&b.frames[i]) {
			p.close(0, "", abi.ReasonClosed)
			return pollTimeout
		}
	}
	if p.closing.Load() {
		return pollGone
	}
	return pollOK
}

func (p *pollSession) take(f *postFrame) bool {
	if len(f.data) > p.mount.MaxFrame {
		p.tenant.clientFault(p.log, "message refused", "MESSAGE_TOO_BIG", "bytes", len(f.data), "limit", p.mount.MaxFrame, "key", "mount.max_frame")
		return false
	}
	return p.receive(f.data, f.binary) == nil
}

// hangUp has the goroutine that handles posts end the session behind them.
func (p *pollSession) hangUp(*farewell) { p.hand(&post{last: true}) }

// abort stops waiting for a client that is to fetch its last messages.
func (p *pollSession) abort() {
	p.mu.Lock()
	p.lost = true
	p.fetchedLocked()
	p.dismissLocked()
	p.mu.Unlock()
	p.close(0, "", abi.ReasonClosed)
}

// finish ends the channels, lets the client fetch what that brought, and lets
// go of everything.
func (p *pollSession) finish() {
	p.endChannels()
	p.mu.Lock()
	if len(p.out) > 0 && !p.lost {
		p.lingerLocked()
	}
	p.ended, p.out = true, nil
	if p.idle != nil {
		p.idle.Stop()
	}
	p.dismissLocked()
	p.mu.Unlock()
	p.depart()
}

// dismissLocked wakes all GETs.
func (p *pollSession) dismissLocked() {
	select {
	case <-p.over:
	default:
		close(p.over)
	}
}

// lingerLocked waits, without the lock, for the client's last GET.
func (p *pollSession) lingerLocked() {
	fetched := make(chan struct{})
	p.fetched = fetched
	p.mu.Unlock()
	timer := time.NewTimer(closeWait)
	select {
	case <-fetched:
	case <-timer.C:
	}
	timer.Stop()
	p.mu.Lock()
	p.fetched = nil
}
