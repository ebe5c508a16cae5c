package main

import (
	"testing"

	"github.com/aviary-host/aviary/sdk/go/aviarytest"
)

// config is the payload of a join as realtime-js sends it.
func config(broadcast, presence string) string {
	return `{"config":{"broadcast":` + broadcast + `,"presence":` + presence + `,"postgres_changes":[],"private":false}}`
}

const (
	quiet   = `{"ack":false,"self":false}`
	alone   = `{"key":"","enabled":false}`
	present = `{"key":"ada","enabled":true}`
)

func TestSupabaseJoin(t *testing.T) {
	const joined = `reply ok {"postgres_changes":[]}`
	for _, tt := range []struct{ topic, payload, want string }{
		{"realtime:", config(quiet, alone), `reply_error {"reason":"TopicNameRequired: You must provide a topic name"}`},
		{"realtime:1", config(quiet, alone), joined},
		{"realtime:1", config(quiet, present), lines(joined, `presence_push`)},
		{"realtime:1", `{}`, lines(joined, `presence_push`)}, // old clients do not ask
	} {
		if got := aviarytest.New(t).Join(tt.topic, tt.payload).Last.String(); got != tt.want {
			t.Errorf("%s %s:\n%s\nwant\n%s", tt.topic, tt.payload, got, tt.want)
		}
	}
}

func TestSupabaseBroadcast(t *testing.T) {
	const message = `{"type":"broadcast","event":"shout","payload":{"n":1}}`
	for options, want := range map[string]string{
		`{"ack":false,"self":false}`: `broadcast_from broadcast ` + message,
		`{"ack":false,"self":true}`:  `broadcast broadcast ` + message,
		`{"ack":true,"self":false}`:  lines(`broadcast_from broadcast `+message, `reply ok {}`),
		`{"ack":true,"self":true}`:   lines(`broadcast broadcast `+message, `reply ok {}`),
	} {
		channel := aviarytest.New(t).Join("realtime:1", config(options, alone))
		if got := channel.In("broadcast", message).String(); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", options, got, want)
		}
	}
}

func TestSupabasePresence(t *testing.T) {
	channel := aviarytest.New(t).Join("realtime:1", config(quiet, `{"key":"ada"}`))
	for _, tt := range []struct{ event, payload, want string }{
		{"access_token", `{"access_token":"t"}`, ``},
		{"presence", `{"type":"presence","event":"track","payload":[]}`, `reply_error {"reason":"Presence track payload must be a map"}`},
		{"presence", `{"type":"presence","event":"track","payload":{"n":1}}`, lines(`presence_track key=ada {"n":1}`, `presence_push`, `reply ok {}`)},
		{"presence", `{"type":"presence","event":"track","payload":{"n":1}}`, `reply ok {}`},
		{"presence", `{"type":"presence","event":"track","payload":{"n":2}}`, lines(`presence_track key=ada {"n":2}`, `reply ok {}`)},
		{"presence", `{"type":"presence","event":"untrack"}`, lines(`presence_untrack key=ada`, `reply ok {}`)},
		{"presence", `{"type":"presence","event":"track"}`, lines(`presence_track key=ada {}`, `reply ok {}`)},
		{"presence", `{"type":"presence","event":"dance"}`, `reply_error {}`},
	} {
		if got := channel.In(tt.event, tt.payload).String(); got != tt.want {
			t.Errorf("%s %s:\n%s\nwant\n%s", tt.event, tt.payload, got, tt.want)
		}
	}
}
