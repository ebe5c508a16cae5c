package aviarytest

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aviary-host/aviary/abi"
)

// Response is what a callback answered.
type Response struct {
	abi.Response
	callback abi.Callback
}

// Sent returns the payload of the first effect of that kind and event, and whether
// there is one.
func (r *Response) Sent(kind abi.EffectKind, event string) (payload string, ok bool) {
	for i := range r.Effects {
		if e := &r.Effects[i]; e.Kind == kind && string(e.Event) == event {
			return payloadText(e.Payload, e.Binary), true
		}
	}
	return "", false
}

// Stops tells whether the channel ends with this callback.
func (r *Response) Stops() bool {
	for i := range r.Effects {
		if r.Effects[i].Kind == abi.EffectStop {
			return true
		}
	}
	return r.Result == abi.ResultStop
}

// String tells what the callback does, a line for each thing, in the order in
// which it takes place. A line is the name of the effect or result in
// abi/SPEC.md, then those of its fields that are given: @topic, key=, the number,
// event, payload (bytes in hex between angle brackets).
//
//	reply ok {"id":"7"}
//	broadcast @room:2 new_msg {"text":"hi"}
//	send_after key=tick 50 tick {}
//
// A result of no_reply is left out, and so is the state.
func (r *Response) String() string {
	lines := make([]string, 0, len(r.Effects)+1)
	for i := range r.Effects {
		lines = append(lines, effectLine(&r.Effects[i]))
	}
	result := r.resultLine()
	switch {
	case result == "":
	case r.callback == abi.CallbackJoin:
		lines = append([]string{result}, lines...)
	default:
		lines = append(lines, result)
	}
	return strings.Join(lines, "\n")
}

func (r *Response) resultLine() string {
	line := r.Result.String()
	payload := " " + payloadText(r.Payload, r.Binary)
	switch r.Result {
	case abi.ResultNoReply:
		return ""
	case abi.ResultStop:
		return strings.TrimSpace(line + " " + abi.Reason(r.Number).String() + " " + string(r.Text))
	case abi.ResultReply:
		return line + " " + status(r.Event) + payload
	case abi.ResultReplyError:
		if r.callback == abi.CallbackConnect {
			line = fmt.Sprint(line, " ", r.Number)
		}
		return line + payload
	case abi.ResultPush:
		return line + " " + string(r.Event) + payload
	}
	return line
}

func status(event []byte) string {
	if len(event) == 0 {
		return "ok"
	}
	return string(event)
}

func effectLine(e *abi.Effect) string {
	var b strings.Builder
	b.WriteString(e.Kind.String())
	add := func(given bool, format string, value any) {
		if given {
			fmt.Fprintf(&b, " "+format, value)
		}
	}
	add(e.Local, "%s", "local")
	add(e.Off, "%s", "off")
	add(len(e.Topic) > 0, "@%s", e.Topic)
	add(len(e.Key) > 0, "key=%s", e.Key)
	add(e.Kind == abi.EffectSendAfter, "%d", e.Value)
	add(e.Kind == abi.EffectStop, "%s", abi.Reason(e.Number))
	add(e.Kind == abi.EffectLog, "%d", e.Number)
	add(e.Kind == abi.EffectReply, "%s", status(e.Event))
	add(e.Kind != abi.EffectReply && len(e.Event) > 0, "%s", e.Event)
	sends := e.Kind == abi.EffectReply || len(e.Event) > 0 && e.Kind != abi.EffectIntercept
	add(sends || len(e.Payload) > 0, "%s", payloadText(e.Payload, e.Binary))
	return b.String()
}

func payloadText(p []byte, binary bool) string {
	switch {
	case binary:
		return fmt.Sprintf("<% x>", p)
	case len(p) == 0:
		return "{}"
	}
	return string(p)
}

// check refuses what the host would, in the guest's words.
func (r *Response) check() error {
	if err := r.Check(r.callback); err != nil {
		return err
	}
	sends := r.Result == abi.ResultPush
	if err := checkPayload(r.Result.String(), r.Payload, r.Binary, sends); err != nil {
		return err
	}
	for i := range r.Effects {
		e := &r.Effects[i]
		if e.Kind == abi.EffectLog || e.Kind == abi.EffectStop {
			continue // text
		}
		if err := checkPayload(effectLine(e), e.Payload, e.Binary, needsObject(e.Kind)); err != nil {
			return err
		}
	}
	return nil
}

// needsObject tells which effects carry an object or bytes (SPEC.md section 5.2).
func needsObject(kind abi.EffectKind) bool {
	switch kind {
	case abi.EffectPush, abi.EffectBroadcast, abi.EffectBroadcastFrom, abi.EffectGroupBroadcast,
		abi.EffectPresenceTrack, abi.EffectPresenceUpdate:
		return true
	}
	return false
}

func checkPayload(of string, p []byte, binary, object bool) error {
	switch {
	case binary || len(p) == 0:
		return nil
	case !json.Valid(p):
		return fmt.Errorf("%s: the payload is not JSON", of)
	case object && p[0] != '{':
		return fmt.Errorf("%s: the payload is neither an object nor bytes", of)
	}
	return nil
}
