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
	if event == "" || eventProblem([]byte(event)) != "" {
		return ErrInvalidEvent
	}
	if strings.HasPrefix(event, "phx_") {
		return ErrReservedEvent
	}
	return nil
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
// clients. Nobody listening is no error.
func (s *Server) Broadcast(topic, event string, payload []byte) error {
	return s.BroadcastFrom("", topic, event, payload)
}

// BroadcastFrom is Broadcast to all but the channel that the socket named by
// exceptSocketID has on topic.
func (s *Server) BroadcastFrom(exceptSocketID, topic, event string, payload []byte) error {
	if err := checkNames(topic, event); err != nil {
		return err
	}
	p, err := object(payload)
	if err != nil {
		return err
	}
	f := newFanout(topic, event, p)
	if except := s.find(exceptSocketID, topic); except != nil {
		s.pubsub.BroadcastFrom(except, topic, f)
	} else {
		s.pubsub.Broadcast(topic, f)
	}
	return nil
}

// Push sends an event to the one channel that a socket has on topic. payload
// is as in Broadcast. The error is ErrNotFound when there is no such channel.
func (s *Server) Push(socketID, topic, event string, payload []byte) error {
	if err := checkNames(topic, event); err != nil {
		return err
	}
	p, err := object(payload)
	if err != nil {
		return err
	}
	return s.leave(socketID, topic, mail{kind: mailPush, event: event, payload: p})
}

// SendInfo has the channel that a socket has on topic run handle_info with the
// event and payload, any JSON value, which is copied. It does not wait for the
// callback. The error is ErrNotFound when there is no such channel,
// ErrOverloaded when it does not keep up.
func (s *Server) SendInfo(socketID, topic, event string, payload []byte) error {
	if err := checkNames(topic, event); err != nil {
		return err
	}
	if len(payload) > maxPayload || jsonProblem(payload, false) != "" {
		return ErrInvalidPayload
	}
	return s.leave(socketID, topic, mail{
		kind: mailInfo, info: abi.InfoMessage, event: event, payload: cloneOrEmpty(payload),
	})
}

func (s *Server) leave(socketID, topic string, m mail) error {
	c := s.find(socketID, topic)
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
func (s *Server) Disconnect(idTopic string) error {
	if topicProblem([]byte(idTopic)) {
		return ErrInvalidTopic
	}
	s.disconnect(idTopic)
	return nil
}

// AppendPresences appends the presences of topic to dst, the JSON object of a
// presence_state (SPEC.md section 6, presence_list).
func (s *Server) AppendPresences(dst []byte, topic string) []byte {
	return s.presence.AppendState(dst, topic)
}

// KillTopic ends every channel of topic as if it had crashed: phx_error,
// without terminate. It returns how many there were.
func (s *Server) KillTopic(topic string) int {
	n := 0
	for _, sock := range s.allSockets() {
		if c := sock.channel(topic); c != nil && c.post(mail{kind: mailKill}, false) {
			n++
		}
	}
	return n
}

// Info is a count of what there is and what has happened, as GET /api/v1/info
// shows it.
type Info struct {
	Sockets      int   `json:"sockets"`       // connected now
	Channels     int64 `json:"channels"`      // joined now
	Topics       int   `json:"topics"`        // with subscribers on this node now
	FramesIn     int64 `json:"frames_in"`     // messages from clients, ever
	Crashes      int64 `json:"crashes"`       // failed callbacks, ever
	Denied       int64 `json:"denied"`        // of those, for want of a capability, ever
	SlowClients  int64 `json:"slow_clients"`  // cut off because they did not read, ever
	InfosDropped int64 `json:"infos_dropped"` // handle_info messages with no room, ever
	Unavailable  int64 `json:"unavailable"`   // callbacks not run, or not to their end, as the plugin was unavailable, ever

	// Undeliverable counts broadcasts of raw bytes to clients whose serializer
	// or transport has none, ever.
	Undeliverable int64 `json:"undeliverable"`
	Draining      bool  `json:"draining"`
}

// Info counts. The figures are read one after the other.
func (s *Server) Info() Info {
	s.mu.Lock()
	sockets := len(s.sockets)
	s.mu.Unlock()
	return Info{
		Sockets:      sockets,
		Channels:     s.stats.channels.Load(),
		Topics:       s.pubsub.Topics(),
		FramesIn:     s.stats.framesIn.Load(),
		Crashes:      s.stats.crashes.Load(),
		Denied:       s.stats.denied.Load(),
		SlowClients:  s.stats.slowClients.Load(),
		InfosDropped: s.stats.infosDropped.Load(),
		Unavailable:  s.stats.unavailable.Load(),

		Undeliverable: s.stats.undeliverable.Load(),
		Draining:      s.draining.Load(),
	}
}
