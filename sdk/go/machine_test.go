package aviary

import (
	"errors"
	"strings"
	"testing"

	"github.com/aviary-host/aviary/abi"
)

// testHost is a host that only remembers.
type testHost struct{ lines []string }

func (h *testHost) Log(level Level, line string)  { h.lines = append(h.lines, line) }
func (h *testHost) Presences(topic string) []byte { return []byte(`{"` + topic + `":{"metas":[]}}`) }

func (h *testHost) Config(key string) []byte {
	if key != "greeting" {
		return nil
	}
	return []byte(`"hi"`)
}

// run runs a request that must not panic, and checks the response as the host does.
func (m *machine) run(t *testing.T, req *abi.Request) *abi.Response {
	t.Helper()
	block, err := m.serveCopy(new(testHost), abi.AppendRequest(nil, req))
	if err != nil {
		t.Fatal(err)
	}
	res := new(abi.Response)
	if err := abi.DecodeResponse(block, abi.DefaultLimits(), res); err != nil {
		t.Fatal(err)
	}
	if err := res.Check(req.Callback); err != nil {
		t.Fatal(err)
	}
	return res
}

func (m *machine) join(t *testing.T, topic string) *abi.Response {
	t.Helper()
	return m.run(t, &abi.Request{Callback: abi.CallbackJoin, Topic: []byte(topic), Payload: []byte("{}")})
}

type counter struct{ N int64 }

func (c *counter) fields(f *Fields) { f.Int("n", &c.N) }

// counting returns a machine whose channel c:* counts with each "up".
func counting() (*machine, *Route[counter]) {
	m := new(machine)
	r := addRoute(m, "c:*", State((*counter).fields).Versioned(3))
	r.Join(func(c *Context[counter], p Value) JoinResult {
		c.State().N = p.Get("from").Int()
		if c.State().N < 0 {
			c.At("log").Broadcast("refused", nil)
			return c.Refuse(nil)
		}
		return c.Accept(nil)
	})
	r.On("up", func(c *Context[counter], p Value) Result {
		c.State().N++
		return c.Reply(Object().Int("n", c.State().N))
	})
	r.On("same", func(c *Context[counter], p Value) Result { c.State(); return c.NoReply() })
	r.On("none", func(c *Context[counter], p Value) Result { return c.NoReply() })
	return m, r
}

func event(name, state string, version uint32) *abi.Request {
	return &abi.Request{
		Callback: abi.CallbackHandleIn, Topic: []byte("c:1"), Event: []byte(name), Payload: []byte("{}"),
		Ref: []byte(`"1"`), State: []byte(state), StateVersion: version,
	}
}

func TestStateIsSentOnlyWhenAnother(t *testing.T) {
	m, _ := counting()
	for _, tt := range []struct {
		event, state string
		version      uint32
		want         string // new state, "" for none
	}{
		{"up", ``, 0, `{"n":1}`},
		{"up", `{"n":1}`, 3, `{"n":2}`},
		{"up", ` {"x":0, "n":41.0} `, 3, `{"n":42}`},
		{"same", `{"n":1}`, 3, ``},
		{"same", `{"n":1}`, 2, `{"n":1}`}, // by another version of the module
		{"same", `{"m":1}`, 3, `{}`},
		{"same", `not json`, 3, `{}`},
		{"none", `not json`, 3, ``},
	} {
		res := m.run(t, event(tt.event, tt.state, tt.version))
		if string(res.State) != tt.want || res.HasState != (tt.want != "") || res.HasState && res.StateVersion != 3 {
			t.Errorf("%s on %s v%d: %v %s v%d, want %s", tt.event, tt.state, tt.version, res.HasState, res.State, res.StateVersion, tt.want)
		}
	}
}

func TestLoadErrorFailsTheCallback(t *testing.T) {
	m := new(machine)
	codec := Codec[None]{
		Load:   func(*None, []byte) error { return errors.New("not mine") },
		Append: NoState().Append,
	}
	addRoute(m, "c:*", codec).On("e", func(c *Context[None], _ Value) Result { c.State(); return c.NoReply() })
	_, err := m.serveCopy(nil, abi.AppendRequest(nil, event("e", "x", 0)))
	if err == nil || !strings.Contains(err.Error(), "state of c:1: not mine") {
		t.Error(err)
	}
}

func TestRefusedJoinLeavesNothing(t *testing.T) {
	m, r := counting()
	r.HandleOut("a", func(c *Context[counter], _ Value) Result { return c.Pass() })
	r.HandleOut("b", func(c *Context[counter], _ Value) Result { return c.Pass() })
	req := &abi.Request{Callback: abi.CallbackJoin, Topic: []byte("c:1"), Payload: []byte(`{"from":-1}`)}
	res := m.run(t, req)
	if res.HasState || res.Result != abi.ResultReplyError || len(res.Effects) != 1 || string(res.Effects[0].Event) != "refused" {
		t.Errorf("%+v", res)
	}
	req.Payload = []byte(`{"from":5}`)
	res = m.run(t, req)
	if string(res.State) != `{"n":5}` || len(res.Effects) != 2 || string(res.Effects[1].Event) != "b" {
		t.Errorf("accepted: %+v", res)
	}
}

func TestCodeChange(t *testing.T) {
	req := &abi.Request{Callback: abi.CallbackCodeChange, Topic: []byte("c:1"), State: []byte("7"), StateVersion: 2}
	m, r := counting()
	if res := m.run(t, req); string(res.State) != "7" || res.StateVersion != 2 {
		t.Errorf("without a handler: %+v", res)
	}
	r.CodeChange(func(c *Context[counter], version uint32, old []byte) error {
		if version != 2 {
			return errors.New("too old")
		}
		c.State().N = JSON(old).Int()
		return nil
	})
	if res := m.run(t, req); string(res.State) != `{"n":7}` || res.StateVersion != 3 {
		t.Errorf("with one: %+v", res)
	}
	req.StateVersion = 1
	if res := m.run(t, req); res.Result != abi.ResultReplyError || string(res.Payload) != `{"reason":"too old"}` {
		t.Errorf("refused: %+v", res)
	}
}

func TestUnhandled(t *testing.T) {
	m, _ := counting()
	for callback, want := range map[abi.Callback]abi.Result{
		abi.CallbackHandleIn: abi.ResultReplyError, abi.CallbackHandleInfo: abi.ResultNoReply,
		abi.CallbackHandleOut: abi.ResultPass, abi.CallbackTerminate: abi.ResultNoReply,
	} {
		for _, topic := range []string{"c:1", "elsewhere"} {
			res := m.run(t, &abi.Request{Callback: callback, Topic: []byte(topic), Event: []byte("what?")})
			if res.Result != want {
				t.Errorf("%s on %s: %s, want %s", callback, topic, res.Result, want)
			}
		}
	}
	res := m.run(t, &abi.Request{Callback: abi.CallbackHandleIn, Topic: []byte("c:1"), Event: []byte("what?")})
	if want := `{"reason":"unknown event","event":"what?"}`; string(res.Payload) != want {
		t.Errorf("%s, want %s", res.Payload, want)
	}
}

func TestMarkerSparesTheHost(t *testing.T) {
	m, r := counting()
	absent := func(want ...abi.Callback) {
		t.Helper()
		for c := abi.CallbackConnect; int(c) < abi.NumCallbacks; c++ {
			isIn := false
			for _, w := range want {
				isIn = isIn || w == c
			}
			if m.marker().Absent(c) != isIn {
				t.Errorf("%s: absent is %v", c, !isIn)
			}
		}
	}
	absent(abi.CallbackConnect, abi.CallbackHandleInfo, abi.CallbackHandleOut, abi.CallbackTerminate, abi.CallbackCodeChange, abi.CallbackPresenceFetch)
	pass := func(c *Context[counter], _ Value) Result { return c.Pass() }
	r.OnInfo("e", pass).HandleOut("e", pass)
	r.FetchPresence(func(Call, string, Value) Payload { return nil })
	r.Terminate(func(*Context[counter], Reason) {}).CodeChange(func(*Context[counter], uint32, []byte) error { return nil })
	m.setConnect(func(c *ConnectContext, _ Value) ConnectResult { return c.Accept() })
	absent()
}

func TestFetchPresence(t *testing.T) {
	m, r := counting()
	r.FetchPresence(func(c Call, key string, meta Value) Payload {
		return Object().Str("on", c.Event()).Str("of", c.Topic()).Str("key", key).Set("meta", meta)
	})
	addRoute(m, "plain", NoState())
	ask := func(topic string) *abi.Response {
		return m.run(t, &abi.Request{
			Callback: abi.CallbackPresenceFetch, Topic: []byte(topic), Event: []byte("lobby"), Source: []byte("ann"), Payload: []byte(`{"n":1}`),
		})
	}
	if res := ask("c:1"); res.Result != abi.ResultReply || string(res.Payload) != `{"on":"lobby","of":"c:1","key":"ann","meta":{"n":1}}` {
		t.Errorf("%s %s", res.Result, res.Payload)
	}
	for _, topic := range []string{"plain", "unknown"} {
		if res := ask(topic); res.Result != abi.ResultReply || len(res.Payload) != 0 {
			t.Errorf("%s: %s %s", topic, res.Result, res.Payload)
		}
	}
}

func TestUndeclared(t *testing.T) {
	m, _ := counting()
	if problem := m.undeclared(); problem != "" {
		t.Error(problem)
	}
	addRoute(m, "poll:*", NoState())
	if got, want := m.undeclared(), "channel poll:* has no Join handler"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := new(machine).undeclared(), "no channel is declared: call aviary.Channel in an init function, main is never run"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestUnmatchedJoinIsLogged(t *testing.T) {
	m, _ := counting()
	addRoute(m, "doc:*:*", NoState())
	host := new(testHost)
	for callback, want := range map[abi.Callback]string{
		abi.CallbackJoin: `no channel matches topic "poll:\"1"; declared are c:*, doc:*:*`, abi.CallbackHandleIn: "",
	} {
		host.lines = nil
		_, err := m.serveCopy(host, abi.AppendRequest(nil, &abi.Request{Callback: callback, Topic: []byte(`poll:"1`)}))
		if err != nil || strings.Join(host.lines, "\n") != want {
			t.Errorf("%s: %v %q, want %s", callback, err, host.lines, want)
		}
	}
	if res := m.join(t, "poll:1"); res.Result != abi.ResultReplyError || string(res.Payload) != `{"reason":"unmatched topic"}` {
		t.Errorf("%+v", res)
	}
}

// TestStateThatIsNoObjectIsLogged: the seed of the Connect handler was not what
// the channel's codec reads.
func TestStateThatIsNoObjectIsLogged(t *testing.T) {
	m, r := counting()
	r.CodeChange(func(c *Context[counter], _ uint32, _ []byte) error { c.State(); return nil })
	raw := addRoute(m, "raw", RawState())
	raw.On("same", func(c *Context[[]byte], _ Value) Result { c.State(); return c.NoReply() })
	host := new(testHost)
	for _, tt := range []struct {
		callback     abi.Callback
		topic, state string
		warns        bool
	}{
		{abi.CallbackJoin, "c:1", `"text"`, true},
		{abi.CallbackJoin, "c:1", ` {}`, false},
		{abi.CallbackJoin, "c:1", ``, false},
		{abi.CallbackHandleIn, "c:1", "\x00", true},
		{abi.CallbackCodeChange, "c:1", "\x00", false},
		{abi.CallbackHandleIn, "raw", "\x00", false},
	} {
		host.lines = nil
		req := event("same", tt.state, 0)
		req.Callback, req.Topic = tt.callback, []byte(tt.topic)
		_, err := m.serveCopy(host, abi.AppendRequest(nil, req))
		if err != nil || len(host.lines) > 1 || (len(host.lines) == 1) != tt.warns {
			t.Errorf("%s %s %q: %v %q", tt.callback, tt.topic, tt.state, err, host.lines)
		}
	}
}

func TestEmptyTopicPanics(t *testing.T) {
	m := new(machine)
	r := addRoute(m, "c:*", NoState())
	for name, act := range map[string]func(c *Context[None]){
		"At":          func(c *Context[None]) { c.At("") },
		"Subscribe":   func(c *Context[None]) { c.Subscribe("") },
		"Unsubscribe": func(c *Context[None]) { c.Unsubscribe("") },
	} {
		r.On(name, func(c *Context[None], _ Value) Result { act(c); return c.NoReply() })
		_, err := m.serveCopy(nil, abi.AppendRequest(nil, event(name, "", 0)))
		if want := "aviary: " + name + " with an empty topic ("; err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestDeclarationMistakesPanic(t *testing.T) {
	pass := func(c *Context[counter], _ Value) Result { return c.Pass() }
	connect := func(c *ConnectContext, _ Value) ConnectResult { return c.Accept() }
	for want, mistake := range map[string]func(){
		"empty topic pattern":                     func() { addRoute(new(machine), "", NoState()) },
		"channel a has no codec; see NoState":     func() { addRoute(new(machine), "a", Codec[None]{}) },
		"channel c:*: event up twice":             func() { _, r := counting(); r.On("up", pass) },
		"channel c:*: event x without a handler":  func() { _, r := counting(); r.On("x", nil) },
		"channel c:*: handler of the empty event": func() { _, r := counting(); r.On("", pass) },
		"channel c:*: HandleIn without a handler": func() { _, r := counting(); r.HandleIn(nil) },
		"channel c:*: Join twice":                 func() { _, r := counting(); r.Join(r.join) },
		"Connect without a handler":               func() { new(machine).setConnect(nil) },
		"Connect twice":                           func() { m := new(machine); m.setConnect(connect); m.setConnect(connect) },
	} {
		if got := panicOf(mistake); got != "aviary: "+want {
			t.Errorf("panic is %v, want %s", got, want)
		}
	}
}

func panicOf(f func()) (v any) {
	defer func() { v = recover() }()
	f()
	return nil
}

func TestPanicsNameTheirPlace(t *testing.T) {
	var none *counter
	var list []int
	m := new(machine)
	r := addRoute(m, "c:*", NoState())
	for name, f := range map[string]func(){
		"text":   func() { panic("out of beans") },
		"error":  func() { panic(errors.New("no beans")) },
		"nil":    func() { none.N++ },
		"index":  func() { list[len(list)] = 1 },
		"number": func() { panic(7) },
	} {
		r.On(name, func(c *Context[None], _ Value) Result { f(); return c.NoReply() })
	}
	for name, want := range map[string]string{
		"text": "out of beans", "error": "no beans", "nil": "nil pointer", "index": "out of range [0]", "number": "7",
	} {
		_, err := m.serveCopy(nil, abi.AppendRequest(nil, event(name, "", 0)))
		var p *PanicError
		if !errors.As(err, &p) || !strings.Contains(p.Message, want) || !strings.HasSuffix(p.File, "machine_test.go") || p.Line < 200 {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := m.serveCopy(nil, []byte("no request"))
	if err == nil || !strings.Contains(err.Error(), "SPEC 3.1") {
		t.Errorf("malformed request: %v", err)
	}
	if _, err = m.serveCopy(nil, abi.AppendRequest(nil, &abi.Request{Callback: abi.CallbackJoin, Topic: []byte("c:1")})); err == nil {
		t.Error("joined a channel without a Join handler")
	}
}

func TestEchoDoesNotAllocate(t *testing.T) {
	m := new(machine)
	r := addRoute(m, "room:*", NoState())
	r.On("echo", func(c *Context[None], p Value) Result { return c.Reply(p) })
	r.On("shout", func(c *Context[None], p Value) Result { c.Broadcast("shout", p); return c.NoReply() })
	for _, name := range []string{"echo", "shout"} {
		req := event(name, "", 0)
		req.Topic = []byte("room:1")
		block := abi.AppendRequest(nil, req)
		m.serve(block)
		if n := testing.AllocsPerRun(100, func() { m.serve(block) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestContextReads(t *testing.T) {
	m := new(machine)
	r := addRoute(m, "doc:*:*", NoState())
	host := new(testHost)
	var ids [2]string
	r.On("read", func(c *Context[None], p Value) Result {
		ids = [2]string{c.NewID(), c.NewID()}
		c.Log(LevelInfo, "one ", "line")
		return c.Reply(Array().Str(c.TopicID()).Str(c.Wildcard(1)).Str(c.Wildcard(2)).
			Add(c.Config("greeting")).Add(c.Config("none")).Add(c.Presences("here")).Int(int64(c.Rand().IntN(2) / 2)))
	})
	req := event("read", "", 0)
	req.Topic = []byte("doc:a:b")
	block, err := m.serveCopy(host, abi.AppendRequest(nil, req))
	var res abi.Response
	if err != nil || abi.DecodeResponse(block, abi.DefaultLimits(), &res) != nil {
		t.Fatal(err)
	}
	if want := `["a","b","","hi",null,{"here":{"metas":[]}},0]`; string(res.Payload) != want {
		t.Errorf("%s, want %s", res.Payload, want)
	}
	if len(ids[0]) != 16 || ids[0] == ids[1] || len(host.lines) != 1 || host.lines[0] != "one line" {
		t.Errorf("%q %q", ids, host.lines)
	}
	first := ids
	m.run(t, req)
	if ids != first {
		t.Error("one seed gives two answers")
	}
	if req.Seed[15] = 1; m.run(t, req) == nil || ids == first {
		t.Error("two seeds give one answer")
	}
}

func BenchmarkEcho(b *testing.B) {
	m := new(machine)
	addRoute(m, "room:*", NoState()).On("echo", func(c *Context[None], p Value) Result { return c.Reply(p) })
	req := event("echo", "", 0)
	req.Topic, req.Payload = []byte("room:1"), []byte(`{"body":"hello there","n":41}`)
	block := abi.AppendRequest(nil, req)
	b.ReportAllocs()
	for b.Loop() {
		m.serve(block)
	}
}

func TestRequestBufferGrows(t *testing.T) {
	m := new(machine)
	first := m.requestBuffer(abi.RequestBuffer)
	if again := m.requestBuffer(10); &again[0] != &first[0] {
		t.Error("a smaller request moved the buffer")
	}
	if larger := m.requestBuffer(abi.RequestBuffer + 1); len(larger) <= abi.RequestBuffer {
		t.Errorf("%d bytes", len(larger))
	}
}
