package abi_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aviary-host/aviary/abi"
)

// TestResultsByCallback is the table of SPEC.md section 4.2.
func TestResultsByCallback(t *testing.T) {
	const (
		noReply, reply, replyError = abi.ResultNoReply, abi.ResultReply, abi.ResultReplyError
		push, stop, pass           = abi.ResultPush, abi.ResultStop, abi.ResultPass
	)
	allowed := map[abi.Callback][]abi.Result{
		abi.CallbackConnect:    {reply, replyError},
		abi.CallbackJoin:       {reply, replyError},
		abi.CallbackHandleIn:   {noReply, reply, replyError, push, stop},
		abi.CallbackHandleInfo: {noReply, push, stop},
		abi.CallbackHandleOut:  {noReply, push, stop, pass},
		abi.CallbackTerminate:  {noReply},
		abi.CallbackCodeChange: {noReply, replyError},

		abi.CallbackPresenceFetch: {reply},
	}
	for cb, results := range allowed {
		for r := noReply; r <= pass; r++ {
			want := false
			for _, a := range results {
				want = want || a == r
			}
			resp := abi.Response{Result: r, Event: []byte("e"), HasState: true}
			if r == stop {
				resp.Number = uint32(abi.ReasonNormal)
			}
			if err := resp.Check(cb); (err == nil) != want {
				t.Errorf("%s may answer %s: %v, want %v (%v)", cb, r, err == nil, want, err)
			}
		}
	}
}

// TestEffectsByCallback is the column "where" of SPEC.md section 5.2.
func TestEffectsByCallback(t *testing.T) {
	everywhere := []abi.EffectKind{
		abi.EffectBroadcast, abi.EffectSendInfo, abi.EffectDisconnect, abi.EffectLog,
		abi.EffectGroupAdd, abi.EffectGroupRemove, abi.EffectGroupBroadcast,
	}
	closing := append([]abi.EffectKind{
		abi.EffectReply, abi.EffectPush, abi.EffectBroadcastFrom, abi.EffectPresenceUntrack,
	}, everywhere...)
	var all []abi.EffectKind
	for k := abi.EffectReply; k <= abi.EffectIntercept; k++ {
		all = append(all, k)
	}
	tests := []struct {
		where  string
		cb     abi.Callback
		result abi.Result
		allow  []abi.EffectKind
	}{
		{"connect", abi.CallbackConnect, abi.ResultReply, everywhere},
		{"accepted join", abi.CallbackJoin, abi.ResultReply, all},
		{"refused join", abi.CallbackJoin, abi.ResultReplyError, everywhere},
		{"handle_in", abi.CallbackHandleIn, abi.ResultNoReply, all},
		{"handle_info", abi.CallbackHandleInfo, abi.ResultNoReply, all},
		{"handle_out", abi.CallbackHandleOut, abi.ResultPass, all},
		{"terminate", abi.CallbackTerminate, abi.ResultNoReply, closing},
		{"presence_fetch", abi.CallbackPresenceFetch, abi.ResultReply, []abi.EffectKind{abi.EffectLog}},
		{"code_change", abi.CallbackCodeChange, abi.ResultNoReply, []abi.EffectKind{
			abi.EffectLog, abi.EffectIntercept, abi.EffectSubscribe, abi.EffectUnsubscribe, abi.EffectSendAfter, abi.EffectCancel,
			abi.EffectPresenceTrack, abi.EffectPresenceUpdate, abi.EffectPresenceUntrack,
		}},
	}
	for _, tt := range tests {
		for _, k := range all {
			want := false
			for _, a := range tt.allow {
				want = want || a == k
			}
			resp := abi.Response{Result: tt.result, HasState: true, Effects: []abi.Effect{
				{Kind: k, Topic: []byte("t"), Event: []byte("e"), Key: []byte("k"), Number: 1},
			}}
			if err := resp.Check(tt.cb); (err == nil) != want {
				t.Errorf("%s in %s: allowed %v, want %v (%v)", k, tt.where, err == nil, want, err)
			}
		}
	}
}

func TestEffectsLackingFields(t *testing.T) {
	for _, tt := range []struct {
		cb   abi.Callback
		e    abi.Effect
		want string
	}{
		{abi.CallbackHandleIn, abi.Effect{Kind: abi.EffectPush}, "push has no event"},
		{abi.CallbackHandleIn, abi.Effect{Kind: abi.EffectCancel}, "cancel has no key"},
		{abi.CallbackHandleIn, abi.Effect{Kind: abi.EffectSubscribe}, "subscribe has no topic"},
		{abi.CallbackHandleIn, abi.Effect{Kind: abi.EffectSendAfter, Event: []byte("e"), Value: -1}, "send_after has a negative delay"},
		{abi.CallbackHandleIn, abi.Effect{Kind: abi.EffectStop, Number: uint32(abi.ReasonLeft)}, "stop has a reason that is none of normal, shutdown, error"},
		{abi.CallbackHandleIn, abi.Effect{Kind: abi.EffectLog, Number: 4}, "log has an unknown level"},
		{abi.CallbackHandleInfo, abi.Effect{Kind: abi.EffectReply}, "reply has no key, and only handle_in has a message to reply to"},
		{abi.CallbackConnect, abi.Effect{Kind: abi.EffectBroadcast, Event: []byte("e")}, "broadcast has no topic, and connect has no channel"},
		{abi.CallbackConnect, abi.Effect{Kind: abi.EffectDisconnect}, "disconnect has no key, and connect has no joined socket"},
	} {
		resp := abi.Response{Effects: []abi.Effect{tt.e}}
		if tt.cb == abi.CallbackConnect {
			resp.Result = abi.ResultReply
		}
		err := resp.Check(tt.cb)
		if err == nil || !strings.HasPrefix(err.Error(), "effects[0] "+tt.want) {
			t.Errorf("%s in %s: error %v, want %q", tt.e.Kind, tt.cb, err, tt.want)
		}
	}
}

func TestResultsLackingFields(t *testing.T) {
	for _, tt := range []struct {
		cb   abi.Callback
		r    abi.Response
		want string
	}{
		{abi.CallbackHandleIn, abi.Response{Result: abi.ResultPush}, "event of a push is empty"},
		{abi.CallbackHandleIn, abi.Response{Result: abi.ResultStop}, "number of a stop is none of"},
		{abi.CallbackConnect, abi.Response{Result: abi.ResultReplyError, Number: 200}, "number of a refused connect is no HTTP status"},
		{abi.CallbackCodeChange, abi.Response{}, "state is missing from the answer to code_change"},
	} {
		if err := tt.r.Check(tt.cb); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s in %s: error %v, want %q", tt.r.Result, tt.cb, err, tt.want)
		}
	}
}

func TestUnknownCallbackIsRefused(t *testing.T) {
	for _, cb := range []abi.Callback{0, 8, 255} {
		if err := (&abi.Response{}).Check(cb); err == nil {
			t.Errorf("callback %d may answer", cb)
		}
	}
}

// Names are part of the contract: they are what exports are called and what
// logs say.
func TestNames(t *testing.T) {
	var got []string
	for c := abi.CallbackConnect; int(c) < abi.NumCallbacks; c++ {
		got = append(got, c.String())
	}
	if s := fmt.Sprint(got); s != "[connect join handle_in handle_info handle_out terminate code_change presence_fetch]" {
		t.Error(s)
	}
	for _, s := range []string{
		abi.Callback(0).String(), abi.Callback(99).String(), abi.Result(99).String(),
		abi.EffectKind(0).String(), abi.EffectKind(99).String(), abi.Transport(0).String(), abi.Reason(0).String(), abi.Reason(99).String(),
	} {
		if !strings.HasSuffix(s, "?") {
			t.Errorf("an unknown number is called %q", s)
		}
	}
	if abi.ReasonDisconnected.String() != "disconnected" || abi.EffectIntercept.String() != "intercept" || abi.ResultPass.String() != "pass" || abi.TransportLongPoll.String() != "longpoll" {
		t.Error("the last names do not belong to the last numbers")
	}
}
