package pubsub_test

import (
	"fmt"

	"github.com/aviary-host/aviary/pubsub"
)

// client stands for a socket; a real one enqueues instead of printing.
type client string

func (c *client) Deliver(topic, m string) {
	fmt.Printf("%s <- %s: %s\n", *c, topic, m)
}

func Example() {
	p := pubsub.New(pubsub.Config[string]{})
	ann, bob := client("ann"), client("bob")
	p.Subscribe("room:1", &ann, nil)
	sub := p.Subscribe("room:1", &bob, func() {
		fmt.Println("bob <- join reply") // before anything of the topic
	})

	p.Broadcast("room:1", "hello")
	p.BroadcastFrom(&ann, "room:1", "it is me")
	sub.Cancel()
	p.Broadcast("room:1", "anybody there?")
	// Output:
	// bob <- join reply
	// ann <- room:1: hello
	// bob <- room:1: hello
	// bob <- room:1: it is me
	// ann <- room:1: anybody there?
}
