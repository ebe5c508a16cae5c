package main

import (
	"testing"

	"github.com/aviary-host/aviary/sdk/go/aviarytest"
)

func TestRoom(t *testing.T) {
	room := aviarytest.New(t).Join("room:1", `{}`)
	const payload = `{ "n" : [1, 2.50] }`
	for event, want := range map[string]string{
		"echo":  "reply ok " + payload,
		"shout": "broadcast shout " + payload,
		"push":  "push push " + payload,
	} {
		if got := room.In(event, payload); got.String() != want || got.HasState {
			t.Errorf("%s: got %q, want %q and no state", event, got, want)
		}
	}
	if got := room.InBytes("echo", []byte{0, 255}).String(); got != "reply ok <00 ff>" {
		t.Errorf("echo of bytes: %s", got)
	}
}

func TestPresence(t *testing.T) {
	got := aviarytest.New(t).Join("presence:1", `{"user":"u1"}`).Last.String()
	if want := "reply ok {}\npresence_track key=u1\npresence_push"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
