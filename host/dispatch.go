package host

import (
	"bytes"
	"unicode/utf8"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/wire"
)

// Payloads that clients know from Phoenix (socket.ex, channel/server.ex). The
// words are part of the protocol: client libraries and applications match them.
var (
	reasonUnmatched    = []byte(`{"reason":"unmatched topic"}`)
	reasonTooMany      = []byte(`{"reason":"too many channels joined"}`)
	reasonJoinCrashed  = []byte(`{"reason":"join crashed"}`)
	reasonChannelCrash = []byte(`{"reason":"channel_crash"}`)
	reasonInvalidTopic = []byte(`{"reason":"invalid_topic"}`)
	reasonInvalidEvent = []byte(`{"reason":"invalid_event"}`)
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
	var c *Channel
	if m.TopicIsString {
		c = s.channel(topic)
	}
	switch {
	case event == wire.EventJoin:
		s.join(m, c)
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
	if m.JoinRef != nil && !bytes.Equal(m.JoinRef, c.matchRef) {
		return
	}
	switch {
	case string(m.Event) == wire.EventLeave:
		c.leave(m.Ref)
	case len(m.Event) > maxName || len(m.Event) == 0:
		s.reply(c.joinRef, m, wire.StatusError, reasonInvalidEvent)
	default:
		c.handleIn(m)
	}
}

// reply answers m at once.
func (s *Socket) reply(joinRef []byte, m *wire.Message, status string, response []byte) {
	s.sendReply(&wire.Reply{JoinRef: joinRef, Ref: m.Ref, Topic: m.TopicJSON, Status: status, Response: response})
}

func (s *Socket) sendReply(r *wire.Reply) {
	b := s.srv.scratch.Get().(*scratch)
	b.text = wire.V2{}.AppendReply(b.text[:0], r)
	s.push(b.text)
	s.srv.release(b)
}

func (s *Socket) sendPush(p *wire.Push) {
	b := s.srv.scratch.Get().(*scratch)
	b.text = wire.V2{}.AppendPush(b.text[:0], p)
	s.push(b.text)
	s.srv.release(b)
}

// join handles phx_join; old is the channel that the topic has already.
func (s *Socket) join(m *wire.Message, old *Channel) {
	var rt *route
	if m.TopicIsString {
		rt = s.srv.routes().match(string(m.Topic))
	}
	if rt == nil {
		s.log.Info("join refused: no plugin serves the topic", "code", "UNMATCHED_TOPIC", "topic", logText(m.TopicJSON))
		s.reply(nil, m, wire.StatusError, reasonUnmatched)
		return
	}
	if topicProblem(m.Topic) {
		s.reply(m.JoinRef, m, wire.StatusError, reasonInvalidTopic)
		return
	}
	if old != nil {
		old.end(abi.ReasonDuplicateJoin)
	}
	if s.count() >= s.mount.MaxChannels {
		s.log.Info("join refused", "code", "TOO_MANY_CHANNELS", "limit", s.mount.MaxChannels, "key", "mount.max_channels")
		s.replyJoin(m, old, wire.StatusError, reasonTooMany)
		return
	}
	newChannel(s, rt, m).join(m, old)
}

// replyJoin answers a join. The close frame of the channel that it replaced
// follows the reply: clients tell by its old join_ref that it is not for them
// (socket.ex).
func (s *Socket) replyJoin(m *wire.Message, old *Channel, status string, response []byte) {
	s.reply(m.JoinRef, m, status, response)
	if old != nil && old.ended == abi.ReasonDuplicateJoin {
		old.sendClose()
	}
}

func (s *Socket) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.channels)
}

func topicProblem(topic []byte) bool {
	return len(topic) == 0 || len(topic) > maxName || !utf8.Valid(topic)
}
