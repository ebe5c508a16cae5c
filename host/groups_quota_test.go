package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aviary-host/aviary/abi"
)

// grouped is a tenant whose groups are limited, and its log.
func grouped(t *testing.T, limits TenantLimits) (*Tenant, *bytes.Buffer) {
	t.Helper()
	log := &bytes.Buffer{}
	s, err := New(Config{
		Tenants: []TenantConfig{{Name: "acme", Limits: limits}},
		Logger:  slog.New(slog.NewTextHandler(log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return s.tenants[1], log
}

// collector is a subscriber that notes what it gets.
type collector struct{ got []string }

func (c *collector) Deliver(topic string, f *Fanout) { c.got = append(c.got, topic+" "+f.event) }

// TestTopicThatCameAfterTheCheck: another channel may add one between the check of an
// answer and its effects. The broadcast is not for it, and says so.
func TestTopicThatCameAfterTheCheck(t *testing.T) {
	tenant, log := grouped(t, TenantLimits{})
	caps, err := Grants{Source: "test.toml", Broadcast: []string{"room:*"}}.Compile()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(tenant.CreateGroup("g"), tenant.AddToGroup("g", "room:1")); err != nil {
		t.Fatal(err)
	}
	var c collector
	for _, topic := range []string{"room:1", "admin:1", "room:2"} {
		tenant.pubsub.Subscribe(topic, &c, nil)
	}
	list := []abi.Effect{{Kind: abi.EffectGroupBroadcast, Key: []byte("g"), Event: []byte("e")}}
	if err := tenant.holdGroups(caps, list); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(tenant.AddToGroup("g", "admin:1"), tenant.AddToGroup("g", "room:2")); err != nil {
		t.Fatal(err)
	}
	tenant.applyGroup(caps, &list[0])
	if got := fmt.Sprint(c.got); got != "[room:1 e room:2 e]" {
		t.Errorf("got %s", got)
	}
	if !strings.Contains(log.String(), `code=CAPABILITY_DENIED`) || !strings.Contains(log.String(), "group=g topic=admin:1") {
		t.Errorf("the log does not say that a topic was left out:\n%s", log)
	}
	if err := tenant.holdGroups(caps, list); err == nil {
		t.Error("the next one is not refused")
	}
}

// TestGroupQuotasAreExact: whatever channels and calls do to groups at once, they
// have no more than they may, what was checked does not fail, and nothing is left in
// the end.
func TestGroupQuotasAreExact(t *testing.T) {
	for _, tt := range []struct {
		limits  TenantLimits
		refused string
	}{
		{TenantLimits{Groups: 3}, "[groups]"},
		{TenantLimits{GroupTopics: 3}, "[group_topics]"},
		{TenantLimits{State: 2500}, "[state]"},
		{TenantLimits{Groups: 3, GroupTopics: 3, State: 2100}, "[group_topics groups state]"},
		{TenantLimits{Groups: -1, GroupTopics: -1, State: -1}, "[]"},
	} {
		t.Run(tt.refused, func(t *testing.T) {
			tenant, _ := grouped(t, tt.limits)
			var all sync.WaitGroup
			for worker := range 6 {
				all.Go(func() {
					r := rand.New(rand.NewPCG(uint64(worker), 4))
					for range 2000 {
						regroup(tenant, r)
						watchGroups(t, tenant)
					}
				})
			}
			all.Wait()
			if got := fmt.Sprint(slices.Sorted(maps.Keys(tenant.Info().Refused))); got != tt.refused {
				t.Errorf("refused for want of %s", got)
			}
			for _, g := range tenant.Groups() {
				if err := tenant.DeleteGroup(g.Group); err != nil {
					t.Error(err)
				}
			}
			for _, kind := range allQuotas() {
				if n := tenant.quotas[kind].used.Load(); n != 0 {
					t.Errorf("%d %s are left", n, kind)
				}
			}
		})
	}
}

// regroup is an answer of a callback with some effects on groups, which happen or
// not, or a call. Refusals are part of it.
func regroup(tenant *Tenant, r *rand.Rand) {
	name, topic := fmt.Sprint("g", r.IntN(5)), fmt.Sprint("t", r.IntN(6))
	switch r.IntN(8) {
	case 0:
		_ = tenant.CreateGroup(name)
	case 1:
		_ = tenant.DeleteGroup(name)
	case 2:
		_ = tenant.AddToGroup(name, topic)
	case 3:
		_ = tenant.RemoveFromGroup(name, topic)
	default:
		kinds := []abi.EffectKind{abi.EffectGroupAdd, abi.EffectGroupAdd, abi.EffectGroupRemove, abi.EffectPush}
		var list []abi.Effect
		for range 1 + r.IntN(4) {
			list = append(list, abi.Effect{Kind: kinds[r.IntN(len(kinds))], Key: []byte(name), Topic: fmt.Append(nil, "t", r.IntN(6)), Event: []byte("e")})
		}
		if tenant.holdGroups(nil, list) != nil {
			return
		}
		if r.IntN(4) == 0 { // something else of the answer was refused
			tenant.dropGroups(list)
			return
		}
		for i := range list {
			tenant.applyGroup(nil, &list[i])
		}
	}
}

// watchGroups fails the test if a limit is exceeded.
func watchGroups(t *testing.T, tenant *Tenant) {
	for _, kind := range []quotaKind{quotaGroups, quotaState} {
		q := &tenant.quotas[kind]
		if used := q.used.Load(); used < 0 || q.most > 0 && used > q.most {
			t.Errorf("%d %s, with a limit of %d", used, kind, q.most)
		}
	}
	for _, g := range tenant.Groups() {
		if most := tenant.quotas[quotaGroupTopics].most; most > 0 && int64(g.Topics) > most {
			t.Errorf("group %+v, with a limit of %d", g, most)
		}
	}
}

// TestRefusedAnswerHoldsNoPlace: neither when the effects on groups are refused, nor
// when something is that is checked after them.
func TestRefusedAnswerHoldsNoPlace(t *testing.T) {
	c := newCrowd(t, TenantLimits{Groups: 1, Timers: 2})
	w := c.sockets[0]
	w.hear(t, clientFrame(1, true, `["1","1","t","phx_join",1]`))
	w.channel("t").mail.awaitIdle()
	ch, before := w.channel("t"), c.used()
	timer := abi.Effect{Kind: abi.EffectSendAfter, Event: []byte("e"), Value: 3_600_000}
	add := func(name string) abi.Effect {
		return abi.Effect{Kind: abi.EffectGroupAdd, Key: []byte(name), Topic: []byte("t")}
	}
	for want, list := range map[string][]abi.Effect{
		"tenant.groups": {add("g"), add("h")},
		"tenant.timers": {add("g"), timer, timer},
	} {
		err := ch.checkOutput(ch.handler(), &abi.Response{Effects: list})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one about %s", err, want)
		}
		if c.used() != before {
			t.Errorf("%s: used %v, it was %v", want, c.used(), before)
		}
	}
	for _, w := range c.sockets {
		w.endChannels()
		w.depart()
	}
}
