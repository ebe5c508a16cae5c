// Command guest is a chat: rooms, names in colours, a list of who is there and
// who is typing. The page beside it is its client.
package main

import (
	"strings"
	"unicode/utf8"

	aviary "github.com/aviary-host/aviary/sdk/go"
)

const (
	nameLimit = 24   // characters
	textLimit = 2000 // characters
)

// member is what a room remembers of one client.
type member struct{ Name, Color string }

func (m *member) fields(f *aviary.Fields) { f.Str("name", &m.Name).Str("color", &m.Color) }

func (m *member) object() *aviary.Obj {
	return aviary.Object().Str("name", m.Name).Str("color", m.Color)
}

type context = aviary.Context[member]

func init() {
	aviary.Connect(connect)
	aviary.Channel("room:*", aviary.State((*member).fields)).
		Join(join).
		On("new_msg", newMessage).
		On("typing", typing).
		Terminate(leave)
}

func main() {}

// connect accepts everybody: the join asks for a name, unless there is one already.
func connect(c *aviary.ConnectContext, params aviary.Value) aviary.ConnectResult {
	return c.Accept().Seed(aviary.Object().Set("name", params.Get("name")))
}

func join(c *context, p aviary.Value) aviary.JoinResult {
	me := c.State()
	if name, given := p.Get("name").AsString(); given {
		me.Name = name
	}
	me.Name = strings.TrimSpace(me.Name)
	switch {
	case me.Name == "":
		return c.Refuse(reason("name_required"))
	case utf8.RuneCountInString(me.Name) > nameLimit:
		return c.Refuse(reason("name_too_long").Int("limit", nameLimit))
	}
	me.Color = colorOf(me.Name)
	c.Track(me.Name, me.object().Int("online_at", c.Time()))
	c.PushPresence()
	return c.Accept(aviary.Object().Set("you", me.object()))
}

func newMessage(c *context, p aviary.Value) aviary.Result {
	text := strings.TrimSpace(p.Get("text").String())
	switch {
	case text == "":
		return c.ReplyError(reason("empty"))
	case utf8.RuneCountInString(text) > textLimit:
		return c.ReplyError(reason("too_long").Int("limit", textLimit))
	}
	id := c.NewID()
	c.Broadcast("new_msg", c.State().object().Str("id", id).Str("text", text).Int("at", c.Time()))
	return c.Reply(aviary.Object().Str("id", id))
}

func typing(c *context, p aviary.Value) aviary.Result {
	return showTyping(c, p.Get("typing").Bool())
}

func leave(c *context, _ aviary.Reason) { showTyping(c, false) }

func showTyping(c *context, typing bool) aviary.Result {
	c.BroadcastFrom("typing", aviary.Object().Str("name", c.State().Name).Bool("typing", typing))
	return c.NoReply()
}

func reason(why string) *aviary.Obj { return aviary.Object().Str("reason", why) }
