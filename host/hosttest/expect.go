package hosttest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Message is one received frame, its parts decoded from JSON (numbers as
// json.Number).
type Message struct {
	JoinRef, Ref, Topic, Event, Payload any

	Text string // as it came
}

// Receive returns the next frame, for tests that cannot say it in a golden one.
func (c *Client) Receive() Message {
	c.t.Helper()
	return c.receive("a frame")
}

func (c *Client) receive(want string) Message {
	c.t.Helper()
	text := c.text(want)
	v, err := decode(text)
	parts, ok := v.([]any)
	if c.v1 && err == nil {
		parts, err = partsV1(v)
		ok = true
	}
	if err != nil || !ok || len(parts) != 5 {
		c.fatalf("got %s, which is no frame of 5 elements, want %s", text, want)
	}
	return Message{JoinRef: parts[0], Ref: parts[1], Topic: parts[2], Event: parts[3], Payload: parts[4], Text: text}
}

// Expect expects the next frame to be golden.
func (c *Client) Expect(golden string) Message {
	c.t.Helper()
	m := c.receive(golden)
	if diff := c.compare(golden, m); diff != "" {
		c.fatalf("want %s\ngot  %s\n%s", golden, m.Text, diff)
	}
	return m
}

// ExpectAnyOrder expects the next frames to be goldens, in whatever order. It is
// for frames between which the protocol promises none.
func (c *Client) ExpectAnyOrder(goldens ...string) {
	c.t.Helper()
	left := slices.Clone(goldens)
	for len(left) > 0 {
		m := c.receive("one of\n" + strings.Join(left, "\n"))
		i := slices.IndexFunc(left, func(golden string) bool { return c.compare(golden, m) == "" })
		if i < 0 {
			c.fatalf("got %s, want one of\n%s", m.Text, strings.Join(left, "\n"))
		}
		left = slices.Delete(left, i, i+1)
	}
}

// compare returns "" and keeps the new bindings if m is golden, else where it
// differs.
func (c *Client) compare(golden string, m Message) string {
	c.t.Helper()
	want, err := decode(golden)
	if err != nil {
		c.fatalf("golden frame %s: %v", golden, err)
	}
	if parts, ok := want.([]any); ok && c.v1 && len(parts) == 5 {
		parts[0] = anything
	}
	match := matcher{bound: maps.Clone(c.bound)}
	got := []any{m.JoinRef, m.Ref, m.Topic, m.Event, m.Payload}
	if diff := match.diff("frame", want, got); diff != "" {
		return diff
	}
	c.bound = match.bound
	return ""
}

// Bound returns the value that the placeholder "<name>" stood for.
func (c *Client) Bound(name string) any {
	c.t.Helper()
	v, ok := c.bound[name]
	if !ok {
		c.fatalf("no frame has bound <%s>", name)
	}
	return v
}

// ExpectSilence expects that the server has nothing more to say about what it
// was sent: the reply of a heartbeat sent now is the next frame.
func (c *Client) ExpectSilence() {
	c.t.Helper()
	c.beat++
	ref := fmt.Sprintf("beat-%d", c.beat)
	c.SendJSON(nil, ref, "phoenix", "heartbeat", struct{}{})
	c.Expect(fmt.Sprintf(`[null,%q,"phoenix","phx_reply",{"status":"ok","response":{}}]`, ref))
}

// Join joins topic with payload, a JSON text ("" for {}), and expects the reply
// {"status":"ok","response":{}}. It returns the join_ref.
func (c *Client) Join(topic, payload string) string {
	c.t.Helper()
	joinRef, ref := c.SendJoin(topic, payload)
	c.expectOK(joinRef, ref, topic)
	return joinRef
}

// SendJoin sends the phx_join of Join and expects nothing.
func (c *Client) SendJoin(topic, payload string) (joinRef, ref string) {
	c.t.Helper()
	c.joinRef++
	joinRef = fmt.Sprint(c.joinRef)
	c.joins[topic] = joinRef
	return joinRef, c.Push(topic, "phx_join", payload)
}

// Push sends an event on a topic with the join_ref of its last join, null if it
// was not joined, and returns the ref. payload is a JSON text, "" for {}.
func (c *Client) Push(topic, event, payload string) (ref string) {
	c.t.Helper()
	c.ref++
	ref = fmt.Sprint(c.ref)
	var joinRef any
	if jr, ok := c.joins[topic]; ok {
		joinRef = jr
	}
	if payload == "" {
		payload = "{}"
	}
	c.SendJSON(joinRef, ref, topic, event, json.RawMessage(payload))
	return ref
}

// Leave sends phx_leave for topic and expects the reply, then phx_close.
func (c *Client) Leave(topic string) {
	c.t.Helper()
	joinRef := c.joins[topic]
	ref := c.Push(topic, "phx_leave", "")
	c.expectOK(joinRef, ref, topic)
	c.Expect(fmt.Sprintf(`[%q,%q,%q,"phx_close",{}]`, joinRef, joinRef, topic))
}

// expectOK expects the reply to a join or a leave.
func (c *Client) expectOK(joinRef, ref, topic string) {
	c.t.Helper()
	c.Expect(fmt.Sprintf(`[%q,%q,%q,"phx_reply",{"status":"ok","response":{}}]`, joinRef, ref, topic))
}
