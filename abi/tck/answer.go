package tck

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/aviary-host/aviary/abi"
)

// maxName is the longest topic, event, status or key, in bytes (section 8).
const maxName = 255

// CheckAnswer holds a decoded answer to what [abi.Response.Check] leaves out, the contents:
// payloads that are JSON, objects where they have to be, names that are not too long.
func CheckAnswer(resp *abi.Response) []Finding {
	var found []Finding
	add := func(section, where, problem string) {
		if problem != "" {
			found = append(found, Finding{Section: section, Where: where, Problem: problem})
		}
	}
	switch resp.Result {
	case abi.ResultPush:
		add("8", "push", nameProblem("event", resp.Event))
		add("5.2", "push", payloadProblem(resp.Payload, resp.Binary, true))
	case abi.ResultReply, abi.ResultReplyError:
		add("8", resp.Result.String(), nameProblem("status", resp.Event))
		add("4.1", resp.Result.String(), payloadProblem(resp.Payload, resp.Binary, false))
	}
	for i := range resp.Effects {
		e := &resp.Effects[i]
		where := fmt.Sprintf("effects[%d] %s", i, e.Kind)
		add("8", where, nameProblem("topic", e.Topic))
		add("8", where, nameProblem("event", e.Event))
		if e.Kind == abi.EffectPresenceTrack || e.Kind == abi.EffectPresenceUpdate {
			add("8", where, nameProblem("key", e.Key))
		}
		add("5.2", where, effectProblem(e))
	}
	return found
}

func effectProblem(e *abi.Effect) string {
	switch e.Kind {
	case abi.EffectPush, abi.EffectBroadcast, abi.EffectBroadcastFrom, abi.EffectGroupBroadcast:
		return payloadProblem(e.Payload, e.Binary, true)
	case abi.EffectPresenceTrack, abi.EffectPresenceUpdate:
		if e.Binary {
			return "the meta is bytes, it has to be a JSON object"
		}
		return payloadProblem(e.Payload, false, true)
	case abi.EffectReply, abi.EffectSendInfo, abi.EffectSendAfter:
		return payloadProblem(e.Payload, e.Binary, false)
	}
	return ""
}

// payloadProblem tells what is wrong with a payload, "" if nothing is.
func payloadProblem(p []byte, binary, object bool) string {
	switch {
	case binary || len(p) == 0:
		return ""
	case !json.Valid(p) || !utf8.Valid(p):
		return "the payload is not JSON: " + short(p)
	case object && bytes.TrimLeft(p, " \t\r\n")[0] != '{':
		return "the payload is neither a JSON object nor bytes: " + short(p)
	}
	return ""
}

func nameProblem(what string, name []byte) string {
	switch {
	case len(name) > maxName:
		return fmt.Sprintf("the %s has %d bytes, at most %d", what, len(name), maxName)
	case !utf8.Valid(name):
		return "the " + what + " is not UTF-8"
	}
	return ""
}

// short is the beginning of a text of the module's, fit for a line.
func short(p []byte) string { return fmt.Sprintf("%.60q", p) }
