// Package host is the server: it accepts WebSocket connections and long polls,
// speaks the Phoenix Channels protocol on them, keeps channels and their state,
// and has a [Handler] decide what happens in each. Handlers are WebAssembly
// plugins or native Go; the host cannot tell which.
//
// The verbs: [New] a Server from a [Config], [Server.Register] handlers for
// topics, [Server.Serve] a listener, [Server.Broadcast] and its kin from
// outside, [Server.Drain] and [Server.Close] in the end.
//
// # The way of a message
//
//	conn -> loop, looped        loop_linux.go a read; TLS and other systems: stream.go
//	     -> webSocket.handle    websocket.go all frames in it (frames.go)
//	     -> Socket.receive      socket.go    decoded
//	     -> Socket.dispatch     dispatch.go  heartbeat, join, stale refs, routing
//	     -> Channel.handleIn    channel.go   one callback at a time
//	     -> Handler.Handle                   the plugin: request in, response out
//	     -> Channel.apply       commit.go    checked whole, then effects, result and state
//	     -> outbox              outbox.go    one write for the replies of the batch
//
// A broadcast goes Server.Broadcast or effect -> pubsub -> Channel.Deliver ->
// outbox, encoded once for all its receivers of one serializer ([Fanout]). A
// client that polls has a pollSession (poll_session.go) in the place of webSocket
// and outbox.
//
// Those who share a server without noticing each other are tenants (tenant.go):
// [Config.Tenants], [Server.Tenant], [Server.Suspend].
//
// # Concurrency
//
// As many loops as there are processors read the WebSockets, and write to them what
// comes from elsewhere. At any time one goroutine leads a loop; one that a callback
// keeps away for long leaves that to another ([DetachingHandler]). A connection that
// no loop can watch has a goroutine of its own, which reads, and for as long as there
// is something to write and that goroutine is not about to do it, a second one. A
// join has a goroutine of its own while its callback runs (join.go). Callbacks of one channel never overlap: whoever brings a channel its message
// runs the callback if the channel is idle, else leaves it in the channel's
// mailbox (mailbox.go). Nothing calls a handler or writes to a connection while
// holding a lock; [Channel.Deliver] is called under a topic's lock and only
// enqueues.
//
// The protocol's rules are those of Phoenix 1.8 (socket.ex, channel/server.ex);
// where a rule stands in the code, the comment names the file.
package host
