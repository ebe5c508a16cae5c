package play_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/cmd/aviary/play"
	"github.com/aviary-host/aviary/plugins"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const faults = "../../../plugins/testdata/faults"

func load(t *testing.T, name string, cfg plugins.Config) *play.Module {
	t.Helper()
	wasm, err := os.ReadFile(filepath.Join(faults, name+".wasm"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := play.Load(t.Context(), wasm, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

func parse(t *testing.T, text string) *play.Case {
	t.Helper()
	c, err := play.ParseCase([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestParseCaseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`{`:                                 "unexpected EOF",
		"{\n\"topic\": 7}":                  "line 2: json: cannot unmarshal number",
		"{\n\n]":                            "line 3: invalid character",
		`{"step":[]}`:                       `unknown field "step"`,
		`{"steps":[]}`:                      "it has no steps",
		`{"steps":[{"callback":"join"}]} 1`: "something follows the object",
		`{"seed":"0","steps":[{"callback":"join"}]}`:                                               `seed "0" is not 16 bytes`,
		`{"settings":[],"steps":[{"callback":"join"}]}`:                                            "settings are not an object",
		`{"presences":{"a":1},"steps":[{"callback":"join"}]}`:                                      `presences of "a" are not an object`,
		`{"state":1,"state_bytes":"AA==","steps":[{"callback":"join"}]}`:                           "both state and state_bytes",
		`{"steps":[{"callback":"jion"}]}`:                                                          `step 1: callback "jion" is none of connect, join,`,
		`{"steps":[{"callback":"join"},{"callback":"handle_in"}]}`:                                 "step 2: handle_in without an event",
		`{"steps":[{"callback":"join","payload":1,"bytes":"AA=="}]}`:                               "both payload and bytes",
		`{"steps":[{"callback":"join","reason":"left"}]}`:                                          `reason "left" is none that join has`,
		`{"steps":[{"callback":"terminate","reason":"lost"}]}`:                                     `reason "lost" is none that terminate has`,
		`{"steps":[{"callback":"join","expect":{"result":"yes"}}]}`:                                `result "yes" is unknown`,
		`{"steps":[{"callback":"join","expect":{}}]}`:                                              `result "" is unknown`,
		`{"steps":[{"callback":"join","expect":{"result":"reply","effects":[{"kind":"shout"}]}}]}`: `effects[0]: kind "shout" is unknown`,
	} {
		if _, err := play.ParseCase([]byte(text)); !errors.Is(err, play.ErrCase) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

// TestPlay: steps find the state of the one before, as echo counts them.
func TestPlay(t *testing.T) {
	m := load(t, "echo", plugins.Config{})
	c := parse(t, `{"steps":[
		{"callback":"join","payload":{"a":1},"expect":{"result":"reply","payload":{"a":1.0},"state_bytes":"AQAAAA=="}},
		{"callback":"handle_in","event":"e","bytes":"AP8=","expect":{"result":"reply","bytes":"AP8=","state_bytes":"AgAAAA==","fuel":1000}},
		{"callback":"handle_in","event":"e","expect":{"result":"reply"}},
		{"callback":"handle_in","event":"e","payload":[],"expect":{"result":"reply","payload":[],"state_bytes":"BAAAAA=="}}
	]}`)
	played := m.Play(c)
	if len(played) != 4 {
		t.Fatalf("%d steps were played: %+v", len(played), played)
	}
	for _, p := range played {
		if p.Problem != "" || p.Outcome.Fuel == 0 {
			t.Errorf("step %d: %s %q, fuel %d", p.Number, p.Problem, p.Diff, p.Outcome.Fuel)
		}
	}
	var out strings.Builder
	totals := play.Totals{Quota: m.Quota()}
	if err := totals.Report(&out, "echo.json", c, played); err != nil || totals.Steps != 4 || totals.Failed != 0 || !strings.HasPrefix(out.String(), "ok ") {
		t.Errorf("%v, %+v, %s", err, totals, &out)
	}
	if got := totals.Summary(); !strings.HasPrefix(got, "1 cases, 4 steps: all pass; the dearest is ") {
		t.Error(got)
	}
}

// TestPlayFails: what is not as expected ends the case, and is shown with all that is known.
func TestPlayFails(t *testing.T) {
	const expectA = `"expect":{"result":"reply","payload":{"a":1}}`
	for name, tt := range map[string]struct {
		module, step string
		want         []string
	}{
		"another payload": {"echo", `"callback":"join","payload":{"a":2},` + expectA, []string{
			`join {"a":2}:`, "it answers something else than expected", `- reply ok {"a":1}`, `+ reply ok {"a":2}`,
		}},
		"another state": {"echo", `"callback":"join","expect":{"result":"reply","state":{}}`, []string{
			"  reply ok {}", "- state {}", `+ state "\x01\x00\x00\x00"`,
		}},
		"too much fuel": {"echo", `"callback":"join","expect":{"result":"reply","fuel":1}`, []string{"fuel, at most 1 are expected"}},
		"no failure":    {"echo", `"callback":"join","expect":{"fails":"boom"}`, []string{`it was to fail with "boom", and went well`, "+ reply ok {}"}},
		"a failure": {"panic_import", `"callback":"handle_in","event":"e","payload":{"a":1},` + expectA, []string{
			`step 1, handle_in e {"a":1}:`, "handle_in: panic: the cup is too full (src/cup.c:42)", `- reply ok {"a":1}`, "at ",
		}},
		"no expectation":  {"trap_div_zero", `"callback":"handle_in","event":"e"`, []string{"trap: integer divide by zero (handle_in)"}},
		"another failure": {"trap_div_zero", `"callback":"handle_in","event":"e","expect":{"fails":"boom"}`, []string{`it was to fail with "boom", and failed with: `, "divide by zero"}},
		"no callback":     {"echo", `"callback":"terminate"`, []string{"the module has no callback terminate"}},
		"no JSON":         {"echo", `"callback":"handle_in","event":"e"`, []string{"a server would refuse the answer: SPEC 4.1: reply: the payload is not JSON"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := load(t, tt.module, plugins.Config{})
			c := parse(t, `{"about":"what it is about","steps":[{`+tt.step+`},{"callback":"join"}]}`)
			if name == "no JSON" {
				c.Steps[0].Payload = json.RawMessage("{")
			}
			played := m.Play(c)
			var out strings.Builder
			totals := play.Totals{Quota: m.Quota()}
			if err := totals.Report(&out, "case.json", c, played); err != nil {
				t.Fatal(err)
			}
			if len(played) != 1 || totals.Failed != 1 {
				t.Errorf("%d steps played, %d cases failed", len(played), totals.Failed)
			}
			for _, want := range append(tt.want, "FAIL  case.json", "what it is about") {
				if !strings.Contains(out.String(), want) {
					t.Errorf("%q is missing in\n%s", want, &out)
				}
			}
		})
	}
}

// TestExpectedFailure: a failure may be what is expected, and leaves the state as it was.
func TestExpectedFailure(t *testing.T) {
	m := load(t, "panic_import", plugins.Config{})
	played := m.Play(parse(t, `{"steps":[{"callback":"handle_in","event":"e","expect":{"fails":"too full"}},{"callback":"join"}]}`))
	if len(played) != 2 || played[0].Problem != "" || played[0].Outcome.Failure() == nil || played[1].Problem != "" {
		t.Errorf("played %+v", played)
	}
}

// TestDiff: only the order of effects and what the values are matter.
func TestDiff(t *testing.T) {
	answer := func(text string) *play.Answer {
		a := &play.Answer{}
		if err := json.Unmarshal([]byte(text), a); err != nil {
			t.Fatal(err)
		}
		return a
	}
	const b1, b2 = `{"kind":"broadcast","event":"a","payload":{"n":1}}`, `{"kind":"push","event":"b"}`
	for _, tt := range []struct {
		want, got string
		diff      []string
	}{
		{`{"result":"reply","payload":{"a":1,"b":[1e2,"\u00e9"]}}`, `{"result":"reply","status":"ok","payload":{"b":[100,"é"],"a":1.0}}`, nil},
		{`{"result":"reply"}`, `{"result":"reply","payload":{}}`, nil},
		{`{"result":"reply","state":{"a":1}}`, `{"result":"reply","state":{"a":1}}`, nil},
		{`{"result":"reply"}`, `{"result":"reply","state":{"a":1}}`, nil},
		{
			`{"result":"reply","payload":{"n":9007199254740993}}`, `{"result":"reply","payload":{"n":9007199254740992}}`,
			[]string{`- reply ok {"n":9007199254740993}`, `+ reply ok {"n":9007199254740992}`},
		},
		{
			`{"result":"reply","payload":{"n":1e999999999}}`, `{"result":"reply","payload":{"n":2e999999999}}`,
			[]string{`- reply ok {"n":1e999999999}`, `+ reply ok {"n":2e999999999}`},
		},
		{`{"result":"no_reply","effects":[` + b1 + `,` + b2 + `]}`, `{"result":"no_reply","effects":[` + b2 + `,` + b1 + `]}`, []string{
			`- broadcast a {"n":1}`, "  push b {}", `+ broadcast a {"n":1}`, "  no_reply",
		}},
		{`{"result":"no_reply"}`, `{"result":"stop","reason":"normal","text":"done","effects":[` + b2 + `]}`, []string{
			"- no_reply", "+ push b {}", "+ stop normal done",
		}},
		{`{"result":"reply_error","payload":{"a":[1]}}`, `{"result":"reply_error","payload":{"a":[1,2]}}`, []string{`- reply_error {"a":[1]}`, `+ reply_error {"a":[1,2]}`}},
		{`{"result":"reply","bytes":"AA=="}`, `{"result":"reply"}`, []string{"- reply ok <00>", "+ reply ok {}"}},
		{`{"result":"reply","effects":[{"kind":"send_after","value":5,"event":"t"}]}`, `{"result":"reply","effects":[{"kind":"send_after","value":6,"event":"t"}]}`, []string{
			"- send_after 5 t {}", "+ send_after 6 t {}", "  reply ok {}",
		}},
	} {
		if got := play.Diff("handle_in", answer(tt.want), answer(tt.got)); !slices.Equal(got, tt.diff) {
			t.Errorf("%s\n%s\ngot  %q\nwant %q", tt.want, tt.got, got, tt.diff)
		}
	}
}

// TestLines: every effect has its words.
func TestLines(t *testing.T) {
	a := play.Answer{Result: "push", Event: "e", Bytes: []byte{1}, Effects: []play.Effect{
		{Kind: "presence_track", Key: "k", Payload: json.RawMessage(`{ "a": 1 }`)},
		{Kind: "presence_push", Topic: "t"},
		{Kind: "intercept", Event: "e", Off: true},
		{Kind: "reply", Key: `"7"`, Status: "late"},
		{Kind: "log", Level: "warn", Text: "oh"},
		{Kind: "stop", Reason: "error", Text: "why"},
		{Kind: "broadcast", Local: true, Event: "e"},
	}}
	want := []string{
		`presence_track key=k {"a":1}`, "presence_push @t", "intercept off e", `reply key="7" late {}`, "log warn oh", "stop error why", "broadcast local e {}",
		"push e <01>",
	}
	if got := a.Lines("handle_in"); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got := a.Lines("join"); got[0] != "push e <01>" || len(got) != len(want) {
		t.Errorf("a join's are %q", got)
	}
}

// TestLogs: what a module logs is kept with the callback that logged it.
func TestLogs(t *testing.T) {
	m := load(t, "proc_exit", plugins.Config{})
	o := m.Run(&abi.Request{Callback: abi.CallbackHandleIn, Event: []byte("e"), Payload: []byte("{}")})
	if text := o.Describe("handle_in", m.Quota()); !slices.Contains(o.Logs, "warn: giving up") || !strings.Contains(text, "log warn: giving up") || !strings.Contains(text, "failed: plugin ") {
		t.Errorf("logs are %q, the text\n%s", o.Logs, text)
	}
	if o = m.Run(&abi.Request{Callback: abi.CallbackJoin}); len(o.Logs) != 0 {
		t.Errorf("the next has %q", o.Logs)
	}
}

func FuzzParseCase(f *testing.F) {
	for _, seed := range []string{
		`{"steps":[{"callback":"join","payload":{"a":1},"expect":{"result":"reply","payload":{"a":1e999},"state_bytes":"AQAAAA=="}}]}`,
		`{"seed":"00000000000000000000000000000001","steps":[{"callback":"terminate","reason":"left"},{"callback":"handle_info","event":"e","reason":"timer"}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := play.ParseCase(text)
		if err != nil {
			return
		}
		again, err := c.Encode()
		if err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if _, err := play.ParseCase(again); err != nil {
			t.Fatalf("%v: %s\nof %s", err, again, text)
		}
		for _, s := range c.Steps {
			if s.Expect != nil && s.Expect.Fails == "" {
				if diff := play.Diff(s.Callback, &s.Expect.Answer, &s.Expect.Answer); diff != nil {
					t.Fatalf("it differs from itself: %q", diff)
				}
			}
		}
	})
}
