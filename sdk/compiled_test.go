package sdk_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/cmd/aviary/project"
	"github.com/aviary-host/aviary/plugins"
	"github.com/aviary-host/aviary/sdk/sdktest"
)

// compiled is a language whose guests are small modules without a runtime. Each has the
// same test guest, in testdata of its SDK, which stands in for the code of a template.
type compiled struct {
	name  string
	guest string // the test guest, below sdk/
	main  string // the file of the template that it replaces
	at    string // how the place of a panic begins
}

// build builds the test guest of a language.
func (l compiled) build(tb testing.TB) []byte {
	tb.Helper()
	if testing.Short() {
		tb.Skip("builds modules")
	}
	dir := sdktest.New(tb, l.name)
	text, err := os.ReadFile(filepath.FromSlash(l.guest))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, filepath.FromSlash(l.main)), text, 0o600)
	}
	if err != nil {
		tb.Fatal(err)
	}
	p, err := project.Open(dir)
	if err != nil {
		tb.Fatal(err)
	}
	var said bytes.Buffer
	err = p.Build(tb.Context(), &said)
	sdktest.SkipMissing(tb, err)
	if err != nil {
		tb.Fatalf("%s: %v\n%s", l.name, err, &said)
	}
	wasm, err := os.ReadFile(p.Module())
	if err != nil {
		tb.Fatal(err)
	}
	return wasm
}

// guest is a loaded test guest, with the state that its join left.
type guest struct {
	plugin *plugins.Plugin
	state  []byte
}

func (l compiled) load(tb testing.TB, wasm []byte, isolation plugins.Isolation) *guest {
	tb.Helper()
	p, err := plugins.Load(context.Background(), wasm, plugins.Config{
		Name: l.name, Instances: 1, Isolation: isolation, Breaker: plugins.Breaker{Failures: -1},
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := p.Close(); err != nil {
			tb.Error(err)
		}
	})
	g := &guest{plugin: p}
	resp, err := g.call(&abi.Request{Callback: abi.CallbackJoin, Payload: []byte(`{"name":"Ada"}`)})
	if err != nil || resp.Result != abi.ResultReply {
		tb.Fatalf("join: %v %s: %v", resp.Result, resp.Payload, err)
	}
	g.state = resp.State
	return g
}

// call runs a callback of the topic room:1.
func (g *guest) call(req *abi.Request) (resp abi.Response, err error) {
	req.SocketID, req.Topic, req.State = []byte("0123456789ABCDEF"), []byte("room:1"), g.state
	_, err = g.plugin.Handle(req, nil, &resp)
	return resp, err
}

// event has the guest answer an event of a client.
func (g *guest) event(event, payload string) (abi.Response, error) {
	return g.call(&abi.Request{
		Callback: abi.CallbackHandleIn, Event: []byte(event), Ref: []byte(`"7"`), JoinRef: []byte(`"3"`), Payload: []byte(payload),
	})
}

// typical is what people write: three fields of a payload of 300 bytes are read, a state of
// 200 is changed, a new object is the reply and another is broadcast.
var typical = `{"text":"` + strings.Repeat("what one says to another in a room, ", 5) +
	`","meta":{"client":"web","tags":["a","b"],"at":1700000000.25},"to":"Grace","urgent":false,"n":3}`

const (
	typicalReply     = `{"ok":true,"seen":1700000000126,"rooms":["lobby","kitchen","garden"]}`
	typicalBroadcast = `{"from":"Ada","to":"Grace","text":"%","n":1700000000126}`
)

// test holds a language to what all have in common beyond the session.
func (l compiled) test(t *testing.T) {
	wasm := l.build(t)
	t.Logf("%d bytes", len(wasm))
	for _, isolation := range []plugins.Isolation{plugins.IsolateReset, plugins.IsolateInstance} {
		g := l.load(t, wasm, isolation)
		t.Run(isolation.String(), func(t *testing.T) {
			l.testTypical(t, g)
			testInput(t, g)
			l.testPanic(t, g)
			testMemory(t, g)
			l.testTypical(t, g)
		})
	}
}

func (l compiled) testTypical(t *testing.T, g *guest) {
	t.Helper()
	resp, err := g.event("typical", typical)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("what one says to another in a room, ", 5)
	if string(resp.Payload) != typicalReply || len(resp.Effects) != 1 ||
		string(resp.Effects[0].Payload) != strings.Replace(typicalBroadcast, "%", text, 1) {
		t.Errorf("reply %s, effects %+v", resp.Payload, resp.Effects)
	}
	if len(g.state) < 180 || !resp.HasState || bytes.Equal(resp.State, g.state) {
		t.Errorf("state was %s, is %s", g.state, resp.State)
	}
}

// testInput has payloads that are not what a handler asks for: each gets an answer that
// says so, in the same words in every language.
func testInput(t *testing.T, g *guest) {
	t.Helper()
	deep := strings.Repeat("[", 200) + strings.Repeat("]", 200)
	refused := func(why string) string { return `{"reason":"` + why + `"}` }
	for _, c := range []struct{ event, payload, want string }{
		{"str", `{"v":"a\"\u00e9\ud83d\udc26"}`, `{"v":"a\"é🐦"}`},
		{"str", `{"v":1}`, refused("v: has to be a string, is a number")},
		{"str", `{"v":null}`, refused("v: has to be a string, is null")},
		{"str", `{}`, refused("v: is missing")},
		{"str", `[1]`, refused("v: is missing")},
		{"str", `7`, refused("v: is missing")},
		{"str", `{"v":"a","v":"b"}`, refused("v: is there twice")},
		{"str", `{"v":"a","\u0076":"b"}`, refused("v: is there twice")},
		{"str", `{"v":"\ud800"}`, refused("v: is a string with half a surrogate pair")},
		{"str", `{"v":"\udc26\ud83d"}`, refused("v: is a string with half a surrogate pair")},
		{"str", `{"v":` + deep + `}`, refused("v: is nested deeper than 128")},
		{"int", `{"v":9223372036854775807}`, `{"v":9223372036854775807}`},
		{"int", `{"v":-9223372036854775808}`, `{"v":-9223372036854775808}`},
		{"int", `{"v":12.50e1}`, `{"v":125}`},
		{"int", `{"v":1.5}`, refused("v: has to be a whole number of 64 bits, is 1.5")},
		{"int", `{"v":9223372036854775808}`, refused("v: has to be a whole number of 64 bits, is 9223372036854775808")},
		{"int", `{"v":1e999}`, refused("v: has to be a whole number of 64 bits, is 1e999")},
		{"int", `{"v":1` + strings.Repeat("0", 500) + `}`, refused("v: has to be a whole number of 64 bits, is 1" + strings.Repeat("0", 39))},
		{"int", `{"v":"7"}`, refused("v: has to be a number, is a string")},
		{"float", `{"v":-2.5e-1}`, `{"v":-0.25}`},
		{"float", `{"v":9007199254740993}`, `{"v":9007199254740992}`},
		{"float", `{"v":1e999}`, refused("v: has to be a number within the range of 64 bits, is 1e999")},
		{"float", `{"v":true}`, refused("v: has to be a number, is true or false")},
		{"bool", `{"v":false}`, `{"v":false}`},
		{"bool", `{"v":0}`, refused("v: has to be true or false, is a number")},
		{"pass", `{"v":12345678901234567890.10e-5}`, `{"v":12345678901234567890.10e-5}`},
		{"pass", `{"v":["\ud800",` + deep + `]}`, refused("v: is nested deeper than 128")},
		{"pass", `{"v":["\ud800",1e999,{"a":1,"a":2}]}`, `{"v":["\ud800",1e999,{"a":1,"a":2}]}`},
		{"dance", `{}`, `{"reason":"unknown event","event":"dance"}`},
	} {
		resp, err := g.event(c.event, c.payload)
		if err != nil || string(resp.Payload) != c.want {
			t.Errorf("%s %.80s: %s, want %s: %v", c.event, c.payload, resp.Payload, c.want, err)
		}
		wantResult := abi.ResultReply
		if strings.HasPrefix(c.want, `{"reason"`) {
			wantResult = abi.ResultReplyError
		}
		if resp.Result != wantResult {
			t.Errorf("%s %.80s: %s, want %s", c.event, c.payload, resp.Result, wantResult)
		}
	}
}

// testPanic: what a handler dies of, and where, is what the host reports.
func (l compiled) testPanic(t *testing.T, g *guest) {
	t.Helper()
	_, err := g.event("panic", `{"v":42}`)
	var failed *plugins.CallError
	if !errors.As(err, &failed) || failed.Kind != plugins.KindPanic || !strings.Contains(err.Error(), "boom 42 ("+l.at) {
		t.Errorf("panic: %v", err)
	}
	_, err = g.call(&abi.Request{Callback: abi.CallbackHandleInfo, Event: []byte("e"), Payload: []byte(`{"v":7}`)})
	if !errors.As(err, &failed) || failed.Kind != plugins.KindPanic || !strings.Contains(err.Error(), "v: has to be a string, is a number") {
		t.Errorf("an error that nobody waits for: %v", err)
	}
}

// testMemory: what a callback has allocated and given back is there for the next one, also
// where the host puts nothing back.
func testMemory(t *testing.T, g *guest) {
	t.Helper()
	for range 50 {
		resp, err := g.event("large", `{"v":3}`)
		if err != nil || string(resp.Payload) != `{"v":3}` {
			t.Fatalf("large: %s: %v", resp.Payload, err)
		}
	}
	long := strings.Repeat("x", 200_000) // over the request buffer
	resp, err := g.event("pass", `{"v":"`+long+`"}`)
	if err != nil || string(resp.Payload) != `{"v":"`+long+`"}` {
		t.Fatalf("pass of %d bytes: %d bytes: %v", len(long), len(resp.Payload), err)
	}
}

func (l compiled) bench(b *testing.B) {
	wasm := l.build(b)
	g := l.load(b, wasm, plugins.IsolateReset)
	b.ReportAllocs()
	req := &abi.Request{
		Callback: abi.CallbackHandleIn, SocketID: []byte("0123456789ABCDEF"), Topic: []byte("room:1"), Event: []byte("typical"),
		Ref: []byte(`"7"`), JoinRef: []byte(`"3"`), Payload: []byte(typical), State: g.state,
	}
	var resp abi.Response
	var buf []byte
	for b.Loop() {
		var err error
		if buf, err = g.plugin.Handle(req, buf, &resp); err != nil {
			b.Fatal(err)
		}
	}
	if string(resp.Payload) != typicalReply {
		b.Fatalf("reply %s", resp.Payload)
	}
	b.ReportMetric(float64(len(wasm)), "module-B")
}

// testLibrary runs the tests that a library has in its own language, in a copy, as builds
// leave files behind.
func testLibrary(t *testing.T, language string, env []string, argv ...string) {
	t.Helper()
	if testing.Short() {
		t.Skip("compiles")
	}
	if _, err := exec.LookPath(argv[0]); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(language)); err != nil {
		t.Fatal(err)
	}
	vectors, err := filepath.Abs(filepath.FromSlash("../abi/testdata/vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), "AVIARY_VECTORS="+vectors), env...)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, text)
	}
}
