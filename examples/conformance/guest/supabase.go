package main

import aviary "github.com/aviary-host/aviary/sdk/go"

// supabase is the state of a Realtime channel: what the client asked for when it
// joined, and what it tracks.
type supabase struct {
	Ack     bool   // reply to a broadcast
	Self    bool   // send a broadcast also to who sent it
	Synced  bool   // has got presence_state
	Key     string // of its presence
	Tracked string // JSON text of the meta, empty if none
}

func (s *supabase) fields(f *aviary.Fields) {
	f.Bool("ack", &s.Ack).
		Bool("self", &s.Self).
		Bool("synced", &s.Synced).
		Str("key", &s.Key).
		Str("tracked", &s.Tracked)
}

// declareSupabase is what the server of Supabase's Realtime does for a public
// channel with broadcast and presence (supabase/realtime, realtime_channel.ex).
// Whoever asked for no presence gets its diffs here too, which clients ignore.
func declareSupabase(r *aviary.Route[supabase]) {
	type context = aviary.Context[supabase]
	r.Join(joinSupabase)
	r.On("broadcast", func(c *context, p aviary.Value) aviary.Result {
		if c.State().Self {
			c.Broadcast("broadcast", p)
		} else {
			c.BroadcastFrom("broadcast", p)
		}
		if c.State().Ack {
			return c.Reply(nil)
		}
		return c.NoReply()
	})
	r.On("presence", supabasePresence)
	// A new access_token is taken without a reply, as is what no handler knows.
	r.HandleIn(func(c *context, _ aviary.Value) aviary.Result { return c.NoReply() })
}

func joinSupabase(c *aviary.Context[supabase], p aviary.Value) aviary.JoinResult {
	if c.TopicID() == "" {
		return c.Refuse(aviary.Object().Str("reason", "TopicNameRequired: You must provide a topic name"))
	}
	config := p.Get("config")
	presence := config.Get("presence")
	s := c.State()
	s.Ack = config.Path("broadcast", "ack").Bool()
	s.Self = config.Path("broadcast", "self").Bool()
	if s.Key = presence.Get("key").String(); s.Key == "" {
		s.Key = c.NewID()
	}
	if !presence.Exists() || presence.Get("enabled").Bool() {
		s.Synced = true
		c.PushPresence()
	}
	return c.Accept(aviary.Object().Set("postgres_changes", aviary.Array()))
}

func supabasePresence(c *aviary.Context[supabase], p aviary.Value) aviary.Result {
	switch p.Get("event").String() {
	case "track":
		return trackSupabase(c, p.Get("payload"))
	case "untrack":
		c.Untrack(c.State().Key)
		c.State().Tracked = ""
		return c.Reply(nil)
	}
	return c.ReplyError(nil)
}

func trackSupabase(c *aviary.Context[supabase], meta aviary.Value) aviary.Result {
	switch meta.Kind() {
	case aviary.KindObject:
	case aviary.KindMissing:
		meta = aviary.JSON("{}")
	default:
		return c.ReplyError(aviary.Object().Str("reason", "Presence track payload must be a map"))
	}
	s := c.State()
	if s.Tracked != meta.Raw() {
		s.Tracked = meta.Raw()
		c.Track(s.Key, meta)
	}
	if !s.Synced {
		s.Synced = true
		c.PushPresence()
	}
	return c.Reply(nil)
}
