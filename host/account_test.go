package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/host/limit"
	"github.com/aviary-host/aviary/wire"
	"github.com/gobwas/ws"
)

// hoarder does what an event says, with a number: it keeps state, starts timers,
// subscribes, tracks, and ends in every way there is.
type hoarder struct{}

var errHoarder = errors.New("on purpose")

func (hoarder) Implements(cb abi.Callback) bool { return cb != abi.CallbackPresenceFetch }

func (hoarder) Handle(req *abi.Request, buf []byte, resp *abi.Response) ([]byte, error) {
	n := 0
	if req.Callback == abi.CallbackHandleIn || req.Callback == abi.CallbackJoin {
		if err := json.Unmarshal(req.Payload, &n); err != nil {
			return buf, err
		}
	}
	key := fmt.Appendf(nil, "k%d", n%4)
	switch req.Callback {
	case abi.CallbackJoin:
		resp.Result = abi.ResultReply
		if n%7 == 0 {
			resp.Result = abi.ResultReplyError
		} else {
			resp.Effects = hoard(key)
		}
		resp.HasState, resp.State = n%2 == 0, bytes.Repeat([]byte{'s'}, n)
	case abi.CallbackHandleInfo:
		if string(req.Source) == "k2" {
			return buf, noHoard{}
		}
		if string(req.Source) == "k1" { // starts itself anew
			resp.Effects = []abi.Effect{{Kind: abi.EffectSendAfter, Key: req.Source, Event: []byte("e"), Value: 3_600_000}}
		}
	case abi.CallbackTerminate:
		resp.HasState, resp.State = true, make([]byte, 1<<16) // dropped
	case abi.CallbackHandleIn:
		return buf, hoardIn(string(req.Event), key, n, resp)
	}
	if n%11 == 10 {
		return buf, errHoarder
	}
	return buf, nil
}

// noHoard tells that a timer of the hoarder's found it unavailable.
type noHoard struct{}

func (noHoard) Error() string                        { return "later" }
func (noHoard) Unavailable() (string, time.Duration) { return "later", time.Second }

// hoard takes one of everything, some of it twice.
func hoard(key []byte) []abi.Effect {
	return []abi.Effect{
		{Kind: abi.EffectSendAfter, Key: key, Event: []byte("e"), Value: 3_600_000},
		{Kind: abi.EffectSendAfter, Key: key, Event: []byte("e"), Value: 3_600_000},
		{Kind: abi.EffectSubscribe, Topic: key},
		{Kind: abi.EffectSubscribe, Topic: key},
		{Kind: abi.EffectPresenceTrack, Key: key, Payload: []byte(`{"a": 1, "phx_ref": 2}`)},
		{Kind: abi.EffectPresenceTrack, Key: key},
	}
}

func hoardIn(event string, key []byte, n int, resp *abi.Response) error {
	one := func(e abi.Effect) { resp.Effects = []abi.Effect{e} }
	switch event {
	case "state":
		resp.HasState, resp.State = true, bytes.Repeat([]byte{'s'}, n)
	case "timer":
		one(abi.Effect{Kind: abi.EffectSendAfter, Key: key, Event: []byte("e"), Value: 3_600_000})
	case "soon":
		one(abi.Effect{Kind: abi.EffectSendAfter, Key: key, Event: []byte("e"), Payload: key[1:]})
	case "nameless":
		one(abi.Effect{Kind: abi.EffectSendAfter, Event: []byte("e"), Value: int64(n%2) * 3_600_000})
	case "cancel":
		one(abi.Effect{Kind: abi.EffectCancel, Key: key})
	case "subscribe":
		one(abi.Effect{Kind: abi.EffectSubscribe, Topic: key})
	case "unsubscribe":
		one(abi.Effect{Kind: abi.EffectUnsubscribe, Topic: key})
	case "track":
		one(abi.Effect{Kind: abi.EffectPresenceTrack, Key: key[:n%3]}) // some are anonymous
	case "update":
		one(abi.Effect{Kind: abi.EffectPresenceUpdate, Key: key, Payload: fmt.Appendf(nil, `{"n":%q}`, key)})
	case "untrack":
		one(abi.Effect{Kind: abi.EffectPresenceUntrack, Key: key})
	case "all":
		resp.HasState, resp.State, resp.Effects = true, bytes.Repeat([]byte{'s'}, n), hoard(key)
	case "stop":
		resp.Result, resp.Number, resp.Effects = abi.ResultStop, uint32(1+n%3), hoard(key)
	case "fail":
		return errHoarder
	}
	return nil
}

// crowd is sockets of one tenant whose channels hoard.
type crowd struct {
	t       *testing.T
	tenant  *Tenant
	sockets []*stream
}

func newCrowd(t *testing.T, limits TenantLimits) *crowd {
	t.Helper()
	limits.Messages = limit.Rate{Count: -1}
	s, err := New(Config{
		Tenants: []TenantConfig{{Name: "acme", Limits: limits}},
		Routes:  []Route{{Tenant: "acme", Pattern: "*", Handler: hoarder{}}},
		Mounts:  []Mount{{Path: "/socket", Tenant: "acme", Limits: &Limits{}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := &crowd{t: t, tenant: s.tenants[1]}
	for range 4 {
		leave, _ := c.tenant.enterTenant(&visitor{}, false)
		w := newStream(newSocket(s, &s.cfg.Mounts[0], &connected{
			version: wire.Version2, socketID: newSocketID(), transport: abi.TransportWebSocket,
			state: []byte("seed"), leave: leave, idTopic: "users:ada",
		}), sink{}, nil)
		if !w.arrive() {
			t.Fatal("not let in")
		}
		c.sockets = append(c.sockets, w)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return c
}

// act is what a client does next.
func act(r *rand.Rand) string {
	topic, n := fmt.Sprint("t", r.IntN(3)), r.IntN(60)
	event := []string{
		"phx_join", "phx_join", "phx_leave", "state", "timer", "soon", "nameless", "cancel",
		"subscribe", "unsubscribe", "track", "untrack", "all", "all", "stop", "fail", "update",
	}[r.IntN(17)]
	return fmt.Sprintf(`[null,"1",%q,%q,%d]`, topic, event, n)
}

// round has all clients act at once, each for a while, and watches the limits.
func (c *crowd) round(seed uint64) {
	var all sync.WaitGroup
	for i, w := range c.sockets {
		all.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			for range 150 {
				w.hear(c.t, clientFrame(ws.OpText, true, act(r)))
				c.watch()
			}
		})
	}
	all.Wait()
}

// watch fails the test if a limit that is enforced is exceeded at any time.
func (c *crowd) watch() {
	for _, kind := range allQuotas() {
		q := &c.tenant.quotas[kind]
		if used := q.used.Load(); used < 0 || q.enforced && q.most > 0 && used > q.most {
			c.t.Errorf("%d %s, with a limit of %d", used, kind, q.most)
		}
	}
}

// count visits every channel and counts what there is; false when something of
// it is busy.
func (c *crowd) count() (there [quotaKinds]int64, ok bool) {
	for _, w := range c.sockets {
		there[quotaConnections]++
		w.mu.Lock()
		there[quotaChannels] += int64(w.joined)
		w.mu.Unlock()
		for _, ch := range w.unfinished() {
			if !ch.mail.enter() {
				return there, false
			}
			there[quotaState] += int64(len(ch.state) + c.tenant.presence.OwnedBytes(ch.owner))
			has := ch.has()
			for _, t := range has.timers.pending {
				there[quotaState] += int64(len(t.payload))
			}
			there[quotaTimers] += int64(has.timers.len())
			there[quotaSubscriptions] += int64(len(has.subs))
			there[quotaPresences] += int64(c.tenant.presence.Owned(ch.owner))
			ch.release()
		}
	}
	return there, true
}

// agree compares what is counted with what is there, once it is calm.
func (c *crowd) agree() {
	c.t.Helper()
	var there, counted [quotaKinds]int64
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) { // timers fire when they do
		var ok bool
		if there, ok = c.count(); !ok {
			continue
		}
		for i := range counted {
			counted[i] = c.tenant.quotas[i].used.Load()
		}
		if there == counted {
			return
		}
	}
	c.t.Fatalf("by %v\ncounted %v\nthere   %v", allQuotas(), counted, there)
}

// TestTenantCountersAreExact: whatever happens to the channels of a tenant, and
// however they end, what is counted is what is there, never more than the limit,
// and nothing in the end.
func TestTenantCountersAreExact(t *testing.T) {
	all := TenantLimits{Channels: 8, State: 200, Timers: 9, Presences: 9, Subscriptions: 9}
	logged := all
	logged.LogOnly = []string{"channels", "state", "timers", "presences", "subscriptions"}
	for name, limits := range map[string]TenantLimits{
		"channels": {Channels: 5}, "state": {State: 100}, "timers": {Timers: 6}, "presences": {Presences: 6}, "subscriptions": {Subscriptions: 6},
		"all": all, "logged": logged, "wide": {},
		"none": {Connections: -1, Channels: -1, State: -1, Timers: -1, Presences: -1, Subscriptions: -1},
	} {
		t.Run(name, func(t *testing.T) {
			refused := map[string]int64{}
			for seed := range uint64(4) {
				c := newCrowd(t, limits)
				for round := range uint64(3) {
					c.round(seed*100 + round)
					c.agree()
				}
				for kind, n := range c.tenant.Info().Refused {
					refused[kind] += n
				}
				c.end(seed)
				if info := c.tenant.Info(); c.used() != [quotaKinds]int64{} || info.Topics+info.Sockets != 0 {
					t.Errorf("left in the end: %v, %+v", c.used(), info)
				}
			}
			switch name {
			case "logged", "wide", "none":
				if len(refused) != 0 {
					t.Errorf("refused %v", refused)
				}
			case "all":
			default:
				if refused[name] == 0 || len(refused) != 1 {
					t.Errorf("refused %v", refused)
				}
			}
		})
	}
}

func (c *crowd) used() (all [quotaKinds]int64) {
	for i := range all {
		all[i] = c.tenant.quotas[i].used.Load()
	}
	return all
}

// end ends all sockets at once, while they act: with a disconnect, or by
// themselves.
func (c *crowd) end(seed uint64) {
	var all sync.WaitGroup
	for i, w := range c.sockets {
		all.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(10+i)))
			for range 20 {
				w.hear(c.t, clientFrame(ws.OpText, true, act(r)))
			}
			w.endChannels()
			w.depart()
		})
	}
	if seed%2 == 0 {
		c.tenant.disconnect("users:ada")
	}
	all.Wait()
	c.sockets = nil
}

// TestReserveIsWhole: an answer that needs too much of one thing takes nothing of
// the others.
func TestReserveIsWhole(t *testing.T) {
	c := newCrowd(t, TenantLimits{Channels: 1, State: 100, Timers: 100, Subscriptions: 100, Presences: 2})
	w := c.sockets[0]
	w.hear(t, clientFrame(ws.OpText, true, `["1","1","t","phx_join",1]`))
	w.channel("t").mail.awaitIdle()
	ch := w.channel("t")
	if ch == nil {
		t.Fatalf("not joined: %v", c.tenant.Info())
	}
	before := c.used()
	err := ch.checkOutput(ch.handler(), &abi.Response{HasState: true, State: make([]byte, 50), Effects: []abi.Effect{
		{Kind: abi.EffectSendAfter, Event: []byte("e")},
		{Kind: abi.EffectSubscribe, Topic: []byte("u")},
		{Kind: abi.EffectPresenceTrack, Key: []byte("a")},
		{Kind: abi.EffectPresenceTrack, Key: []byte("b")},
	}})
	var out *OutputError
	if !errors.As(err, &out) || !strings.HasPrefix(err.Error(), "tenant.presences would get 2 more: over the tenant's limit of 2") {
		t.Errorf("error %v", err)
	}
	if c.used() != before {
		t.Errorf("held %v, was %v", c.used(), before)
	}
	for _, w := range c.sockets {
		w.endChannels()
		w.depart()
	}
}
