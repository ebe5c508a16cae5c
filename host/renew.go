package host

import (
	"fmt"

	"github.com/aviary-host/aviary/abi"
)

// This file is how the runner of a channel's mailbox moves it from one generation of
// its handler to another: between two callbacks, never inside one. All that the
// channel has goes with it: timers, subscriptions, presences, refs to be answered.

// begin takes the generation that a new channel begins with.
func (c *Channel) begin() {
	gen := c.route.handlers.enter(c.socket.id)
	gen.channels.Add(1)
	c.gen.Store(gen)
}

// quit gives it back, when the last callback is over.
func (c *Channel) quit() {
	gen := c.gen.Load()
	gen.channels.Add(-1)
	gen.release()
}

// handler is what the channel's callbacks run on.
func (c *Channel) handler() Handler { return c.gen.Load().version.Handler }

// renew moves the channel, if it is to and has not been found unable to.
func (c *Channel) renew() {
	gen := c.gen.Load()
	o := gen.order.Load()
	if o == nil || o.to == nil {
		return
	}
	for !o.to.acquire() { // it was replaced meanwhile, and so is the order
		o = gen.order.Load()
	}
	if c.has().declined == o.to || !c.moveTo(o.to) {
		o.to.release()
	}
}

// moveTo moves the channel to a generation of which it is a user already, and tells
// whether it could.
func (c *Channel) moveTo(next *Generation) bool {
	last := c.gen.Load()
	err := c.changeCode(last, next)
	if _, ok := asUnavailable(err); ok {
		return false // it is tried again at the next callback
	}
	if err != nil {
		c.more().declined = next
		next.declined.Add(1)
		log := c.log().With("to_generation", next.version.Number)
		c.socket.tenant.fault(log.Warn, "channel stays on its generation: code_change failed", "CODE_CHANGE_FAILED", "err", err)
		return false
	}
	next.channels.Add(1)
	next.moved.Add(1)
	c.gen.Store(next)
	if c.rare != nil {
		c.rare.declined = nil
	}
	last.channels.Add(-1)
	last.release()
	return true
}

// changeCode has the next generation make the state its own. Without an error it has.
// Another generation of the same module can read what is there.
func (c *Channel) changeCode(last, next *Generation) error {
	h := next.version.Handler
	if !h.Implements(abi.CallbackCodeChange) || last.version.Module != "" && last.version.Module == next.version.Module {
		return nil
	}
	b := c.socket.srv.scratch.Get().(*scratch)
	defer c.socket.srv.release(b)
	c.request(b, abi.CallbackCodeChange)
	resp, err := c.socket.srv.call(h, b, c.detach)
	if err != nil {
		return err
	}
	if resp.Result == abi.ResultReplyError { // nothing else of such an answer counts
		return fmt.Errorf("refused: %s", logText(resp.Payload))
	}
	if err := c.checkOutput(h, resp); err != nil {
		return err
	}
	c.apply(resp, nil)
	c.setState(resp)
	c.balance()
	return nil
}

// runRenew moves the channel, or ends it where its generation is over.
func (c *Channel) runRenew() {
	c.renew()
	if !c.expired() {
		return
	}
	c.log().Info("channel has to be joined again: its generation is over", "code", "GENERATION_OVER")
	c.terminate(abi.ReasonDraining, "the channel's version of the module is withdrawn")
	c.finish(abi.ReasonDraining, c.sendReplaced)
}

// expired tells whether the channel's generation is to have no channels any more.
func (c *Channel) expired() bool {
	o := c.gen.Load().order.Load()
	return o != nil && o.expired
}
