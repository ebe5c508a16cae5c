package host_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/host"
	"github.com/aviary-host/aviary/presence"
)

// longTick is longer than a test's client needs for what it does at once.
const longTick = 300 * time.Millisecond

// attendance tracks the user that a join names, if any, and does as told later.
func attendance() *script {
	key := func(req *abi.Request) []byte { return []byte(strings.Trim(string(req.Payload), `"{}`)) }
	track := abi.EffectPresenceTrack
	return &script{
		join: func(req *abi.Request, resp *abi.Response) error {
			resp.Result = abi.ResultReply
			if k := key(req); len(k) > 0 {
				resp.Effects = append(resp.Effects, abi.Effect{Kind: track, Key: k}, abi.Effect{Kind: abi.EffectPresencePush})
			}
			return nil
		},
		in: map[string]func(*abi.Request, *abi.Response) error{
			"track": func(req *abi.Request, resp *abi.Response) error {
				return replyWith(abi.Effect{Kind: track, Key: key(req)})(req, resp)
			},
			"passing": replyWith(
				abi.Effect{Kind: track, Key: []byte("ghost")},
				abi.Effect{Kind: track, Key: []byte("bob")},
				abi.Effect{Kind: abi.EffectPresenceUntrack, Key: []byte("ghost")},
				abi.Effect{Kind: abi.EffectPresenceUpdate, Key: []byte("bob"), Payload: []byte(`{"n":1}`)}),
			"seen": replyWith(
				abi.Effect{Kind: track, Key: []byte("ghost")},
				abi.Effect{Kind: abi.EffectPresencePush},
				abi.Effect{Kind: abi.EffectPresenceUntrack, Key: []byte("ghost")}),
			"push": replyWith(abi.Effect{Kind: abi.EffectPresencePush}),
		},
	}
}

func collecting(t *testing.T, page int) *server {
	t.Helper()
	return startConfig(t, attendance(), host.Config{Mounts: []host.Mount{{Path: "/socket"}}, PresenceTick: longTick, PresencePage: page})
}

// TestPresenceOfATick: what a tick has brought is one diff, of which the joiner has seen
// the state already.
func TestPresenceOfATick(t *testing.T) {
	s := collecting(t, 0)
	c := s.dial(t)
	c.SendJoin("t", `"ann"`)
	c.Expect(reply("11", "1", "t", "{}"))
	c.Expect(`["11",null,"t","presence_state",{"ann":{"metas":[{"phx_ref":"<ann>"}]}}]`)
	c.Expect(`[null,null,"t","presence_diff",{"joins":{"ann":{"metas":[{"phx_ref":"<ann>"}]}},"leaves":{}}]`)

	ref := c.Push("t", "passing", "")
	c.Expect(reply("11", ref, "t", "{}"))
	c.Expect(`[null,null,"t","presence_diff",{"joins":{"bob":{"metas":[{"n":1,"phx_ref":"<bob>"}]}},"leaves":{}}]`)

	ref = c.Push("t", "seen", "")
	c.Expect(`["11",null,"t","presence_state",{"ann":{"metas":[{"phx_ref":"<ann>"}]},"bob":{"metas":[{"n":1,"phx_ref":"<bob>"}]},"ghost":{"metas":[{"phx_ref":"<ghost>"}]}}]`)
	c.Expect(reply("11", ref, "t", "{}"))
	c.Expect(`[null,null,"t","presence_diff",{"joins":{"ghost":{"metas":[{"phx_ref":"<ghost>"}]}},"leaves":{"ghost":{"metas":[{"phx_ref":"<ghost>"}]}}}]`)

	if n := s.CountPresences("t"); n != 2 {
		t.Errorf("count %d, want 2", n)
	}
	if one, ok := s.AppendPresence(nil, "t", "bob"); !ok || !strings.HasPrefix(string(one), `{"metas":[{"n":1,"phx_ref":"`) {
		t.Errorf("bob is %s", one)
	}
	if one, ok := s.AppendPresence(nil, "t", "ghost"); ok {
		t.Errorf("ghost is %s", one)
	}
}

// TestAnotherJoinIsOneDiff: who joins again within a tick is never seen to be gone.
func TestAnotherJoinIsOneDiff(t *testing.T) {
	s := collecting(t, 0)
	watcher, c := s.dial(t), s.dial(t)
	watcher.Join("t", "")
	c.SendJoin("t", `"ann"`)
	watcher.Expect(`[null,null,"t","presence_diff",{"joins":{"ann":{"metas":[{"phx_ref":"<old>"}]}},"leaves":{}}]`)
	c.SendJoin("t", `"ann"`)
	watcher.Expect(`[null,null,"t","presence_diff",{"joins":{"ann":{"metas":[{"phx_ref":"<new>"}]}},"leaves":{"ann":{"metas":[{"phx_ref":"<old>"}]}}}]`)
}

// TestLongListOfPresences comes in pages, of which the client of a channel that has left
// gets no more.
func TestLongListOfPresences(t *testing.T) {
	s := collecting(t, 1)
	c, watcher := s.dial(t), s.dial(t)
	watcher.Join("t", "")
	c.Join("t", "")
	for _, key := range []string{"a", "b"} {
		ref := watcher.Push("t", "track", `"`+key+`"`)
		watcher.Expect(reply("11", ref, "t", "{}"))
	}
	both := `[null,null,"t","presence_diff",{"joins":{"a":{"metas":[{"phx_ref":"<a>"}]},"b":{"metas":[{"phx_ref":"<b>"}]}},"leaves":{}}]`
	watcher.Expect(both)
	c.Expect(both)

	pages := func() {
		t.Helper()
		ref := c.Push("t", "push", "")
		c.Expect(`["11",null,"t","presence_state",{"a":{"metas":[{"phx_ref":"<a>"}]}}]`)
		c.Expect(reply("11", ref, "t", "{}"))
	}
	pages()
	c.Expect(`["11",null,"t","presence_diff",{"joins":{"b":{"metas":[{"phx_ref":"<b>"}]}},"leaves":{}}]`)
	c.ExpectSilence()

	pages()
	ref := watcher.Push("t", "track", `"c"`) // its diff comes at the tick that is the page's
	watcher.Expect(reply("11", ref, "t", "{}"))
	c.Leave("t")
	watcher.Expect(`[null,null,"t","presence_diff",{"joins":{"c":{"metas":["<any>"]}},"leaves":{}}]`)
	c.ExpectSilence()
}

// TestPagesOfAnotherPush: a list that is pushed again begins anew.
func TestPagesOfAnotherPush(t *testing.T) {
	s := collecting(t, 1)
	c := s.dial(t)
	c.SendJoin("t", `"a"`)
	c.Expect(reply("11", "1", "t", "{}"))
	c.Expect(`["11",null,"t","presence_state",{"a":{"metas":["<any>"]}}]`)
	for _, key := range []string{"b", "c"} {
		ref := c.Push("t", "track", `"`+key+`"`)
		c.Expect(reply("11", ref, "t", "{}"))
	}
	c.Expect(`[null,null,"t","presence_diff",{"joins":{"a":"<any>","b":"<any>","c":"<any>"},"leaves":{}}]`)
	for range 2 {
		ref := c.Push("t", "push", "")
		c.Expect(`["11",null,"t","presence_state",{"a":"<any>"}]`)
		c.Expect(reply("11", ref, "t", "{}"))
	}
	c.Expect(`["11",null,"t","presence_diff",{"joins":{"b":"<any>"},"leaves":{}}]`)
	c.Expect(`["11",null,"t","presence_diff",{"joins":{"c":"<any>"},"leaves":{}}]`)
	c.ExpectSilence()
}

func TestBroadcastPresenceDiff(t *testing.T) {
	s := start(t, attendance(), host.Mount{})
	c := s.dial(t)
	c.Join("t", "")
	diff := &presence.Diff{
		Joins: []presence.Entry{
			{Key: "user:42", Ref: "abc123", Meta: []byte(`{"online_at":1234567890}`)},
			{Ref: "nobody", Meta: []byte(`{}`)},
		},
		Leaves: []presence.Entry{{Key: "user:99", Ref: "xyz789", PrevRef: "p"}},
	}
	nobody := &presence.Diff{Joins: []presence.Entry{{Ref: "x"}}}
	for _, d := range []*presence.Diff{nobody, {}, diff} {
		if err := s.BroadcastPresenceDiff("t", d); err != nil {
			t.Error(err)
		}
	}
	c.Expect(`[null,null,"t","presence_diff",{"joins":{"user:42":{"metas":[{"online_at":1234567890,"phx_ref":"abc123"}]}},"leaves":{"user:99":{"metas":[{"phx_ref":"xyz789","phx_ref_prev":"p"}]}}}]`)
	if n := s.CountPresences("t"); n != 0 {
		t.Errorf("%d presences of a diff from outside", n)
	}

	entry := func(e presence.Entry) *presence.Diff { return &presence.Diff{Leaves: []presence.Entry{e}} }
	for _, tt := range []struct {
		name, topic string
		diff        *presence.Diff
		err         error
		want        string
	}{
		{"no ref", "t", entry(presence.Entry{Key: "k"}), host.ErrInvalidPayload, `presence "k": phx_ref ""`},
		{"ref with a quote", "t", entry(presence.Entry{Key: "k", Ref: `a"`}), host.ErrInvalidPayload, `phx_ref "a\""`},
		{"previous ref with a line", "t", entry(presence.Entry{Key: "k", Ref: "a", PrevRef: "\n"}), host.ErrInvalidPayload, `phx_ref_prev "\n"`},
		{"long ref", "t", entry(presence.Entry{Key: "k", Ref: strings.Repeat("r", 256)}), host.ErrInvalidPayload, "of 1 to 255 bytes"},
		{"meta of a list", "t", entry(presence.Entry{Key: "k", Ref: "a", Meta: []byte("[]")}), host.ErrInvalidPayload, "meta payload is JSON, but not an object"},
		{"key not UTF-8", "t", entry(presence.Entry{Key: "\xff", Ref: "a"}), host.ErrInvalidPayload, "key is not UTF-8"},
		{"too much", "t", entry(presence.Entry{Key: "k", Ref: "a", Meta: fmt.Appendf(nil, `{"a":"%s"}`, strings.Repeat("x", 256<<10))}), host.ErrInvalidPayload, "the diff has 2622"},
		{"no topic", "", diff, host.ErrInvalidTopic, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := s.BroadcastPresenceDiff(tt.topic, tt.diff); !errors.Is(err, tt.err) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %v with %q", err, tt.err, tt.want)
			}
		})
	}
	c.ExpectSilence()
}

func TestPresenceConfig(t *testing.T) {
	_, err := host.New(host.Config{PresencePage: -1})
	if err == nil || !strings.Contains(err.Error(), "presence.page: -1 bytes is negative") {
		t.Errorf("a negative page: %v", err)
	}
}
