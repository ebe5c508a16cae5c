package host

import (
	"strings"
	"testing"

	"github.com/aviary-host/aviary/abi"
)

// TestEveryEffectIsConsidered: an effect that a revision adds must not be free
// to all by having been forgotten.
func TestEveryEffectIsConsidered(t *testing.T) {
	want := map[abi.EffectKind]string{
		abi.EffectReply: "", abi.EffectPush: "", abi.EffectStop: "",
		abi.EffectBroadcast: "broadcast", abi.EffectBroadcastFrom: "broadcast",
		abi.EffectGroupAdd: "broadcast", abi.EffectGroupRemove: "broadcast", abi.EffectGroupBroadcast: "",
		abi.EffectSubscribe: "subscribe", abi.EffectUnsubscribe: "subscribe",
		abi.EffectPresenceTrack: "presence", abi.EffectPresenceUpdate: "presence",
		abi.EffectPresenceUntrack: "presence", abi.EffectPresencePush: "presence",
		abi.EffectSendInfo: "send_info", abi.EffectDisconnect: "disconnect",
		abi.EffectSendAfter: "timers", abi.EffectCancel: "timers",
		abi.EffectIntercept: "intercept", abi.EffectLog: "log",
	}
	for kind := abi.EffectKind(1); kind.String() != abi.EffectKind(0).String(); kind++ {
		capability, considered := want[kind]
		if !considered {
			t.Errorf("effect %s: say here which capability it needs", kind)
			continue
		}
		got := ""
		if c := needs(&abi.Effect{Kind: kind, Key: []byte("k")}); c != capNone {
			got = c.String()
		}
		if got != capability {
			t.Errorf("effect %s needs %q, want %q", kind, got, capability)
		}
	}
}

// TestCheckingDoesNotAllocate: it is done for every effect of every callback.
func TestCheckingDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	long := []byte("document:" + strings.Repeat("x", 100) + ":edit")
	all := []string{"room:*", "document:*:edit"}
	caps, err := Grants{
		Broadcast: all, Subscribe: all, Presence: all, SendInfo: all, Disconnect: []string{"users:*"},
		SendInfoOthers: true, Timers: true, Intercept: true, Log: true,
	}.Compile()
	if err != nil {
		t.Fatal(err)
	}
	list := []abi.Effect{
		{Kind: abi.EffectBroadcast},
		{Kind: abi.EffectBroadcastFrom, Topic: long},
		{Kind: abi.EffectSubscribe, Topic: long},
		{Kind: abi.EffectPresenceTrack, Key: []byte("k")},
		{Kind: abi.EffectSendInfo, Topic: long, Key: []byte("another")},
		{Kind: abi.EffectDisconnect, Key: []byte("users:" + strings.Repeat("1", 100))},
		{Kind: abi.EffectSendAfter},
		{Kind: abi.EffectIntercept},
		{Kind: abi.EffectLog},
		{Kind: abi.EffectPush},
	}
	c := &Channel{route: &route{caps: caps}, own: caps.on("room:1"), topic: "room:1", socket: &Socket{id: "own"}}
	if n := testing.AllocsPerRun(100, func() {
		if err := c.actor().check(list); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkCheckEffects(b *testing.B) {
	caps, err := Grants{Broadcast: []string{"room:*"}}.Compile()
	if err != nil {
		b.Fatal(err)
	}
	c := &Channel{route: &route{caps: caps}, own: caps.on("room:1"), topic: "room:1", socket: &Socket{id: "own"}}
	list := []abi.Effect{{Kind: abi.EffectBroadcast}, {Kind: abi.EffectPush}}
	for b.Loop() {
		if err := c.actor().check(list); err != nil {
			b.Fatal(err)
		}
	}
}
