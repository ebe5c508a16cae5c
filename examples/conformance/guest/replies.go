package main

import aviary "github.com/aviary-host/aviary/sdk/go"

// declareReplies are the events that answer the client's message.
func declareReplies(r *aviary.Route[room]) {
	for event, answer := range map[string]string{
		"reply_str": `"str"`, "reply_list": `[1,2]`, "reply_nil": `null`,
	} {
		r.On(event, func(c *context, _ aviary.Value) aviary.Result { return c.Reply(aviary.JSON(answer)) })
	}
	r.On("echo", func(c *context, p aviary.Value) aviary.Result { return c.Reply(p) })
	r.On("echo_err", func(c *context, p aviary.Value) aviary.Result { return c.ReplyError(p) })
	r.On("status_only_err", func(c *context, _ aviary.Value) aviary.Result { return c.ReplyError(nil) })
	r.On("noreply", func(c *context, _ aviary.Value) aviary.Result { return c.NoReply() })
	r.On("weird_status", func(c *context, _ aviary.Value) aviary.Result {
		return c.ReplyStatus("weird", aviary.Object().Int("a", 1))
	})
	r.On("kind", func(c *context, p aviary.Value) aviary.Result {
		return c.Reply(aviary.Object().Str("kind", kindName(p)))
	})
	r.On("binary_event", binaryEvent)
	r.On("double", func(c *context, _ aviary.Value) aviary.Result {
		c.ReplyTo(c.Ref(), "", number(1))
		return c.Reply(number(2))
	})
	r.On("sleep", func(c *context, p aviary.Value) aviary.Result {
		spin(p.Get("ms").Int())
		return c.Reply(nil)
	})
	r.On("assign", func(c *context, p aviary.Value) aviary.Result {
		c.State().Assigned = p.Get("k").Raw()
		return c.Reply(nil)
	})
	r.On("get", func(c *context, _ aviary.Value) aviary.Result {
		return c.Reply(aviary.Object().Set("k", aviary.JSON(c.State().Assigned)))
	})
	r.On("config", func(c *context, p aviary.Value) aviary.Result {
		return c.Reply(aviary.Object().Set("value", c.Config(p.Get("key").String())))
	})
}

// number is {"n":n}.
func number(n int64) *aviary.Obj { return aviary.Object().Int("n", n) }

// binaryEvent pushes 00 01 and answers the bytes that came and 03 04.
func binaryEvent(c *context, p aviary.Value) aviary.Result {
	c.Push("binary_event", aviary.Bytes([]byte{0, 1}))
	data, _ := p.AsBytes()
	return c.Reply(aviary.Bytes(append(append([]byte(nil), data...), 3, 4)))
}

// kindName is what Elixir calls the payload.
func kindName(p aviary.Value) string {
	switch p.Kind() {
	case aviary.KindBytes:
		return "binary"
	case aviary.KindObject:
		return "map"
	case aviary.KindArray:
		return "list"
	case aviary.KindString:
		return "string"
	case aviary.KindNumber:
		return "number"
	case aviary.KindBool:
		return "boolean"
	}
	return "nil"
}

// declareStops are the events that end the channel.
func declareStops(r *aviary.Route[room]) {
	stops := map[string]aviary.Reason{
		"stop_normal": aviary.ReasonNormal, "stop_shutdown": aviary.ReasonShutdown,
		"stop_shutdown_t": aviary.ReasonShutdown, "stop_error": aviary.ReasonError,
	}
	for event, reason := range stops {
		r.On(event, func(c *context, _ aviary.Value) aviary.Result { return c.Stop(reason, event) })
	}
	r.On("stop_reply", func(c *context, p aviary.Value) aviary.Result {
		return c.Reply(p).Stop(aviary.ReasonNormal, "stop_reply")
	})
	r.On("stop_reply_status", func(c *context, _ aviary.Value) aviary.Result {
		return c.Reply(nil).Stop(aviary.ReasonNormal, "stop_reply_status")
	})
	r.On("stop_error_reply", func(c *context, p aviary.Value) aviary.Result {
		return c.Reply(p).Stop(aviary.ReasonError, "stop_error_reply")
	})
	r.On("disconnect", func(c *context, _ aviary.Value) aviary.Result {
		c.Disconnect()
		return c.NoReply()
	})
}
