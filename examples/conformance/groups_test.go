package main

import (
	"fmt"
	"testing"

	"github.com/aviary-host/aviary/host/hosttest"
)

// memberOf joins a topic, which the module puts into a group; the join_ref is 11.
func memberOf(t *testing.T, topic, group string) *testBench {
	t.Helper()
	c := connect(t)
	c.SendJoin(topic, fmt.Sprintf(`{"group":%q}`, group))
	c.Expect(reply("11", "1", topic, "ok", `{}`))
	return &testBench{t, c, topic}
}

// TestGroupsOfAModule: what a module tells a group, the clients of all its topics get,
// once on each, in the order in which the topics came into it.
func TestGroupsOfAModule(t *testing.T) {
	b, a := memberOf(t, "group:b", "one"), memberOf(t, "group:a", "one")
	other := memberOf(t, "group:c", "another")
	told := func(c *hosttest.Client, topics ...string) {
		t.Helper()
		for _, topic := range topics {
			c.Expect(fmt.Sprintf(`[null,null,%q,"told",{"n":1}]`, topic))
		}
	}
	a.c.SendJoin("group:b", `{"group":"one"}`) // which is in it
	a.c.Expect(reply("12", "2", "group:b", "ok", `{}`))
	b.push("tell", `{"n":1}`)
	told(b.c, "group:b")
	b.reply("2", "ok", `{}`)
	told(a.c, "group:b", "group:a")

	a.push("remove", `{"topic":"group:a"}`)
	a.reply("3", "ok", `{}`)
	a.push("tell", `{"n":1}`)
	told(a.c, "group:b")
	a.reply("4", "ok", `{}`)
	told(b.c, "group:b")

	// One who may not broadcast to a topic may not put it into a group either.
	b.push("add", `{"topic":"pres:1"}`)
	b.expectError()
	for _, bench := range []*testBench{a, b, other} {
		bench.silence()
	}
}

// TestGroupsFromOutside: the server's own calls are about the same groups.
func TestGroupsFromOutside(t *testing.T) {
	srv := fixtureOf(t).Server()
	m := memberOf(t, "group:outside", "crew")
	if topics, err := srv.GroupTopics("crew"); err != nil || fmt.Sprint(topics) != "[group:outside]" {
		t.Errorf("topics %v, %v", topics, err)
	}
	if err := srv.BroadcastGroup("crew", "told", []byte(`{"n":2}`)); err != nil {
		t.Error(err)
	}
	m.c.Expect(`[null,null,"group:outside","told",{"n":2}]`)

	// A topic that an operator adds is not for a module that may not broadcast there.
	if err := srv.AddToGroup("crew", "pres:outside"); err != nil {
		t.Error(err)
	}
	m.push("tell", `{}`)
	m.expectError()
	if err := srv.DeleteGroup("crew"); err != nil {
		t.Error(err)
	}
	m.silence()
}
