package aviarytest_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/aviary-host/aviary/abi"
	aviary "github.com/aviary-host/aviary/sdk/go"
	"github.com/aviary-host/aviary/sdk/go/aviarytest"
)

type visit struct {
	User string
	N    int64
}

func (v *visit) fields(f *aviary.Fields) { f.Str("user", &v.User).Int("n", &v.N) }

type context = aviary.Context[visit]

func TestMain(m *testing.M) {
	declareRoom()
	os.Exit(m.Run())
}

func declareRoom() {
	aviary.Connect(func(c *aviary.ConnectContext, params aviary.Value) aviary.ConnectResult {
		user := params.Get("user").String()
		if user == "" {
			return c.Refuse(401, aviary.Object().Str("want", c.Header("x-want")))
		}
		return c.Accept().ID("users:" + user).Seed(aviary.Object().Str("user", user))
	})
	room := aviary.Channel("room:*", aviary.State((*visit).fields))
	room.Join(func(c *context, p aviary.Value) aviary.JoinResult {
		if p.Get("crash").Bool() {
			panic("as you wish")
		}
		if p.Get("no").Bool() {
			return c.Refuse(nil)
		}
		return c.Accept(aviary.Object().Str("user", c.State().User).Str("id", c.IDTopic()))
	})
	room.On("up", func(c *context, p aviary.Value) aviary.Result {
		c.State().N += p.Get("by").Int()
		c.Log(aviary.LevelWarn, "up")
		return c.Reply(aviary.Object().Int("n", c.State().N).Set("step", c.Config("step")))
	})
	room.On("panic", func(c *context, _ aviary.Value) aviary.Result { c.State().N = 0; panic("boom") })
	room.On("badpush", func(c *context, p aviary.Value) aviary.Result { c.Push("e", p); return c.NoReply() })
	room.On("badjson", func(c *context, _ aviary.Value) aviary.Result { return c.Reply(aviary.JSON("{")) })
	room.On("badresult", func(c *context, _ aviary.Value) aviary.Result { return c.Pass() })
	room.On("stop", func(c *context, _ aviary.Value) aviary.Result { return c.Stop(aviary.ReasonNormal, "done") })
	room.On("listen", func(c *context, _ aviary.Value) aviary.Result {
		c.SendAfter("every", aviary.Second, "m", nil)
		c.SendAfter("every", aviary.Minute, "m", nil)
		c.SendAfter("", aviary.Second, "m", nil)
		c.SendAfter("", aviary.Second, "m", nil)
		c.Subscribe("news")
		return c.NoReply()
	})
	room.On("deaf", func(c *context, _ aviary.Value) aviary.Result {
		c.Cancel("every")
		c.Unsubscribe("news")
		return c.NoReply()
	})
	room.HandleInfo(func(c *context, p aviary.Value) aviary.Result {
		c.Push(c.Event(), aviary.Object().Int("kind", int64(c.InfoKind())).Str("source", c.Source()).Set("p", p))
		return c.NoReply()
	})
	room.HandleOut("out", func(c *context, p aviary.Value) aviary.Result {
		if p.Get("drop").Bool() {
			return c.NoReply()
		}
		return c.Pass()
	})
	room.Terminate(func(c *context, why aviary.Reason) {
		c.Broadcast("bye", aviary.Object().Str("why", why.String()).Int("n", c.State().N))
	})
}

func check(t *testing.T, got *aviarytest.Response, want ...string) {
	t.Helper()
	if text := strings.Join(want, "\n"); got.String() != text {
		t.Errorf("got\n%s\nwant\n%s", got, text)
	}
}

func TestLifeCycle(t *testing.T) {
	t.Parallel()
	g := aviarytest.New(t)
	g.Settings = `{"step":2}`
	check(t, g.Connect(`{"user":"ada"}`, ""), `reply ok {}`)
	room := g.Join("room:1", "")
	check(t, room.Last, `reply ok {"user":"ada","id":"users:ada"}`, `intercept out`)

	check(t, room.In("up", `{"by":2}`), `reply ok {"n":2,"step":2}`)
	check(t, room.In("up", `{"by":3}`), `reply ok {"n":5,"step":2}`)
	if string(room.State) != `{"user":"ada","n":5}` || len(g.Logs) != 2 || g.Logs[0] != "warn up" {
		t.Errorf("state %s, logs %q", room.State, g.Logs)
	}

	check(t, room.Info("m", `[1]`), `push m {"kind":1,"source":"","p":[1]}`)
	room.In("listen", "")
	check(t, room.Timer("every", "m", ``), `push m {"kind":2,"source":"every","p":{}}`)
	check(t, room.Broadcast("news", "m", ``), `push m {"kind":3,"source":"news","p":{}}`)
	check(t, room.Out("out", `{}`), `pass`)
	check(t, room.Out("out", `{"drop":true}`))
	check(t, room.CodeChange())

	check(t, room.Terminate(aviary.ReasonLeft), `broadcast bye {"why":"left","n":5}`)
	if _, err := room.TryIn("up", ""); err == nil {
		t.Error("the channel goes on after its end")
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	g := aviarytest.New(t)
	check(t, g.Connect(``, `{"x-want":"a name"}`), `reply_error 401 {"want":"a name"}`)
	room := g.Join("room:1", `{"no":true}`)
	check(t, room.Last, `reply_error {}`)
	if _, err := room.TryIn("up", ""); err == nil || room.Joined {
		t.Error("a refused channel answers")
	}
	if room, err := g.TryJoin("room:1", `{"crash":true}`); err == nil || room.Joined || !strings.Contains(err.Error(), "as you wish") {
		t.Error(err)
	}
}

func TestWhatTheHostRefusesFails(t *testing.T) {
	t.Parallel()
	room := aviarytest.New(t).Join("room:1", "")
	room.In("up", `{"by":1}`)
	for event, want := range map[string]string{
		"panic": "boom (", "badpush": "neither an object nor bytes", "badjson": "not JSON", "badresult": "SPEC 4.2",
	} {
		if _, err := room.TryIn(event, `"text"`); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", event, err, want)
		}
	}
	if _, err := room.TryIn("up", `{`); err == nil {
		t.Error("took a malformed payload")
	}
	if !strings.Contains(string(room.State), `"n":1`) {
		t.Errorf("a crash left %s", room.State)
	}
	check(t, room.InBytes("badpush", []byte{7}), `push e <07>`)
	if check(t, room.In("stop", ""), `stop normal done`); room.Joined {
		t.Error("stopped and still there")
	}
}

// failing is a test that may fail.
type failing struct {
	testing.TB
	failure string
}

func (*failing) Helper() {}

func (f *failing) Fatalf(format string, args ...any) {
	f.failure = fmt.Sprintf(format, args...)
	panic(f)
}

// failureOf returns the words with which act fails the test, "" if it does not.
func failureOf(t *testing.T, act func(room *aviarytest.Channel)) (words string) {
	f := &failing{TB: t}
	defer func() {
		if v := recover(); v != nil && v != any(f) {
			panic(v)
		}
		words = f.failure
	}()
	act(aviarytest.New(f).Join("room:1", ""))
	return f.failure
}

// TestWhatNoServerDeliversFails: timers that are not pending, and broadcasts on
// topics that the channel is not subscribed to.
func TestWhatNoServerDeliversFails(t *testing.T) {
	t.Parallel()
	const (
		noTimer = `room:1: Timer "every": the channel has set no such timer, or it has fired or was cancelled; pending are `
		noTopic = `room:1: Broadcast on "news": the channel is not subscribed to it (Call.Subscribe)`
	)
	timer := func(c *aviarytest.Channel, key string) { c.Timer(key, "m", "") }
	for name, tt := range map[string]struct {
		act  func(c *aviarytest.Channel)
		want string
	}{
		"never set": {func(c *aviarytest.Channel) { timer(c, "every") }, noTimer + `[]`},
		"set":       {func(c *aviarytest.Channel) { c.In("listen", ""); timer(c, "every"); timer(c, ""); timer(c, "") }, ""},
		"fired":     {func(c *aviarytest.Channel) { c.In("listen", ""); timer(c, "every"); timer(c, "every") }, noTimer + `["" ""]`},
		"cancelled": {func(c *aviarytest.Channel) { c.In("listen", ""); c.In("deaf", ""); timer(c, "every") }, noTimer + `["" ""]`},

		"never subscribed": {func(c *aviarytest.Channel) { c.Broadcast("news", "m", "") }, noTopic},
		"subscribed": {func(c *aviarytest.Channel) {
			c.In("listen", "")
			c.Broadcast("news", "m", "")
			c.Broadcast("news", "m", "")
		}, ""},
		"unsubscribed": {func(c *aviarytest.Channel) { c.In("listen", ""); c.In("deaf", ""); c.Broadcast("news", "m", "") }, noTopic},
	} {
		if got := failureOf(t, tt.act); got != tt.want {
			t.Errorf("%s: failed with\n%s\nwant\n%s", name, got, tt.want)
		}
	}
}

func TestResponseFinds(t *testing.T) {
	t.Parallel()
	got := aviarytest.New(t).Join("room:1", "").Info("m", `{}`)
	payload, ok := got.Sent(abi.EffectPush, "m")
	if !ok || !json.Valid([]byte(payload)) || aviary.JSON(payload).Get("kind").Int() != 1 {
		t.Errorf("%q %v", payload, ok)
	}
	if _, ok := got.Sent(abi.EffectPush, "other"); ok {
		t.Error("found what was not sent")
	}
}
