package host

import (
	"bytes"
	"errors"
	"slices"
	"sync/atomic"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/presence"
	"github.com/aviary-host/aviary/pubsub"
	"github.com/aviary-host/aviary/wire"
)

var (
	errNoHandleIn  = errors.New("plugin has no handle_in")
	errMailboxFull = errors.New("mailbox full: the channel's callbacks are slower than what comes in")
)

// Channel is one topic joined on one socket (Phoenix.Channel.Server): its
// state, and all that happens on it, one thing after the other.
type Channel struct {
	// Constant, but for what says so.
	socket   *Socket
	route    *route
	topic    string
	spelled  []byte // topicJSON, then joinRef: one piece of memory for both
	owner    presence.Owner
	topicEnd uint16        // of topicJSON in spelled
	own      capabilitySet // of the handler's, those that count on topic
	refless  bool          // the client gave no join_ref

	replaced bool // by another join; written at the end, read by who waited for it
	counted  bool // among the joined channels of the server; owned as the state is

	mail mailbox

	// intercepts is the set of events that go through handle_out. The runner
	// replaces it; Deliver reads it.
	intercepts atomic.Pointer[map[string]bool]

	// gen is the generation of the handler that callbacks run on; nil before the
	// join's. The runner replaces it.
	gen atomic.Pointer[Generation]

	// dropped counts the messages for which the mailbox had no room; the runner
	// says so when it has caught up.
	dropped atomic.Uint32

	// Owned by the runner of the mailbox.
	stateVersion uint32
	detach       func() // see DetachingHandler
	state        []byte
	sub          *pubsub.Subscription[*Fanout]
	rare         *rarities // nil until there are any
	held         account   // of the tenant's quotas
}

// rarities are what few channels have. Owned by the runner of the mailbox.
type rarities struct {
	timers  timers
	subs    map[string]*pubsub.Subscription[*Fanout]
	views   map[string]*presence.View // of presences, by topic, of which pages are to come
	metas   int                       // bytes of those of its presences
	extras  [][]byte                  // what stands beside the metas that the effects at hand track
	recount bool                      // of the presences in held and metas
	ending  abi.Reason                // set by a stop effect
	endText string

	declined *Generation // to which the channel could not move
}

// has returns the rarities to be looked at, zero where there are none.
func (c *Channel) has() rarities {
	if c.rare == nil {
		return rarities{}
	}
	return *c.rare
}

// more returns the rarities to be added to.
func (c *Channel) more() *rarities {
	if c.rare == nil {
		c.rare = new(rarities)
	}
	return c.rare
}

func newChannel(s *Socket, rt *route, m *wire.Message) *Channel {
	c := &Channel{
		socket: s, route: rt, own: rt.caps.on(string(m.Topic)),
		topic: string(m.Topic), detach: stay,
		owner: presence.Owner(s.srv.owners.Add(1)),
	}
	joinRef := m.JoinRef
	if joinRef == nil {
		// A join without join_ref makes its ref the channel's own, but the
		// socket goes on expecting null (channel/server.ex, socket.ex).
		joinRef, c.refless = m.Ref, true
	}
	c.spelled, c.topicEnd = slices.Concat(m.TopicJSON, joinRef), uint16(len(m.TopicJSON))
	return c
}

// topicJSON returns the topic as the client spelled it.
func (c *Channel) topicJSON() []byte { return c.spelled[:c.topicEnd] }

// joinRef returns the ref in replies and pushes to the client; nil when it gave
// none at all.
func (c *Channel) joinRef() []byte {
	if int(c.topicEnd) == len(c.spelled) {
		return nil
	}
	return c.spelled[c.topicEnd:]
}

// matchRef returns the join_ref as the client gave it, which its messages must
// carry; nil when it gave none.
func (c *Channel) matchRef() []byte {
	if c.refless {
		return nil
	}
	return c.joinRef()
}

// handleIn takes a client's event, on the reader.
func (c *Channel) handleIn(m *wire.Message) {
	if c.mail.enter() {
		c.detach = c.socket.detach
		c.runIn(m.Event, m.Ref, m.Payload, m.Binary)
		c.release()
		return
	}
	left := mail{
		kind: mailIn, event: string(m.Event),
		ref: bytes.Clone(m.Ref), payload: bytes.Clone(m.Payload), binary: m.Binary,
	}
	if !c.leaveMail(left) {
		c.answerLate(&left)
	}
}

// leave takes a phx_leave, on the reader.
func (c *Channel) leave(ref []byte) {
	if c.mail.enter() {
		c.detach = c.socket.detach
		c.runLeave(ref)
		c.release()
		return
	}
	left := mail{kind: mailLeave, ref: bytes.Clone(ref)}
	if !c.leaveMail(left) {
		c.answerLate(&left)
	}
}

// leaveMail leaves what the client sent for the one who runs the channel; false
// when the channel has ended.
func (c *Channel) leaveMail(m mail) bool {
	start, ok := c.mail.addWhenRoom(m, c.socket.detach)
	if start {
		c.startRunner()
	}
	return ok
}

// answerLate answers what the client sent to a channel that ended before its
// turn came, as it is answered where no channel is.
func (c *Channel) answerLate(m *mail) {
	r := wire.Reply{Ref: m.ref, Topic: c.topicJSON(), Status: wire.StatusError, Response: reasonUnmatched}
	switch m.kind {
	case mailIn:
	case mailLeave:
		r.JoinRef, r.Status, r.Response = c.matchRef(), wire.StatusOK, emptyObject
	default:
		return // nobody waits for an answer
	}
	c.socket.sendReply(&r, false)
}

// end ends the channel and returns when it has ended, or had already. Mail that
// waits is handled before that if patient: where there is a client that waits
// for what comes of it. Not to be called by the channel's own runner.
func (c *Channel) end(why abi.Reason, patient bool) {
	if c.mail.enter() {
		c.detach = stay
		c.runEnd(why, "")
		c.release()
		return
	}
	last := mail{kind: mailEnd, reason: why}
	if patient {
		c.post(last, false)
	} else {
		c.interrupt(last)
	}
	c.mail.wait()
}

// interrupt has the channel end before it does anything else; it does not block.
func (c *Channel) interrupt(m mail) {
	if c.mail.interrupt(m) {
		c.startRunner()
	}
}

// post leaves mail that did not come from the channel's own client; it does
// not block and tells whether there was room.
func (c *Channel) post(m mail, bounded bool) bool {
	start, ok := c.mail.add(m, bounded)
	if start {
		c.startRunner()
	}
	return ok
}

func (c *Channel) startRunner() { c.socket.srv.runners.start(c) }

// release gives up being the runner; mail that has come meanwhile gets a
// runner of its own, so that the reader can go on reading.
func (c *Channel) release() {
	c.detach = stay
	if c.mail.pending() {
		c.startRunner()
	}
}

// runFor handles mail until there is none, or the runner's turn is over: then there
// is more, and the caller is the runner of the mailbox still.
func (c *Channel) runFor(r *runner) (more bool) {
	r.begin()
	for {
		if n := c.dropped.Swap(0); n > 0 {
			c.log().Warn("messages for handle_info dropped: the callbacks are slower than what comes in", "code", "MAILBOX_FULL", "dropped", n)
		}
		m, ok := c.mail.next()
		if !ok {
			return false
		}
		c.handle(&m)
		if r.over() {
			return c.mail.pending() // if not, it is another's already
		}
	}
}

func (c *Channel) handle(m *mail) {
	switch m.kind {
	case mailIn:
		c.runIn([]byte(m.event), m.ref, m.payload, m.binary)
	case mailLeave:
		c.runLeave(m.ref)
	case mailInfo:
		c.runInfo(m)
	case mailOut:
		c.runOut(m.fan)
	case mailPush:
		c.sendEvent(m.event, m.payload, false)
	case mailEnd:
		c.runEnd(m.reason, "")
	case mailRenew:
		c.runRenew()
	case mailKill:
		c.finish(0, c.sendError)
	case mailOverflown:
		c.crash(abi.CallbackHandleOut, errMailboxFull)
	}
}

// Deliver takes a broadcast, under the lock of its topic: on the channel's own
// topic it goes straight to the client (the fastlane of channel/server.ex), or
// to handle_out if the event is intercepted; on other topics to handle_info.
func (c *Channel) Deliver(topic string, f *Fanout) {
	if topic != c.topic {
		c.postInfo(&mail{kind: mailInfo, info: abi.InfoBroadcast, event: f.event, payload: f.payload, binary: f.binary, source: topic})
		return
	}
	if set := c.intercepts.Load(); set != nil && (*set)[f.event] {
		if !c.post(mail{kind: mailOut, fan: f}, true) {
			// The client would miss this one, so it has to join again.
			c.interrupt(mail{kind: mailOverflown})
		}
		return
	}
	c.pass(f)
}

// pass lets a broadcast through to the client.
func (c *Channel) pass(f *Fanout) {
	if e := f.encoded(c.socket.codec); e != nil {
		c.socket.link.pushShared(e)
	} else {
		c.socket.srv.stats.undeliverable.Add(1)
	}
}

// postInfo leaves a handle_info, which is dropped and counted when the channel
// is too slow for what it is sent. It does not log: a topic's lock may be held.
func (c *Channel) postInfo(m *mail) {
	if !c.post(*m, true) {
		c.socket.srv.stats.infosDropped.Add(1)
		c.dropped.Add(1)
	}
}
