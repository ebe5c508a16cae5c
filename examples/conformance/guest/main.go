package main

import aviary "github.com/aviary-host/aviary/sdk/go"

func init() {
	aviary.Connect(connect)
	for _, pattern := range []string{"room:*", "exact", "phoenix"} {
		declareRoom(aviary.Channel(pattern, aviary.State((*room).fields)))
	}
	declarePresence(aviary.Channel("pres:*", aviary.State((*tracked).fields)))
	declareCustom(aviary.Channel("custom:*", aviary.NoState()))
	declareSupabase(aviary.Channel("realtime:*", aviary.State((*supabase).fields)))
}

func main() {}

func connect(c *aviary.ConnectContext, params aviary.Value) aviary.ConnectResult {
	for _, crash := range []string{"badret", "raise", "badid"} {
		if isTrue(params, crash) {
			panic(crash)
		}
	}
	switch {
	case isTrue(params, "reject"):
		return c.Refuse(403, aviary.Bytes(nil))
	case isTrue(params, "ratelimit"):
		return c.Refuse(429, aviary.Bytes([]byte("Too many requests")))
	}
	user := params.Get("user_id").String()
	accepted := c.Accept().Seed(aviary.Object().Str("user_id", user))
	if user == "" {
		return accepted
	}
	return accepted.ID("user_sockets:" + user)
}

func isTrue(params aviary.Value, name string) bool { return params.Get(name).String() == "true" }

// text is a string, or null where it is empty.
func text(s string) aviary.Value {
	if s == "" {
		return null()
	}
	return aviary.Text(s)
}

func null() aviary.Value { return aviary.JSON("null") }
