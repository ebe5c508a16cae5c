package aviary_test

import (
	"fmt"

	aviary "github.com/aviary-host/aviary/sdk/go"
)

// visitor is the state of a channel: what it remembers of its client.
type visitor struct {
	Name  string
	Waves int64
}

func (v *visitor) fields(f *aviary.Fields) { f.Str("name", &v.Name).Int("waves", &v.Waves) }

func ExampleChannel() {
	room := aviary.Channel("example:*", aviary.State((*visitor).fields))
	room.Join(func(c *aviary.Context[visitor], p aviary.Value) aviary.JoinResult {
		name, ok := p.Get("name").AsString()
		if !ok {
			return c.Refuse(aviary.Object().Str("reason", "who are you?"))
		}
		c.State().Name = name
		return c.Accept(nil)
	})
	room.On("wave", func(c *aviary.Context[visitor], _ aviary.Value) aviary.Result {
		c.State().Waves++
		c.BroadcastFrom("wave", aviary.Object().Str("from", c.State().Name))
		return c.Reply(aviary.Object().Int("waves", c.State().Waves))
	})
}

func ExampleValue() {
	p := aviary.JSON(`{"user":{"name":"Ad\u00e4"},"n":"seven"}`)
	fmt.Println(p.Path("user", "name").String())
	n, ok := p.Get("n").AsInt()
	fmt.Println(n, ok)
	// Output:
	// Adä
	// 0 false
}

func ExampleObject() {
	ada := aviary.Object().Str("name", "Ada").Set("tags", aviary.Array().Str("a").Int(1))
	fmt.Println(aviary.Object().Set("you", ada).Bool("new", true))
	// Output: {"you":{"name":"Ada","tags":["a",1]},"new":true}
}

func ExampleState() {
	codec := aviary.State((*visitor).fields)
	fmt.Printf("%s\n", codec.Append(nil, &visitor{Name: "Ada", Waves: 2}))
	// Output: {"name":"Ada","waves":2}
}
