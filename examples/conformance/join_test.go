package main

import (
	"fmt"
	"testing"

	"github.com/aviary-host/aviary/host/hosttest"
)

// The numbers in test names are those of reference/phoenix.md section 4. Serial
// V2 text throughout; binary frames, V1 and long polling have their own work.

func Test1_MountOfSeveralSegments(t *testing.T) {
	c := connectTo(t, "/ws/admin", "")
	c.Send(`["11","1","room:quiet-1","phx_join",{}]`)
	c.Expect(`["11","1","room:quiet-1","phx_reply",{"status":"ok","response":{}}]`)
	c.ExpectSilence()
}

func Test3_The101stJoinIsRefused(t *testing.T) {
	c := connect(t)
	topic := func(n int) string { return fmt.Sprintf("room:quiet-3-%d", n) }
	for n := range 100 {
		c.Join(topic(n), "")
	}
	c.SendJoin(topic(100), "")
	c.Expect(reply("111", "101", topic(100), "error", `{"reason":"too many channels joined"}`))

	// The pattern is looked at first (1.5).
	c.SendJoin("nowhere", "")
	c.Expect(`[null,"102","nowhere","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}]`)

	// A duplicate join frees its own slot first (1.5).
	c.SendJoin(topic(0), "")
	c.Expect(reply("113", "103", topic(0), "ok", `{}`))
	c.Expect(`["11","11","room:quiet-3-0","phx_close",{}]`)

	c.Leave(topic(50))
	c.SendJoin(topic(100), "")
	c.Expect(reply("114", "105", topic(100), "ok", `{}`))
	c.ExpectSilence()
}

func Test4_MountLimitOfOneChannel(t *testing.T) {
	c := connectTo(t, "/limited", "")
	c.Join("room:quiet-4-a", "")
	c.Send(`["12","2","room:quiet-4-b","phx_join",{}]`)
	c.Expect(`["12","2","room:quiet-4-b","phx_reply",{"status":"error","response":{"reason":"too many channels joined"}}]`)
	c.Send(`["12","3","room:quiet-4-b","echo",{}]`)
	c.Expect(`[null,"3","room:quiet-4-b","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}]`)
	c.ExpectSilence()
}

func Test20_DuplicateJoin(t *testing.T) {
	tests := []struct{ name, topic, newRef string }{
		{"new join_ref", "room:quiet-20-new", "12"},
		{"same join_ref", "room:quiet-20-same", "11"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := connect(t)
			c.Join(tt.topic, "")
			c.SendJSON(tt.newRef, "2", tt.topic, "phx_join", struct{}{})
			c.Expect(reply(tt.newRef, "2", tt.topic, "ok", `{}`))
			c.Expect(fmt.Sprintf(`["11","11",%q,"phx_close",{}]`, tt.topic))
			c.SendJSON(tt.newRef, "3", tt.topic, "echo", map[string]int{"n": 1})
			c.Expect(reply(tt.newRef, "3", tt.topic, "ok", `{"n":1}`))
			c.ExpectSilence()
		})
	}
}

func Test20_DuplicateJoinMakesTheOldRefStale(t *testing.T) {
	c := connect(t)
	c.Join("room:quiet-20-stale", "")
	c.SendJoin("room:quiet-20-stale", "")
	c.Expect(reply("12", "2", "room:quiet-20-stale", "ok", `{}`))
	c.Expect(`["11","11","room:quiet-20-stale","phx_close",{}]`)
	c.Send(`["11","3","room:quiet-20-stale","echo",{}]`)
	c.ExpectSilence()
}

func Test20_DuplicateJoinThatIsRefusedEndsTheOldOneAnyway(t *testing.T) {
	c := connect(t)
	c.SendJoin("custom:20", `{"action":"ok"}`)
	c.Expect(reply("11", "1", "custom:20", "ok", `{"action":"ok"}`))
	c.SendJoin("custom:20", `{"action":"ignore"}`)
	c.Expect(reply("12", "2", "custom:20", "error", `{"action":"ignore"}`))
	c.Expect(`["11","11","custom:20","phx_close",{}]`)
	c.Send(`["11","3","custom:20","close",{}]`)
	c.Expect(`[null,"3","custom:20","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}]`)
	c.ExpectSilence()
}

func Test25_CustomChannel(t *testing.T) {
	c := connect(t)
	c.Send(`["11","1","custom:25","phx_join",{"action":"ignore"}]`)
	c.Expect(`["11","1","custom:25","phx_reply",{"status":"error","response":{"action":"ignore"}}]`)
	c.Send(`["12","2","custom:25","phx_join",{"action":"error"}]`)
	c.Expect(`["12","2","custom:25","phx_reply",{"status":"error","response":{"reason":"join crashed"}}]`)
	c.Send(`["13","3","custom:25","phx_join",{"action":"ok"}]`)
	c.Expect(`["13","3","custom:25","phx_reply",{"status":"ok","response":{"action":"ok"}}]`)
	c.Send(`["13","4","custom:25","close",{}]`)
	c.Expect(`["13","13","custom:25","phx_close",{}]`)
	c.ExpectSilence()
}

func Test67_JoinReplyCarriesData(t *testing.T) {
	// The payload of phx_join may be any JSON value (1.2).
	payloads := []string{`{"a":[1,{"b":null}]}`, `[1,2]`, `"text"`, `null`, `7`, `true`}
	for i, payload := range payloads {
		t.Run(payload, func(t *testing.T) {
			c := connect(t)
			c.SendJoin("room:reply", payload)
			c.Expect(reply("11", "1", "room:reply", "ok", `{"hello":"world","got":`+payloads[i]+`}`))
			c.ExpectSilence()
		})
	}
}

func Test68_JoinErrorCarriesData(t *testing.T) {
	c := connect(t)
	c.Send(`["11","1","room:deny","phx_join",{"token":"x"}]`)
	c.Expect(`["11","1","room:deny","phx_reply",{"status":"error","response":{"reason":"unauthorized","got":{"token":"x"}}}]`)
	c.Send(`["12","2","room:mybad","phx_join",{}]`)
	c.Expect(`["12","2","room:mybad","phx_reply",{"status":"error","response":{"reason":"mybad"}}]`)
	c.Send(`["12","2","room:errstr","phx_join",{}]`)
	c.Expect(`["12","2","room:errstr","phx_reply",{"status":"error","response":"denied"}]`)
	// A refused join leaves no channel (1.5).
	c.Send(`["11","3","room:deny","echo",{}]`)
	c.Expect(`[null,"3","room:deny","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}]`)
	c.ExpectSilence()
}

func Test69_JoinCrash(t *testing.T) {
	for _, topic := range []string{"room:crash", "room:exit", "room:badret", "room:pushinjoin"} {
		t.Run(topic, func(t *testing.T) {
			c := connect(t)
			c.Join("room:quiet-69", "")
			c.SendJoin(topic, "")
			c.Expect(reply("12", "2", topic, "error", `{"reason":"join crashed"}`))
			c.SendJSON("12", "3", topic, "echo", struct{}{})
			c.Expect(fmt.Sprintf(`[null,"3",%q,"phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}]`, topic))
			// The socket and its other channels go on.
			c.Send(`["11","4","room:quiet-69","echo",{"still":"here"}]`)
			c.Expect(`["11","4","room:quiet-69","phx_reply",{"status":"ok","response":{"still":"here"}}]`)
			c.ExpectSilence()
		})
	}
}

// A join that takes its time: in Phoenix its socket would answer nothing else.
// Not even what another channel of the socket does is held up.
func TestSlowJoinHoldsUpItsTopicOnly(t *testing.T) {
	c := connect(t)
	c.Join("room:quiet-beside", "")
	c.SendAll(
		`["12","2","room:slow","phx_join",{}]`,
		`["12","3","room:slow","phx_leave",{}]`,
		`["11","4","room:quiet-beside","echo",{}]`,
		`[null,"5","phoenix","heartbeat",{}]`)
	c.ExpectAnyOrder( // a channel's answers and those of its socket have no order, as in Phoenix
		`["11","4","room:quiet-beside","phx_reply",{"status":"ok","response":{}}]`,
		`[null,"5","phoenix","phx_reply",{"status":"ok","response":{}}]`)
	c.Expect(`["12","2","room:slow","phx_reply",{"status":"ok","response":{}}]`)
	c.Expect(`["12","3","room:slow","phx_reply",{"status":"ok","response":{}}]`)
	c.Expect(`["12","12","room:slow","phx_close",{}]`)
}

func TestJoinReplyPrecedesWhatTheJoinSends(t *testing.T) {
	c := connect(t)
	c.Send(`["11","1","room:first","phx_join",{"user":"ada"}]`)
	c.Expect(`["11","1","room:first","phx_reply",{"status":"ok","response":{}}]`)
	c.Expect(`[null,null,"room:first","user_entered",{"user":"ada"}]`)
	c.Expect(`["11",null,"room:first","joined",{"status":"connected","user_id":null,"connect_info":"<any>"}]`)
	c.ExpectSilence()
}

// One client broadcasts without a pause while another joins and leaves: it gets
// broadcasts only between a join's reply and the leave's, and of those it
// misses none (1.5).
func TestBroadcastsComeBetweenJoinReplyAndLeaveOnly(t *testing.T) {
	const rounds, broadcasts, joins = 20, 200, 100
	sender, joiner := connect(t), connect(t)
	heard := 0
	for round := range rounds {
		topic := fmt.Sprintf("room:quiet-race-%d", round)
		sender.Join(topic, "")
		var burst, visits []string
		for n := range broadcasts {
			burst = append(burst, fmt.Sprintf(`[null,"b",%q,"bcast_from",{"n":%d}]`, topic, n))
		}
		for n := range joins {
			visits = append(visits,
				fmt.Sprintf(`["%d","in",%q,"phx_join",{}]`, n, topic),
				fmt.Sprintf(`["%d","out",%q,"phx_leave",{}]`, n, topic))
		}
		sender.SendAll(burst...)
		joiner.SendAll(visits...)
		for range joins {
			heard += visit(t, joiner)
		}
		for range broadcasts {
			sender.Expect(fmt.Sprintf(`["<any>","b",%q,"phx_reply",{"status":"ok","response":{}}]`, topic))
		}
		sender.Leave(topic)
		joiner.ExpectSilence()
	}
	t.Logf("%d broadcasts reached %d joins", heard, rounds*joins)
}

// visit takes what comes from a join to the close of its leave, and returns how
// many broadcasts were in it.
func visit(t *testing.T, c *hosttest.Client) (heard int) {
	t.Helper()
	first := c.Receive()
	if first.Ref != "in" {
		t.Fatalf("got %s before the reply of the join\n%s", first.Text, c.Dialogue())
	}
	last := -1
	m := c.Receive()
	for ; m.Event == "shout"; m = c.Receive() {
		n := number(t, m.Payload, "n")
		if last >= 0 && n != last+1 {
			t.Fatalf("broadcast %d follows %d\n%s", n, last, c.Dialogue())
		}
		last = n
		heard++
	}
	if m.Ref != "out" {
		t.Fatalf("got %s, want the reply of the leave\n%s", m.Text, c.Dialogue())
	}
	if m = c.Receive(); m.Event != "phx_close" {
		t.Fatalf("got %s, want phx_close\n%s", m.Text, c.Dialogue())
	}
	return heard
}

func TestNullJoinRef(t *testing.T) {
	c := connect(t)
	c.Send(`[null,"1","room:quiet-null","phx_join",{}]`)
	c.Expect(`[null,"1","room:quiet-null","phx_reply",{"status":"ok","response":{}}]`)
	// The channel's own join_ref became the ref, the socket goes on with null (1.4).
	c.Send(`[null,"2","room:quiet-null","echo",{"a":1}]`)
	c.Expect(`["1","2","room:quiet-null","phx_reply",{"status":"ok","response":{"a":1}}]`)
	c.Send(`["1","3","room:quiet-null","echo",{}]`)
	c.ExpectSilence()
	c.Send(`[null,"4","room:quiet-null","phx_leave",{}]`)
	c.Expect(`["1","4","room:quiet-null","phx_reply",{"status":"ok","response":{}}]`)
	c.Expect(`[null,null,"room:quiet-null","phx_close",{}]`)
}

func TestIntegerRefs(t *testing.T) {
	c := connect(t)
	c.Send(`[11,1,"room:quiet-int","phx_join",{}]`)
	c.Expect(`[11,1,"room:quiet-int","phx_reply",{"status":"ok","response":{}}]`)
	c.Send(`[11,2,"room:quiet-int","echo",{}]`)
	c.Expect(`[11,2,"room:quiet-int","phx_reply",{"status":"ok","response":{}}]`)
	c.Send(`["11",3,"room:quiet-int","echo",{}]`) // "11" is not 11
	c.ExpectSilence()
	c.Send(`[11,{"any":["value"]},"room:quiet-int","echo",{}]`)
	c.Expect(`[11,{"any":["value"]},"room:quiet-int","phx_reply",{"status":"ok","response":{}}]`)
}
