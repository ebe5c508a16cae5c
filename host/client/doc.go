// Package client is a client of Phoenix channels for programs in Go, small and without
// surprises: what `aviary connect` speaks with.
//
//	c, err := client.Dial(ctx, "ws://127.0.0.1:4000/socket", client.Options{})
//	c.Join("room:1", []byte(`{"name":"Ada"}`))
//	for { m, err := c.Read() ... }
//
// [Dial] opens a WebSocket with serializer 2.0.0, by TLS for wss; [Client.Join] and
// [Client.Push] send, [Client.Read] returns the next message, whatever it is. It does not
// reconnect, join again or time replies: those are its user's affair, as is
// [Client.Heartbeat].
//
// Read belongs to one goroutine; the others may be called from any, also meanwhile. Close
// ends a Read that waits. Protocol: phoenix.js 1.8, RFC 6455.
package client
