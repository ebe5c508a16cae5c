package main

import aviary "github.com/aviary-host/aviary/sdk/go"

// declareLater are the events whose answer comes in a later callback.
func declareLater(r *aviary.Route[room]) {
	r.On("async", func(c *context, p aviary.Value) aviary.Result {
		if c.Ref() == "" {
			panic("async without a ref")
		}
		c.State().Owed = append(c.State().Owed, string(c.Ref()))
		c.SendAfter("", 50*aviary.Millisecond, "async_reply", p)
		return c.NoReply()
	})
	r.OnInfo("async_reply", func(c *context, p aviary.Value) aviary.Result {
		owed := c.State().Owed
		c.State().Owed = owed[1:]
		c.ReplyTo(aviary.Ref(owed[0]), "", p)
		return c.NoReply()
	})
	r.On("stash", func(c *context, _ aviary.Value) aviary.Result {
		c.State().Stashed = c.Ref()
		return c.NoReply()
	})
	r.On("reply_stashed", func(c *context, _ aviary.Value) aviary.Result {
		c.ReplyTo(c.State().Stashed, "", nil)
		c.State().Stashed = ""
		return c.NoReply()
	})
	for event, info := range map[string]string{
		"later": "later", "stop_info": "stop", "bcast_info": "bcast", "unhandled_info": "unhandled",
	} {
		r.On(event, func(c *context, p aviary.Value) aviary.Result {
			c.SendInfo(info, p)
			return c.NoReply()
		})
	}
	r.OnInfo("later", func(c *context, p aviary.Value) aviary.Result {
		c.Push("later", p)
		return c.NoReply()
	})
	r.OnInfo("stop", func(c *context, _ aviary.Value) aviary.Result {
		return c.Stop(aviary.ReasonNormal, "stop_info")
	})
	r.OnInfo("bcast", func(c *context, p aviary.Value) aviary.Result {
		c.Broadcast("shout", p)
		return c.NoReply()
	})
}

// roomInfo pushes the broadcasts of the topics that the channel subscribed to, and
// ignores all else.
func roomInfo(c *context, p aviary.Value) aviary.Result {
	if c.InfoKind() == aviary.InfoBroadcast {
		c.Push(c.Event(), p)
	}
	return c.NoReply()
}
