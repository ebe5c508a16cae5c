package play

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/aviary-host/aviary/abi"
)

// ErrCase is wrapped where a case is not as it should be.
var ErrCase = errors.New("no case")

// What a case has where it says nothing else.
const (
	DefaultTopic  = "room:lobby"
	DefaultSocket = "socket-1"
	DefaultTime   = 1_700_000_000_000 // milliseconds since 1970
)

// Case is what happens to one channel, from its join or from a state that is given.
type Case struct {
	About     string                     `json:"about,omitempty"`     // for people
	Topic     string                     `json:"topic,omitempty"`     // default: DefaultTopic
	SocketID  string                     `json:"socket_id,omitempty"` // default: DefaultSocket
	IDTopic   string                     `json:"id_topic,omitempty"`
	Time      int64                      `json:"time,omitempty"`      // of the first step, in ms since 1970; each later step is 1 ms later
	Seed      string                     `json:"seed,omitempty"`      // 16 bytes in hexadecimal digits; default: the number of the step
	Settings  json.RawMessage            `json:"settings,omitempty"`  // of the plugin, an object
	Presences map[string]json.RawMessage `json:"presences,omitempty"` // what presence_list gives, by topic

	State        json.RawMessage `json:"state,omitempty"`       // JSON text that the first step finds
	StateBytes   []byte          `json:"state_bytes,omitempty"` // in its place, in base64
	StateVersion uint32          `json:"state_version,omitempty"`

	Steps []Step `json:"steps"`
}

// Step is one callback.
type Step struct {
	Callback string          `json:"callback"`
	Event    string          `json:"event,omitempty"`
	Payload  json.RawMessage `json:"payload,omitempty"` // default: {}
	Bytes    []byte          `json:"bytes,omitempty"`   // a binary payload in its place, in base64
	Reason   string          `json:"reason,omitempty"`  // handle_info: message (default), timer, broadcast; terminate: left (default) and the others
	Source   string          `json:"source,omitempty"`
	Ref      string          `json:"ref,omitempty"`      // default: the number of the step; "none": no ref
	JoinRef  string          `json:"join_ref,omitempty"` // default: "1"
	Params   json.RawMessage `json:"params,omitempty"`   // of connect, as headers
	Headers  json.RawMessage `json:"headers,omitempty"`
	Longpoll bool            `json:"longpoll,omitempty"` // how the client is connected; default: by WebSocket

	Expect *Expect `json:"expect,omitempty"` // default: it does not fail
}

// Expect is what a step has to answer. Result, status, payload and effects are compared
// as a whole: what is not there must not be there. State, fuel and failure are only
// looked at where they are given.
type Expect struct {
	Answer
	Fails string `json:"fails,omitempty"` // a part of the error, in place of an answer
	Fuel  int64  `json:"fuel,omitempty"`  // at most
}

// noRef stands for a step whose client expects no reply.
const noRef = "none"

// ParseCase reads a case, strictly. The error wraps ErrCase.
func ParseCase(text []byte) (*Case, error) {
	c := &Case{}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(c); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCase, inLine(text, err))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: something follows the object", ErrCase)
	}
	if problem := c.problem(); problem != "" {
		return nil, fmt.Errorf("%w: %s", ErrCase, problem)
	}
	return c, nil
}

// inLine adds the line to errors that name an offset.
func inLine(text []byte, err error) error {
	var offset int64
	var syntax *json.SyntaxError
	var mismatch *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &mismatch):
		offset = mismatch.Offset
	default:
		return err
	}
	return fmt.Errorf("line %d: %w", 1+bytes.Count(text[:min(int(offset), len(text))], []byte("\n")), err)
}

// problem tells what is wrong with a case, "" if nothing is.
func (c *Case) problem() string {
	switch {
	case len(c.Steps) == 0:
		return "it has no steps"
	case c.Seed != "" && !isSeed(c.Seed):
		return fmt.Sprintf("seed %q is not 16 bytes in hexadecimal digits", c.Seed)
	case len(c.Settings) > 0 && !isObject(c.Settings):
		return "settings are not an object"
	case len(c.State) > 0 && len(c.StateBytes) > 0:
		return "it has both state and state_bytes"
	}
	for topic, list := range c.Presences {
		if !isObject(list) {
			return fmt.Sprintf("presences of %q are not an object", topic)
		}
	}
	for i := range c.Steps {
		if problem := c.Steps[i].problem(); problem != "" {
			return fmt.Sprintf("step %d: %s", i+1, problem)
		}
	}
	return ""
}

func isSeed(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == len(abi.Request{}.Seed)
}

func isObject(text json.RawMessage) bool {
	return bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("{"))
}

// problem tells what is wrong with a step, "" if nothing is.
func (s *Step) problem() string {
	callback, ok := callbackOf(s.Callback)
	named := callback == abi.CallbackHandleIn || callback == abi.CallbackHandleInfo || callback == abi.CallbackHandleOut
	switch {
	case !ok:
		return fmt.Sprintf("callback %q is none of %s", s.Callback, strings.Join(callbackNames(), ", "))
	case named && s.Event == "":
		return s.Callback + " without an event"
	case len(s.Payload) > 0 && len(s.Bytes) > 0:
		return "it has both payload and bytes"
	}
	if _, ok := s.reason(callback); !ok {
		return fmt.Sprintf("reason %q is none that %s has", s.Reason, s.Callback)
	}
	if s.Expect == nil {
		return ""
	}
	return s.Expect.problem()
}

func callbackNames() []string {
	names := make([]string, 0, abi.NumCallbacks)
	for c := abi.CallbackConnect; int(c) < abi.NumCallbacks; c++ {
		names = append(names, c.String())
	}
	return names
}

func callbackOf(name string) (abi.Callback, bool) {
	for i, n := range callbackNames() {
		if n == name {
			return abi.CallbackConnect + abi.Callback(i), true
		}
	}
	return 0, false
}

// infoKinds are the reasons of handle_info, by number from 1.
func infoKinds() []string { return []string{"message", "timer", "broadcast"} }

// reason returns the number of the step's reason.
func (s *Step) reason(callback abi.Callback) (uint32, bool) {
	switch callback {
	case abi.CallbackHandleInfo:
		if s.Reason == "" {
			return uint32(abi.InfoMessage), true
		}
		for i, name := range infoKinds() {
			if name == s.Reason {
				return uint32(i + 1), true
			}
		}
		return 0, false
	case abi.CallbackTerminate:
		if s.Reason == "" {
			return uint32(abi.ReasonLeft), true
		}
		return reasonOf(s.Reason)
	}
	return 0, s.Reason == ""
}

func reasonOf(name string) (uint32, bool) {
	for r := abi.ReasonNormal; r <= abi.ReasonDisconnected; r++ {
		if r.String() == name {
			return uint32(r), true
		}
	}
	return 0, false
}

// request makes the request of a step, from 0, without its state.
func (c *Case) request(i int) *abi.Request {
	s := &c.Steps[i]
	callback, _ := callbackOf(s.Callback) // both checked by problem
	reason, _ := s.reason(callback)
	req := &abi.Request{
		Callback: callback, Reason: reason, TimeMS: or(c.Time, DefaultTime) + int64(i), Transport: abi.TransportWebSocket,
		SocketID: []byte(or(c.SocketID, DefaultSocket)), IDTopic: []byte(c.IDTopic),
		Event: []byte(s.Event), Source: []byte(s.Source),
		Params: s.Params, Headers: s.Headers,
	}
	if s.Longpoll {
		req.Transport = abi.TransportLongPoll
	}
	req.Seed[len(req.Seed)-1] = byte(i + 1)
	if c.Seed != "" {
		_, _ = hex.Decode(req.Seed[:], []byte(c.Seed)) // checked by problem
		req.Seed[len(req.Seed)-1] += byte(i)
	}
	switch callback {
	case abi.CallbackConnect:
		req.Params, req.Headers = orObject(s.Params), orObject(s.Headers)
		return req
	case abi.CallbackJoin, abi.CallbackHandleIn, abi.CallbackHandleInfo, abi.CallbackHandleOut:
		req.Payload, req.Binary = orObject(s.Payload), false
		if len(s.Bytes) > 0 {
			req.Payload, req.Binary = s.Bytes, true
		}
	}
	req.Topic, req.JoinRef = []byte(or(c.Topic, DefaultTopic)), []byte(or(s.JoinRef, `"1"`))
	if callback == abi.CallbackHandleIn || callback == abi.CallbackJoin {
		req.Ref = []byte(or(s.Ref, fmt.Sprintf("%q", fmt.Sprint(i+1))))
	}
	if s.Ref == noRef {
		req.Ref = nil
	}
	return req
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

func orObject(text json.RawMessage) []byte {
	if len(text) == 0 {
		return []byte("{}")
	}
	return text
}
