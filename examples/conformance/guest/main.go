package main

import aviary "github.com/aviary-host/aviary/sdk/go"

func init() {
	aviary.Connect(connect)
	for _, pattern := range []string{"room:*", "exact", "phoenix"} {
		declareRoom(aviary.Channel(pattern, aviary.State((*room).fields)))
	}
	declarePresence(aviary.Channel("pres:*", aviary.State((*tracked).fields)))
	declareGroups(aviary.Channel("group:*", aviary.State((*member).fields)))
	declareCustom(aviary.Channel("custom:*", aviary.NoState()))
	declareSupabase(aviary.Channel("realtime:*", aviary.State((*supabase).fields)))
	for _, pattern := range []string{"food*", "foo*"} { // in this order
		declareNamed(aviary.Channel(pattern, aviary.NoState()), pattern)
	}
}

func main() {}
