package host_test

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/host"
	"github.com/aviary-host/aviary/host/hosttest"
)

// version is a script that answers "who" with its name and the state, and joins with its
// name as the state.
func version(name string) *script {
	return &script{
		join: func(_ *abi.Request, resp *abi.Response) error {
			resp.Result, resp.State, resp.HasState = abi.ResultReply, []byte(name), true
			return nil
		},
		in: map[string]func(*abi.Request, *abi.Response) error{
			"who": func(req *abi.Request, resp *abi.Response) error {
				resp.Result, resp.Payload = abi.ResultReply, quote(name+":"+string(req.State))
				return nil
			},
		},
	}
}

// retirements are the generations that were retired.
type retirements struct {
	mu   sync.Mutex
	list []int
	news chan int
}

func newRetirements() *retirements { return &retirements{news: make(chan int, 1000)} }

func (r *retirements) add(number int) {
	r.mu.Lock()
	r.list = append(r.list, number)
	r.mu.Unlock()
	r.news <- number
}

// await waits for a retirement.
func (r *retirements) await(t *testing.T, number int) {
	t.Helper()
	select {
	case got := <-r.news:
		if got != number {
			t.Fatalf("generation %d is retired, want %d", got, number)
		}
	case <-time.After(10 * time.Second):
		t.Fatalf("generation %d is not retired", number)
	}
}

// none holds that nothing is retired that await was not called for.
func (r *retirements) none(t *testing.T) {
	t.Helper()
	select {
	case number := <-r.news:
		t.Errorf("generation %d is retired", number)
	default:
	}
}

// line is a server whose handler is replaced.
type line struct {
	*server
	gens    *host.Generations
	retired *retirements
}

func startLine(t *testing.T, first host.Handler, cfg host.GenerationsConfig) *line {
	t.Helper()
	l := &line{retired: newRetirements()}
	cfg.Retired = l.retired.add
	l.gens = host.NewGenerations(at(1, first), cfg)
	l.server = startConfig(t, nil, host.Config{
		Mounts: []host.Mount{{Path: "/socket"}},
		Routes: []host.Route{{Pattern: "*", Plugin: "script", Generations: l.gens}},
	})
	return l
}

// at is a version whose module is its number.
func at(number int, h host.Handler) host.Version {
	return host.Version{Number: number, Module: fmt.Sprintf("%064d", number), Handler: h}
}

// info is one line for each generation: number, channels, moved, declined, and * for the current one.
func (l *line) info() string {
	var parts []string
	for _, g := range l.gens.Info() {
		star := ""
		if g.Current {
			star = "*"
		}
		parts = append(parts, fmt.Sprintf("%d%s:%d,%d,%d", g.Number, star, g.Channels, g.Moved, g.Declined))
	}
	return strings.Join(parts, " ")
}

func (l *line) expectInfo(t *testing.T, want string) {
	t.Helper()
	if got := l.info(); got != want {
		t.Errorf("generations (number:channels,moved,declined) are %s, want %s", got, want)
	}
}

// TestSwapMoves: a channel is with the new generation from its next callback on, and new
// ones from the start. The old one goes when its last channel has.
func TestSwapMoves(t *testing.T) {
	l := startLine(t, version("a"), host.GenerationsConfig{})
	c := l.dial(t)
	j := c.Join("t", `{}`)
	idle := c.Join("idle", `{}`)
	c.Push("t", "who", `{}`)
	c.Expect(reply(j, "3", "t", `"a:a"`))
	l.gens.Swap(at(2, version("b")))
	l.expectInfo(t, "1:2,0,0 2*:0,0,0")
	c.Push("t", "who", `{}`)
	c.Expect(reply(j, "4", "t", `"b:a"`))
	l.expectInfo(t, "1:1,0,0 2*:1,1,0")
	late := c.Join("late", `{}`)
	c.Push("late", "who", `{}`)
	c.Expect(reply(late, "6", "late", `"b:b"`))
	l.retired.none(t)
	c.Push("idle", "who", `{}`)
	c.Expect(reply(idle, "7", "idle", `"b:a"`))
	l.retired.await(t, 1)
	l.expectInfo(t, "2*:3,2,0")
}

// TestSwapKeepsWhatAChannelHas: timers, subscriptions, presences, interceptions and refs to
// be answered are those of the channel, not of its handler.
func TestSwapKeepsWhatAChannelHas(t *testing.T) {
	first := version("a")
	first.in["set"] = func(req *abi.Request, resp *abi.Response) error {
		resp.State, resp.HasState = req.Ref, true
		resp.Effects = append(resp.Effects,
			abi.Effect{Kind: abi.EffectSendAfter, Key: []byte("tick"), Event: []byte("tick"), Value: 1},
			abi.Effect{Kind: abi.EffectSubscribe, Topic: []byte("news")},
			abi.Effect{Kind: abi.EffectIntercept, Event: []byte("secret")},
			abi.Effect{Kind: abi.EffectPresenceTrack, Key: []byte("ann"), Payload: []byte(`{"n":1}`)},
		)
		return nil
	}
	second := version("b")
	second.info = infoToPush
	second.out = func(_ *abi.Request, resp *abi.Response) error {
		resp.Result, resp.Event, resp.Payload = abi.ResultPush, []byte("told"), []byte(`{}`)
		return nil
	}
	second.in["finish"] = func(req *abi.Request, resp *abi.Response) error {
		resp.Effects = append(resp.Effects, abi.Effect{Kind: abi.EffectReply, Key: req.State, Payload: []byte(`"late"`)})
		return nil
	}
	entered, release := make(chan struct{}), make(chan struct{})
	first.in["hold"] = func(*abi.Request, *abi.Response) error { close(entered); <-release; return nil }
	first.info = infoToPush // where the machine is so slow that the timer fires before the swap

	l := startLine(t, first, host.GenerationsConfig{})
	c := l.dial(t)
	j := c.Join("t", `{}`)
	c.Push("t", "set", `{}`)
	c.Expect(`[null,null,"t","presence_diff",{"joins":{"ann":{"metas":[{"n":1,"phx_ref":"<ref>"}]}},"leaves":{}}]`)
	c.Push("t", "hold", `{}`) // the timer fires meanwhile: its turn is behind this
	<-entered
	l.gens.Swap(at(2, second))
	close(release)
	c.Expect(fmt.Sprintf(`[%q,null,"t","info",{"kind":"timer","event":"tick","source":"tick","payload":{}}]`, j))
	if err := l.Broadcast("news", "n", nil); err != nil {
		t.Fatal(err)
	}
	c.Expect(fmt.Sprintf(`[%q,null,"t","info",{"kind":"broadcast","event":"n","source":"news","payload":{}}]`, j))
	if err := l.Broadcast("t", "secret", nil); err != nil {
		t.Fatal(err)
	}
	c.Expect(fmt.Sprintf(`[%q,null,"t","told",{}]`, j))
	c.Push("t", "finish", `{}`)
	c.Expect(reply(j, "2", "t", `"late"`))
	if got := string(l.AppendPresences(nil, "t")); !strings.Contains(got, `"ann"`) {
		t.Errorf("presences are %s", got)
	}
	l.retired.await(t, 1)
}

// TestSwapDuringACallback: the callback that runs ends where it began, and commits.
func TestSwapDuringACallback(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	first := version("a")
	first.in["slow"] = func(_ *abi.Request, resp *abi.Response) error {
		close(entered)
		<-release
		resp.Result, resp.Payload = abi.ResultReply, []byte(`"a"`)
		resp.State, resp.HasState = []byte("slow"), true
		return nil
	}
	l := startLine(t, first, host.GenerationsConfig{})
	c := l.dial(t)
	j := c.Join("t", `{}`)
	c.Push("t", "slow", `{}`)
	c.Push("t", "who", `{}`)
	<-entered
	l.gens.Swap(at(2, version("b")))
	l.retired.none(t)
	close(release)
	c.Expect(reply(j, "2", "t", `"a"`))
	c.Expect(reply(j, "3", "t", `"b:slow"`))
	l.retired.await(t, 1)
}

// TestCodeChange: once for a channel, with the state and the version as they were left,
// before anything else of the new generation; not between generations of one module.
func TestCodeChange(t *testing.T) {
	first := version("a")
	first.in["set"] = func(_ *abi.Request, resp *abi.Response) error {
		resp.Result, resp.State, resp.StateVersion, resp.HasState = abi.ResultReply, []byte("old"), 7, true
		return nil
	}
	var changes atomic.Int32
	second := version("b")
	second.change = func(req *abi.Request, resp *abi.Response) error {
		changes.Add(1)
		resp.State, resp.HasState = fmt.Appendf(nil, "%s/%d/%s", req.State, req.StateVersion, req.Topic), true
		resp.Effects = append(resp.Effects, abi.Effect{Kind: abi.EffectSendAfter, Event: []byte("tick"), Value: 1})
		return nil
	}
	second.info = infoToPush
	l := startLine(t, first, host.GenerationsConfig{})
	c := l.dial(t)
	j := c.Join("t", `{}`)
	c.Push("t", "set", `{}`)
	c.Expect(reply(j, "2", "t", `{}`))
	l.gens.Swap(at(2, second))
	c.Push("t", "who", `{}`)
	c.ExpectAnyOrder(
		reply(j, "3", "t", `"b:old/7/t"`),
		fmt.Sprintf(`[%q,null,"t","info",{"kind":"timer","event":"tick","source":"","payload":{}}]`, j))
	l.gens.Swap(host.Version{Number: 3, Module: at(2, nil).Module, Handler: second})
	c.Push("t", "who", `{}`)
	c.Expect(reply(j, "4", "t", `"b:old/7/t"`))
	if n := changes.Load(); n != 1 {
		t.Errorf("code_change ran %d times, want once", n)
	}
	l.expectInfo(t, "3*:1,1,0")
}

// TestCodeChangeFails: the channel stays where it was, with nothing of the failure, is not
// asked again, and moves to the generation after.
func TestCodeChangeFails(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*abi.Request, *abi.Response) error
		log    string
	}{
		{"refused", func(_ *abi.Request, resp *abi.Response) error {
			resp.Result, resp.Payload = abi.ResultReplyError, []byte(`"no v1 here"`)
			resp.Effects = append(resp.Effects, abi.Effect{Kind: abi.EffectSubscribe, Topic: []byte("news")})
			return nil
		}, `no v1 here`},
		{"trapped", fail, errScript.Error()},
		{"without a state", func(*abi.Request, *abi.Response) error { return nil }, "state is missing"},
		{"with bad effects", func(_ *abi.Request, resp *abi.Response) error {
			resp.State, resp.HasState = []byte("new"), true
			resp.Effects = append(resp.Effects, abi.Effect{Kind: abi.EffectPresenceTrack, Key: []byte("k"), Payload: []byte(`[]`)})
			return nil
		}, "not an object"},
		{"with effects of others", func(_ *abi.Request, resp *abi.Response) error {
			resp.State, resp.HasState = []byte("new"), true
			resp.Effects = append(resp.Effects, push("x", `{}`))
			return nil
		}, "is not allowed in code_change"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var changes atomic.Int32
			second := version("b")
			second.change = func(req *abi.Request, resp *abi.Response) error {
				changes.Add(1)
				return tt.change(req, resp)
			}
			l := startLine(t, version("a"), host.GenerationsConfig{})
			c := l.dial(t)
			j := c.Join("t", `{}`)
			l.gens.Swap(at(2, second))
			for _, ref := range []string{"2", "3"} {
				c.Push("t", "who", `{}`)
				c.Expect(reply(j, ref, "t", `"a:a"`))
			}
			l.expectInfo(t, "1:1,0,0 2*:0,0,1")
			if n := changes.Load(); n != 1 {
				t.Errorf("code_change ran %d times, want once", n)
			}
			if log := l.log.String(); !strings.Contains(log, "code=CODE_CHANGE_FAILED") || !strings.Contains(log, tt.log) || !strings.Contains(log, "generation=1") {
				t.Errorf("the log does not say %q:\n%s", tt.log, log)
			}
			l.gens.Swap(at(3, version("c")))
			l.retired.await(t, 2)
			c.Push("t", "who", `{}`)
			c.Expect(reply(j, "4", "t", `"c:a"`))
			l.retired.await(t, 1)
		})
	}
}

// busy is an error of a handler that may do later what it cannot now.
type busy struct{}

func (busy) Error() string                        { return "busy" }
func (busy) Unavailable() (string, time.Duration) { return "busy", time.Second }

// TestCodeChangeUnavailable: that others compute says nothing of the state; the channel goes
// on as it is and tries again.
func TestCodeChangeUnavailable(t *testing.T) {
	var open atomic.Bool
	second := version("b")
	second.change = func(req *abi.Request, resp *abi.Response) error {
		if !open.Load() {
			return busy{}
		}
		resp.State, resp.HasState = append([]byte("new "), req.State...), true
		return nil
	}
	l := startLine(t, version("a"), host.GenerationsConfig{})
	c := l.dial(t)
	j := c.Join("t", `{}`)
	l.gens.Swap(at(2, second))
	c.Push("t", "who", `{}`)
	c.Expect(reply(j, "2", "t", `"a:a"`))
	open.Store(true)
	c.Push("t", "who", `{}`)
	c.Expect(reply(j, "3", "t", `"b:new a"`))
	l.expectInfo(t, "2*:1,1,0")
}

// phxError is the frame that tells a client to join again.
func phxError(joinRef, topic string) string {
	return fmt.Sprintf(`[%q,%q,%q,"phx_error",{"reason":"module_replaced"}]`, joinRef, joinRef, topic)
}

// terminating is a version that notes why its channels end.
func terminating(name string, whys chan<- string) *script {
	s := version(name)
	s.terminate = func(req *abi.Request, _ *abi.Response) error {
		whys <- name + " " + abi.Reason(req.Reason).String() + ": " + string(req.Source)
		return nil
	}
	return s
}

const withdrawn = " draining: the channel's version of the module is withdrawn"

func expectWhy(t *testing.T, whys <-chan string, want string) {
	t.Helper()
	select {
	case got := <-whys:
		if got != want {
			t.Errorf("terminate was told %q, want %q", got, want)
		}
	case <-time.After(10 * time.Second):
		t.Fatalf("nothing was told %q", want)
	}
}

// TestUpdateRejoin: channels end at once with phx_error, and what was sent before is answered.
func TestUpdateRejoin(t *testing.T) {
	whys := make(chan string, 10)
	l := startLine(t, terminating("a", whys), host.GenerationsConfig{OnUpdate: host.UpdateRejoin})
	c := l.dial(t)
	j := c.Join("t", `{}`)
	l.gens.Swap(at(2, version("b")))
	expectWhy(t, whys, "a"+withdrawn)
	c.Expect(phxError(j, "t"))
	l.retired.await(t, 1)
	j = c.Join("t", `{}`)
	c.Push("t", "who", `{}`)
	c.Expect(reply(j, "3", "t", `"b:b"`))
}

// TestUpdateRejoinDuringAJoin: a join under way is accepted, and then to be made again.
func TestUpdateRejoinDuringAJoin(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	first := version("a")
	first.join = func(_ *abi.Request, resp *abi.Response) error {
		close(entered)
		<-release
		resp.Result = abi.ResultReply
		return nil
	}
	l := startLine(t, first, host.GenerationsConfig{OnUpdate: host.UpdateRejoin})
	c := l.dial(t)
	j, ref := c.SendJoin("t", `{}`)
	<-entered
	l.gens.Swap(at(2, version("b")))
	close(release)
	c.Expect(reply(j, ref, "t", `{}`))
	c.Expect(phxError(j, "t"))
	l.retired.await(t, 1)
}

// TestUpdateKeep: channels stay, until they are too old.
func TestUpdateKeep(t *testing.T) {
	whys := make(chan string, 10)
	l := startLine(t, terminating("a", whys), host.GenerationsConfig{OnUpdate: host.UpdateKeep, MaxOldAge: time.Hour})
	c := l.dial(t)
	j := c.Join("t", `{}`)
	l.gens.Swap(at(2, version("b")))
	c.Push("t", "who", `{}`)
	c.Expect(reply(j, "2", "t", `"a:a"`))
	l.expectInfo(t, "1:1,0,0 2*:0,0,0")
	if !l.gens.Expire(1) || l.gens.Expire(2) || l.gens.Expire(3) {
		t.Error("a generation that is current, or is none, can expire, or one that is old cannot")
	}
	expectWhy(t, whys, "a"+withdrawn)
	c.Expect(phxError(j, "t"))
	l.retired.await(t, 1)
}

// TestMaxOldAge: who can move and has had no callback moves then, who cannot ends.
func TestMaxOldAge(t *testing.T) {
	second := version("b")
	second.change = func(req *abi.Request, resp *abi.Response) error {
		if string(req.Topic) == "bad" {
			return errScript
		}
		resp.State, resp.HasState = []byte("new"), true
		return nil
	}
	l := startLine(t, version("a"), host.GenerationsConfig{MaxOldAge: 10 * time.Millisecond})
	c := l.dial(t)
	bad, good := c.Join("bad", `{}`), c.Join("good", `{}`)
	l.gens.Swap(at(2, second))
	c.Expect(phxError(bad, "bad"))
	l.retired.await(t, 1)
	l.expectInfo(t, "2*:1,1,1")
	c.Push("good", "who", `{}`)
	c.Expect(reply(good, "3", "good", `"b:new"`))
}

// TestTrial: a share of the new channels, by socket, begins with the generation on trial.
// Promoted it gets the others, withdrawn it loses what it has.
func TestTrial(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(*host.Generations) bool
		want string
	}{
		{"promoted", func(g *host.Generations) bool { return g.Promote(2) }, "b"},
		{"withdrawn", func(g *host.Generations) bool { return g.Withdraw(2) }, "a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := startLine(t, version("a"), host.GenerationsConfig{})
			l.gens.Try(at(2, version("b")), 0.5)
			askers, tried := l.crowd(t)
			if g := l.gens.Info(); len(g) != 2 || g[1].Share != 0.5 || g[1].Current || !g[0].Current || g[1].Channels != int64(2*tried) {
				t.Errorf("generations are %+v", g)
			}
			if l.gens.Promote(1) || l.gens.Withdraw(3) {
				t.Error("a generation that is not on trial is promoted or withdrawn")
			}
			if !tt.end(l.gens) || tt.end(l.gens) {
				t.Error("the trial does not end once")
			}
			for _, ask := range askers {
				if got := ask("t"); !strings.HasPrefix(got, tt.want+":") {
					t.Errorf("answer is %s, want one of %s", got, tt.want)
				}
			}
		})
	}
}

// crowd has sockets join two topics, and returns what asks a channel of each, and how many
// are with b.
func (l *line) crowd(t *testing.T) (askers []func(topic string) string, tried int) {
	t.Helper()
	const sockets = 60
	for range sockets {
		c := l.dial(t)
		c.Join("t", `{}`)
		c.Join("u", `{}`)
		ask := func(topic string) string {
			c.Push(topic, "who", `{}`)
			return answer(t, c.Receive().Payload)
		}
		one, two := ask("t"), ask("u")
		if one != two {
			t.Errorf("the channels of a socket are with %s and %s", one, two)
		}
		if one == "b:b" {
			tried++
		}
		askers = append(askers, ask)
	}
	if tried < sockets/4 || tried > sockets*3/4 {
		t.Errorf("%d of %d sockets are on trial, want about half", tried, sockets)
	}
	return askers, tried
}

// answer is the response in the payload of a reply.
func answer(t *testing.T, payload any) string {
	t.Helper()
	reply, _ := payload.(map[string]any)
	text, ok := reply["response"].(string)
	if !ok {
		t.Fatalf("%v is no reply with a text", payload)
	}
	return text
}

// TestSwapOfConnect: who connects is asked by the current generation, and one that is
// asked when it is replaced lives until it has answered.
func TestSwapOfConnect(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	first, second := version("a"), version("b")
	first.connect = func(_ *abi.Request, resp *abi.Response) error {
		close(entered)
		<-release
		resp.Result = abi.ResultReply
		return nil
	}
	second.connect = accept
	retired := newRetirements()
	gens := host.NewGenerations(at(1, first), host.GenerationsConfig{Retired: retired.add})
	srv := startConfig(t, nil, host.Config{
		Mounts: []host.Mount{{Path: "/socket", ConnectGenerations: gens, ConnectPlugin: "script"}},
		Routes: []host.Route{{Pattern: "*", Plugin: "script", Generations: gens}},
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		srv.dial(t)
	}()
	<-entered
	gens.Swap(at(2, second))
	retired.none(t)
	close(release)
	<-done
	retired.await(t, 1)
	c := srv.dial(t)
	j := c.Join("t", `{}`)
	c.Push("t", "who", `{}`)
	c.Expect(reply(j, "2", "t", `"b:b"`))
}

// TestSwapsUnderLoad: generations come as fast as they can while channels talk, are joined
// and left. Nothing is lost, and each generation is retired once.
func TestSwapsUnderLoad(t *testing.T) {
	const swaps, sockets = 200, 8
	l := startLine(t, version("1"), host.GenerationsConfig{})
	stop := make(chan struct{})
	var talking sync.WaitGroup
	for range sockets {
		c := l.dial(t)
		talking.Go(func() { talk(t, c, stop) })
	}
	for n := range swaps {
		l.gens.Swap(at(n+2, version(strconv.Itoa(n+2))))
	}
	close(stop)
	talking.Wait()
	seen := map[int]bool{}
	for range swaps {
		select {
		case number := <-l.retired.news:
			if seen[number] || number > swaps {
				t.Errorf("generation %d is retired twice, or is current", number)
			}
			seen[number] = true
		case <-time.After(10 * time.Second):
			t.Fatalf("only %d of %d generations are retired", len(seen), swaps)
		}
	}
	if len(l.gens.Info()) != 1 {
		t.Errorf("generations are %s", l.info())
	}
}

// talk joins, asks a few times and leaves, again and again.
func talk(t *testing.T, c *hosttest.Client, stop <-chan struct{}) {
	ref := 0
	for {
		select {
		case <-stop:
			return
		default:
		}
		j := c.Join("t", `{}`)
		ref++
		for range 5 {
			c.Push("t", "who", `{}`)
			ref++
			if m := c.Receive(); m.JoinRef != j || m.Ref != strconv.Itoa(ref) || answer(t, m.Payload) == "" {
				t.Errorf("got %s, want the reply to %d", m.Text, ref)
				return
			}
		}
		c.Leave("t")
		ref++
	}
}
