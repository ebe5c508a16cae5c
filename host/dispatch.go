package host

import (
	"bytes"
	"unicode/utf8"

	"github.com/aviary-host/aviary/wire"
)

// Payloads that clients know from Phoenix (socket.ex, channel/server.ex). The
// words are part of the protocol: client libraries and applications match them.
var (
	reasonUnmatched    = []byte(`{"reason":"unmatched topic"}`)
	reasonTooMany      = []byte(`{"reason":"too many channels joined"}`)
	reasonJoinCrashed  = []byte(`{"reason":"join crashed"}`)
	reasonChannelCrash = []byte(`{"reason":"channel_crash"}`)
	reasonReplaced     = []byte(`{"reason":"module_replaced"}`)
	reasonInvalidTopic = []byte(`{"reason":"invalid_topic"}`)
	reasonInvalidEvent = []byte(`{"reason":"invalid_event"}`)
	reasonInvalidRef   = []byte(`{"reason":"invalid_ref"}`)
	emptyObject        = []byte(`{}`)
)

// dispatch routes one message in the order of phoenix socket.ex: heartbeat,
// topics that are not joined, topics that are. It runs on the reader.
func (s *Socket) dispatch(m *wire.Message) {
	topic, event := string(m.Topic), string(m.Event)
	if topic == wire.TopicPhoenix && event == wire.EventHeartbeat {
		s.reply(nil, m, wire.StatusOK, emptyObject)
		return
	}
	if refTooLong(m.Ref) || refTooLong(m.JoinRef) {
		s.reply(nil, m, wire.StatusError, reasonInvalidRef)
		return
	}
	var c *Channel
	if m.TopicIsString {
		c = s.channel(topic)
	}
	switch {
	case event == wire.EventJoin:
		s.join(m)
	case c != nil:
		s.toChannel(m, c)
	case event == wire.EventLeave:
		// Leaving what is not joined is no error, and the only one of these
		// replies to carry the join_ref (socket.ex).
		s.reply(m.JoinRef, m, wire.StatusOK, emptyObject)
	default:
		s.reply(nil, m, wire.StatusError, reasonUnmatched)
	}
}

// toChannel hands a message to its channel, unless it belongs to an earlier
// join of the topic: those are dropped without a word (socket.ex). A null
// join_ref always passes.
func (s *Socket) toChannel(m *wire.Message, c *Channel) {
	if m.JoinRef != nil && !bytes.Equal(m.JoinRef, c.matchRef()) {
		return
	}
	switch {
	case string(m.Event) == wire.EventLeave:
		c.leave(m.Ref)
	case len(m.Event) > maxName || len(m.Event) == 0:
		s.reply(c.joinRef(), m, wire.StatusError, reasonInvalidEvent)
	case !s.overChannel(m, c.topic):
		c.handleIn(m)
	}
}

// reply answers m at once.
func (s *Socket) reply(joinRef []byte, m *wire.Message, status string, response []byte) {
	s.sendReply(&wire.Reply{JoinRef: joinRef, Ref: m.Ref, Topic: m.TopicJSON, Status: status, Response: response}, false)
}

// sendReply sends a reply, whose response is raw bytes if binary.
func (s *Socket) sendReply(r *wire.Reply, binary bool) {
	b := s.srv.scratch.Get().(*scratch)
	var err error
	b.text, err = s.codec.appendReply(b.text[:0], r, binary)
	s.send(b, binary, err)
}

// sendPush sends a push, whose payload is raw bytes if binary.
func (s *Socket) sendPush(p *wire.Push, binary bool) {
	b := s.srv.scratch.Get().(*scratch)
	var err error
	b.text, err = s.codec.appendPush(b.text[:0], p, binary)
	s.send(b, binary, err)
}

func (s *Socket) send(b *scratch, binary bool, err error) {
	if err == nil {
		s.link.push(binary, b.text)
	} else { // names and refs are checked when they come in
		s.log.Error("message not sent", "code", "NOT_ENCODED", "err", err)
	}
	s.srv.release(b)
}

// refTooLong tells whether a ref, a JSON token, has more than the 255 bytes that
// a binary frame can hold of it. A string goes there without its quotes.
func refTooLong(ref []byte) bool {
	if len(ref) > 0 && ref[0] == '"' {
		return len(ref) > maxName+2
	}
	return len(ref) > maxName
}

func topicProblem(topic []byte) bool {
	return len(topic) == 0 || len(topic) > maxName || !utf8.Valid(topic)
}
