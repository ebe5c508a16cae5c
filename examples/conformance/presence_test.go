package main

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/aviary-host/aviary/host/hosttest"
)

// watch joins a presence topic as "watcher" and takes what the join sends: the
// reply, then, in either order (section 3.1), its own diff and the state.
func watch(t *testing.T, topic string) *hosttest.Client {
	t.Helper()
	c := connect(t)
	enter(c, topic, "watcher")
	return c
}

// enter joins topic under name as the first who does, with join_ref 11.
func enter(c *hosttest.Client, topic, name string) {
	c.SendJoin(topic, fmt.Sprintf(`{"name":%q}`, name))
	c.Expect(reply("11", "1", topic, "ok", `{}`))
	metas := fmt.Sprintf(`{%q:{"metas":[%q]}}`, name, "<own>")
	c.ExpectAnyOrder(
		fmt.Sprintf(`[null,null,%q,"presence_diff",{"joins":%s,"leaves":{}}]`, topic, metas),
		fmt.Sprintf(`["11",null,%q,"presence_state",%s]`, topic, metas))
}

// refs of a presence.
var phxRef = regexp.MustCompile(`^[A-Za-z0-9_-]{16}$`)

// checkRef checks a phx_ref and returns it.
func checkRef(t *testing.T, v any) string {
	t.Helper()
	ref, _ := v.(string)
	if !phxRef.MatchString(ref) {
		t.Fatalf("phx_ref %q is not 16 characters of url-safe base64 (3.1)", v)
	}
	return ref
}

func Test116_StateListsWhoIsThere(t *testing.T) {
	c := connect(t)
	c.Send(`["11","1","pres:116","phx_join",{"name":"ada"}]`)
	c.Expect(`["11","1","pres:116","phx_reply",{"status":"ok","response":{}}]`)
	c.ExpectAnyOrder(
		`[null,null,"pres:116","presence_diff",{"joins":{"ada":{"metas":["<meta>"]}},"leaves":{}}]`,
		`["11",null,"pres:116","presence_state",{"ada":{"metas":["<meta>"]}}]`)
	meta, _ := c.Bound("meta").(map[string]any)
	checkRef(t, meta["phx_ref"])
	if _, ok := meta["phx_ref_prev"]; ok {
		t.Errorf("meta %v has a phx_ref_prev without an update", meta)
	}
	c.ExpectSilence()
}

func Test117_OneKeyTwoMetas(t *testing.T) {
	a := connect(t)
	enter(a, "pres:117", "ada")
	b := connect(t)
	b.SendJoin("pres:117", `{"name":"ada"}`)
	b.Expect(reply("11", "1", "pres:117", "ok", `{}`))
	b.ExpectAnyOrder(
		`[null,null,"pres:117","presence_diff",{"joins":{"ada":{"metas":["<second>"]}},"leaves":{}}]`,
		`["11",null,"pres:117","presence_state",{"ada":{"metas":["<x>","<y>"]}}]`)
	a.Expect(`[null,null,"pres:117","presence_diff",{"joins":{"ada":{"metas":["<second>"]}},"leaves":{}}]`)
	x, y := b.Bound("x").(map[string]any), b.Bound("y").(map[string]any)
	if checkRef(t, x["phx_ref"]) == checkRef(t, y["phx_ref"]) {
		t.Errorf("two metas share the phx_ref %v", x["phx_ref"])
	}

	// One of the two goes: only its meta leaves.
	b.Drop()
	a.Expect(`[null,null,"pres:117","presence_diff",{"joins":{},"leaves":{"ada":{"metas":["<second>"]}}}]`)
	a.Push("pres:117", "get", `{"key":"ada"}`)
	a.Expect(reply("11", "2", "pres:117", "ok", `{"metas":["<own>"]}`))
	a.Push("pres:117", "get", `{"key":"nobody"}`)
	a.Expect(reply("11", "3", "pres:117", "ok", `[]`))
	a.ExpectSilence()
}

func Test118_DiffsOfASecondClient(t *testing.T) {
	a := watch(t, "pres:118")
	b := connect(t)
	b.SendJoin("pres:118", `{"name":"bob"}`)
	b.Expect(reply("11", "1", "pres:118", "ok", `{}`))
	a.Expect(`[null,null,"pres:118","presence_diff",{"joins":{"bob":{"metas":["<bob>"]}},"leaves":{}}]`)
	b.ExpectAnyOrder(
		`[null,null,"pres:118","presence_diff",{"joins":{"bob":{"metas":["<bob>"]}},"leaves":{}}]`,
		`["11",null,"pres:118","presence_state",{"watcher":{"metas":["<watcher>"]},"bob":{"metas":["<bob>"]}}]`)
	b.Leave("pres:118")
	// The meta that leaves is the one that joined, phx_ref included.
	a.Expect(`[null,null,"pres:118","presence_diff",{"joins":{},"leaves":{"bob":{"metas":["<bob>"]}}}]`)
	a.ExpectSilence()
}

func Test118_CrashLeaves(t *testing.T) {
	a := watch(t, "pres:118-crash")
	b := connect(t)
	b.SendJoin("pres:118-crash", `{"name":"bob"}`)
	b.Expect(reply("11", "1", "pres:118-crash", "ok", `{}`))
	a.Expect(`[null,null,"pres:118-crash","presence_diff",{"joins":{"bob":"<bob>"},"leaves":{}}]`)
	b.ExpectAnyOrder(`[null,null,"pres:118-crash","presence_diff","<any>"]`, `["11",null,"pres:118-crash","presence_state","<any>"]`)
	b.Push("pres:118-crash", "track", `{"key":"x","meta":"not an object"}`)
	b.Expect(`["11","11","pres:118-crash","phx_error",{"reason":"channel_crash"}]`)
	a.Expect(`[null,null,"pres:118-crash","presence_diff",{"joins":{},"leaves":{"bob":"<bob>"}}]`)
	a.ExpectSilence()
}

func Test118_DuplicateJoinLeavesAndJoins(t *testing.T) {
	a := watch(t, "pres:118-dup")
	b := connect(t)
	b.SendJoin("pres:118-dup", `{"name":"bob"}`)
	a.Expect(`[null,null,"pres:118-dup","presence_diff",{"joins":{"bob":{"metas":["<old>"]}},"leaves":{}}]`)
	b.SendJoin("pres:118-dup", `{"name":"bob"}`)
	a.Expect(`[null,null,"pres:118-dup","presence_diff",{"joins":{},"leaves":{"bob":{"metas":["<old>"]}}}]`)
	a.Expect(`[null,null,"pres:118-dup","presence_diff",{"joins":{"bob":{"metas":["<new>"]}},"leaves":{}}]`)
	oldMeta, newMeta := a.Bound("old").(map[string]any), a.Bound("new").(map[string]any)
	if checkRef(t, oldMeta["phx_ref"]) == checkRef(t, newMeta["phx_ref"]) {
		t.Error("the new join has the phx_ref of the old one")
	}
	a.ExpectSilence()
}

func Test119_FetchStandsBesideTheMetas(t *testing.T) {
	a := connect(t)
	a.SendJoin("pres:fetch", `{"name":"ada"}`)
	a.Expect(reply("11", "1", "pres:fetch", "ok", `{}`))
	ada := `{"ada":{"metas":["<ada>"],"user":{"name":"ADA"}}}`
	a.ExpectAnyOrder(
		`[null,null,"pres:fetch","presence_diff",{"joins":`+ada+`,"leaves":{}}]`,
		`["11",null,"pres:fetch","presence_state",`+ada+`]`)
	b := connect(t)
	b.SendJoin("pres:fetch", `{"name":"bob"}`)
	a.Expect(`[null,null,"pres:fetch","presence_diff",{"joins":{"bob":{"metas":["<bob>"],"user":{"name":"BOB"}}},"leaves":{}}]`)
	b.Drop()
	a.Expect(`[null,null,"pres:fetch","presence_diff",{"joins":{},"leaves":{"bob":{"metas":["<bob>"],"user":{"name":"BOB"}}}}]`)
	a.Push("pres:fetch", "list", "")
	a.Expect(reply("11", "2", "pres:fetch", "ok", ada))
	a.ExpectSilence()
}

func Test123_UpdateOfWhatIsNotTracked(t *testing.T) {
	a := watch(t, "pres:123")
	a.Push("pres:123", "untrack", `{"key":"watcher"}`)
	a.ExpectAnyOrder(
		`[null,null,"pres:123","presence_diff",{"joins":{},"leaves":{"watcher":{"metas":["<own>"]}}}]`,
		reply("11", "2", "pres:123", "ok", `{}`))
	// Where Phoenix answers {:error, :nopresence} to the caller, an effect does nothing.
	a.Push("pres:123", "update", `{"meta":{"away":true}}`)
	a.Expect(reply("11", "3", "pres:123", "ok", `{}`))
	a.Push("pres:123", "list", "")
	a.Expect(reply("11", "4", "pres:123", "ok", `{}`))
	a.ExpectSilence()
}

func Test120_121_Untrack(t *testing.T) {
	a := watch(t, "pres:120")
	for i, key := range []string{"one", "two"} {
		a.Push("pres:120", "track", fmt.Sprintf(`{"key":%q,"meta":{"k":%q}}`, key, key))
		a.ExpectAnyOrder(
			fmt.Sprintf(`[null,null,"pres:120","presence_diff",{"joins":{%q:{"metas":[{"k":%q,"phx_ref":"<%s>"}]}},"leaves":{}}]`, key, key, key),
			fmt.Sprintf(`["11","%d","pres:120","phx_reply",{"status":"ok","response":"<any>"}]`, i+2))
	}
	a.Push("pres:120", "untrack", `{"key":"one"}`)
	a.ExpectAnyOrder(
		`[null,null,"pres:120","presence_diff",{"joins":{},"leaves":{"one":{"metas":[{"k":"one","phx_ref":"<one>"}]}}}]`,
		`["11","4","pres:120","phx_reply",{"status":"ok","response":"<any>"}]`)
	a.Push("pres:120", "untrack", `{"key":"nothing"}`)
	a.Expect(`["11","5","pres:120","phx_reply",{"status":"ok","response":"<any>"}]`)
	a.Push("pres:120", "list", "")
	a.Expect(`["11","6","pres:120","phx_reply",{"status":"ok","response":{"watcher":{"metas":["<own>"]},"two":{"metas":[{"k":"two","phx_ref":"<two>"}]}}}]`)
	a.ExpectSilence()
}

func Test122_UpdateHasBothMaps(t *testing.T) {
	a := watch(t, "pres:122")
	b := connect(t)
	b.SendJoin("pres:122", `{"name":"bob"}`)
	b.Expect(reply("11", "1", "pres:122", "ok", `{}`))
	b.ExpectAnyOrder(
		`[null,null,"pres:122","presence_diff",{"joins":{"bob":{"metas":["<old>"]}},"leaves":{}}]`,
		`["11",null,"pres:122","presence_state","<any>"]`)
	a.Expect(`[null,null,"pres:122","presence_diff",{"joins":{"bob":{"metas":["<old>"]}},"leaves":{}}]`)
	b.Push("pres:122", "update", `{"meta":{"away":true}}`)
	diff := `[null,null,"pres:122","presence_diff",{"joins":{"bob":{"metas":[{"away":true,"phx_ref":"<ref>","phx_ref_prev":"<prev>"}]}},"leaves":{"bob":{"metas":["<old>"]}}}]`
	b.ExpectAnyOrder(diff, `["11","2","pres:122","phx_reply",{"status":"ok","response":"<any>"}]`)
	a.Expect(diff)
	old := a.Bound("old").(map[string]any)
	if a.Bound("prev") != old["phx_ref"] {
		t.Errorf("phx_ref_prev is %v, want that of the old meta, %v", a.Bound("prev"), old["phx_ref"])
	}
	if checkRef(t, a.Bound("ref")) == old["phx_ref"] {
		t.Error("the update kept the phx_ref")
	}
	a.ExpectSilence()
	b.ExpectSilence()
}
