package host

import (
	"cmp"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/pubsub"
	"github.com/aviary-host/aviary/wire"
	"github.com/gobwas/ws"
)

// Socket is one client (Phoenix.Socket): its channels by topic, and the link
// that carries its messages.
type Socket struct {
	// Constant.
	srv       *Server
	tenant    *Tenant
	mount     *Mount
	id        string
	given     *given // nil where connect gave nothing
	link      link
	log       *slog.Logger
	leave     func() // gives back what was counted for the connection; nil for nothing
	transport abi.Transport
	codec     codec
	deflates  bool // permessage-deflate was agreed on

	departed bool // nothing of it is to be made any more; guarded by mu

	farewell farewell
	closing  atomic.Bool // what still comes in is ignored; the reader is to wind down

	// Owned by the goroutine that reads.
	detach func() // see DetachingHandler; to be called before the goroutine that reads blocks
	meter  meter

	mu sync.Mutex

	// channels are first those that are joined or joining, in the order of their
	// topics, each of which counts for the tenant; then those that are withdrawn,
	// but whose last callback is to come.
	channels []*Channel
	joined   int32 // how many of channels are of the first kind
}

// given is what connect gave a socket.
type given struct {
	idTopic string
	state   []byte // every join starts from it
	version uint32 // of state

	sub *pubsub.Subscription[*Fanout] // of idTopic; guarded by the socket's mu
}

// idTopic returns the topic that all sockets of a user have, "" for none.
func (s *Socket) idTopic() string {
	if s.given == nil {
		return ""
	}
	return s.given.idTopic
}

// seed returns the state that joins start from.
func (s *Socket) seed() (state []byte, version uint32) {
	if s.given == nil {
		return nil, 0
	}
	return s.given.state, s.given.version
}

// link carries a socket's messages to its client: a WebSocket connection or a
// long-polling session. All methods may be called from any goroutine, also under
// a topic's lock: none blocks.
type link interface {
	// push queues one encoded message, which is copied. Messages leave in the
	// order in which they were pushed; after the end of the link they are
	// dropped.
	push(binary bool, text []byte)

	// pushShared queues a message that many clients get. It is not copied.
	pushShared(e *encoded)

	// hangUp ends the link in good order: the client is told and the channels
	// end. It is called once at most.
	hangUp(f *farewell)

	// abort ends the link without a word.
	abort()
}

// farewell is how a socket was told to close. Code and reason are written
// before closing is set and read only after it was seen.
type farewell struct {
	once   sync.Once
	code   ws.StatusCode
	reason string
	why    atomic.Uint32 // abi.Reason; 0 when nobody told it to
}

// patient tells whether what was accepted before the end is still to be handled:
// a client that sends and closes means both, and Phoenix's channels learn of the end
// behind what they were sent (channel/server.ex). Not when the host is to be rid of
// the client.
func (f *farewell) patient() bool {
	why := abi.Reason(f.why.Load())
	return why == 0 || why == abi.ReasonDraining || why == abi.ReasonClosed
}

func newSocket(srv *Server, m *Mount, c *connected) *Socket {
	s := &Socket{
		srv: srv, tenant: m.tenant, mount: m, id: c.socketID,
		transport: c.transport, codec: newCodec(c), deflates: c.deflates, leave: c.leave, detach: stay,
	}
	if c.idTopic != "" || len(c.state) > 0 || c.stateVersion != 0 {
		s.given = &given{idTopic: c.idTopic, state: c.state, version: c.stateVersion}
	}
	s.log = slog.New((*socketLines)(s))
	return s
}

// arrive makes the socket known to its tenant; false when the server is going down
// or the tenant suspended.
// Whoever called it calls depart in the end.
func (s *Socket) arrive() bool {
	if !s.tenant.enter(s) {
		s.giveBack()
		return false
	}
	topic := s.idTopic()
	if topic == "" {
		return true
	}
	// From here on the socket may be told to end, and so depart.
	sub := s.tenant.pubsub.Subscribe(topic, s, nil)
	s.mu.Lock()
	s.given.sub = sub
	late := s.departed
	s.mu.Unlock()
	if late {
		sub.Cancel()
	}
	return true
}

func (s *Socket) depart() {
	var sub *pubsub.Subscription[*Fanout]
	s.mu.Lock()
	if s.given != nil {
		sub = s.given.sub
	}
	s.departed = true
	s.mu.Unlock()
	if sub != nil {
		sub.Cancel()
	}
	s.giveBack()
	s.tenant.exit(s)
}

// giveBack tells that the connection does not count any more.
func (s *Socket) giveBack() {
	if s.leave != nil {
		s.leave()
	}
}

// receive takes one message from the link, on the goroutine that reads. The
// error is that of a message which cannot be decoded, and is to end the socket.
func (s *Socket) receive(frame []byte, binary bool) error {
	if s.closing.Load() {
		return nil
	}
	s.srv.stats.framesIn.Add(1)
	if err := s.overFrames(); err != nil {
		return err
	}
	var m wire.Message // goes with the call: an idle socket holds on to no message
	if err := s.codec.decode(frame, binary, &m); err != nil {
		return s.malformed(err)
	}
	if !s.overMessages(&m) {
		s.dispatch(&m)
	}
	return nil
}

// malformed decides about a message that cannot be decoded. Phoenix lets the
// socket process crash, which clients see as 1011 without a reason
// (v2_json_serializer.ex, socket.ex).
func (s *Socket) malformed(err error) error {
	if s.closing.Load() {
		return nil
	}
	s.tenant.clientFault(s.log, "message refused", "MALFORMED_MESSAGE", "err", err)
	if !s.mount.AnswerMalformed {
		return err
	}
	reason := wire.AppendQuoted([]byte(`{"reason":`), err.Error())
	s.sendPush(&wire.Push{Topic: []byte(`"` + wire.TopicPhoenix + `"`), Event: eventMalformed, Payload: append(reason, '}')}, false)
	return nil
}

// eventMalformed tells a client, on the topic of heartbeats, that a message of
// its could not be read. Client libraries pass over it.
const eventMalformed = "malformed"

// close ends the socket in good order: no more messages are taken, the client is
// told, and the channels end. The first call decides; any goroutine may make it,
// also under a topic's lock: it does not block.
func (s *Socket) close(code ws.StatusCode, reason string, why abi.Reason) {
	s.farewell.once.Do(func() {
		s.farewell.code, s.farewell.reason = code, reason
		s.farewell.why.Store(uint32(why))
		if s.closing.Swap(true) && !s.farewell.patient() {
			s.hurry(why) // the client was first, and is given the time that its channels take
		}
		s.link.hangUp(&s.farewell)
	})
}

// hurry has channels that are to end not handle first what waits.
func (s *Socket) hurry(why abi.Reason) {
	for _, c := range s.unfinished() {
		c.interrupt(mail{kind: mailEnd, reason: why})
	}
}

// channel returns the channel of topic, nil if it is not joined.
func (s *Socket) channel(topic string) *Channel {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, found := s.findLocked(topic); found {
		return s.channels[at]
	}
	return nil
}

// findLocked returns the place of a topic's channel, or where it would be. A
// socket has few channels, which a list holds in a fifth of a map's room.
func (s *Socket) findLocked(topic string) (at int, found bool) {
	return slices.BinarySearchFunc(s.channels[:s.joined], topic, func(c *Channel, topic string) int { return strings.Compare(c.topic, topic) })
}

// minEnding is how many channels of a socket may be ending, however few it may
// have: a client that has read of an end need not know how long it takes.
const minEnding = 32

// enter makes c the channel of its topic, which messages are routed to from
// here on, and returns the one that it replaces. It refuses c when there are too
// many: the one that is replaced does not count (socket.ex). Those that have not
// ended yet count for themselves, or a client could have any number of joins
// under way by joining one topic again and again. refusal is what a client is
// answered that has too many, nil otherwise.
func (s *Socket) enter(c *Channel) (old *Channel, refusal []byte) {
	s.mu.Lock()
	at, found := s.findLocked(c.topic)
	others, ending := int(s.joined), len(s.channels)-int(s.joined)
	if found {
		old = s.channels[at]
		others--
	}
	over := others >= s.mount.MaxChannels || ending > max(s.mount.MaxChannels, minEnding)
	ok, full := !over || s.mount.Limits.logsOnly(limitMaxChannels), false
	if ok && old == nil { // else it counts in the place of the old one
		ok, full = s.tenant.quotas[quotaChannels].take(1)
	}
	if ok {
		s.displaceLocked(old)
		s.channels = slices.Insert(s.channels, at, c)
		s.joined++
	}
	s.mu.Unlock()
	if full {
		if e := s.tenant.exceeded(quotaChannels, 0); e != nil {
			refusal = e.appendJSON(nil)
		}
	}
	if over {
		s.breached(limitMaxChannels, "limit", s.mount.MaxChannels)
	}
	if !ok && refusal == nil {
		refusal = reasonTooMany
	}
	return old, refusal
}

// withdraw takes c out of the channels that messages are routed to, then has it
// tell its client of the end. Whoever has read that finds the topic free, even
// while terminate still runs (socket.ex), and no join of the topic gets between
// the two: a client of serializer 1.0.0 could not tell that the end is not its.
// last may be nil; it only queues.
func (s *Socket) withdraw(c *Channel, last func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.withdrawLocked(c)
	if last != nil {
		last()
	}
}

func (s *Socket) withdrawLocked(c *Channel) {
	if s.displaceLocked(c) {
		s.tenant.give(quotaChannels, 1)
	}
}

// displaceLocked tells whether c was still there to be withdrawn.
func (s *Socket) displaceLocked(c *Channel) bool {
	if c == nil {
		return false
	}
	at, found := s.findLocked(c.topic)
	if !found || s.channels[at] != c {
		return false
	}
	s.channels = append(slices.Delete(s.channels, at, at+1), c)
	s.joined--
	return true
}

// forget lets go of a channel that has ended.
func (s *Socket) forget(c *Channel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := slices.Index(s.channels[s.joined:], c)
	if at < 0 {
		return
	}
	at += int(s.joined)
	s.channels = slices.Delete(s.channels, at, at+1)
	if len(s.channels) == 0 {
		s.channels = nil
	}
}

// unfinished returns the channels that have not ended, in the order of their
// topics.
func (s *Socket) unfinished() []*Channel {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.Clone(s.channels)
	slices.SortFunc(all, func(a, b *Channel) int { return strings.Compare(a.topic, b.topic) })
	return all
}

// endChannels ends all channels for the reason that the socket ends for.
func (s *Socket) endChannels() {
	why := cmp.Or(abi.Reason(s.farewell.why.Load()), abi.ReasonClosed)
	for _, c := range s.unfinished() {
		c.end(why, s.farewell.patient())
	}
}

// Deliver takes a broadcast on the socket's id topic, of which only the event
// disconnect means something (phoenix socket.ex).
func (s *Socket) Deliver(_ string, f *Fanout) {
	if f.event == wire.EventDisconnect && !f.spares {
		s.close(ws.StatusGoingAway, "", abi.ReasonDisconnected)
	}
}
