// Package aviary is the Go SDK for Aviary guests: modules of channel logic that
// an Aviary server runs for clients speaking the Phoenix Channels protocol.
//
// The verbs are [Channel], which declares the handlers of the topics that match
// a pattern, and [Connect]. Both are called from an init function: a guest is a
// reactor module, whose main never runs.
//
//	func init() {
//		room := aviary.Channel("room:*", aviary.State((*member).fields))
//		room.Join(join)
//		room.On("new_msg", newMessage)
//	}
//
//	func newMessage(c *aviary.Context[member], p aviary.Value) aviary.Result {
//		c.Broadcast("new_msg", aviary.Object().Str("name", c.State().Name).Set("text", p.Get("text")))
//		return c.Reply(nil)
//	}
//
// A handler reads its request through the [Context], asks for effects by the
// context's methods, and returns a result. The host carries out the effects in
// the order in which they were asked for, and then the result; if the handler
// panics, it carries out none of them. ABI: abi/SPEC.md.
//
// # Memory
//
// The host may put a guest's memory back to what it was after the init functions
// at any time between two callbacks, and consecutive callbacks of one channel may
// run in different copies of the module. What has to last goes into the state
// (see [Codec]). A [Value], and every string that comes from one or from a
// context, is a view into the request: valid until the handler returns.
//
// # Cost
//
// A guest that stays with this package links neither encoding/json nor fmt nor
// reflect, which makes it a third smaller and much faster to compile. Keep to
// strings, strconv and unicode/utf8 to keep it so. Package aviaryjson, beside
// this one, has the comfort and the price of encoding/json.
//
// # Concurrency
//
// A guest has one thread and one callback at a time. Nothing here may be used
// from a goroutine that outlives its handler.
package aviary
