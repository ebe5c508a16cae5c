package aviary

import (
	"math/rand/v2"

	"github.com/aviary-host/aviary/abi"
)

// Level is the severity of a log line.
type Level = abi.Level

// The levels.
const (
	LevelDebug = abi.LevelDebug
	LevelInfo  = abi.LevelInfo
	LevelWarn  = abi.LevelWarn
	LevelError = abi.LevelError
)

// Transport says how a client is connected; its String is "websocket" or
// "longpoll".
type Transport = abi.Transport

// The transports.
const (
	TransportWebSocket = abi.TransportWebSocket
	TransportLongPoll  = abi.TransportLongPoll
)

// InfoKind says where the message of a HandleInfo handler came from.
type InfoKind = abi.InfoKind

// The sources of a message.
const (
	InfoMessage   = abi.InfoMessage   // SendInfo, or the server's API
	InfoTimer     = abi.InfoTimer     // SendAfter
	InfoBroadcast = abi.InfoBroadcast // a broadcast on a topic that the channel subscribed to
)

// Ref names a client's message, to reply to it in a later callback; see
// [Call.Ref]. Its bytes mean something to the host only.
type Ref string

// shared is what every callback has, also connect.
type shared struct{ m *machine }

// SocketID names the client's connection. It is unique over the life of the
// cluster, and no secret.
func (c shared) SocketID() string { return stringOf(c.m.req.SocketID) }

// Transport says how the client is connected.
func (c shared) Transport() Transport { return c.m.req.Transport }

// Time returns the wall clock in milliseconds since 1970.
func (c shared) Time() int64 { return c.m.req.TimeMS }

// Rand returns random numbers that are fresh for each callback and that nobody
// can foresee. The global functions of math/rand are no substitute: their state
// may be put back between callbacks.
func (c shared) Rand() *rand.Rand { return c.m.random() }

// NewID returns 16 random characters, 80 bits: enough to name anything.
func (c shared) NewID() string {
	const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
	var id [16]byte
	r := c.Rand()
	bits := r.Uint64()
	for i := range id {
		if i == len(id)/2 {
			bits = r.Uint64()
		}
		id[i] = alphabet[bits%uint64(len(alphabet))]
		bits /= uint64(len(alphabet))
	}
	return string(id[:])
}

// Config returns one of the plugin's settings, missing if there is none of that
// name. The empty name gives the object of all of them.
func (c shared) Config(key string) Value {
	all := parse(stringOf(c.m.req.Config))
	switch {
	case !all.Exists():
		return parse(stringOf(c.m.host.Config(key)))
	case key == "":
		return all
	}
	return all.Get(key)
}

// Presences returns who is present on a topic: the object that presence_state
// carries, of keys and their metas. What this callback tracks is not in it yet.
func (c shared) Presences(topic string) Value {
	return parse(stringOf(c.m.host.Presences(topic)))
}

// Log writes a line to the server's log, at once: also when the handler panics
// afterwards. The parts are joined as they are.
func (c shared) Log(level Level, parts ...string) {
	line := ""
	for _, part := range parts {
		line += part
	}
	c.m.host.Log(level, line)
}

// Call is the part of a [Context] that does not depend on the state, for helpers
// that serve several channels.
type Call struct{ shared }

// Topic returns the channel's topic.
func (c Call) Topic() string { return stringOf(c.m.req.Topic) }

// TopicID returns what the first star of the channel's pattern stands for: "7" for
// the topic room:7 of the pattern room:*. It is "" without a star.
func (c Call) TopicID() string { return c.Wildcard(0) }

// Wildcard returns what the i-th star of the pattern stands for, from 0.
func (c Call) Wildcard(i int) string { return c.m.pattern.wildcard(c.Topic(), i) }

// Event returns the event at hand, "" in Join and Terminate.
func (c Call) Event() string { return stringOf(c.m.req.Event) }

// IDTopic returns the topic that the Connect handler gave the socket, if any.
func (c Call) IDTopic() string { return stringOf(c.m.req.IDTopic) }

// Ref returns the name of the client's message, for [Call.ReplyTo]. It is empty
// where no reply is expected.
func (c Call) Ref() Ref { return Ref(stringOf(c.m.req.Ref)) }

// JoinRef returns the client's name for this join of the topic.
func (c Call) JoinRef() string { return stringOf(c.m.req.JoinRef) }

// InfoKind tells, in HandleInfo, where the message came from.
func (c Call) InfoKind() InfoKind { return InfoKind(c.m.req.Reason) }

// Source returns, in HandleInfo, the topic of a broadcast or the key of a timer,
// and in Terminate the reason in words.
func (c Call) Source() string { return stringOf(c.m.req.Source) }

// Context is what a handler works with: the request, the state of its channel and
// the effects it asks for. It is good until the handler returns.
type Context[S any] struct {
	Call
	codec *Codec[S]
	state S
	taken bool
}

// State returns the channel's state, decoded at the first call. What the handler
// leaves there is the new state; if it panics, or refuses the join, nothing is.
// In Join it is what the Connect handler gave as seed.
func (c *Context[S]) State() *S {
	if !c.taken {
		c.taken = true
		c.load()
	}
	return &c.state
}

func (c *Context[S]) load() {
	state := c.m.req.State
	if len(state) == 0 {
		return
	}
	if err := c.codec.Load(&c.state, state); err != nil {
		panic("aviary: state of " + c.Topic() + ": " + err.Error())
	}
	if c.codec.object && c.m.req.Callback != abi.CallbackCodeChange && parse(stringOf(state)).Kind() != KindObject {
		c.Log(LevelWarn, "state of ", c.Topic(), " is no object and was not read: it begins empty; what did the Connect handler give as seed?")
	}
}

// begin readies c for another callback.
func (c *Context[S]) begin(m *machine, codec *Codec[S]) {
	var zero S
	c.Call = Call{shared{m}}
	c.codec, c.state, c.taken = codec, zero, false
}

// commit gives the state to the host, if it was taken and is another one.
func (c *Context[S]) commit() {
	if !c.taken {
		return
	}
	m := c.m
	m.state = c.codec.Append(m.state[:0], &c.state)
	if c.codec.Version != m.req.StateVersion || stringOf(m.state) != stringOf(m.req.State) {
		m.resp.HasState, m.resp.State, m.resp.StateVersion = true, m.state, c.codec.Version
	}
}
