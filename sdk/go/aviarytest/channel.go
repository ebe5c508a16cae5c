package aviarytest

import (
	"errors"
	"slices"

	"github.com/aviary-host/aviary/abi"
	aviary "github.com/aviary-host/aviary/sdk/go"
)

// Channel is one joined topic.
type Channel struct {
	Topic        string
	JoinRef      string
	Joined       bool // false after a refused join, and once the channel has ended
	State        []byte
	StateVersion uint32
	Last         *Response // the answer to the last callback

	g          *Guest
	timers     []string        // keys of those that are pending
	subscribed map[string]bool // topics
}

// In sends an event of the client, with a ref. payload is JSON text, "" is {}.
func (c *Channel) In(event, payload string) *Response {
	c.g.t.Helper()
	return c.must(c.TryIn(event, payload))
}

// TryIn is In, and returns the error of a handler that crashes instead of failing
// the test. The state is then as it was.
func (c *Channel) TryIn(event, payload string) (*Response, error) {
	return c.run(c.with(c.Request(abi.CallbackHandleIn), event, payload))
}

// InBytes sends an event with a binary payload.
func (c *Channel) InBytes(event string, payload []byte) *Response {
	c.g.t.Helper()
	req := c.with(c.Request(abi.CallbackHandleIn), event, "")
	req.Binary, req.Payload = true, payload
	return c.must(c.run(req))
}

// Info delivers a message, as from SendInfo.
func (c *Channel) Info(event, payload string) *Response {
	c.g.t.Helper()
	return c.info(aviary.InfoMessage, "", event, payload)
}

// Timer delivers what a SendAfter of that key has set up, which is then no longer
// pending. It fails the test if none is, since no server would deliver it; a
// [Channel.Request] for [Guest.Run] is not checked.
func (c *Channel) Timer(key, event, payload string) *Response {
	c.g.t.Helper()
	if !c.fire(key) {
		c.g.t.Fatalf("%s: Timer %q: the channel has set no such timer, or it has fired or was cancelled; pending are %q", c.Topic, key, c.timers)
	}
	return c.info(aviary.InfoTimer, key, event, payload)
}

// Broadcast delivers a broadcast on a topic that the channel subscribed to. It
// fails the test if the channel did not, as Timer does.
func (c *Channel) Broadcast(topic, event, payload string) *Response {
	c.g.t.Helper()
	if !c.subscribed[topic] {
		c.g.t.Fatalf("%s: Broadcast on %q: the channel is not subscribed to it (Call.Subscribe)", c.Topic, topic)
	}
	return c.info(aviary.InfoBroadcast, topic, event, payload)
}

func (c *Channel) info(kind aviary.InfoKind, source, event, payload string) *Response {
	c.g.t.Helper()
	req := c.with(c.Request(abi.CallbackHandleInfo), event, payload)
	req.Reason, req.Source = uint32(kind), []byte(source)
	return c.must(c.run(req))
}

// Out lets an intercepted broadcast reach the channel.
func (c *Channel) Out(event, payload string) *Response {
	c.g.t.Helper()
	return c.must(c.run(c.with(c.Request(abi.CallbackHandleOut), event, payload)))
}

// Terminate ends the channel.
func (c *Channel) Terminate(reason aviary.Reason) *Response {
	c.g.t.Helper()
	req := c.Request(abi.CallbackTerminate)
	req.Reason, req.Source = uint32(reason), []byte(reason.String())
	r := c.must(c.run(req))
	c.Joined = false
	return r
}

// CodeChange hands the channel over from another version of the module. Set State
// and StateVersion to what that one left.
func (c *Channel) CodeChange() *Response {
	c.g.t.Helper()
	return c.must(c.run(c.Request(abi.CallbackCodeChange)))
}

// Request returns a request of the channel for [Guest.Run], with its state and, in
// join and handle_in, a new ref. Run does not carry the state over.
func (c *Channel) Request(callback abi.Callback) *abi.Request {
	req := &abi.Request{
		Transport: abi.TransportWebSocket,
		Callback:  callback, Topic: []byte(c.Topic), JoinRef: []byte(c.JoinRef),
		State: c.State, StateVersion: c.StateVersion, IDTopic: c.g.idTopic,
	}
	if callback == abi.CallbackJoin || callback == abi.CallbackHandleIn {
		req.Ref = c.g.nextRef()
	}
	return req
}

func (c *Channel) with(req *abi.Request, event, payload string) *abi.Request {
	req.Event, req.Payload = []byte(event), []byte(orEmpty(payload))
	return req
}

var errNotJoined = errors.New("the join was refused, or the channel has ended")

// run runs a callback and takes over what it leaves.
func (c *Channel) run(req *abi.Request) (*Response, error) {
	if !c.Joined {
		return nil, errNotJoined
	}
	r, err := c.g.Run(req)
	if err != nil {
		return nil, err
	}
	c.Last = r
	if r.HasState {
		c.State, c.StateVersion = r.State, r.StateVersion
	}
	c.follow(r)
	c.Joined = !r.Stops()
	return r, nil
}

// follow remembers which timers and subscriptions the effects leave.
func (c *Channel) follow(r *Response) {
	for i := range r.Effects {
		switch e := &r.Effects[i]; e.Kind {
		case abi.EffectSendAfter:
			if len(e.Key) > 0 {
				c.fire(string(e.Key)) // replaced
			}
			c.timers = append(c.timers, string(e.Key))
		case abi.EffectCancel:
			c.fire(string(e.Key))
		case abi.EffectSubscribe:
			if c.subscribed == nil {
				c.subscribed = map[string]bool{}
			}
			c.subscribed[string(e.Topic)] = string(e.Topic) != c.Topic
		case abi.EffectUnsubscribe:
			delete(c.subscribed, string(e.Topic))
		}
	}
}

// fire takes a timer from those that are pending and tells whether it was there.
func (c *Channel) fire(key string) bool {
	i := slices.Index(c.timers, key)
	if i < 0 {
		return false
	}
	c.timers = slices.Delete(c.timers, i, i+1)
	return true
}

func (c *Channel) must(r *Response, err error) *Response {
	c.g.t.Helper()
	if err != nil {
		c.g.t.Fatalf("%s: %v", c.Topic, err)
	}
	return r
}
