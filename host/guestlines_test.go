package host_test

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/host"
)

// guestLines lists what the log says that the handlers of a tenant said, or that was
// dropped of it, in one line.
func (s *server) guestLines(tenant string) string {
	var all []string
	for text := range strings.Lines(s.log.String()) {
		said := strings.Contains(text, "src=guest")
		if !strings.Contains(text, "tenant="+tenant) || !said && !strings.Contains(text, "key=tenant.log_lines") {
			continue
		}
		_, text, _ = strings.Cut(strings.TrimSpace(text), "msg=")
		if text, _, said = strings.Cut(text, " tenant="); !said {
			continue
		}
		all = append(all, text)
	}
	return strings.Join(all, " ")
}

// TestLogEffectsOfATenant: what handlers log through effects counts as lines of their
// tenant, also in connect, and what is dropped is told of.
func TestLogEffectsOfATenant(t *testing.T) {
	line := func(text string) abi.Effect {
		return abi.Effect{Kind: abi.EffectLog, Number: uint32(abi.LevelInfo), Payload: []byte(text)}
	}
	var asked atomic.Int64
	cfg := tenants(host.TenantLimits{})
	cfg.LogLine = func(tenant string) (hidden int, ok bool) {
		if tenant != "acme" {
			return 0, true
		}
		switch n := asked.Add(1); {
		case n <= 3:
			return 0, true
		case n < 20:
			return 0, false
		case n == 20:
			return 16, true
		}
		return 0, true
	}
	s := startConfig(t, &script{
		connect: func(_ *abi.Request, resp *abi.Response) error {
			resp.Result, resp.Effects = abi.ResultReply, []abi.Effect{line("door")}
			return nil
		},
		in: steps{"flood": replyWith(line("a"), line("b"), line("c"), line("d"), line("e"), line("f"))},
	}, cfg)
	for _, tt := range []struct {
		host, tenant string
		floods       int
		want         string
	}{
		{acme, "acme", 4, `door a b "log lines of the tenant were dropped" a b c d e f`},
		{umbrella, "umbrella", 1, `door a b c d e f`},
	} {
		c := s.at(t, tt.host)
		joinRef := c.Join("t", "")
		for range tt.floods {
			c.Expect(reply(joinRef, c.Push("t", "flood", ""), "t", "{}"))
		}
		if got := s.guestLines(tt.tenant); got != tt.want {
			t.Errorf("%s: the log has %s, want %s", tt.tenant, got, tt.want)
		}
	}
}

// TestFailuresOfATenantAreLoggedAtARate: a module that fails as often as its clients like
// fills no log, and hides no failure of another tenant's.
func TestFailuresOfATenantAreLoggedAtARate(t *testing.T) {
	s := startConfig(t, &script{
		connect: accept,
		join:    fail,
	}, tenants(host.TenantLimits{}))
	count := func(tenant string) int {
		n := 0
		for text := range strings.Lines(s.log.String()) {
			if strings.Contains(text, "code=CALLBACK_FAILED") && strings.Contains(text, "tenant="+tenant) {
				n++
			}
		}
		return n
	}
	join := func(host string) {
		c := s.at(t, host)
		joinRef, ref := c.SendJoin("t", "{}")
		c.Expect(`["` + joinRef + `","` + ref + `","t","phx_reply",{"status":"error","response":{"reason":"join crashed"}}]`)
		c.Drop()
	}
	for range 200 {
		join(acme)
	}
	if n := count("acme"); n < 50 || n > 150 {
		t.Errorf("%d lines of 200 failures", n)
	}
	join(umbrella)
	if n := count("umbrella"); n != 1 {
		t.Errorf("%d lines of the other tenant's failure", n)
	}
	if n := s.Info().Crashes; n != 201 {
		t.Errorf("%d failures were counted", n)
	}
}
