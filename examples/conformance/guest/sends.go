package main

import aviary "github.com/aviary-host/aviary/sdk/go"

// declareSends are the events that push and broadcast.
func declareSends(r *aviary.Route[room]) {
	declareIntercepts(r)
	declareTopics(r)
	r.On("bcast", func(c *context, p aviary.Value) aviary.Result {
		c.Broadcast("shout", p)
		return c.Reply(nil)
	})
	r.On("bcast_from", func(c *context, p aviary.Value) aviary.Result {
		c.BroadcastFrom("shout", p)
		return c.Reply(nil)
	})
	r.On("bin_bcast", func(c *context, p aviary.Value) aviary.Result {
		c.Broadcast("bin", p)
		return c.Reply(nil)
	})
	r.On("push_then_reply", func(c *context, _ aviary.Value) aviary.Result {
		c.Push("a", number(1))
		c.Push("b", number(2))
		return c.Reply(number(3))
	})
	// A text is no payload of a push or a broadcast: the host refuses the response.
	r.On("push_str", func(c *context, _ aviary.Value) aviary.Result {
		c.Push("str", aviary.Text("str"))
		return c.Reply(nil)
	})
	r.On("bcast_str", func(c *context, _ aviary.Value) aviary.Result {
		c.Broadcast("str", aviary.Text("str"))
		return c.Reply(nil)
	})
}

// declareIntercepts are broadcasts that go through handle_out.
func declareIntercepts(r *aviary.Route[room]) {
	r.On("new_msg", func(c *context, p aviary.Value) aviary.Result {
		c.Broadcast("new_msg", p)
		return c.Reply(nil)
	})
	r.HandleOut("new_msg", addTransport)
	r.On("bcast_outstop", func(c *context, p aviary.Value) aviary.Result {
		c.Broadcast("outstop", p)
		return c.Reply(nil)
	})
	r.HandleOut("outstop", func(c *context, _ aviary.Value) aviary.Result {
		return c.Stop(aviary.ReasonNormal, "outstop")
	})
}

// declareTopics are the events that deal with other topics.
func declareTopics(r *aviary.Route[room]) {
	r.On("subscribe", func(c *context, p aviary.Value) aviary.Result {
		c.Subscribe(p.Get("topic").String())
		return c.Reply(nil)
	})
	r.On("unsubscribe", func(c *context, p aviary.Value) aviary.Result {
		c.Unsubscribe(p.Get("topic").String())
		return c.Reply(nil)
	})
	r.On("ext", func(c *context, p aviary.Value) aviary.Result {
		c.At(p.Get("topic").String()).Broadcast("ext", p)
		return c.Reply(nil)
	})
}

// addTransport delivers a message with the client's transport added.
func addTransport(c *context, p aviary.Value) aviary.Result {
	out := aviary.Object()
	for key, value := range p.Members() {
		out.Set(key, value)
	}
	c.Push(c.Event(), out.Str("transport", transport(c)))
	return c.NoReply()
}
