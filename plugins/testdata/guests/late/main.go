// Command late is a guest that declares its channel where it is never run.
package main

import aviary "github.com/aviary-host/aviary/sdk/go"

func main() {
	aviary.Channel("poll:*", aviary.NoState()).Join(func(c *aviary.Context[aviary.None], _ aviary.Value) aviary.JoinResult {
		return c.Accept(nil)
	})
}
