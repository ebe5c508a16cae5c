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
	*Socket
	token string

	mu       sync.Mutex
	out      []byte        // messages that wait for a GET: JSON strings, commas between them
	wake     chan struct{} // closed to wake the GET that waits; nil when none does
	gets     uint64        // how many there have been: of two at once the later one counts
	lastGet  time.Time
	idle     *time.Timer // looks whether GETs still come
	posts    []*post
	reading  bool          // a goroutine handles posts
	fetched  chan struct{} // closed when the last messages of an ending session were taken
	ended    bool          // nothing is taken or kept any more
	notMeant bool          // the client is not to be waited for
}

// post is what a POST brought, on its way to the channels.
type post struct {
	frames []postFrame
	done   chan pollStatus // buffered: whoever waits may have gone
	last   bool            // not a POST but the end of the session
}

// postFrame is one message of a POST. It owns its bytes.
type postFrame struct {
	data   []byte
	binary bool
}

// maxPosts bounds the POSTs that wait for their turn in one session. phoenix.js
// has one under way at a time.
const maxPosts = 16

// newPollSession gives s its link.
func newPollSession(s *Socket) *pollSession {
	p := &pollSession{Socket: s, lastGet: time.Now()}
	p.token = s.srv.tokens.sign(s.id, p.lastGet)
	s.link = p
	return p
}

// open begins the session; false when the server is going down.
func (p *pollSession) open() bool {
	p.idle = time.AfterFunc(p.patience(), p.checkIdle)
	if p.arrive() {
		return true
	}
	p.idle.Stop()
	return false
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
	p.notMeant = p.notMeant || left <= 0
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
	case p.ended:
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
	if p.notMeant {
		return
	}
	p.notMeant, p.out = true, nil
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
// Of two at once the later one gets the messages.
func (p *pollSession) poll(dst []byte) (status pollStatus, messages []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lastGet = time.Now()
	p.gets++
	turn := p.gets
	if len(p.out) == 0 && !p.ended {
		p.awaitLocked()
	}
	if len(p.out) == 0 || p.gets != turn {
		return pollNothing, dst
	}
	dst = append(dst, p.out...)
	p.out = p.out[:0]
	if cap(p.out) > keepBuffer {
		p.out = nil
	}
	if p.fetched != nil {
		close(p.fetched)
		p.fetched = nil
	}
	return pollOK, dst
}

// awaitLocked waits, without the lock, until there is something to take or the
// window is over.
func (p *pollSession) awaitLocked() {
	wake := make(chan struct{})
	p.wake = wake
	p.mu.Unlock()
	timer := time.NewTimer(p.mount.PollWindow)
	select {
	case <-wake:
	case <-timer.C:
	}
	timer.Stop()
	p.mu.Lock()
	if p.wake == wake {
		p.wake = nil
	}
}

// submit hands what a POST brought to the channels and waits until each message
// has been taken by the socket, not by its channel, for a window at most.
func (p *pollSession) submit(frames []postFrame) pollStatus {
	b := &post{frames: frames, done: make(chan pollStatus, 1)}
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
	case !b.last && len(p.posts) >= maxPosts:
		return pollTimeout
	}
	p.posts = append(p.posts, b)
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
		p.log.Info("message refused", "code", "MESSAGE_TOO_BIG", "bytes", len(f.data), "limit", p.mount.MaxFrame, "key", "mount.max_frame")
		return false
	}
	return p.receive(f.data, f.binary) == nil
}

// hangUp has the goroutine that handles posts end the session behind them.
func (p *pollSession) hangUp(*farewell) { p.hand(&post{last: true}) }

// abort stops waiting for a client that is to fetch its last messages.
func (p *pollSession) abort() {
	p.mu.Lock()
	p.notMeant = true
	if p.fetched != nil {
		close(p.fetched)
		p.fetched = nil
	}
	p.mu.Unlock()
	p.close(0, "", abi.ReasonClosed)
}

// finish ends the channels, lets the client fetch what that brought, and lets
// go of everything.
func (p *pollSession) finish() {
	p.endChannels()
	p.mu.Lock()
	if len(p.out) > 0 && !p.notMeant {
		p.lingerLocked()
	}
	p.ended, p.out = true, nil
	p.idle.Stop()
	for _, b := range p.posts {
		b.done <- pollGone
	}
	p.posts = nil
	p.wakeLocked()
	p.mu.Unlock()
	p.depart()
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
