// Command guest is the module that the load generator measures: handlers that do
// next to nothing, so that what is left is the cost of the host.
package main

import aviary "github.com/aviary-host/aviary/sdk/go"

type context = aviary.Context[aviary.None]

func init() {
	aviary.Channel("room:*", aviary.NoState()).
		Join(joinRoom).
		On("echo", echo).
		On("shout", shout).
		On("push", push)
	aviary.Channel("presence:*", aviary.NoState()).
		Join(joinPresence)
}

func main() {}

func joinRoom(c *context, _ aviary.Value) aviary.JoinResult { return c.Accept(nil) }

func echo(c *context, p aviary.Value) aviary.Result { return c.Reply(p) }

func shout(c *context, p aviary.Value) aviary.Result {
	c.Broadcast("shout", p)
	return c.NoReply()
}

func push(c *context, p aviary.Value) aviary.Result {
	c.Push("push", p)
	return c.NoReply()
}

func joinPresence(c *context, p aviary.Value) aviary.JoinResult {
	c.Track(p.Get("user").String(), nil)
	c.PushPresence()
	return c.Accept(nil)
}
