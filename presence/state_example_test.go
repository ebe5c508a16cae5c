package presence_test

import (
	"fmt"

	"github.com/aviary-host/aviary/presence"
)

// Two nodes, a delta that is lost, and what makes up for it.
func ExampleState() {
	a, err := presence.NewState(presence.Replica{Name: "a", Incarnation: 1}, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	b, err := presence.NewState(presence.Replica{Name: "b", Incarnation: 1}, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	tell := func(d *presence.Delta) {
		ch, err := b.Merge(d)
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, c := range ch.Leaves {
			fmt.Println("b: leaves", c.Item.Key, c.Item.Ref)
		}
		for _, c := range ch.Joins {
			fmt.Println("b: joins", c.Item.Key, c.Item.Ref)
		}
	}
	item := func(key, ref string) presence.Item {
		return presence.Item{Topic: "room:1", Entry: presence.Entry{Key: key, Ref: ref, Meta: []byte(`{}`)}}
	}

	ann, err := a.Add(item("ann", "r1"))
	if err != nil {
		fmt.Println(err)
		return
	}
	tell(a.Since(0))
	a.Remove(ann) // change 2, of which nobody is told
	if _, err := a.Add(item("zoe", "r2")); err != nil {
		fmt.Println(err)
		return
	}
	tell(a.Since(2))
	tell(a.Owed(b.Clocks()))
	// Output:
	// b: joins ann r1
	// b: joins zoe r2
	// b: leaves ann r1
}
