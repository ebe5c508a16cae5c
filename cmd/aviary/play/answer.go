package play

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/aviary-host/aviary/abi"
)

// Answer is what a callback has answered, in the words of abi/SPEC.md.
type Answer struct {
	Result  string          `json:"result,omitempty"`
	Status  string          `json:"status,omitempty"`  // of a reply; default: ok
	Event   string          `json:"event,omitempty"`   // of a push
	Number  uint32          `json:"number,omitempty"`  // of a refused connect, an HTTP status
	Reason  string          `json:"reason,omitempty"`  // of a stop
	Text    string          `json:"text,omitempty"`    // of a stop
	Payload json.RawMessage `json:"payload,omitempty"` // default: {}
	Bytes   []byte          `json:"bytes,omitempty"`   // in its place, in base64
	IDTopic string          `json:"id_topic,omitempty"`
	Effects []Effect        `json:"effects,omitempty"`

	State        json.RawMessage `json:"state,omitempty"`       // if it is JSON text, and given
	StateBytes   []byte          `json:"state_bytes,omitempty"` // if it is not, in base64
	StateVersion uint32          `json:"state_version,omitempty"`
}

// Effect is one effect of an answer.
type Effect struct {
	Kind    string          `json:"kind"`
	Topic   string          `json:"topic,omitempty"` // default: the channel's
	Event   string          `json:"event,omitempty"`
	Status  string          `json:"status,omitempty"` // of a reply; default: ok
	Key     string          `json:"key,omitempty"`
	Value   int64           `json:"value,omitempty"` // of send_after, in ms
	Payload json.RawMessage `json:"payload,omitempty"`
	Bytes   []byte          `json:"bytes,omitempty"`
	Text    string          `json:"text,omitempty"`   // of stop and log
	Reason  string          `json:"reason,omitempty"` // of stop
	Level   string          `json:"level,omitempty"`  // of log
	Local   bool            `json:"local,omitempty"`
	Off     bool            `json:"off,omitempty"`
}

// levels are those of log lines, by number.
func levels() []string { return []string{"debug", "info", "warn", "error"} }

// answerOf puts a response into words.
func answerOf(r *abi.Response) *Answer {
	a := &Answer{Result: r.Result.String(), IDTopic: string(r.IDTopic)}
	switch r.Result {
	case abi.ResultReply, abi.ResultReplyError:
		a.Status, a.Number = string(r.Event), r.Number
	case abi.ResultPush:
		a.Event = string(r.Event)
	case abi.ResultStop:
		a.Reason, a.Text = abi.Reason(r.Number).String(), text(r.Text)
	}
	if r.Result != abi.ResultStop && r.Result != abi.ResultNoReply && r.Result != abi.ResultPass {
		a.Payload, a.Bytes = payload(r.Payload, r.Binary)
	}
	for i := range r.Effects {
		a.Effects = append(a.Effects, effectOf(&r.Effects[i]))
	}
	if r.HasState {
		a.State, a.StateBytes = stateOf(r.State)
		a.StateVersion = r.StateVersion
	}
	return a
}

func effectOf(e *abi.Effect) Effect {
	out := Effect{Kind: e.Kind.String(), Topic: string(e.Topic), Event: string(e.Event), Key: text(e.Key), Local: e.Local, Off: e.Off}
	switch e.Kind {
	case abi.EffectReply:
		out.Event, out.Status = "", string(e.Event)
	case abi.EffectSendAfter:
		out.Value = e.Value
	case abi.EffectStop:
		out.Reason, out.Text = abi.Reason(e.Number).String(), text(e.Payload)
		return out
	case abi.EffectLog:
		out.Level, out.Text = levels()[e.Number], text(e.Payload)
		return out
	}
	out.Payload, out.Bytes = payload(e.Payload, e.Binary)
	return out
}

// payload splits a payload into JSON text, of which {} is left out, and bytes.
func payload(p []byte, binary bool) (json.RawMessage, []byte) {
	switch {
	case binary:
		return nil, append([]byte{}, p...)
	case len(p) == 0 || string(p) == "{}":
		return nil, nil
	}
	return append(json.RawMessage{}, p...), nil
}

func stateOf(s []byte) (json.RawMessage, []byte) {
	if len(s) > 0 && json.Valid(s) {
		return append(json.RawMessage{}, s...), nil
	}
	return nil, append([]byte{}, s...)
}

func text(b []byte) string { return strings.ToValidUTF8(string(b), "\uFFFD") }

// problem tells what is wrong with what is expected, "" if nothing is.
func (e *Expect) problem() string {
	known := func(name string, n int, nameOf func(int) string) bool {
		for i := range n {
			if nameOf(i) == name {
				return true
			}
		}
		return false
	}
	if e.Fails != "" {
		return ""
	}
	if !known(e.Result, int(abi.ResultPass)+1, func(i int) string { return abi.Result(i).String() }) {
		return fmt.Sprintf("expect: result %q is unknown", e.Result)
	}
	for i := range e.Effects {
		kind := e.Effects[i].Kind
		if !known(kind, int(abi.EffectIntercept)+1, func(i int) string { return abi.EffectKind(i).String() }) || kind == abi.EffectKind(0).String() {
			return fmt.Sprintf("expect: effects[%d]: kind %q is unknown", i, kind)
		}
	}
	return ""
}

// Lines tells what an answer does, a line for each thing, in the order in which it takes
// place; the result of a join comes first. The state is left out.
func (a *Answer) Lines(callback string) []string {
	lines := make([]string, 0, len(a.Effects)+1)
	for i := range a.Effects {
		lines = append(lines, a.Effects[i].line())
	}
	result := a.line()
	if callback == abi.CallbackJoin.String() {
		return append([]string{result}, lines...)
	}
	return append(lines, result)
}

func (a *Answer) line() string {
	w := words{a.Result}
	switch a.Result {
	case abi.ResultReply.String():
		w.add(true, or(a.Status, "ok"))
	case abi.ResultReplyError.String(), abi.ResultPush.String():
		w.add(a.Number != 0, fmt.Sprint(a.Number))
		w.add(a.Event != "", a.Event)
	case abi.ResultStop.String():
		w.add(true, a.Reason)
		w.add(a.Text != "", a.Text)
		return w.String()
	default:
		return w.String()
	}
	w.payload(a.Payload, a.Bytes, true)
	w.add(a.IDTopic != "", "id_topic="+a.IDTopic)
	return w.String()
}

func (e *Effect) line() string {
	w := words{e.Kind}
	w.add(e.Local, "local")
	w.add(e.Off, "off")
	w.add(e.Topic != "", "@"+e.Topic)
	w.add(e.Key != "", "key="+e.Key)
	w.add(e.Value != 0, fmt.Sprint(e.Value))
	w.add(e.Reason != "", e.Reason)
	w.add(e.Level != "", e.Level)
	isReply := e.Kind == abi.EffectReply.String()
	w.add(isReply, or(e.Status, "ok"))
	w.add(e.Event != "", e.Event)
	w.add(e.Text != "", e.Text)
	w.payload(e.Payload, e.Bytes, isReply || e.Event != "" && e.Kind != abi.EffectIntercept.String())
	return w.String()
}

// words are those of a line.
type words []string

func (w *words) add(given bool, word string) {
	if given {
		*w = append(*w, word)
	}
}

func (w *words) payload(p json.RawMessage, b []byte, sends bool) {
	switch {
	case b != nil:
		w.add(true, fmt.Sprintf("<% x>", b))
	case len(p) > 0:
		w.add(true, compact(p))
	default:
		w.add(sends, "{}")
	}
}

func (w *words) String() string { return strings.Join(*w, " ") }

// State is the state that an answer gives, as a line.
func (a *Answer) stateLine() string {
	switch {
	case len(a.State) > 0:
		return compact(a.State)
	case a.StateBytes != nil && utf8.Valid(a.StateBytes):
		return fmt.Sprintf("%q", a.StateBytes)
	}
	return fmt.Sprintf("<% x>", a.StateBytes)
}
