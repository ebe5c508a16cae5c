package host

import (
	"bytes"
	"errors"
	"strings"

	"github.com/aviary-host/aviary/abi"
)

// Errors of the server API.
var (
	// ErrNotFound tells that no such socket is connected, or that it has not
	// joined the topic.
	ErrNotFound = errors.New("no such socket or channel")
	// ErrInvalidTopic tells that a topic is not UTF-8 of 1 to 255 bytes.
	ErrInvalidTopic = errors.New("topic is not UTF-8 of 1 to 255 bytes")
	// ErrInvalidEvent tells that an event is not UTF-8 of 1 to 255 bytes.
	ErrInvalidEvent = errors.New("event is not UTF-8 of 1 to 255 bytes")
	// ErrReservedEvent tells that an event begins with phx_: clients take those
	// for the protocol's own and would close or fail their channel.
	ErrReservedEvent = errors.New("events that begin with phx_ belong to the protocol")
	// ErrInvalidPayload tells that a payload is not valid JSON, or, in a push or
	// broadcast, not an object, or longer than maxPayload.
	ErrInvalidPayload = errors.New("payload is not a JSON object of up to 256 KiB (any JSON value in send_info)")
	// ErrOverloaded tells that the channel is too slow for what it is sent.
	ErrOverloaded = errors.New("the channel's mailbox is full")
)

// checkNames checks what every call of the API is given.
func checkNames(topic, event string) error {
	if topicProblem([]byte(topic)) {
		return ErrInvalidTopic
	}
	return checkEvent(event)
}

// checkEvent checks the name of an event from outside.
func checkEvent(event string) error {
	if event == "" || eventProblem([]byte(event)) != "" {
		return ErrInvalidEvent
	}
	if strings.HasPrefix(event, "phx_") {
		return ErrReservedEvent
	}
	return nil
}

// checkCall is checkNames for a call to the tenant, which must not be suspended.
func (t *Tenant) checkCall(topic, event string) error {
	if t.suspended.Load() != nil {
		return ErrSuspended
	}
	return checkNames(topic, event)
}

// maxPayload bounds a payload from outside, as a guest's output is.
const maxPayload = 256 << 10

// object checks a payload that clients will see and returns a copy of it; none
// means {}.
func object(payload []byte) ([]byte, error) {
	if len(payload) == 0 {
		return emptyObject, nil
	}
	if len(payload) > maxPayload || objectProblem(payload, false) != "" {
		return nil, ErrInvalidPayload
	}
	return bytes.Clone(payload), nil
}

// Broadcast sends an event to every channel joined to topic, on every node.
// payload is a JSON object, empty for {}; it is copied. It does not block on
// clients. Nobody listening is no error. This and all calls below fail with
// ErrSuspended while the tenant is.
func (t *Tenant) Broadcast(topic, event string, payload []byte) error {
	return t.BroadcastFrom("", topic, event, payload)
}

// BroadcastFrom is Broadcast to all but the channel that the socket named by
// exceptSocketID has on topic.
func (t *Tenant) BroadcastFrom(exceptSocketID, topic, event string, payload []byte) error {
	if err := t.checkCall(topic, event); err != nil {
		return err
	}
	p, err := object(payload)
	if err != nil {
		return err
	}
	f := newFanout(topic, event, p)
	if except := t.find(exceptSocketID, topic); except != nil {
		t.pubsub.BroadcastFrom(except, topic, f)
	} else {
		t.pubsub.Broadcast(topic, f)
	}
	return nil
}

// Push sends an event to the one channel that a socket has on topic. payload
// is as in Broadcast. The error is ErrNotFound when there is no such channel.
func (t *Tenant) Push(socketID, topic, event string, payload []byte) error {
	if err := t.checkCall(topic, event); err != nil {
		return err
	}
	p, err := object(payload)
	if err != nil {
		return err
	}
	return t.leave(socketID, topic, mail{kind: mailPush, event: event, payload: p})
}

// SendInfo has the channel that a socket has on topic run handle_info with the
// event and payload, any JSON value, which is copied. It does not wait for the
// callback. The error is ErrNotFound when there is no such channel,
// ErrOverloaded when it does not keep up.
func (t *Tenant) SendInfo(socketID, topic, event string, payload []byte) error {
	if err := t.checkCall(topic, event); err != nil {
		return err
	}
	if len(payload) > maxPayload || jsonProblem(payload, false) != "" {
		return ErrInvalidPayload
	}
	return t.leave(socketID, topic, mail{
		kind: mailInfo, info: abi.InfoMessage, event: event, payload: cloneOrEmpty(payload),
	})
}

func (t *Tenant) leave(socketID, topic string, m mail) error {
	c := t.find(socketID, topic)
	if c == nil {
		return ErrNotFound
	}
	switch {
	case c.post(m, true):
		return nil
	case c.mail.isClosed():
		return ErrNotFound
	}
	return ErrOverloaded
}

// Disconnect closes every socket whose connect gave idTopic, with 1001: a
// broadcast of the event disconnect on it (phoenix socket.ex).
func (t *Tenant) Disconnect(idTopic string) error {
	if t.suspended.Load() != nil {
		return ErrSuspended
	}
	if topicProblem([]byte(idTopic)) {
		return ErrInvalidTopic
	}
	t.disconnect(idTopic)
	return nil
}

// KillTopic ends every channel of topic as if it had crashed: phx_error,
// without terminate. It returns how many there were.
func (t *Tenant) KillTopic(topic string) int {
	n := 0
	for _, sock := range t.allSockets() {
		if c := sock.channel(topic); c != nil && c.post(mail{kind: mailKill}, false) {
			n++
		}
	}
	return n
}

// Broadcast is [Tenant.Broadcast] of the default tenant, and so are all calls
// below.
func (s *Server) Broadcast(topic, event string, payload []byte) error {
	return s.home().Broadcast(topic, event, payload)
}

// BroadcastFrom is [Tenant.BroadcastFrom].
func (s *Server) BroadcastFrom(exceptSocketID, topic, event string, payload []byte) error {
	return s.home().BroadcastFrom(exceptSocketID, topic, event, payload)
}

// Push is [Tenant.Push].
func (s *Server) Push(socketID, topic, event string, payload []byte) error {
	return s.home().Push(socketID, topic, event, payload)
}

// SendInfo is [Tenant.SendInfo].
func (s *Server) SendInfo(socketID, topic, event string, payload []byte) error {
	return s.home().SendInfo(socketID, topic, event, payload)
}

// Disconnect is [Tenant.Disconnect].
func (s *Server) Disconnect(idTopic string) error { return s.home().Disconnect(idTopic) }

// KillTopic is [Tenant.KillTopic].
func (s *Server) KillTopic(topic string) int { return s.home().KillTopic(topic) }
