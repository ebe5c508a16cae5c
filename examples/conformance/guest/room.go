package main

import (
	"strings"
	"time"

	aviary "github.com/aviary-host/aviary/sdk/go"
)

// room is the state of a Room channel.
type room struct {
	UserID      string
	ConnectInfo string     // JSON text of what connect knew of the client
	Assigned    string     // JSON text that "assign" left
	Stashed     aviary.Ref // of the message that "stash" did not answer
	Owed        []string   // refs of the messages that "async" has yet to answer, oldest first
}

func (r *room) fields(f *aviary.Fields) {
	f.Str("user_id", &r.UserID).
		Str("connect_info", &r.ConnectInfo).
		Str("k", &r.Assigned).
		Ref("stashed", &r.Stashed).
		Strs("owed", &r.Owed)
}

type context = aviary.Context[room]

func declareRoom(r *aviary.Route[room]) {
	r.Join(joinRoom).Terminate(leaveRoom).HandleInfo(roomInfo)
	declareReplies(r)
	declareStops(r)
	declareSends(r)
	declareLater(r)
	for _, event := range []string{"badret", "boom", "boom_exit", "reply_badtuple"} {
		r.On(event, func(*context, aviary.Value) aviary.Result { panic(event) })
	}
}

func joinRoom(c *context, p aviary.Value) aviary.JoinResult {
	switch name := c.TopicID(); name {
	case "deny":
		return c.Refuse(aviary.Object().Str("reason", "unauthorized").Set("got", p))
	case "mybad":
		return c.Refuse(aviary.Object().Str("reason", "mybad"))
	case "errstr":
		return c.Refuse(aviary.Text("denied"))
	case "reply":
		return c.Accept(aviary.Object().Str("hello", "world").Set("got", p))
	case "echo":
		return c.Accept(p)
	case "replybin":
		return c.Accept(aviary.Bytes([]byte{9, 8, 7}))
	case "crash", "exit", "badret", "pushinjoin":
		panic(name)
	case "slow":
		spin(700)
		return c.Accept(nil)
	default:
		if !strings.HasPrefix(name, "quiet") {
			afterJoin(c, p)
		}
		return c.Accept(nil)
	}
}

// afterJoin is what Phoenix's fixture does upon a message that it sends itself.
func afterJoin(c *context, p aviary.Value) {
	c.Broadcast("user_entered", aviary.Object().Set("user", p.Get("user")))
	c.Push("joined", aviary.Object().
		Str("status", "connected").
		Set("user_id", text(c.State().UserID)).
		Set("connect_info", aviary.JSON(c.State().ConnectInfo)))
}

func leaveRoom(c *context, _ aviary.Reason) {
	if strings.HasPrefix(c.Topic(), "room:term") {
		c.Push("you_left", aviary.Object().Str("message", "bye!"))
	}
}

// spin keeps the guest busy, as it cannot sleep, for at most two seconds.
func spin(ms int64) {
	end := time.Now().Add(time.Duration(min(ms, 2000)) * time.Millisecond)
	for time.Now().Before(end) {
	}
}

// transport names the client's transport as Phoenix prints it.
func transport(c *context) string { return ":" + c.Transport().String() }
