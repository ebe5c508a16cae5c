// Command joinless is a guest whose second channel nobody could join.
package main

import aviary "github.com/aviary-host/aviary/sdk/go"

func main() {}

func init() {
	aviary.Channel("room:*", aviary.NoState()).Join(func(c *aviary.Context[aviary.None], _ aviary.Value) aviary.JoinResult {
		return c.Accept(nil)
	})
	aviary.Channel("poll:*", aviary.NoState()).HandleIn(func(c *aviary.Context[aviary.None], _ aviary.Value) aviary.Result {
		return c.NoReply()
	})
}
