package main

import (
	"strings"
	"testing"

	"github.com/aviary-host/aviary/abi"
	aviary "github.com/aviary-host/aviary/sdk/go"
	"github.com/aviary-host/aviary/sdk/go/aviarytest"
)

func lines(s ...string) string { return strings.Join(s, "\n") }

// accepted is a join of a Room channel: its answer, what the channel intercepts,
// and more.
func accepted(answer string, more ...string) string {
	return lines(append([]string{"reply ok " + answer, "intercept new_msg", "intercept outstop"}, more...)...)
}

func TestConnect(t *testing.T) {
	for params, want := range map[string]string{
		`{"user_id":"7"}`:      `reply ok {}`,
		`{"reject":"true"}`:    `reply_error 403 <>`,
		`{"ratelimit":"true"}`: `reply_error 429 <54 6f 6f 20 6d 61 6e 79 20 72 65 71 75 65 73 74 73>`,
	} {
		if got := aviarytest.New(t).Connect(params, "").String(); got != want {
			t.Errorf("%s: %s, want %s", params, got, want)
		}
	}
	if got := aviarytest.New(t).Connect(`{"user_id":"7"}`, ""); string(got.IDTopic) != "user_sockets:7" {
		t.Errorf("id topic %q", got.IDTopic)
	}
	for _, crash := range []string{"badret", "raise", "badid"} {
		req := &abi.Request{Callback: abi.CallbackConnect, Params: []byte(`{"` + crash + `":"true"}`)}
		if _, err := aviarytest.New(t).Run(req); err == nil {
			t.Errorf("%s did not crash", crash)
		}
	}
}

// unknown is the connect_info where the mount shows no headers.
const unknown = `{"transport":":websocket","x_headers":{},"sec_websocket_headers":{},"trace_context_headers":{},` +
	`"user_agent":null,"auth_token":null,"peer_data":null,"uri":null,"static":null}`

func TestConnectInfo(t *testing.T) {
	g := aviarytest.New(t)
	g.Connect("", `{":peer":"[::1]:80",":scheme":"http",":authority":"host.com",":path":"/socket/websocket?a=1","x-a":"1","sec-websocket-key":"k",`+
		`"traceparent":"t","user-agent":"u",":auth_token":"secret"}`)
	want := accepted(`{}`, `broadcast user_entered {"user":null}`, `push joined {"status":"connected","user_id":null,"connect_info":{"transport":":websocket",`+
		`"x_headers":{"x-a":"1"},"sec_websocket_headers":{"sec-websocket-key":"k"},"trace_context_headers":{"traceparent":"t"},`+
		`"user_agent":"u","auth_token":"secret","peer_data":{"address":"[::1]","port":80},`+
		`"uri":{"scheme":"http","authority":{"host":"host.com","port":0},"path":"/socket/websocket","query":"a=1"},"static":null}}`)
	if got := g.Join("exact", "").Last.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestJoin(t *testing.T) {
	joined := func(user, entered string) string {
		return accepted(`{}`, `broadcast user_entered {"user":`+entered+`}`,
			`push joined {"status":"connected","user_id":`+user+`,"connect_info":`+unknown+`}`)
	}
	for _, tt := range []struct{ topic, payload, want string }{
		{"room:1", `{"user":"ada"}`, joined(`"7"`, `"ada"`)},
		{"exact", `{}`, joined(`"7"`, `null`)},
		{"phoenix", `{}`, joined(`"7"`, `null`)},
		{"room:deny", `{"a":1}`, `reply_error {"reason":"unauthorized","got":{"a":1}}`},
		{"room:mybad", `{}`, `reply_error {"reason":"mybad"}`},
		{"room:errstr", `{}`, `reply_error "denied"`},
		{"room:reply", `[1]`, accepted(`{"hello":"world","got":[1]}`)},
		{"room:echo", `[1]`, accepted(`[1]`)},
		{"room:replybin", `{}`, accepted(`<09 08 07>`)},
		{"room:quiet", `{}`, accepted(`{}`)},
		{"room:quietly", `{}`, accepted(`{}`)},
		{"pres:1", `{"name":"ada","meta":{"a":1}}`, lines(`reply ok {}`, `presence_track key=ada {"a":1}`, `presence_push`)},
		{"custom:1", `{"action":"ok"}`, `reply ok {"action":"ok"}`},
		{"food:1", ``, `reply ok {"pattern":"food*"}`},
		{"foo:1", ``, `reply ok {"pattern":"foo*"}`},
		{"custom:1", `{"action":"ignore"}`, `reply_error {"action":"ignore"}`},
	} {
		g := aviarytest.New(t)
		g.Connect(`{"user_id":"7"}`, "")
		if got := g.Join(tt.topic, tt.payload).Last.String(); got != tt.want {
			t.Errorf("%s %s:\n%s\nwant\n%s", tt.topic, tt.payload, got, tt.want)
		}
	}
}

func TestJoinCrashes(t *testing.T) {
	for _, topic := range []string{"room:crash", "room:exit", "room:badret", "room:pushinjoin", "custom:error"} {
		if _, err := aviarytest.New(t).TryJoin(topic, `{"action":"error"}`); err == nil {
			t.Errorf("%s did not crash", topic)
		}
	}
}

func TestRoomEvents(t *testing.T) {
	for _, tt := range []struct{ event, payload, want string }{
		{"new_msg", `{"a":1}`, lines(`broadcast new_msg {"a":1}`, `reply ok {}`)},
		{"echo", `[1]`, `reply ok [1]`},
		{"echo_err", `{"a":1}`, `reply_error {"a":1}`},
		{"status_only_err", ``, `reply_error {}`},
		{"weird_status", ``, `reply weird {"a":1}`},
		{"reply_str", ``, `reply ok "str"`},
		{"reply_list", ``, `reply ok [1,2]`},
		{"reply_nil", ``, `reply ok null`},
		{"noreply", ``, ``},
		{"stop_normal", ``, `stop normal stop_normal`},
		{"stop_shutdown", ``, `stop shutdown stop_shutdown`},
		{"stop_shutdown_t", ``, `stop shutdown stop_shutdown_t`},
		{"stop_error", ``, `stop error stop_error`},
		{"stop_reply", `{"a":1}`, lines(`reply ok {"a":1}`, `stop normal stop_reply`)},
		{"stop_reply_status", ``, lines(`reply ok {}`, `stop normal stop_reply_status`)},
		{"stop_error_reply", `{"a":1}`, lines(`reply ok {"a":1}`, `stop error stop_error_reply`)},
		{"push_then_reply", ``, lines(`push a {"n":1}`, `push b {"n":2}`, `reply ok {"n":3}`)},
		{"bcast", `{"a":1}`, lines(`broadcast shout {"a":1}`, `reply ok {}`)},
		{"bcast_from", `{"a":1}`, lines(`broadcast_from shout {"a":1}`, `reply ok {}`)},
		{"bcast_outstop", ``, lines(`broadcast outstop {}`, `reply ok {}`)},
		{"double", ``, lines(`reply key="2" ok {"n":1}`, `reply ok {"n":2}`)},
		{"sleep", `{"ms":1}`, `reply ok {}`},
		{"later", `{"n":1}`, `send_info later {"n":1}`},
		{"stop_info", ``, `send_info stop {}`},
		{"subscribe", `{"topic":"news"}`, lines(`subscribe @news`, `reply ok {}`)},
		{"unsubscribe", `{"topic":"news"}`, lines(`unsubscribe @news`, `reply ok {}`)},
		{"ext", `{"topic":"news"}`, lines(`broadcast @news ext {"topic":"news"}`, `reply ok {}`)},
		{"disconnect", ``, `disconnect`},
		{"no_such_event", ``, `reply_error {"reason":"unknown event","event":"no_such_event"}`}, // kinder than Phoenix
		{"kind", `[]`, `reply ok {"kind":"list"}`},
		{"kind", `null`, `reply ok {"kind":"nil"}`},
		{"config", `{"key":"none"}`, `reply ok {"value":null}`},
	} {
		room := aviarytest.New(t).Join("room:quiet", "")
		if got := room.In(tt.event, tt.payload).String(); got != tt.want {
			t.Errorf("%s %s:\n%s\nwant\n%s", tt.event, tt.payload, got, tt.want)
		}
	}
}

func TestRoomCrashes(t *testing.T) {
	for _, event := range []string{"badret", "boom", "boom_exit", "reply_badtuple", "push_str", "bcast_str"} {
		if _, err := aviarytest.New(t).Join("room:quiet", "").TryIn(event, ""); err == nil {
			t.Errorf("%s did not crash", event)
		}
	}
}

func TestRoomBytes(t *testing.T) {
	room := aviarytest.New(t).Join("room:quiet", "")
	for event, want := range map[string]string{
		"binary_event": lines(`push binary_event <00 01>`, `reply ok <01 02 03 04>`),
		"bin_bcast":    lines(`broadcast bin <01 02>`, `reply ok {}`),
		"kind":         `reply ok {"kind":"binary"}`,
	} {
		if got := room.InBytes(event, []byte{1, 2}).String(); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", event, got, want)
		}
	}
}

func TestRoomState(t *testing.T) {
	room := aviarytest.New(t).Join("room:quiet", "")
	want := func(got *aviarytest.Response, want string) {
		t.Helper()
		if got.String() != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
	want(room.In("get", ""), `reply ok {"k":null}`)
	room.In("assign", `{"k":[1,"é"]}`)
	want(room.In("get", ""), `reply ok {"k":[1,"é"]}`)

	want(room.In("async", `{"a":1}`), `send_after 50 async_reply {"a":1}`)
	room.In("async", `{"a":2}`)
	want(room.Timer("", "async_reply", `{"a":1}`), `reply key="5" ok {"a":1}`)
	want(room.Timer("", "async_reply", `{"a":2}`), `reply key="6" ok {"a":2}`)

	room.In("stash", "")
	want(room.In("reply_stashed", ""), `reply key="7" ok {}`)
	want(room.In("reply_stashed", ""), ``)

	room.In("subscribe", `{"topic":"news"}`)
	want(room.Broadcast("news", "ext", `{"a":1}`), `push ext {"a":1}`)
	want(room.Info("later", `{"n":1}`), `push later {"n":1}`)
	want(room.Info("unhandled", ``), ``)
	want(room.Out("new_msg", `{"a":1}`), `push new_msg {"a":1,"transport":":websocket"}`)
	want(room.Out("outstop", ``), `stop normal outstop`)
}

func TestTerminate(t *testing.T) {
	if got := aviarytest.New(t).Join("room:term1", "").Terminate(aviary.ReasonLeft).String(); got != `push you_left {"message":"bye!"}` {
		t.Error(got)
	}
	if got := aviarytest.New(t).Join("room:1", "").Terminate(aviary.ReasonLeft).String(); got != `` {
		t.Error(got)
	}
}

func TestPresenceEvents(t *testing.T) {
	g := aviarytest.New(t)
	room := g.Join("pres:1", `{"name":"ada","meta":{}}`)
	g.SetPresences("pres:1", `{"ada":{"metas":[{"a":1}]}}`)
	for _, tt := range []struct{ event, payload, want string }{
		{"update", `{"meta":{"a":2}}`, lines(`presence_update key=ada {"a":2}`, `reply ok {}`)},
		{"track", `{"key":"bob","meta":{"a":3}}`, lines(`presence_track key=bob {"a":3}`, `reply ok {}`)},
		{"untrack", `{"key":"bob"}`, lines(`presence_untrack key=bob`, `reply ok {}`)},
		{"list", ``, `reply ok {"ada":{"metas":[{"a":1}]}}`},
		{"get", `{"key":"ada"}`, `reply ok {"metas":[{"a":1}]}`},
		{"get", `{"key":"eve"}`, `reply ok []`},
	} {
		if got := room.In(tt.event, tt.payload).String(); got != tt.want {
			t.Errorf("%s:\n%s\nwant\n%s", tt.event, got, tt.want)
		}
	}
	if got := g.Join("custom:1", `{"action":"ok"}`).In("close", "").String(); got != `stop normal close` {
		t.Error(got)
	}
}

func TestGroupEvents(t *testing.T) {
	g := aviarytest.New(t)
	room := g.Join("group:1", `{"group":"team"}`)
	if got, want := room.Last.String(), lines(`reply ok {}`, `group_add @group:1 key=team`); got != want {
		t.Errorf("join:\n%s\nwant\n%s", got, want)
	}
	for _, tt := range []struct{ event, payload, want string }{
		{"tell", `{"n":1}`, lines(`group_broadcast key=team told {"n":1}`, `reply ok {}`)},
		{"add", `{"topic":"group:2"}`, lines(`group_add @group:2 key=team`, `reply ok {}`)},
		{"remove", `{"topic":"group:1"}`, lines(`group_remove @group:1 key=team`, `reply ok {}`)},
	} {
		if got := room.In(tt.event, tt.payload).String(); got != tt.want {
			t.Errorf("%s:\n%s\nwant\n%s", tt.event, got, tt.want)
		}
	}
}
