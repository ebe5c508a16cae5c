package main

import aviary "github.com/aviary-host/aviary/sdk/go"

// member is the state of a Group channel: the group that its topic is in.
type member struct{ Group string }

func (m *member) fields(f *aviary.Fields) { f.Str("group", &m.Group) }

// declareGroups are channels whose topics are in a group that the join names.
func declareGroups(r *aviary.Route[member]) {
	type context = aviary.Context[member]
	r.Join(func(c *context, p aviary.Value) aviary.JoinResult {
		c.State().Group = p.Get("group").String()
		c.Group(c.State().Group).Add(c.Topic())
		return c.Accept(nil)
	})
	r.On("tell", func(c *context, p aviary.Value) aviary.Result {
		c.Group(c.State().Group).Broadcast("told", p)
		return c.Reply(nil)
	})
	r.On("add", func(c *context, p aviary.Value) aviary.Result {
		c.Group(c.State().Group).Add(p.Get("topic").String())
		return c.Reply(nil)
	})
	r.On("remove", func(c *context, p aviary.Value) aviary.Result {
		c.Group(c.State().Group).Remove(p.Get("topic").String())
		return c.Reply(nil)
	})
}
