package host

import (
	"bytes"
	"errors"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/wire"
)

// joining is a phx_join under way. It owns its bytes.
type joining struct {
	ref, payload []byte
	binary       bool     // payload is raw bytes
	old          *Channel // that the topic had before, if any
}

// join handles phx_join, on the goroutine that reads. The callback gets a
// goroutine of its own: in Phoenix a slow join holds up everything else on its
// socket, heartbeats included (socket.ex). What the client sends to the topic
// meanwhile waits in the new channel's mailbox.
func (s *Socket) join(m *wire.Message) {
	var rt *route
	if m.TopicIsString {
		rt = s.tenant.routes().match(string(m.Topic))
	}
	if rt == nil {
		s.tenant.clientFault(s.log, "join refused: no plugin serves the topic", "UNMATCHED_TOPIC", "topic", logText(m.TopicJSON))
		s.reply(nil, m, wire.StatusError, reasonUnmatched)
		return
	}
	if topicProblem(m.Topic) {
		s.reply(m.JoinRef, m, wire.StatusError, reasonInvalidTopic)
		return
	}
	c := newChannel(s, rt, m)
	c.mail.enter()
	old, refusal := s.enter(c)
	if refusal != nil {
		s.reply(m.JoinRef, m, wire.StatusError, refusal)
		return
	}
	j := &joining{ref: bytes.Clone(m.Ref), payload: bytes.Clone(m.Payload), binary: m.Binary, old: old}
	s.srv.work.Go(func() { c.join(j) })
}

// join waits for the end of the channel that c replaces, and has the handler decide.
// What has come meanwhile gets a runner.
func (c *Channel) join(j *joining) {
	if j.old != nil {
		j.old.end(abi.ReasonDuplicateJoin, true)
	}
	c.begin()
	if !c.accepted(j) {
		c.socket.forget(c)
		return
	}
	if c.expired() { // only now: those that were there are told
		c.post(mail{kind: mailRenew}, false)
	}
	c.settle()
	c.release()
}

// accepted runs the join callback and answers the client. Nothing of the new
// channel reaches the client before the reply, and no broadcast after the
// subscription is lost: the reply is queued while the topic is held
// (channel/server.ex, channel_join).
func (c *Channel) accepted(j *joining) bool {
	b := c.socket.srv.scratch.Get().(*scratch)
	defer c.socket.srv.release(b)

	req := c.request(b, abi.CallbackJoin)
	req.Ref, req.Payload, req.Binary = j.ref, j.payload, j.binary
	seed, version := c.socket.seed()
	req.State, req.StateVersion = seed, version
	resp, err := c.call(b)
	if err == nil {
		err = c.checkOutput(c.handler(), resp)
	}
	if after, ok := c.isUnavailable(abi.CallbackJoin, err); ok {
		c.refuseJoin(j, &abi.Response{Payload: reasonUnavailable(after)})
		return false
	}
	if err != nil {
		c.refuseJoin(j, &abi.Response{Payload: c.joinFailure(err)})
		return false
	}
	if resp.Result == abi.ResultReplyError {
		c.apply(resp, nil)
		c.refuseJoin(j, resp)
		return false
	}
	c.state, c.stateVersion = bytes.Clone(seed), version
	c.setState(resp)
	c.counted = true
	c.socket.srv.stats.channels.Add(1)
	c.interceptFrom(resp)
	c.sub = c.socket.tenant.pubsub.Subscribe(c.topic, c, func() {
		c.replyJoin(j, wire.StatusOK, resp)
	})
	c.apply(resp, nil)
	c.balance()
	return true
}

// joinFailure returns what the client is told of a join that failed. That the
// tenant has too much is no fault of the module, and has been logged.
func (c *Channel) joinFailure(err error) []byte {
	var out *OutputError
	if errors.As(err, &out) && out.over != nil {
		return out.over.appendJSON(nil)
	}
	c.logFailure(abi.CallbackJoin, err)
	return reasonJoinCrashed
}

// refuseJoin answers a join that comes to nothing, then what has come behind it.
// Whoever has read the answer finds the topic and its place free, and nothing on the
// topic is answered in front of it, nor out of turn.
func (c *Channel) refuseJoin(j *joining, resp *abi.Response) {
	c.hold(account{})
	c.quit()
	c.socket.withdraw(c, func() {
		c.replyJoin(j, wire.StatusError, resp)
		c.closeMail()
	})
}

// replyJoin answers a join. The close frame of the channel that it replaced
// follows the reply: clients tell by its old join_ref that it is not for them
// (socket.ex).
func (c *Channel) replyJoin(j *joining, status string, resp *abi.Response) {
	c.socket.sendReply(&wire.Reply{JoinRef: c.matchRef(), Ref: j.ref, Topic: c.topicJSON(), Status: status, Response: resp.Payload}, resp.Binary)
	if j.old != nil && j.old.replaced {
		j.old.sendClose()
	}
}
