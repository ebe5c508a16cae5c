package main

import (
	"strings"

	aviary "github.com/aviary-host/aviary/sdk/go"
)

// tracked is the state of a Presence channel: the key of its join.
type tracked struct{ Name string }

func (t *tracked) fields(f *aviary.Fields) { f.Str("name", &t.Name) }

func declarePresence(r *aviary.Route[tracked]) {
	type context = aviary.Context[tracked]
	r.Join(func(c *context, p aviary.Value) aviary.JoinResult {
		c.State().Name = p.Get("name").String()
		c.Track(c.State().Name, p.Get("meta"))
		c.PushPresence()
		return c.Accept(nil)
	})
	// On pres:fetch* a presence has what is known of its user, as by a fetch/2.
	r.FetchPresence(func(c aviary.Call, key string, _ aviary.Value) aviary.Payload {
		if !strings.HasPrefix(c.Event(), "pres:fetch") {
			return nil
		}
		return aviary.Object().Set("user", aviary.Object().Str("name", strings.ToUpper(key)))
	})
	r.On("update", func(c *context, p aviary.Value) aviary.Result {
		c.UpdatePresence(c.State().Name, p.Get("meta"))
		return c.Reply(nil)
	})
	r.On("track", func(c *context, p aviary.Value) aviary.Result {
		c.Track(p.Get("key").String(), p.Get("meta"))
		return c.Reply(nil)
	})
	r.On("untrack", func(c *context, p aviary.Value) aviary.Result {
		c.Untrack(p.Get("key").String())
		return c.Reply(nil)
	})
	r.On("list", func(c *context, _ aviary.Value) aviary.Result {
		return c.Reply(c.Presences(c.Topic()))
	})
	r.On("get", func(c *context, p aviary.Value) aviary.Result {
		if one := c.Presences(c.Topic()).Get(p.Get("key").String()); one.Exists() {
			return c.Reply(one)
		}
		return c.Reply(aviary.Array()) // as Phoenix's get_by_key
	})
}
