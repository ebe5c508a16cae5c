package host

import (
	"errors"
	"log/slog"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/wire"
)

// This file is what the runner of a channel's mailbox does: one callback each.

// request prepares b for a callback of the channel.
func (c *Channel) request(b *scratch, cb abi.Callback) *abi.Request {
	b.req = abi.Request{
		Callback:     cb,
		StateVersion: c.stateVersion,
		Transport:    c.socket.transport,
		SocketID:     append(b.id[:0], c.socket.id...),
		Topic:        append(b.topic[:0], c.topic...),
		JoinRef:      c.joinRef(),
		State:        c.state,
		IDTopic:      append(b.idTopic[:0], c.socket.idTopic()...),
	}
	b.id, b.topic, b.idTopic = b.req.SocketID, b.req.Topic, b.req.IDTopic
	c.socket.srv.stamp(&b.req)
	return &b.req
}

// call runs the prepared callback. The response is valid as long as b is.
func (c *Channel) call(b *scratch) (*abi.Response, error) {
	return c.socket.srv.call(c.handler(), b, c.detach)
}

func (c *Channel) runIn(event, ref, payload []byte, binary bool) {
	c.renew()
	if !c.handler().Implements(abi.CallbackHandleIn) {
		c.crash(abi.CallbackHandleIn, errNoHandleIn, event)
		return
	}
	b := c.socket.srv.scratch.Get().(*scratch)
	defer c.socket.srv.release(b)
	req := c.request(b, abi.CallbackHandleIn)
	req.Event, req.Ref, req.Payload, req.Binary = event, ref, payload, binary
	c.runCallback(b, nil)
}

func (c *Channel) runInfo(m *mail) {
	if t := m.timer; t != nil {
		if !c.more().timers.take(t) {
			return // cancelled or replaced after it had fired
		}
		m.event, m.payload, m.binary, m.source = t.event, t.payload, t.binary, t.key
	}
	c.renew()
	if !c.handler().Implements(abi.CallbackHandleInfo) {
		c.balance() // of the timer
		return
	}
	b := c.socket.srv.scratch.Get().(*scratch)
	defer c.socket.srv.release(b)
	req := c.request(b, abi.CallbackHandleInfo)
	req.Reason = uint32(m.info)
	req.Event, req.Payload, req.Binary, req.Source = []byte(m.event), m.payload, m.binary, []byte(m.source)
	c.runCallback(b, nil)
}

func (c *Channel) runOut(f *Fanout) {
	c.renew()
	if !c.handler().Implements(abi.CallbackHandleOut) {
		c.pass(f)
		return
	}
	b := c.socket.srv.scratch.Get().(*scratch)
	defer c.socket.srv.release(b)
	req := c.request(b, abi.CallbackHandleOut)
	req.Event, req.Payload, req.Binary = []byte(f.event), f.payload, f.binary
	c.runCallback(b, f)
}

// runCallback calls, checks the answer whole, and only then lets anything of
// it happen: effects in their order, then the result. passed is the broadcast
// that a handle_out is about.
func (c *Channel) runCallback(b *scratch, passed *Fanout) {
	cb := b.req.Callback
	resp, err := c.call(b)
	if err == nil {
		err = c.checkOutput(c.handler(), resp)
	}
	if after, ok := c.isUnavailable(cb, err); ok {
		c.answerUnavailable(cb, b.req.Ref, after)
		c.balance() // of the timer, if it was one's
		return
	}
	if err != nil {
		c.crash(cb, err, b.req.Event)
		return
	}
	c.apply(resp, b.req.Ref)
	switch resp.Result {
	case abi.ResultReply:
		c.sendReply(b.req.Ref, statusOr(resp.Event, wire.StatusOK), resp.Payload, resp.Binary)
	case abi.ResultReplyError:
		c.sendReply(b.req.Ref, wire.StatusError, resp.Payload, resp.Binary)
	case abi.ResultPush:
		c.sendEvent(string(resp.Event), resp.Payload, resp.Binary)
	case abi.ResultPass:
		c.pass(passed)
	case abi.ResultStop:
		c.stop(abi.Reason(resp.Number), resp.Text)
	}
	c.setState(resp) // last: the answer may be views into the old state
	c.balance()
	c.settle()
}

// stop has the channel end behind its callback. The latest reason counts.
func (c *Channel) stop(why abi.Reason, text []byte) {
	more := c.more()
	more.ending, more.endText = why, logText(text)
}

// settle ends the channel if the callback has asked for it.
func (c *Channel) settle() {
	if c.rare != nil && c.rare.ending != 0 {
		c.runEnd(c.rare.ending, c.rare.endText)
	}
}

func (c *Channel) runLeave(ref []byte) {
	c.quieten()
	c.withdraw(func() {
		c.sendReply(ref, wire.StatusOK, emptyObject, false)
		c.sendClose()
	})
	c.terminate(abi.ReasonLeft, "")
	c.finish(abi.ReasonLeft, nil)
}

// runEnd ends the channel. After normal and shutdown the client is told first
// and terminate's pushes follow; after an error they come before phx_error
// (channel/server.ex, handle_result and terminate).
func (c *Channel) runEnd(why abi.Reason, text string) {
	switch why {
	case abi.ReasonNormal, abi.ReasonShutdown:
		c.quieten()
		c.withdraw(c.sendClose)
		c.terminate(why, text)
		c.finish(why, nil)
	case abi.ReasonError:
		c.socket.tenant.fault(c.log().Warn, "channel stopped with an error", "STOP_ERROR", "reason", text)
		c.terminate(why, text)
		c.finish(why, c.sendError)
	default:
		c.terminate(why, text)
		c.finish(why, nil)
	}
}

// crash ends the channel after a callback that failed. Nothing of that callback
// has been committed, so terminate sees the state before it.
func (c *Channel) crash(cb abi.Callback, err error, event ...[]byte) {
	c.logFailure(cb, err, event...)
	c.terminate(abi.ReasonError, err.Error())
	c.finish(abi.ReasonError, c.sendError)
}

// logFailure says which callback failed, on which event where there is one.
func (c *Channel) logFailure(cb abi.Callback, err error, event ...[]byte) {
	log := c.log()
	for _, e := range event {
		log = log.With("event", logText(e))
	}
	c.socket.tenant.callbackFailed(log, cb, err)
}

// callbackFailed counts a callback of which nothing has happened, and logs it unless
// there are too many such lines already.
func (t *Tenant) callbackFailed(log *slog.Logger, cb abi.Callback, err error) {
	t.srv.stats.crashes.Add(1)
	code := "CALLBACK_FAILED"
	if d := denial(nil); errors.As(err, &d) && d.Denied() {
		t.srv.stats.denied.Add(1)
		code = "CAPABILITY_DENIED"
	}
	t.fault(log.Error, "callback failed", code, "callback", cb.String(), "err", err)
}

// terminate runs the terminate callback. It cannot stop the end: its failure
// is logged and that is all.
func (c *Channel) terminate(why abi.Reason, text string) {
	if !c.handler().Implements(abi.CallbackTerminate) {
		return
	}
	b := c.socket.srv.scratch.Get().(*scratch)
	defer c.socket.srv.release(b)
	req := c.request(b, abi.CallbackTerminate)
	req.Reason, req.Source = uint32(why), []byte(text)
	resp, err := c.call(b)
	if err == nil {
		resp.HasState = false // what becomes of a state is nobody's concern any more
		err = c.checkOutput(c.handler(), resp)
	}
	if _, ok := c.isUnavailable(abi.CallbackTerminate, err); ok {
		return
	}
	if err != nil {
		c.logFailure(abi.CallbackTerminate, err)
		return
	}
	c.apply(resp, nil)
}

// finish gives back all that the channel holds. last, if any, sends the last
// frame, after which nothing of the topic reaches the client. Whoever reads it may
// join again at once, and have what the tenant may.
func (c *Channel) finish(why abi.Reason, last func()) {
	c.replaced = why == abi.ReasonDuplicateJoin
	c.quieten()
	if c.rare != nil {
		for _, sub := range c.rare.subs {
			sub.Cancel()
		}
		c.rare.timers.stop()
	}
	c.socket.tenant.presence.UntrackAll(c.owner)
	c.hold(account{})
	c.quit()
	c.withdraw(func() {
		if last != nil {
			last()
		}
		c.closeMail()
	})
	c.socket.forget(c)
}

// withdraw takes the channel out of those that messages are routed to, and sends
// what last does.
func (c *Channel) withdraw(last func()) {
	if c.counted {
		c.counted = false
		c.socket.srv.stats.channels.Add(-1)
	}
	c.socket.withdraw(c, last)
}

// closeMail takes no more mail, and answers what the client had sent.
func (c *Channel) closeMail() {
	for _, m := range c.mail.close() {
		c.answerLate(&m)
	}
}

// sendReply answers a message, with raw bytes if binary.
func (c *Channel) sendReply(ref []byte, status string, response []byte, binary bool) {
	c.socket.sendReply(&wire.Reply{JoinRef: c.joinRef(), Ref: ref, Topic: c.topicJSON(), Status: status, Response: response}, binary)
}

// sendEvent pushes an event to the channel's client, with raw bytes if binary.
func (c *Channel) sendEvent(event string, payload []byte, binary bool) {
	c.socket.sendPush(&wire.Push{JoinRef: c.joinRef(), Topic: c.topicJSON(), Event: event, Payload: payload}, binary)
}

// sendClose sends phx_close. It carries the join_ref that the client gave twice,
// null where it gave none, while replies and pushes carry the ref in its place
// (socket.ex, encode_close).
func (c *Channel) sendClose() {
	c.socket.sendPush(&wire.Push{JoinRef: c.matchRef(), Ref: c.matchRef(), Topic: c.topicJSON(), Event: wire.EventClose}, false)
}

// sendError sends phx_error, likewise.
func (c *Channel) sendError() { c.sendErrorFor(reasonChannelCrash) }

// sendReplaced is sendError for a channel whose handler is no more.
func (c *Channel) sendReplaced() { c.sendErrorFor(reasonReplaced) }

func (c *Channel) sendErrorFor(reason []byte) {
	c.socket.sendPush(&wire.Push{JoinRef: c.matchRef(), Ref: c.matchRef(), Topic: c.topicJSON(), Event: wire.EventError, Payload: reason}, false)
}

func statusOr(status []byte, fallback string) string {
	if len(status) == 0 {
		return fallback
	}
	return string(status)
}
