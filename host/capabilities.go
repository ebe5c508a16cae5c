package host

import (
	"fmt"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/wire"
)

// Grants are what a handler may do. What is not granted is denied, but for what
// stays with the client of a callback: replies, pushes, the end of its channel
// or its socket. Lists hold patterns of topics, as Route.Pattern.
type Grants struct {
	// Source is where they are written down, such as "room.plugin.toml". Refusals
	// name it.
	Source string

	Serve      []string // whose channels it may handle
	Broadcast  []string // broadcasts, to all or to all but the channel
	Subscribe  []string // whose broadcasts come to handle_info
	Presence   []string // who is there: to enter, to change, to read
	SendInfo   []string // of channels whose handle_info it may have run
	Disconnect []string // id topics whose sockets it may close

	SendInfoOthers bool // send_info goes to sockets other than the channel's own
	Timers         bool // send_after
	Intercept      bool // handle_out
	Log            bool // lines in the log
}

// Capabilities are Grants made ready to be asked. They never change; nil is
// everything that there is. Methods may be called from any goroutine.
type Capabilities struct {
	source string
	topics [topicCapabilities][]pattern
	flags  capabilitySet
}

// capability is one thing that may be granted.
type capability uint8

const (
	capServe capability = iota
	capBroadcast
	capSubscribe
	capPresence
	capSendInfo
	capDisconnect
	capSendInfoOthers
	capTimers
	capIntercept
	capLog
	capNone // is all that an effect needs which everybody may have
)

// topicCapabilities is how many have topics. They come first; the others are
// granted or not.
const topicCapabilities = capSendInfoOthers

// String returns the key that grants it in a manifest.
func (c capability) String() string {
	return [...]string{
		"serve", "broadcast", "subscribe", "presence", "send_info", "disconnect",
		"send_info_others", "timers", "intercept", "log",
	}[c]
}

// capabilitySet has a bit for each capability.
type capabilitySet uint16

func (s capabilitySet) has(c capability) bool { return s>>c&1 != 0 }

// Compile checks the patterns. The error names the list and the pattern, and
// wraps ErrInvalidPattern.
func (g Grants) Compile() (*Capabilities, error) {
	c := &Capabilities{source: g.Source}
	for i, texts := range [topicCapabilities][]string{g.Serve, g.Broadcast, g.Subscribe, g.Presence, g.SendInfo, g.Disconnect} {
		for _, text := range texts {
			p, err := compilePattern(text)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", capability(i), err)
			}
			c.topics[i] = append(c.topics[i], p)
		}
	}
	for flag, granted := range map[capability]bool{
		capSendInfoOthers: g.SendInfoOthers, capTimers: g.Timers, capIntercept: g.Intercept, capLog: g.Log,
	} {
		if granted {
			c.flags |= 1 << flag
		}
	}
	return c, nil
}

// CheckServe refuses a pattern of topics that is not within what may be served.
func (c *Capabilities) CheckServe(topics string) error {
	p, err := compilePattern(topics)
	if err != nil || c == nil {
		return err
	}
	for i := range c.topics[capServe] {
		if p.within(&c.topics[capServe][i]) {
			return nil
		}
	}
	return fmt.Errorf("topics %q are not within serve = %q %s", topics, c.texts(capServe), c.cite(capServe))
}

// CheckPresence says why the presences of a topic may not be read, nil if they
// may be.
func (c *Capabilities) CheckPresence(topic []byte) error {
	if c == nil || names(c, capPresence, topic) {
		return nil
	}
	return &deniedError{&OutputError{Field: "presence_list:", Problem: c.notAmong(capPresence, topic)}}
}

// CheckLog says why nothing may be logged, nil if it may be.
func (c *Capabilities) CheckLog() error {
	if c == nil || c.flags.has(capLog) {
		return nil
	}
	return &deniedError{&OutputError{Field: "log:", Problem: c.withheld(capLog)}}
}

// texts returns the patterns of a capability as they were written.
func (c *Capabilities) texts(what capability) []string {
	texts := make([]string, len(c.topics[what]))
	for i := range texts {
		texts[i] = c.topics[what][i].text
	}
	return texts
}

// names tells whether topic is among those of a capability. It does not
// allocate.
func names[T string | []byte](c *Capabilities, what capability, topic T) bool {
	for i := range c.topics[what] {
		if fits(&c.topics[what][i], topic) {
			return true
		}
	}
	return false
}

// on returns what c grants where the topic is the one given. A channel asks once
// for its own.
func (c *Capabilities) on(topic string) capabilitySet {
	if c == nil {
		return 0 // not looked at
	}
	set := c.flags
	for what := range topicCapabilities {
		if names(c, what, topic) {
			set |= 1 << what
		}
	}
	return set
}

// spares tells whether a broadcast must not close the sockets whose id topic it
// is on: for a handler that may not disconnect them, disconnect is an event like
// any other.
func (c *Capabilities) spares(topic string, event []byte) bool {
	return c != nil && string(event) == wire.EventDisconnect && !names(c, capDisconnect, topic)
}

func (c *Capabilities) cite(what capability) string {
	return fmt.Sprintf("(capability %s in %s)", what, c.source)
}

func (c *Capabilities) notAmong(what capability, topic []byte) string {
	kind := "topic"
	if what == capDisconnect {
		kind = "id topic"
	}
	return fmt.Sprintf("%s %q is not among the plugin's %s topics %s", kind, logText(topic[:min(len(topic), maxName)]), what, c.cite(what))
}

func (c *Capabilities) withheld(what capability) string {
	return "the plugin may not do that " + c.cite(what)
}

// actor is who has answered with effects: a channel, or connect.
type actor struct {
	caps     *Capabilities
	socketID string
	topic    string        // of the channel; in connect there is none
	own      capabilitySet // what caps grants on it
}

// actor returns the channel as an actor.
func (c *Channel) actor() actor {
	return actor{caps: c.route.caps, socketID: c.socket.id, topic: c.topic, own: c.own}
}

// connecting returns the mount's handler as an actor for a socket to be.
func (m *Mount) connecting(socketID string) actor {
	a := actor{caps: m.ConnectCapabilities, socketID: socketID}
	if a.caps != nil {
		a.own = a.caps.flags
	}
	return a
}

// check refuses effects of which one is not allowed.
func (a actor) check(effects []abi.Effect) error {
	if a.caps == nil {
		return nil
	}
	for i := range effects {
		e := &effects[i]
		if lacking := a.lacks(e); lacking != capNone {
			return &deniedError{&OutputError{Field: effectName(i, e), Problem: a.denial(e, lacking)}}
		}
	}
	return nil
}

// lacks returns the capability that an effect would need, capNone if it is
// allowed.
func (a actor) lacks(e *abi.Effect) capability {
	need := needs(e)
	switch {
	case need == capNone:
		return capNone
	case need == capDisconnect:
		return unless(names(a.caps, need, e.Key), need)
	case need == capSendInfo && len(e.Key) > 0 && string(e.Key) != a.socketID && !a.own.has(capSendInfoOthers):
		return capSendInfoOthers
	case need >= topicCapabilities, len(e.Topic) == 0, string(e.Topic) == a.topic:
		return unless(a.own.has(need), need)
	}
	return unless(names(a.caps, need, e.Topic), need)
}

func unless(granted bool, need capability) capability {
	if granted {
		return capNone
	}
	return need
}

// needs returns the capability that an effect is a matter of.
func needs(e *abi.Effect) capability {
	switch e.Kind {
	case abi.EffectBroadcast, abi.EffectBroadcastFrom, abi.EffectGroupAdd, abi.EffectGroupRemove:
		return capBroadcast // a group's are those of its topics
	case abi.EffectSubscribe, abi.EffectUnsubscribe:
		return capSubscribe
	case abi.EffectPresenceTrack, abi.EffectPresenceUpdate, abi.EffectPresenceUntrack, abi.EffectPresencePush:
		return capPresence
	case abi.EffectSendInfo:
		return capSendInfo
	case abi.EffectDisconnect:
		if len(e.Key) == 0 { // its own socket
			return capNone
		}
		return capDisconnect
	case abi.EffectSendAfter, abi.EffectCancel:
		return capTimers
	case abi.EffectIntercept:
		return capIntercept
	case abi.EffectLog:
		return capLog
	}
	return capNone
}

// denial says which capability an effect lacks.
func (a actor) denial(e *abi.Effect, lacking capability) string {
	switch {
	case lacking == capSendInfoOthers:
		return fmt.Sprintf("socket %q is not the channel's own %s", logText(e.Key), a.caps.cite(lacking))
	case lacking == capDisconnect:
		return a.caps.notAmong(lacking, e.Key)
	case lacking >= topicCapabilities:
		return a.caps.withheld(lacking)
	case len(e.Topic) == 0:
		return a.caps.notAmong(lacking, []byte(a.topic))
	}
	return a.caps.notAmong(lacking, e.Topic)
}

// deniedError is the OutputError of an answer that its handler may not give.
type deniedError struct{ *OutputError }

// Denied tells it from others.
func (*deniedError) Denied() bool { return true }

// Unwrap returns the OutputError.
func (e *deniedError) Unwrap() error { return e.OutputError }

// denial is what an error meets that tells of something denied, here or in a
// handler.
type denial interface {
	error
	Denied() bool
}
