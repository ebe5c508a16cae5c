package host_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/host"
)

// TestPresenceFetch: what the handler answers stands beside the metas of the key, in lists
// and diffs (case 119).
func TestPresenceFetch(t *testing.T) {
	h := attendance()
	h.in["other"] = replyWith(
		abi.Effect{Kind: abi.EffectPresenceTrack, Topic: []byte("other"), Key: []byte("ann")},
		abi.Effect{Kind: abi.EffectPresenceTrack}, // anonymous: not asked
		abi.Effect{Kind: abi.EffectPresenceUpdate, Key: []byte("ann"), Payload: []byte(`{"n":1}`)})
	h.fetch = func(req *abi.Request, resp *abi.Response) error {
		resp.Result = abi.ResultReply
		resp.Payload = fmt.Appendf(nil, `{"of":[%q,%q,%q,%s]}`, req.Topic, req.Event, req.Source, req.Payload)
		return nil
	}
	s := start(t, h, host.Mount{})
	c := s.dial(t)
	c.SendJoin("t", `"ann"`)
	c.Expect(reply("11", "1", "t", "{}"))
	c.Expect(`[null,null,"t","presence_diff",{"joins":{"ann":{"metas":[{"phx_ref":"<a>"}],"of":["t","t","ann",{}]}},"leaves":{}}]`)
	c.Expect(`["11",null,"t","presence_state",{"ann":{"metas":[{"phx_ref":"<a>"}],"of":["t","t","ann",{}]}}]`)
	ref := c.Push("t", "other", "")
	c.Expect(`[null,null,"t","presence_diff",{"joins":{"ann":{"metas":[{"n":1,"phx_ref":"<b>","phx_ref_prev":"<a>"}],"of":["t","t","ann",{"n":1}]}},` +
		`"leaves":{"ann":{"metas":[{"phx_ref":"<a>"}],"of":["t","t","ann",{}]}}}]`)
	c.Expect(reply("11", ref, "t", "{}"))
	if one, _ := s.AppendPresence(nil, "other", "ann"); !strings.HasSuffix(string(one), `"of":["t","other","ann",{}]}`) {
		t.Errorf("on the other topic: %s", one)
	}
}

// TestBadFetchCommitsNothing: it is an answer like any other.
func TestBadFetchCommitsNothing(t *testing.T) {
	for name, tt := range map[string]struct {
		payload string
		binary  bool
		err     error
		log     string
	}{
		"a list":  {payload: `[]`, log: "effects[0] presence_track: presence_fetch: payload is JSON, but not an object"},
		"no JSON": {payload: `{`, log: "presence_fetch: payload is not valid JSON"},
		"bytes":   {payload: `{}`, binary: true, log: "presence_fetch: payload is raw bytes"},
		"long":    {payload: `{"a":"` + strings.Repeat("x", 4<<10) + `"}`, log: "presence_fetch: payload has 4104 bytes, over the limit of 4096"},
		"failed":  {err: errScript, log: "effects[0] presence_track: presence_fetch: the script failed on purpose"},
	} {
		t.Run(name, func(t *testing.T) {
			h := attendance()
			h.fetch = func(_ *abi.Request, resp *abi.Response) error {
				resp.Result, resp.Payload, resp.Binary = abi.ResultReply, []byte(tt.payload), tt.binary
				return tt.err
			}
			s := start(t, h, host.Mount{})
			c := s.dial(t)
			c.SendJoin("t", `"ann"`)
			c.Expect(`["11","1","t","phx_reply",{"status":"error","response":{"reason":"join crashed"}}]`)
			if n := s.CountPresences("t"); n != 0 {
				t.Errorf("%d presences", n)
			}
			if !strings.Contains(s.log.String(), tt.log) {
				t.Errorf("the log has no %q:\n%s", tt.log, s.log.String())
			}
		})
	}
}
