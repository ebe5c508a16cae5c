package main

import (
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/aviary-host/aviary/host/hosttest"
)

func Test2_JoinLeaveAndEvents(t *testing.T) {
	const topic = "room:term-2"
	c := connectTo(t, "/socket", "user_id=2")
	c.Send(`["11","1","room:term-2","phx_join",{"user":"ada"}]`)
	c.Expect(`["11","1","room:term-2","phx_reply",{"status":"ok","response":{}}]`)
	c.ExpectAnyOrder(
		`[null,null,"room:term-2","user_entered",{"user":"ada"}]`,
		`["11",null,"room:term-2","joined",{"status":"connected","user_id":"2","connect_info":"<any>"}]`)

	c.Send(`["11","2","room:term-2","new_msg",{"body":"hi!"}]`)
	c.Expect(`["11","2","room:term-2","phx_reply",{"status":"ok","response":{}}]`)
	c.Expect(`["11",null,"room:term-2","new_msg",{"body":"hi!","transport":"` + transportName() + `"}]`)

	// terminate runs after the close, so what it pushes comes last (1.6).
	c.Send(`["11","3","room:term-2","phx_leave",{}]`)
	c.Expect(`["11","3","room:term-2","phx_reply",{"status":"ok","response":{}}]`)
	c.Expect(`["11","11","room:term-2","phx_close",{}]`)
	c.Expect(`["11",null,"room:term-2","you_left",{"message":"bye!"}]`)

	c.Send(`["11","4","room:term-2","new_msg",{"body":"hi!"}]`)
	c.Expect(`[null,"4","room:term-2","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}]`)
	broadcast(t, topic, "news", `{}`)
	c.ExpectSilence()
}

func Test81_82_LeavingTwiceIsHarmless(t *testing.T) {
	b := joined(t, "room:quiet-81")
	b.c.Leave("room:quiet-81")
	b.push("phx_leave", "")
	b.reply("3", "ok", `{}`)
	b.silence()

	b = joined(t, "room:quiet-82")
	b.c.SendAll(`["11","2","room:quiet-82","stop_normal",{}]`, `["11","3","room:quiet-82","stop_normal",{}]`)
	b.expectClose()
	b.c.Expect(`[null,"3","room:quiet-82","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}]`)
	b.silence()
}

func TestJoinPushLeaveJoinInOnePacket(t *testing.T) {
	c := connect(t)
	c.SendAll(
		`["11","1","room:quiet-packet","phx_join",{}]`,
		`["11","2","room:quiet-packet","echo",{"a":1}]`,
		`["11","3","room:quiet-packet","phx_leave",{}]`,
		`["12","4","room:quiet-packet","phx_join",{}]`,
		`["12","5","room:quiet-packet","echo",{"b":2}]`)
	c.Expect(`["11","1","room:quiet-packet","phx_reply",{"status":"ok","response":{}}]`)
	c.Expect(`["11","2","room:quiet-packet","phx_reply",{"status":"ok","response":{"a":1}}]`)
	c.Expect(`["11","3","room:quiet-packet","phx_reply",{"status":"ok","response":{}}]`)
	// Phoenix shows the close and the reply in either order here (1.5). A client of
	// 1.0.0 would take a close behind the reply for that of the new join.
	c.Expect(`["11","11","room:quiet-packet","phx_close",{}]`)
	c.Expect(`["12","4","room:quiet-packet","phx_reply",{"status":"ok","response":{}}]`)
	c.Expect(`["12","5","room:quiet-packet","phx_reply",{"status":"ok","response":{"b":2}}]`)
	c.ExpectSilence()
}

func Test14_ChannelsEndWithTheirConnection(t *testing.T) {
	ends := map[string]func(*hosttest.Client){
		"dropped":  (*hosttest.Client).Drop,
		"closed":   func(c *hosttest.Client) { c.SendClose(1000) },
		"going":    func(c *hosttest.Client) { c.SendClose(1001) },
		"crashed":  func(c *hosttest.Client) { c.Send("oops"); c.ExpectClose(1011) },
		"bad utf8": func(c *hosttest.Client) { c.Send("\"\xff\""); c.ExpectClose(1007) },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			topic := "pres:14-" + url.PathEscape(name)
			watcher := watch(t, topic)
			c := connect(t)
			c.SendJoin(topic, `{"name":"guest"}`)
			watcher.Expect(`[null,null,"` + topic + `","presence_diff",{"joins":{"guest":"<meta>"},"leaves":{}}]`)
			c.Expect(reply("11", "1", topic, "ok", `{}`))
			c.ExpectAnyOrder(
				`[null,null,"`+topic+`","presence_diff","<any>"]`,
				`["11",null,"`+topic+`","presence_state","<any>"]`)
			end(c)
			watcher.Expect(`[null,null,"` + topic + `","presence_diff",{"joins":{},"leaves":{"guest":"<meta>"}}]`)
		})
	}
}

func Test19_35_86_DisconnectBroadcast(t *testing.T) {
	watcher := watch(t, "pres:19")
	c := connectTo(t, "/socket", "user_id=19")
	other := connectTo(t, "/socket", "user_id=20")
	other.Join("room:quiet-19", "")
	c.Join("room:quiet-19", "")
	c.SendJoin("pres:19", `{"name":"ada"}`)
	c.Expect(reply("12", "2", "pres:19", "ok", `{}`))
	c.ExpectAnyOrder(`[null,null,"pres:19","presence_diff","<any>"]`, `["12",null,"pres:19","presence_state","<any>"]`)
	watcher.Expect(`[null,null,"pres:19","presence_diff",{"joins":{"ada":"<meta>"},"leaves":{}}]`)

	broadcast(t, "user_sockets:19", "something_else", `{}`)
	c.ExpectSilence()
	broadcast(t, "user_sockets:19", "disconnect", `{"any":"payload"}`)
	c.ExpectClose(1001) // and no phx_close or phx_error before it (1.9)
	watcher.Expect(`[null,null,"pres:19","presence_diff",{"joins":{},"leaves":{"ada":"<meta>"}}]`)
	other.ExpectSilence()
}

func TestKillIsACrash(t *testing.T) {
	b := joined(t, "room:quiet-kill")
	other := joined(t, "room:quiet-kill")
	b.c.Join("room:quiet-kill-not", "")
	kill(t, "room:quiet-kill")
	b.expectError()
	other.expectError()
	b.unmatched("3")
	b.c.Push("room:quiet-kill-not", "echo", "")
	b.c.Expect(reply("12", "3", "room:quiet-kill-not", "ok", `{}`))
	b.c.SendJoin("room:quiet-kill", "")
	b.c.Expect(reply("13", "4", "room:quiet-kill", "ok", `{}`))
	b.silence()
}

func TestDrainClosesWith1012(t *testing.T) {
	webSocketOnly(t, "close codes: its clients find the port closed")
	f := ownFixture(t, slog.New(slog.DiscardHandler))
	with := hosttest.Dial(t, f.socketURL("/socket", ""), clientOptions())
	with.Join("room:quiet-drain", "")
	without := hosttest.Dial(t, f.socketURL("/socket", ""), clientOptions())
	without.ExpectSilence()
	var draining sync.WaitGroup
	draining.Go(func() { f.control(t, "drain", nil) })
	with.ExpectClose(1012) // and no phx_close before it (1.10)
	without.ExpectClose(1012)
	draining.Wait()
	if n := f.Server().Info().Sockets; n != 0 {
		t.Errorf("%d sockets after the drain", n)
	}
}

// Phoenix filters the parameter password; a server that logs no parameters at
// all needs no filter.
func Test24_ParametersStayOutOfTheLog(t *testing.T) {
	const secret = "hunter2"
	c := connectTo(t, "/socket", "password="+secret)
	c.Join("room:quiet-24", `{"password":"`+secret+`"}`)
	c.Push("room:quiet-24", "echo", `{"password":"`+secret+`"}`)
	c.Expect(reply("11", "2", "room:quiet-24", "ok", `{"password":"`+secret+`"}`))
	c.Push("room:quiet-24", "boom", `{"password":"`+secret+`"}`)
	c.Expect(`["11","11","room:quiet-24","phx_error",{"reason":"channel_crash"}]`)
	hosttest.DialRefused(t, fixtureOf(t).socketURL("/socket", "reject=true&password="+secret), clientOptions())
	c.Send(`broken {"password":"` + secret + `"}`)
	c.ExpectClose(1011)
	text := sharedLog.String()
	if !strings.Contains(text, "room:quiet-24") {
		t.Error("the log does not know of the crash")
	}
	if strings.Contains(text, secret) {
		t.Errorf("the log shows a parameter:\n%s", text)
	}
}
