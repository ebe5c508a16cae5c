package aviary

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/aviary-host/aviary/abi"
)

// vectorText is a field of abi/testdata/vectors.json: text, or hex after "hex:".
type vectorText string

func (v vectorText) String() string {
	if digits, isHex := strings.CutPrefix(string(v), "hex:"); isHex {
		b, err := hex.DecodeString(digits)
		if err != nil {
			panic(err)
		}
		return string(b)
	}
	return string(v)
}

type vector struct {
	Name    string
	Hex     string
	Request *struct {
		Callback     abi.Callback
		Binary       bool
		Reason       uint32
		TimeMS       int64  `json:"time_ms"`
		StateVersion uint32 `json:"state_version"`
		Transport    abi.Transport
		SocketID     vectorText `json:"socket_id"`
		JoinRef      vectorText `json:"join_ref"`
		IDTopic      vectorText `json:"id_topic"`

		Topic, Event, Ref, Payload, State, Params, Headers, Config, Source vectorText
	}
}

func vectors(t *testing.T) []vector {
	t.Helper()
	text, err := os.ReadFile("../../abi/testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vs []vector
	if err := json.Unmarshal(text, &vs); err != nil {
		t.Fatal(err)
	}
	return vs
}

// TestRequestVectors runs the encoded requests and looks at what handlers see.
func TestRequestVectors(t *testing.T) {
	n := 0
	for _, v := range vectors(t) {
		if v.Request == nil {
			continue
		}
		n++
		t.Run(v.Name, func(t *testing.T) {
			block, err := hex.DecodeString(v.Hex)
			if err != nil {
				t.Fatal(err)
			}
			saw := seen(t, block)
			r := v.Request
			want := map[string]string{
				"socket_id": r.SocketID.String(), "topic": r.Topic.String(), "event": r.Event.String(),
				"ref": r.Ref.String(), "join_ref": r.JoinRef.String(), "payload": r.Payload.String(),
				"state": r.State.String(), "id_topic": r.IDTopic.String(), "params": r.Params.String(),
				"headers": r.Headers.String(), "config": r.Config.String(), "source": r.Source.String(),
			}
			for field, value := range want {
				if got, asked := saw[field]; asked && got != value {
					t.Errorf("%s is %q, want %q", field, got, value)
				}
			}
			if saw["transport"] != r.Transport.String() {
				t.Errorf("transport is %s, want %s", saw["transport"], r.Transport)
			}
			if saw["time"] != Array().Int(r.TimeMS).String() {
				t.Errorf("time is %s, want %d", saw["time"], r.TimeMS)
			}
		})
	}
	if n < 8 {
		t.Errorf("%d request vectors", n)
	}
}

// seen runs an encoded request and returns the fields that its handler sees.
func seen(t *testing.T, block []byte) map[string]string {
	t.Helper()
	saw := map[string]string{}
	m := new(machine)
	m.setConnect(func(c *ConnectContext, params Value) ConnectResult {
		saw["params"], saw["headers"], saw["config"] = params.Raw(), c.Headers().Raw(), c.Config("").Raw()
		saw["socket_id"], saw["time"] = c.SocketID(), Array().Int(c.Time()).String()
		saw["transport"] = c.Transport().String()
		return c.Accept()
	})
	look := func(c *Context[[]byte], p Value) {
		saw["socket_id"], saw["topic"], saw["event"] = c.SocketID(), c.Topic(), c.Event()
		saw["ref"], saw["join_ref"], saw["payload"] = string(c.Ref()), c.JoinRef(), p.Raw()
		saw["state"], saw["id_topic"], saw["source"] = string(*c.State()), c.IDTopic(), c.Source()
		saw["time"], saw["transport"] = Array().Int(c.Time()).String(), c.Transport().String()
	}
	all := func(c *Context[[]byte], p Value) Result { look(c, p); return c.NoReply() }
	r := addRoute(m, "*", RawState())
	r.Join(func(c *Context[[]byte], p Value) JoinResult { look(c, p); return c.Accept(nil) })
	r.HandleIn(all).HandleInfo(all).HandleOut("new_msg", all)
	r.Terminate(func(c *Context[[]byte], _ Reason) { look(c, Value{}) })
	r.CodeChange(func(c *Context[[]byte], _ uint32, _ []byte) error { look(c, Value{}); return nil })
	r.FetchPresence(func(c Call, key string, meta Value) Payload {
		saw["socket_id"], saw["topic"], saw["event"] = c.SocketID(), c.Topic(), c.Event()
		saw["source"], saw["payload"] = key, meta.Raw()
		saw["time"], saw["transport"] = Array().Int(c.Time()).String(), c.Transport().String()
		return nil
	})
	if _, err := m.serveCopy(new(testHost), block); err != nil {
		t.Fatal(err)
	}
	if len(saw) == 0 {
		t.Fatal("no handler ran")
	}
	return saw
}

// effectCalls are the methods that make the effects of the vectors.
var effectCalls = map[string]func(Call){
	"reply":             func(c Call) { c.ReplyTo(`"7"`, "late", Array().Int(1)) },
	"push":              func(c Call) { c.Push("e", Object()) },
	"broadcast":         func(c Call) { c.At("other").Local().Broadcast("e", Object().Int("a", 1)) },
	"broadcast_from":    func(c Call) { c.BroadcastFrom("e", Bytes([]byte{0})) },
	"send_info":         func(c Call) { c.At("t").SendInfo("SOCK", "e", JSON("1")) },
	"send_after":        func(c Call) { c.SendAfter("k", 1500*Millisecond, "tick", Object().Int("n", 1)) },
	"cancel":            func(c Call) { c.Cancel("k") },
	"subscribe":         func(c Call) { c.Subscribe("news") },
	"unsubscribe":       func(c Call) { c.Unsubscribe("news") },
	"presence_track":    func(c Call) { c.Track("ada", Object().Int("c", 1)) },
	"presence_update":   func(c Call) { c.UpdatePresence("ada", Object().Int("c", 2)) },
	"presence_untrack":  func(c Call) { c.Untrack("ada") },
	"presence_push":     func(c Call) { c.PushPresence() },
	"group_add":         func(c Call) { c.Group("g").Add("t") },
	"group_remove":      func(c Call) { c.Group("g").Remove("t") },
	"group_broadcast":   func(c Call) { c.Group("g").Broadcast("e", Object()) },
	"disconnect":        func(c Call) { c.DisconnectAll("users:7") },
	"log":               func(c Call) { c.LogEffect(LevelError, "line") },
	"intercept":         func(c Call) { c.StopIntercept("new_msg") },
	"push, own":         func(c Call) { c.Push("e", nil) },
	"broadcast, own":    func(c Call) { c.Broadcast("e", nil) },
	"track, elsewhere":  func(c Call) { c.At("t").Track("k", nil); c.At("t").UpdatePresence("k", nil); c.At("t").Untrack("k") },
	"push_presence, at": func(c Call) { c.At("t").PushPresence(); c.At("t").BroadcastFrom("e", nil) },
	"disconnect, own":   func(c Call) { c.Disconnect() },
	"intercept, on":     func(c Call) { c.Intercept("e") },
	"local":             func(c Call) { c.Local().Broadcast("e", nil) },
	"send_info, own":    func(c Call) { c.SendInfo("e", nil) },
}

// resultCalls are the results of the vectors, each of a callback that allows it.
var resultCalls = map[string]func(Call) Result{
	"nothing at all":             Call.NoReply,
	"reply with payload":         func(c Call) Result { return c.Reply(Object().Int("n", 1)) },
	"reply with a status of its": func(c Call) Result { return c.ReplyStatus("weird", Object().Int("a", 1)) },
	"stop with reason in words":  func(c Call) Result { return c.Stop(ReasonError, "out of beans") },
	"pass":                       Call.Pass,
}

// TestResponseVectors makes the responses by the methods of the SDK and compares
// every byte.
func TestResponseVectors(t *testing.T) {
	made := 0
	for _, v := range vectors(t) {
		kind, name, _ := strings.Cut(v.Name, ": ")
		do, result := effectCalls[name], Call.NoReply
		if kind == "response" {
			for prefix, call := range resultCalls {
				if strings.HasPrefix(name, prefix) {
					do, result = func(Call) {}, call
				}
			}
		}
		if v.Request != nil || do == nil {
			continue
		}
		made++
		if got := hex.EncodeToString(respond(t, do, result)); got != v.Hex {
			t.Errorf("%s:\ngot  %s\nwant %s", v.Name, got, v.Hex)
		}
	}
	if made != 24 { // 20 effects without stop, which only a join makes, and 5 results
		t.Errorf("%d responses made", made)
	}
}

// respond returns the encoded response to an event whose handler does as told.
func respond(t *testing.T, do func(Call), result func(Call) Result) []byte {
	t.Helper()
	m := new(machine)
	addRoute(m, "*", NoState()).HandleIn(func(c *Context[None], _ Value) Result {
		do(c.Call)
		return result(c.Call)
	})
	block, err := m.serveCopy(nil, abi.AppendRequest(nil, event("e", "", 0)))
	if err != nil {
		t.Fatal(err)
	}
	return block
}

// TestEveryEffectIsAllowed has the host's rules look at every effect method.
func TestEveryEffectIsAllowed(t *testing.T) {
	kinds := map[abi.EffectKind]bool{abi.EffectStop: true} // below
	for name, do := range effectCalls {
		var res abi.Response
		if err := abi.DecodeResponse(respond(t, do, Call.NoReply), abi.DefaultLimits(), &res); err != nil {
			t.Fatal(err)
		}
		if err := res.Check(abi.CallbackHandleIn); err != nil || len(res.Effects) == 0 {
			t.Errorf("%s: %d effects, %v", name, len(res.Effects), err)
		}
		for i := range res.Effects {
			kinds[res.Effects[i].Kind] = true
		}
	}
	for k := abi.EffectReply; k <= abi.EffectIntercept; k++ {
		if !kinds[k] {
			t.Errorf("no method makes %s", k)
		}
	}
	m := new(machine)
	addRoute(m, "*", NoState()).Join(func(c *Context[None], _ Value) JoinResult {
		return c.Accept(nil).Stop(ReasonShutdown, "bye")
	})
	res := m.join(t, "t")
	if e := res.Effects[0]; e.Kind != abi.EffectStop || e.Number != 2 || string(e.Payload) != "bye" {
		t.Errorf("%+v", e)
	}
}

func TestEmptyRefOwesNothing(t *testing.T) {
	block := respond(t, func(c Call) { c.ReplyTo("", "", nil) }, Call.NoReply)
	if hex.EncodeToString(block) != hex.EncodeToString(respond(t, func(Call) {}, Call.NoReply)) {
		t.Error("a reply to nobody")
	}
}

func TestConnectVectors(t *testing.T) {
	m := new(machine)
	m.setConnect(func(c *ConnectContext, params Value) ConnectResult {
		if params.Get("no").Exists() {
			return c.Refuse(429, Bytes([]byte("Too many requests")))
		}
		return c.Accept().ID("users:7").Seed(Bytes([]byte{1, 2, 3}))
	})
	res := m.run(t, &abi.Request{Callback: abi.CallbackConnect, Params: []byte(`{}`)})
	if string(res.IDTopic) != "users:7" || string(res.State) != "\x01\x02\x03" || !res.HasState {
		t.Errorf("%+v", res)
	}
	res = m.run(t, &abi.Request{Callback: abi.CallbackConnect, Params: []byte(`{"no":""}`)})
	for _, v := range vectors(t) {
		if v.Name == "response: refused connect" && hex.EncodeToString(abi.AppendResponse(nil, res)) != v.Hex {
			t.Errorf("%+v", res)
		}
	}
}
