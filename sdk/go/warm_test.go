package aviary

import (
	"bytes"
	"testing"

	"github.com/aviary-host/aviary/abi"
)

// TestWarmUpIsNotSeen: the handlers of the module are not run, nothing is asked of the
// host, and a callback is answered as by a machine that is cold.
func TestWarmUpIsNotSeen(t *testing.T) {
	answer := func(warm bool) []byte {
		m := new(machine)
		runs := 0
		addRoute(m, "room:*", State((*warmState).fields)).
			Join(func(c *Context[warmState], p Value) JoinResult {
				runs++
				c.State().text = p.Get("text").String()
				c.Track(c.NewID(), Object().Str("text", c.State().text))
				return c.Accept(Object().Set("text", p))
			})
		if warm {
			m.warmUp()
		}
		if len(m.routes) != 1 || m.host != nil || m.running || runs != 0 {
			t.Errorf("%d routes, host %v, running %v, %d runs", len(m.routes), m.host, m.running, runs)
		}
		response, err := m.serveCopy(nobody{}, abi.AppendRequest(nil, &abi.Request{
			Callback: abi.CallbackJoin, Topic: []byte("room:1"), Payload: []byte(`{"text":"hi"}`), Seed: [16]byte{1},
		}))
		if err != nil || runs != 1 {
			t.Errorf("%d runs: %v", runs, err)
		}
		return response
	}
	if cold, warm := answer(false), answer(true); !bytes.Equal(cold, warm) {
		t.Errorf("answers\n%x, cold\n%x", warm, cold)
	}
}

// TestWarmUpMakesRoom: what callbacks use again is there after it.
func TestWarmUpMakesRoom(t *testing.T) {
	m := new(machine)
	m.warmUp()
	if cap(m.out) == 0 || cap(m.state) == 0 || cap(m.resp.Effects) < 2 || m.rand == nil {
		t.Errorf("room for a response of %d, a state of %d, %d effects; random numbers %v", cap(m.out), cap(m.state), cap(m.resp.Effects), m.rand != nil)
	}
}
