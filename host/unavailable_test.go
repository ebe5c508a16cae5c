package host_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/host"
	"github.com/aviary-host/aviary/host/hosttest"
)

// away is the error of a handler that cannot answer now, behind another.
type away time.Duration

func (a away) Error() string { return "away for " + time.Duration(a).String() }

func (a away) Unavailable() (reason string, retryAfter time.Duration) {
	return a.Error(), time.Duration(a)
}

func isAway(after time.Duration) func(*abi.Request, *abi.Response) error {
	return func(_ *abi.Request, resp *abi.Response) error {
		resp.HasState, resp.State = true, []byte("must not be seen")
		resp.Effects = append(resp.Effects, push("must_not_be_seen", ""))
		return fmt.Errorf("plugin x: %w", away(after))
	}
}

// TestUnavailableHandlerFailsClosed: an event is answered with an error, what comes
// from others does not take place, and the channel is as it was.
func TestUnavailableHandlerFailsClosed(t *testing.T) {
	s := start(t, &script{
		join: func(_ *abi.Request, resp *abi.Response) error {
			resp.Result, resp.HasState, resp.State = abi.ResultReply, true, []byte("as it was")
			resp.Effects = append(resp.Effects, abi.Effect{Kind: abi.EffectIntercept, Event: []byte("secret")})
			return nil
		},
		in: steps{"away": isAway(1500 * time.Microsecond), "state": state, "tell": replyWith(
			abi.Effect{Kind: abi.EffectBroadcast, Event: []byte("secret")},
			abi.Effect{Kind: abi.EffectSendInfo, Event: []byte("x"), Payload: []byte("1")})},
		info: isAway(time.Second), out: isAway(time.Second), terminate: isAway(time.Second),
	}, host.Mount{})
	c := s.dial(t)
	c.Join("t", "")
	ref := c.Push("t", "away", "")
	c.Expect(fmt.Sprintf(`["11",%q,"t","phx_reply",{"status":"error","response":{"reason":"plugin_unavailable","retry_after_ms":2}}]`, ref))
	ref = c.Push("t", "tell", "")
	c.Expect(reply("11", ref, "t", `{}`))
	ref = c.Push("t", "state", "")
	c.Expect(reply("11", ref, "t", `"as it was"`))
	c.Leave("t")
	c.ExpectSilence()
	eventually(t, "four callbacks that were not run", func() bool { return s.Info().Unavailable == 4 }) // terminate comes behind the last frame
	if n := s.Info().Crashes; n != 0 {
		t.Errorf("%d crashes, want none", n)
	}
	for _, cb := range []string{"handle_in", "handle_info", "handle_out", "terminate"} {
		if want := `code=UNAVAILABLE callback=` + cb; !strings.Contains(s.log.String(), want) {
			t.Errorf("the log has no %s:\n%s", want, s.log)
		}
	}
}

// TestUnavailableJoin: it is refused with a word that tells it from a refusal of the
// plugin's, and the topic is free for the next try.
func TestUnavailableJoin(t *testing.T) {
	first := true
	s := start(t, &script{join: func(req *abi.Request, resp *abi.Response) error {
		if first {
			first = false
			return isAway(3*time.Second)(req, resp)
		}
		return accept(req, resp)
	}}, host.Mount{})
	c := s.dial(t)
	joinRef, ref := c.SendJoin("t", "")
	c.Expect(fmt.Sprintf(`[%q,%q,"t","phx_reply",{"status":"error","response":{"reason":"plugin_unavailable","retry_after_ms":3000}}]`, joinRef, ref))
	c.Join("t", "")
	if n := s.Info(); n.Channels != 1 || n.Crashes != 0 {
		t.Errorf("%+v", n)
	}
}

// TestUnavailableConnect: the client is told when to come again.
func TestUnavailableConnect(t *testing.T) {
	s := start(t, &script{connect: isAway(1200 * time.Millisecond)}, host.Mount{})
	r := hosttest.DialRefused(t, s.url, hosttest.Options{})
	if r.Status != http.StatusServiceUnavailable || r.Body != "plugin_unavailable" || r.Header.Get("Retry-After") != "2" {
		t.Errorf("refused with %d %q, Retry-After %q", r.Status, r.Body, r.Header.Get("Retry-After"))
	}
	if n := s.Info(); n.Unavailable != 1 || n.Crashes != 0 || n.Sockets != 0 {
		t.Errorf("%+v", n)
	}
}

// TestUnavailableWithoutATime: a handler that gives no time is asked again soon.
func TestUnavailableWithoutATime(t *testing.T) {
	s := start(t, &script{in: steps{"away": isAway(-1)}}, host.Mount{})
	c := s.dial(t)
	c.Join("t", "")
	ref := c.Push("t", "away", "")
	c.Expect(fmt.Sprintf(`["11",%q,"t","phx_reply",{"status":"error","response":{"reason":"plugin_unavailable","retry_after_ms":1}}]`, ref))
}
