package hosttest

import (
	"encoding/json"
	"fmt"
)

// frameV1 is a message of serializer 1.0.0.
type frameV1 struct {
	JoinRef json.RawMessage `json:"join_ref,omitempty"`
	Ref     json.RawMessage `json:"ref"`
	Topic   json.RawMessage `json:"topic"`
	Event   json.RawMessage `json:"event"`
	Payload json.RawMessage `json:"payload"`
}

// toV1 rewrites a frame of serializer 2.0.0; what is none stays as it is.
func toV1(text string) string {
	var parts []json.RawMessage
	if json.Unmarshal([]byte(text), &parts) != nil || len(parts) < 5 {
		return text
	}
	out, err := json.Marshal(frameV1{JoinRef: parts[0], Ref: parts[1], Topic: parts[2], Event: parts[3], Payload: parts[4]})
	if err != nil {
		return text
	}
	return string(out)
}

// anything matches every value in a golden frame.
const anything = "<any>"

// partsV1 returns the parts of a frame of serializer 1.0.0, which does not say
// the join_ref.
func partsV1(v any) ([]any, error) {
	object, ok := v.(map[string]any)
	if !ok || len(object) != 4 {
		return nil, fmt.Errorf("no object of 4 keys")
	}
	parts := []any{nil}
	for _, key := range []string{"ref", "topic", "event", "payload"} {
		part, ok := object[key]
		if !ok {
			return nil, fmt.Errorf("key %q is missing", key)
		}
		parts = append(parts, part)
	}
	return parts, nil
}
