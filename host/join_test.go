package host_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/host"
)

// gatedJoin joins topics at once but "slow" ones, which wait until the gate is
// opened, and refuses those that end in "no".
type gatedJoin struct {
	running, gate chan struct{}
}

func (g *gatedJoin) join(req *abi.Request, resp *abi.Response) error {
	resp.Result = abi.ResultReply
	switch string(req.Topic) {
	case "slow:no":
		resp.Result = abi.ResultReplyError
	case "slow:crash":
		g.running <- struct{}{}
		<-g.gate
		return errScript
	case "fast":
		return nil
	}
	g.running <- struct{}{}
	<-g.gate
	return nil
}

func startGated(t *testing.T) (*gatedJoin, *server) {
	g := &gatedJoin{running: make(chan struct{}, 100), gate: make(chan struct{})}
	return g, start(t, &script{join: g.join, in: steps{"echo": echo}}, host.Mount{MaxChannels: 2})
}

func unmatched(ref, topic string) string {
	return fmt.Sprintf(`[null,%q,%q,"phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}]`, ref, topic)
}

// TestSlowJoinHoldsUpNobodyElse: heartbeats and the socket's other topics are
// answered while a join runs; what is sent to its own topic waits, in order.
func TestSlowJoinHoldsUpNobodyElse(t *testing.T) {
	g, s := startGated(t)
	c := s.dial(t)
	_, slow := c.SendJoin("slow", "")
	<-g.running
	first := c.Push("slow", "echo", `1`)
	second := c.Push("slow", "echo", `2`)
	c.ExpectSilence() // which is a heartbeat
	c.Join("fast", "")
	other := c.Push("fast", "echo", `{"n":1}`)
	c.Expect(reply("12", other, "fast", `{"n":1}`))
	close(g.gate)
	c.Expect(reply("11", slow, "slow", `{}`))
	c.Expect(reply("11", first, "slow", `1`))
	c.Expect(reply("11", second, "slow", `2`))
	c.Leave("slow")
}

// TestWhatWaitedForARefusedJoin is answered as on any topic that is not joined.
func TestWhatWaitedForARefusedJoin(t *testing.T) {
	for topic, response := range map[string]string{"slow:no": `{}`, "slow:crash": `{"reason":"join crashed"}`} {
		t.Run(topic, func(t *testing.T) {
			g, s := startGated(t)
			c := s.dial(t)
			_, ref := c.SendJoin(topic, "")
			<-g.running
			event := c.Push(topic, "echo", `1`)
			leave := c.Push(topic, "phx_leave", "")
			close(g.gate)
			c.Expect(fmt.Sprintf(`["11",%q,%q,"phx_reply",{"status":"error","response":%s}]`, ref, topic, response))
			c.Expect(unmatched(event, topic))
			c.Expect(reply("11", leave, topic, `{}`))
			event = c.Push(topic, "echo", `1`)
			c.Expect(unmatched(event, topic))
			c.ExpectSilence()
			if n := s.Info().Channels; n != 0 {
				t.Errorf("%d channels are joined", n)
			}
		})
	}
}

// TestJoinsUnderWayCount: a socket cannot have more joins under way than it may
// have channels; one that is replaced does not count.
func TestJoinsUnderWayCount(t *testing.T) {
	g, s := startGated(t)
	c := s.dial(t)
	_, a := c.SendJoin("slow:a", "")
	_, b := c.SendJoin("slow:b", "")
	<-g.running
	<-g.running
	_, third := c.SendJoin("slow:c", "")
	c.Expect(fmt.Sprintf(`["13",%q,"slow:c","phx_reply",{"status":"error","response":{"reason":"too many channels joined"}}]`, third))
	_, again := c.SendJoin("slow:a", "")
	close(g.gate)
	// Of two topics the order is not given.
	c.ExpectAnyOrder(
		reply("11", a, "slow:a", `{}`),
		reply("12", b, "slow:b", `{}`),
		reply("14", again, "slow:a", `{}`),
		`["11","11","slow:a","phx_close",{}]`)
	event := c.Push("slow:a", "echo", `1`)
	c.Expect(reply("14", event, "slow:a", `1`))
}

// TestClientGoneDuringAJoin: the channel that comes of it ends at once.
func TestClientGoneDuringAJoin(t *testing.T) {
	ended := make(chan abi.Reason, 1)
	g := &gatedJoin{running: make(chan struct{}, 1), gate: make(chan struct{})}
	s := start(t, &script{join: g.join, terminate: func(req *abi.Request, _ *abi.Response) error {
		ended <- abi.Reason(req.Reason)
		return nil
	}}, host.Mount{})
	c := s.dial(t)
	c.SendJoin("slow", "")
	<-g.running
	c.Drop()
	close(g.gate)
	if why := <-ended; why != abi.ReasonClosed {
		t.Errorf("terminated with %s, want %s", why, abi.ReasonClosed)
	}
}

// TestReplacedJoinsAreBounded: a client that joins again and again, faster than
// its joins are answered, is refused in the end.
func TestReplacedJoinsAreBounded(t *testing.T) {
	g, s := startGated(t)
	c := s.dial(t)
	for range 34 { // one that runs, and those that wait to be the next
		c.SendJoin("slow", "")
	}
	<-g.running
	join, ref := c.SendJoin("slow", "")
	c.Expect(fmt.Sprintf(`[%q,%q,"slow","phx_reply",{"status":"error","response":{"reason":"too many channels joined"}}]`, join, ref))
	close(g.gate)
	c.Drop()
	if log := s.log.String(); !strings.Contains(log, "key=mount.max_channels") {
		t.Errorf("the log does not name the limit:\n%s", log)
	}
}

// TestARefusedJoinLeavesNothingBehind: whoever has read the answer finds its
// place free.
func TestARefusedJoinLeavesNothingBehind(t *testing.T) {
	for name, refuse := range map[string]func(*abi.Request, *abi.Response) error{
		"refused": func(_ *abi.Request, resp *abi.Response) error {
			resp.Result = abi.ResultReplyError
			return nil
		},
		"crashed": fail,
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, &script{join: func(req *abi.Request, resp *abi.Response) error {
				if string(req.Topic) == "no" {
					return refuse(req, resp)
				}
				return accept(req, resp)
			}}, host.Mount{MaxChannels: 1})
			c := s.dial(t)
			for range 300 {
				join, ref := c.SendJoin("no", "")
				c.Expect(fmt.Sprintf(`[%q,%q,"no","phx_reply",{"status":"error","response":"<any>"}]`, join, ref))
				c.Join("yes", "")
				c.Leave("yes")
			}
		})
	}
}

// TestInterceptionsOfAJoinHoldFromTheStart: no broadcast passes between the
// subscription and them.
func TestInterceptionsOfAJoinHoldFromTheStart(t *testing.T) {
	s := start(t, &script{
		join: func(_ *abi.Request, resp *abi.Response) error {
			resp.Result = abi.ResultReply
			resp.Effects = append(resp.Effects, abi.Effect{Kind: abi.EffectIntercept, Event: []byte("secret")})
			return nil
		},
		out: effects(), // nobody gets it
	}, host.Mount{})
	c := s.dial(t)
	var publishing sync.WaitGroup
	for range 200 {
		publishing.Go(func() {
			for range 50 { // fewer than a mailbox holds
				publish(t, s, "t", "secret", "")
			}
		})
		c.Join("t", "")
		publishing.Wait()
		c.Leave("t")
	}
}
