package main

import (
	"strings"
	"testing"

	aviary "github.com/aviary-host/aviary/sdk/go"
	"github.com/aviary-host/aviary/sdk/go/aviarytest"
)

// ada joins the lobby.
func ada(t *testing.T) *aviarytest.Channel {
	t.Helper()
	room := aviarytest.New(t).Join("room:lobby", `{"name":" Ada "}`)
	if !room.Joined {
		t.Fatalf("refused: %s", room.Last)
	}
	return room
}

func check(t *testing.T, got *aviarytest.Response, want ...string) {
	t.Helper()
	if text := strings.Join(want, "\n"); got.String() != text {
		t.Errorf("got\n%s\nwant\n%s", got, text)
	}
}

func TestJoin(t *testing.T) {
	color := colorOf("Ada")
	check(t, ada(t).Last,
		`reply ok {"you":{"name":"Ada","color":"`+color+`"}}`,
		`presence_track key=Ada {"name":"Ada","color":"`+color+`","online_at":1700000000000}`,
		`presence_push`)
}

func TestJoinRefused(t *testing.T) {
	long := strings.Repeat("é", nameLimit+1)
	for payload, want := range map[string]string{
		`{}`:                           `reply_error {"reason":"name_required"}`,
		`{"name":" \t "}`:              `reply_error {"reason":"name_required"}`,
		`{"name":7}`:                   `reply_error {"reason":"name_required"}`,
		`[]`:                           `reply_error {"reason":"name_required"}`,
		`{"name":"` + long + `"}`:      `reply_error {"reason":"name_too_long","limit":24}`,
		`{"name":"` + long[:48] + `"}`: ``,
	} {
		room := aviarytest.New(t).Join("room:lobby", payload)
		if want == "" {
			if !room.Joined {
				t.Errorf("%s: refused: %s", payload, room.Last)
			}
			continue
		}
		check(t, room.Last, want)
	}
}

func TestNameFromConnect(t *testing.T) {
	g := aviarytest.New(t)
	check(t, g.Connect(`{"name":"Ada"}`, ""), "reply ok {}")
	if got := g.Join("room:lobby", `{}`).Last.String(); !strings.HasPrefix(got, `reply ok {"you":{"name":"Ada"`) {
		t.Errorf("without a name of its own: %s", got)
	}
	if got := g.Join("room:lobby", `{"name":"Bob"}`).Last.String(); !strings.HasPrefix(got, `reply ok {"you":{"name":"Bob"`) {
		t.Errorf("with one: %s", got)
	}
}

func TestNewMessage(t *testing.T) {
	room := ada(t)
	got := room.In("new_msg", `{"text":" hi\nthere "}`)
	id := aviary.JSON(got.Payload).Get("id").String()
	if len(id) != 16 {
		t.Errorf("id is %q", id)
	}
	check(t, got,
		`broadcast new_msg {"name":"Ada","color":"`+colorOf("Ada")+`","id":"`+id+`","text":"hi\nthere","at":1700000000000}`,
		`reply ok {"id":"`+id+`"}`)
	if again := room.In("new_msg", `{"text":"hi"}`); aviary.JSON(again.Payload).Get("id").String() == id {
		t.Error("two messages have one id")
	}
	if got.HasState {
		t.Error("a message changed the state")
	}
}

func TestMessageRefused(t *testing.T) {
	room := ada(t)
	for payload, want := range map[string]string{
		`{}`:             `reply_error {"reason":"empty"}`,
		`{"text":"  "}`:  `reply_error {"reason":"empty"}`,
		`{"text":["x"]}`: `reply_error {"reason":"empty"}`,
		`{"text":"` + strings.Repeat("ü", textLimit+1) + `"}`: `reply_error {"reason":"too_long","limit":2000}`,
	} {
		check(t, room.In("new_msg", payload), want)
	}
	check(t, room.In("shout", `{}`), `reply_error {"reason":"unknown event","event":"shout"}`)
}

func TestTyping(t *testing.T) {
	room := ada(t)
	check(t, room.In("typing", `{"typing":true}`), `broadcast_from typing {"name":"Ada","typing":true}`)
	check(t, room.In("typing", `{"typing":false}`), `broadcast_from typing {"name":"Ada","typing":false}`)
	check(t, room.Terminate(aviary.ReasonClosed), `broadcast_from typing {"name":"Ada","typing":false}`)
}

func TestColors(t *testing.T) {
	if got, want := colorOf("Ada"), "#a8620a"; got != want { // whatever it is, it must stay
		t.Errorf("the colour of Ada is %s, was %s", got, want)
	}
	seen := map[string]bool{}
	for _, name := range strings.Fields("Ada Bob Cleo Dan Eve Fay Gus Hal Ida Jon") {
		seen[colorOf(name)] = true
	}
	if len(seen) < 4 {
		t.Errorf("ten names share %d colours", len(seen))
	}
}
