package aviary

import "github.com/aviary-host/aviary/abi"

// Delay is a time in milliseconds, the unit of the host's timers.
type Delay int64

// Delays, to multiply.
const (
	Millisecond Delay = 1
	Second            = 1000 * Millisecond
	Minute            = 60 * Second
)

// Target is a topic to act on, made by [Call.At] and [Call.Local].
type Target struct {
	m     *machine
	topic string // empty: the channel's own
	local bool
}

// At returns another topic to act on: c.At("lobby").Broadcast("hello", nil). It
// panics on the empty topic, as Subscribe and Unsubscribe do.
func (c shared) At(topic string) Target { return c.at(topic, "At") }

func (c shared) at(topic, what string) Target {
	if topic == "" {
		panic("aviary: " + what + " with an empty topic")
	}
	return Target{m: c.m, topic: topic}
}

// Local returns the channel's own topic, for broadcasts that stay on this node.
func (c Call) Local() Target { return Target{m: c.m, local: true} }

// Local keeps broadcasts to the subscribers on this node.
func (t Target) Local() Target {
	t.local = true
	return t
}

func (c Call) own() Target { return Target{m: c.m} }

func (t Target) effect(kind abi.EffectKind, p Value) *abi.Effect {
	e := t.m.effect(kind, p)
	e.Topic = bytesOf(t.topic)
	return e
}

func (t Target) broadcast(kind abi.EffectKind, event string, p Value) {
	e := t.effect(kind, p)
	e.Event, e.Local = bytesOf(event), t.local
}

func (t Target) presence(kind abi.EffectKind, key string, meta Value) {
	t.effect(kind, meta).Key = bytesOf(key)
}

// Push sends an event to this channel's client.
func (c Call) Push(event string, p Payload) {
	c.m.effect(abi.EffectPush, valueFrom(p)).Event = bytesOf(event)
}

// Broadcast sends an event to all subscribers of the channel's topic, this
// channel's client included.
func (c Call) Broadcast(event string, p Payload) {
	c.own().broadcast(abi.EffectBroadcast, event, valueFrom(p))
}

// BroadcastFrom is Broadcast to all but this channel.
func (c Call) BroadcastFrom(event string, p Payload) {
	c.own().broadcast(abi.EffectBroadcastFrom, event, valueFrom(p))
}

// Broadcast sends an event to all subscribers of the topic.
func (t Target) Broadcast(event string, p Payload) {
	t.broadcast(abi.EffectBroadcast, event, valueFrom(p))
}

// BroadcastFrom is Broadcast to all but the channel at hand.
func (t Target) BroadcastFrom(event string, p Payload) {
	t.broadcast(abi.EffectBroadcastFrom, event, valueFrom(p))
}

// ReplyTo answers an earlier message, whose [Call.Ref] the state has kept. The
// empty status means ok. To the empty Ref nobody expects an answer: nothing is sent.
func (c Call) ReplyTo(ref Ref, status string, p Payload) {
	if ref == "" {
		return
	}
	e := c.m.effect(abi.EffectReply, valueFrom(p))
	e.Key, e.Event = bytesOf(string(ref)), bytesOf(status)
}

// SendInfo sends a message to the channel itself; it comes to HandleInfo.
func (c Call) SendInfo(event string, p Payload) {
	c.m.effect(abi.EffectSendInfo, valueFrom(p)).Event = bytesOf(event)
}

// SendInfo sends a message to the channel that a socket has joined the topic
// with; the empty id means the socket at hand. It is lost if there is none.
func (t Target) SendInfo(socketID, event string, p Payload) {
	e := t.effect(abi.EffectSendInfo, valueFrom(p))
	e.Key, e.Event = bytesOf(socketID), bytesOf(event)
}

// SendAfter sends a message to the channel itself after a delay. It replaces the
// pending one of the same key, if key is not empty.
func (c Call) SendAfter(key string, delay Delay, event string, p Payload) {
	e := c.m.effect(abi.EffectSendAfter, valueFrom(p))
	e.Key, e.Value, e.Event = bytesOf(key), int64(delay), bytesOf(event)
}

// Cancel takes back the pending message of that key.
func (c Call) Cancel(key string) {
	c.m.effect(abi.EffectCancel, Value{}).Key = bytesOf(key)
}

// Subscribe makes the broadcasts of another topic come to HandleInfo.
func (c Call) Subscribe(topic string) { c.at(topic, "Subscribe").effect(abi.EffectSubscribe, Value{}) }

// Unsubscribe ends Subscribe.
func (c Call) Unsubscribe(topic string) {
	c.at(topic, "Unsubscribe").effect(abi.EffectUnsubscribe, Value{})
}

// Track makes the channel present on its topic as key, with a meta for all to
// see: an object. Tracking a key again updates its meta.
func (c Call) Track(key string, meta Payload) {
	c.own().presence(abi.EffectPresenceTrack, key, valueFrom(meta))
}

// UpdatePresence changes the meta of a key that the channel tracks.
func (c Call) UpdatePresence(key string, meta Payload) {
	c.own().presence(abi.EffectPresenceUpdate, key, valueFrom(meta))
}

// Untrack ends Track. The end of the channel does so too.
func (c Call) Untrack(key string) { c.own().presence(abi.EffectPresenceUntrack, key, Value{}) }

// PushPresence pushes the list of who is present to this channel's client, as
// presence_state. What is tracked before, in the same callback, is in it.
func (c Call) PushPresence() { c.own().effect(abi.EffectPresencePush, Value{}) }

// Track makes the channel present on the topic; see [Call.Track].
func (t Target) Track(key string, meta Payload) {
	t.presence(abi.EffectPresenceTrack, key, valueFrom(meta))
}

// UpdatePresence changes the meta of a key that the channel tracks on the topic.
func (t Target) UpdatePresence(key string, meta Payload) {
	t.presence(abi.EffectPresenceUpdate, key, valueFrom(meta))
}

// Untrack ends Track.
func (t Target) Untrack(key string) { t.presence(abi.EffectPresenceUntrack, key, Value{}) }

// PushPresence pushes who is present on the topic to this channel's client.
func (t Target) PushPresence() { t.effect(abi.EffectPresencePush, Value{}) }

// Group is a named set of topics to broadcast to at once.
type Group struct {
	m    *machine
	name string
}

// Group returns the group of that name. It exists while it has topics, also when the
// channel that added them has ended.
func (c shared) Group(name string) Group { return Group{c.m, name} }

func (g Group) effect(kind abi.EffectKind, p Value) *abi.Effect {
	e := g.m.effect(kind, p)
	e.Key = bytesOf(g.name)
	return e
}

// Add puts a topic into the group, as the last one if it is not in it. Like Remove it
// needs to be allowed to broadcast there.
func (g Group) Add(topic string) { g.effect(abi.EffectGroupAdd, Value{}).Topic = bytesOf(topic) }

// Remove takes a topic out of the group.
func (g Group) Remove(topic string) { g.effect(abi.EffectGroupRemove, Value{}).Topic = bytesOf(topic) }

// Broadcast sends an event to all subscribers of each topic of the group, in the order in
// which the topics were added. The callback fails if it may not broadcast to all of them.
func (g Group) Broadcast(event string, p Payload) {
	g.effect(abi.EffectGroupBroadcast, valueFrom(p)).Event = bytesOf(event)
}

// Disconnect closes this channel's socket.
func (c Call) Disconnect() { c.m.effect(abi.EffectDisconnect, Value{}) }

// DisconnectAll closes all sockets to which Connect gave this id topic.
func (c shared) DisconnectAll(idTopic string) {
	c.m.effect(abi.EffectDisconnect, Value{}).Key = bytesOf(idTopic)
}

// LogEffect writes a line to the log only if the callback succeeds.
func (c shared) LogEffect(level Level, line string) {
	c.m.effect(abi.EffectLog, Value{text: line}).Number = uint32(level)
}

// Intercept makes broadcasts of an event, from now on, go through HandleOut.
// Handlers declared by [Route.HandleOut] are intercepted at join without it.
func (c Call) Intercept(event string) {
	c.m.effect(abi.EffectIntercept, Value{}).Event = bytesOf(event)
}

// StopIntercept ends Intercept.
func (c Call) StopIntercept(event string) {
	e := c.m.effect(abi.EffectIntercept, Value{})
	e.Event, e.Off = bytesOf(event), true
}
