package group_test

import (
	"fmt"

	"github.com/aviary-host/aviary/presence/group"
)

func Example() {
	groups := group.New(nil)
	for _, err := range []error{
		groups.Create("floor 2"),
		groups.Add("floor 2", "room:kitchen"),
		groups.Add("floor 2", "room:office"),
		groups.Add("floor 2", "room:kitchen"), // is in it
		groups.Broadcast("floor 2", func(topic string) { fmt.Println("fire alarm on", topic) }),
		groups.Add("floor 3", "room:attic"),
	} {
		if err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// fire alarm on room:kitchen
	// fire alarm on room:office
	// no such group
}
