package aviary

import (
	"slices"

	"github.com/aviary-host/aviary/abi"
)

// warmRounds is how often each callback is tried: the second time finds most of what
// the first has made, the third all of it.
const warmRounds = 3

// warmUp runs callbacks that nobody sees. The host takes a picture of the module's memory
// before the first real one, and puts the memory back to it after each: whatever Go makes
// at its first use, such as room of each size, would be made in every callback again. The
// handlers of the module are not run; what they make at their first use belongs into
// its init functions.
func (m *machine) warmUp() {
	routes, connect, host := m.routes, m.connect, m.host
	defer func() {
		m.begin()
		m.running, m.req = false, abi.Request{}
		m.routes, m.connect, m.host = routes, connect, host
	}()
	m.routes, m.connect, m.host = nil, nil, nobody{}
	warmChannel(m)
	m.warmAllocator()
	m.out, m.state = slices.Grow(m.out, warmRoom), slices.Grow(m.state, warmRoom)
	text, payload := []byte("warm"), []byte(`{"text":"warm\n","list":[1,{"a":"b"}]}`)
	var state, request []byte
	for range warmRounds {
		for _, callback := range []abi.Callback{abi.CallbackJoin, abi.CallbackHandleIn, abi.CallbackHandleInfo} {
			request = abi.AppendRequest(request[:0], &abi.Request{
				Callback: callback, SocketID: text, Topic: text, Event: text, Ref: text, JoinRef: text, Payload: payload, State: state,
			})
			m.serve(request)
			state = append(state[:0], m.resp.State...)
		}
	}
}

// warmRoom is the room for a response, and for a state, that is made at once; bytes. What
// is not written is in no picture.
const warmRoom = 16 << 10

// warmAllocator has Go make room for objects of each small size, with pointers in them and
// without: the first of a size is 50 times as dear as the next.
func (m *machine) warmAllocator() {
	for size := 8; size <= 1024; size += 8 {
		m.out = make([]byte, size)     // kept, so that it is on the heap
		m.warm = make([]*byte, size/4) // a pointer of a module is 4 bytes
	}
	m.warm = nil
}

// warmState is the state of warmChannel.
type warmState struct {
	text  string
	count int64
}

func (s *warmState) fields(f *Fields) { f.Str("text", &s.text).Int("count", &s.count) }

// warmChannel declares a channel that does a little of what channels do.
func warmChannel(m *machine) {
	event := func(c *Context[warmState], p Value) Result {
		c.State().count++
		c.Broadcast(c.Event(), Object().Str("from", c.State().text).Set("text", p.Get("text")).Set("list", Array().Int(1)))
		c.Push(c.Event(), p)
		return c.Reply(Object().Int("count", c.State().count))
	}
	addRoute(m, "*", State((*warmState).fields)).
		Join(func(c *Context[warmState], p Value) JoinResult {
			c.State().text = p.Get("text").String()
			c.Track(c.NewID(), Object().Int("at", c.Time()))
			c.PushPresence()
			return c.Accept(Object().Set("list", p.Get("list")))
		}).
		HandleIn(event).
		HandleInfo(func(c *Context[warmState], p Value) Result { event(c, p); return c.NoReply() })
}

// nobody is the Host of callbacks that nobody sees.
type nobody struct{}

// Log implements Host.
func (nobody) Log(Level, string) {}

// Presences implements Host.
func (nobody) Presences(string) []byte { return nil }

// Config implements Host.
func (nobody) Config(string) []byte { return nil }
