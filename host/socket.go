package host

import (
	"cmp"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/wire"
	"github.com/gobwas/ws"
)

// closeWait is how long a client has to answer a close frame.
const closeWait = 2 * time.Second

// readBufferSize is the room for one read; what a client sends in one packet
// usually fits.
const readBufferSize = 4 << 10

var errSlowClient = errors.New("client does not read: queue_bytes exceeded")

// errClosedByClient tells that the client's close frame has come.
var errClosedByClient = errors.New("closed by the client")

// Socket is one client connection (Phoenix.Socket): its reader, its outbox and
// its channels by topic.
type Socket struct {
	// Constant.
	srv     *Server
	mount   *Mount
	id      string
	idTopic string
	seed    []byte // state that connect gave; every join starts from it
	seedVer uint32
	conn    net.Conn
	in      io.Reader // conn, behind what was read of it during the handshake
	log     *slog.Logger

	out outbox

	// Owned by the reader.
	frames frameReader
	msg    wire.Message
	armed  time.Time // when the read deadline was last set
	until  time.Time // when the answer to our close frame is due, once it was sent

	closing  atomic.Bool // what still comes in is ignored; the reader is to wind down
	slow     atomic.Bool // was cut off because it does not read
	farewell farewell

	mu       sync.Mutex
	channels map[string]*Channel // joined, by topic
	ending   map[*Channel]bool   // withdrawn, but their last callback is to come
}

// farewell is how a socket was told to close. Code and reason are written
// before closing is set and read only after it was seen.
type farewell struct {
	once   sync.Once
	code   ws.StatusCode
	reason string
	why    atomic.Uint32 // abi.Reason; 0 when nobody told it to
}

func newSocket(srv *Server, m *Mount, c *connected) *Socket {
	s := &Socket{
		srv: srv, mount: m,
		id: c.socketID, idTopic: c.idTopic, seed: c.state, seedVer: c.stateVersion,
		log:      srv.log.With("socket", c.socketID),
		channels: map[string]*Channel{},
	}
	s.frames.max = m.MaxFrame
	return s
}

// attach gives the socket its connection.
func (s *Socket) attach(conn net.Conn, in io.Reader) {
	s.conn, s.in = conn, in
	s.out.conn, s.out.limit, s.out.pool = conn, s.mount.QueueBytes, &s.srv.buffers
	s.out.start, s.out.fail = s.startWriter, s.writerEnded
}

func (s *Socket) startWriter() { s.srv.work.Go(s.out.flush) }

// writerEnded gives up the connection: nothing more can be said on it. It may
// be called under a topic's lock, so it only notes why.
func (s *Socket) writerEnded(err error) {
	s.slow.Store(errors.Is(err, errSlowClient))
	s.abort()
}

// abort ends the connection without a word. The reader sees it and cleans up.
func (s *Socket) abort() {
	if err := s.conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		s.log.Debug("closing the connection failed", "err", err)
	}
}

// run reads until the connection ends, then ends the channels. It is the
// socket's goroutine.
func (s *Socket) run() {
	err := s.readLoop()
	s.log.Debug("connection ended", "err", err)
	if !errors.Is(err, errClosedByClient) || !s.out.leaveToWriter() {
		s.out.close()
		s.abort()
	}
	if s.slow.Load() {
		s.srv.stats.slowClients.Add(1)
		s.log.Warn("client cut off: it does not read fast enough", "code", "SLOW_CLIENT", "limit", s.mount.QueueBytes, "key", "mount.queue_bytes")
	}
	s.endChannels()
}

// readLoop reads and dispatches until the connection ends; it returns why.
func (s *Socket) readLoop() error {
	buf := make([]byte, readBufferSize)
	n := 0
	for {
		if err := s.armReadDeadline(); err != nil {
			return err
		}
		m, err := s.in.Read(buf[n:])
		if err != nil {
			if s.survives(err) {
				continue
			}
			return err
		}
		n += m
		s.out.cork()
		used, need, err := s.consume(buf[:n])
		s.out.uncork()
		if err != nil {
			return err
		}
		copy(buf, buf[used:n])
		n -= used
		buf = resize(buf, n, need)
	}
}

// consume handles the frames in b. What a client must not send closes the
// connection, but it is read on: the client has to answer the close frame, and
// a connection that is ended with bytes unread is reset, which can lose the
// frame on its way.
func (s *Socket) consume(b []byte) (used, need int, err error) {
	for !s.frames.broken {
		n, need, err := s.frames.read(b[used:], s)
		used += n
		var ce *closeError
		if !errors.As(err, &ce) {
			return used, need, err
		}
		s.log.Info("client refused", "code", "PROTOCOL", "close", int(ce.code), "reason", ce.reason)
		s.close(ce.code, ce.reason, abi.ReasonClosed)
	}
	return len(b), 0, nil
}

// survives decides about a failed read. A deadline that has passed closes an
// idle connection; it is also how close wakes the reader, and what ends the
// wait for a client's answer.
func (s *Socket) survives(err error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	if !s.closing.Load() {
		// Phoenix closes with 1002 or 1000 by adapter; phoenix.js before 1.8.16
		// stays away after 1000.
		s.close(ws.StatusProtocolError, "idle for longer than idle_timeout", abi.ReasonHeartbeatTimeout)
	}
	return s.until.IsZero() || time.Now().Before(s.until)
}

// resize gives buf room for need bytes, and back its usual size when it is
// empty. need is bounded by the frame reader.
func resize(buf []byte, n, need int) []byte {
	want := max(need, readBufferSize)
	if want == len(buf) || n > 0 && want < len(buf) {
		return buf
	}
	b := make([]byte, want)
	copy(b, buf[:n])
	return b
}

// armReadDeadline sees to it that the next read ends in time.
func (s *Socket) armReadDeadline() error {
	if s.closing.Load() {
		return s.windDown()
	}
	// Moving the deadline at each read would cost as much as a tenth of an
	// echo. So it is moved now and then, and a silent client is closed after
	// one to one and an eighth of the timeout.
	now, timeout := time.Now(), s.mount.IdleTimeout
	if now.Sub(s.armed) <= timeout/8 {
		return nil
	}
	s.armed = now
	err := s.conn.SetReadDeadline(now.Add(timeout + timeout/8))
	if err == nil && s.closing.Load() {
		// close came in between and its deadline, which was to wake this
		// goroutine, has been overwritten.
		return s.windDown()
	}
	return err
}

// windDown is what the reader does when the socket was told to close: the
// batch at hand is over, the channels end, the client is told if it has not
// been, and gets closeWait to answer.
func (s *Socket) windDown() error {
	if s.until.IsZero() {
		s.endChannels()
		s.sayClose()
		s.until = time.Now().Add(closeWait)
	}
	return s.conn.SetReadDeadline(s.until)
}

// message takes one message from the frame reader.
func (s *Socket) message(op ws.OpCode, payload []byte) error {
	if s.closing.Load() {
		return nil
	}
	s.srv.stats.framesIn.Add(1)
	if op != ws.OpText {
		return &closeError{ws.StatusInternalServerError, "binary frames are not supported"}
	}
	if err := (wire.V2{}).Decode(payload, &s.msg); err != nil {
		// Phoenix lets the socket process crash on what it cannot decode, which
		// clients see as 1011 without a reason (v2_json_serializer.ex, socket.ex).
		s.log.Info("frame refused", "code", "MALFORMED_FRAME", "err", err)
		return &closeError{ws.StatusInternalServerError, ""}
	}
	s.dispatch(&s.msg)
	s.msg = wire.Message{} // an idle socket holds on to no message
	return nil
}

// control takes one control frame from the frame reader (RFC 6455 section 5.5).
func (s *Socket) control(op ws.OpCode, payload []byte) error {
	switch op {
	case ws.OpPing:
		s.out.push(appendFrame(make([]byte, 0, len(payload)+2), ws.OpPong, payload), false)
	case ws.OpClose:
		s.closing.Store(true)
		s.out.pushLast(appendFrame(nil, ws.OpClose, closeEcho(payload))) // unless ours is queued
		return errClosedByClient
	}
	return nil
}

// closeEcho returns the body of the answer to a close frame: the same code, or
// 1002 when the client's was malformed.
func closeEcho(payload []byte) []byte {
	if len(payload) == 0 {
		return nil
	}
	if len(payload) >= 2 {
		code, reason := ws.ParseCloseFrameDataUnsafe(payload)
		if ws.CheckCloseFrameData(code, reason) == nil {
			return payload[:2]
		}
	}
	return []byte{byte(ws.StatusProtocolError >> 8), byte(ws.StatusProtocolError & 0xff)}
}

// close ends the connection in good order: no more messages are taken, the
// client is told, and the reader winds down. The first call decides; any
// goroutine may make it, also under a topic's lock: it does not block.
//
// A draining server owes the client the replies to what it has accepted, so
// there the close frame waits for the channels to end; otherwise it goes at
// once.
func (s *Socket) close(code ws.StatusCode, reason string, why abi.Reason) {
	s.farewell.once.Do(func() {
		s.farewell.code, s.farewell.reason = code, reason
		s.farewell.why.Store(uint32(why))
		s.closing.Store(true)
		if why != abi.ReasonDraining {
			s.sayClose()
		}
		if err := s.conn.SetReadDeadline(time.Unix(1, 0)); err != nil { // wakes the reader
			s.log.Debug("connection is gone already", "err", err)
		}
	})
}

func (s *Socket) sayClose() {
	s.out.pushLast(appendCloseFrame(nil, s.farewell.code, s.farewell.reason))
}

// push queues a text frame of one JSON text.
func (s *Socket) push(text []byte) {
	b := s.srv.scratch.Get().(*scratch)
	b.frame = appendFrame(b.frame[:0], ws.OpText, text)
	s.out.push(b.frame, false)
	s.srv.release(b)
}

// channel returns the channel of topic, nil if it is not joined.
func (s *Socket) channel(topic string) *Channel {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.channels[topic]
}

// admit enters c under its topic.
func (s *Socket) admit(c *Channel) {
	s.mu.Lock()
	s.channels[c.topic] = c
	s.mu.Unlock()
	s.srv.stats.channels.Add(1)
}

// withdraw takes c out of the channels that messages are routed to. It comes
// before the frame that tells the client of the end: whoever has read that
// frame finds the topic free, even while terminate still runs (socket.ex).
func (s *Socket) withdraw(c *Channel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.channels[c.topic] != c {
		return // has been withdrawn
	}
	delete(s.channels, c.topic)
	if s.ending == nil {
		s.ending = map[*Channel]bool{}
	}
	s.ending[c] = true
	s.srv.stats.channels.Add(-1)
}

// forget lets go of a channel that has ended.
func (s *Socket) forget(c *Channel) {
	s.mu.Lock()
	delete(s.ending, c)
	s.mu.Unlock()
}

// unfinished returns the channels that have not ended, in the order of their
// topics.
func (s *Socket) unfinished() []*Channel {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*Channel, 0, len(s.channels)+len(s.ending))
	for c := range s.ending {
		all = append(all, c)
	}
	for _, c := range s.channels {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *Channel) int { return strings.Compare(a.topic, b.topic) })
	return all
}

// endChannels ends all channels for the reason that the socket ends for. What
// clients that are gone had sent is not worth running any more; a draining
// server runs it.
func (s *Socket) endChannels() {
	why := cmp.Or(abi.Reason(s.farewell.why.Load()), abi.ReasonClosed)
	for _, c := range s.unfinished() {
		c.end(why)
	}
}

// Deliver takes a broadcast on the socket's id topic, of which only the event
// disconnect means something (phoenix socket.ex).
func (s *Socket) Deliver(_ string, f *Fanout) {
	if f.event == wire.EventDisconnect {
		s.close(ws.StatusGoingAway, "", abi.ReasonDisconnected)
	}
}
