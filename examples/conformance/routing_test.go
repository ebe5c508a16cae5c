package main

import (
	"fmt"
	"testing"
)

func Test15_EventsOnTopicsThatAreNotJoined(t *testing.T) {
	c := connect(t)
	for _, ref := range []string{"1", "2"} {
		c.SendJSON("11", ref, "room:quiet-15", "new_msg", struct{}{})
		c.Expect(fmt.Sprintf(`[null,%q,"room:quiet-15","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}]`, ref))
	}
	c.ExpectSilence()
}

func Test23_UnmatchedTopic(t *testing.T) {
	c := connect(t)
	for _, topic := range []string{"unmatched-topic", "exactly", "roo", ""} {
		c.SendJSON("11", "1", topic, "phx_join", struct{}{})
		c.Expect(fmt.Sprintf(`[null,"1",%q,"phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}]`, topic))
	}
	c.ExpectSilence()
}

func Test34_TheFirstPatternThatFitsWins(t *testing.T) {
	c := connect(t)
	c.Send(`["11","1","foo:1","phx_join",{}]`)
	c.Expect(`["11","1","foo:1","phx_reply",{"status":"ok","response":{"pattern":"foo*"}}]`)
	c.Send(`["12","2","food:1","phx_join",{}]`)
	c.Expect(`["12","2","food:1","phx_reply",{"status":"ok","response":{"pattern":"food*"}}]`)
	c.Send(`["13","3","fo:1","phx_join",{}]`)
	c.Expect(`[null,"3","fo:1","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}]`)
	c.ExpectSilence()
}

func TestPrefixPatternMatchesThePrefixItself(t *testing.T) {
	c := connect(t)
	c.Send(`["11","1","room:","phx_join",{}]`)
	c.Expect(`["11","1","room:","phx_reply",{"status":"ok","response":{}}]`)
}

func TestLeaveOfUnknownTopicIsOK(t *testing.T) {
	c := connect(t)
	c.Send(`["11","1","room:quiet-unknown","phx_leave",{}]`)
	c.Expect(`["11","1","room:quiet-unknown","phx_reply",{"status":"ok","response":{}}]`)
	c.Send(`[null,"2","no such route","phx_leave",{}]`)
	c.Expect(`[null,"2","no such route","phx_reply",{"status":"ok","response":{}}]`)
	c.ExpectSilence()
}

func TestStaleJoinRefIsDroppedSilently(t *testing.T) {
	c := connect(t)
	c.Join("room:quiet-stale", "")
	c.Send(`["10","2","room:quiet-stale","echo",{}]`)
	c.Send(`["","3","room:quiet-stale","echo",{}]`)
	c.Send(`["10","4","room:quiet-stale","phx_leave",{}]`)
	c.ExpectSilence()
	c.Send(`["11","5","room:quiet-stale","echo",{"still":"joined"}]`)
	c.Expect(`["11","5","room:quiet-stale","phx_reply",{"status":"ok","response":{"still":"joined"}}]`)
}

func TestNullJoinRefPassesOnAJoinedTopic(t *testing.T) {
	c := connect(t)
	c.Join("room:quiet-pass", "")
	c.Send(`[null,"2","room:quiet-pass","echo",{"a":1}]`)
	c.Expect(`["11","2","room:quiet-pass","phx_reply",{"status":"ok","response":{"a":1}}]`)
	c.Send(`[null,"3","room:quiet-pass","phx_leave",{}]`)
	c.Expect(`["11","3","room:quiet-pass","phx_reply",{"status":"ok","response":{}}]`)
	c.Expect(`["11","11","room:quiet-pass","phx_close",{}]`)
	c.ExpectSilence()
}

func TestTopicsThatAreNoStrings(t *testing.T) {
	for _, topic := range []string{`5`, `null`, `{"a":1}`, `["room:1"]`, `true`} {
		t.Run(topic, func(t *testing.T) {
			c := connect(t)
			c.Send(`["11","1",` + topic + `,"phx_join",{}]`)
			c.Expect(`[null,"1",` + topic + `,"phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}]`)
			c.Send(`["11","2",` + topic + `,"echo",{}]`)
			c.Expect(`[null,"2",` + topic + `,"phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}]`)
			c.Send(`["11","3",` + topic + `,"phx_leave",{}]`)
			c.Expect(`["11","3",` + topic + `,"phx_reply",{"status":"ok","response":{}}]`)
			c.ExpectSilence()
		})
	}
}

func TestEventThatIsNoStringReachesHandleIn(t *testing.T) {
	b := joined(t, "room:quiet-event")
	b.c.Send(`["11","2","room:quiet-event",7,{}]`)
	b.reply("2", "error", `{"reason":"unknown event","event":"7"}`)
	b.silence()
}

func TestHeartbeat(t *testing.T) {
	c := connect(t)
	c.Send(`["11","1","phoenix","heartbeat",{}]`) // a join_ref is not echoed
	c.Expect(`[null,"1","phoenix","phx_reply",{"status":"ok","response":{}}]`)
	c.Send(`[null,null,"phoenix","heartbeat",null]`)
	c.Expect(`[null,null,"phoenix","phx_reply",{"status":"ok","response":{}}]`)
	c.Send(`[null,"3","phoenix","other",{}]`)
	c.Expect(`[null,"3","phoenix","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}]`)
}

func TestHeartbeatWhileAChannelPhoenixExists(t *testing.T) {
	c := connect(t)
	c.SendJoin("phoenix", "")
	c.Expect(`["11","1","phoenix","phx_reply",{"status":"ok","response":{}}]`)
	c.Expect(`[null,null,"phoenix","user_entered",{"user":null}]`)
	c.Expect(`["11",null,"phoenix","joined","<any>"]`)
	for _, joinRef := range []string{`null`, `"11"`, `"stale"`} {
		c.Send(`[` + joinRef + `,"2","phoenix","heartbeat",{}]`)
		c.Expect(`[null,"2","phoenix","phx_reply",{"status":"ok","response":{}}]`)
	}
	c.Send(`["11","3","phoenix","echo",{"a":1}]`)
	c.Expect(`["11","3","phoenix","phx_reply",{"status":"ok","response":{"a":1}}]`)
	c.Leave("phoenix")
	c.ExpectSilence()
}

func TestProtocolEventsOnAJoinedTopicReachHandleIn(t *testing.T) {
	// As any other event (1.4); the fixture has no clause for them.
	b := joined(t, "room:quiet-reserved")
	for i, event := range []string{"phx_close", "phx_error", "phx_reply", "heartbeat"} {
		b.push(event, "")
		b.reply(fmt.Sprint(i+2), "error", fmt.Sprintf(`{"reason":"unknown event","event":%q}`, event))
	}
	b.silence()
}

func TestExtraElementsAreIgnored(t *testing.T) {
	c := connect(t)
	c.Send(`["11","1","room:quiet-extra","phx_join",{},"extra",{"more":[]}]`)
	c.Expect(`["11","1","room:quiet-extra","phx_reply",{"status":"ok","response":{}}]`)
	c.Send(` [ "11" , "2" , "room:quiet-extra" , "echo" , { "a" : 1 } , null ] `)
	c.Expect(`["11","2","room:quiet-extra","phx_reply",{"status":"ok","response":{"a":1}}]`)
}

func TestEscapedNames(t *testing.T) {
	c := connect(t)
	c.Send(`["11","1","room:quiet-\u00e9\u2028\"","phx_join",{}]`)
	c.Expect("[\"11\",\"1\",\"room:quiet-\u00e9\u2028\\\"\",\"phx_reply\",{\"status\":\"ok\",\"response\":{}}]")
	c.Send("[\"11\",\"2\",\"room:quiet-\u00e9\\u2028\\u0022\",\"\\u0065cho\",{}]") // the same names, spelled differently
	c.Expect("[\"11\",\"2\",\"room:quiet-\u00e9\u2028\\\"\",\"phx_reply\",{\"status\":\"ok\",\"response\":{}}]")
}
