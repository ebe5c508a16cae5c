package main

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/aviary-host/aviary/host/hosttest"
)

// testBench is a client with one joined topic, whose join_ref is 11.
type testBench struct {
	t     *testing.T
	c     *hosttest.Client
	topic string
}

func (b *testBench) push(event, payload string) {
	b.t.Helper()
	b.c.Push(b.topic, event, payload)
}

func (b *testBench) reply(ref, status, response string) {
	b.t.Helper()
	b.c.Expect(reply("11", ref, b.topic, status, response))
}

// reply is the golden frame of a phx_reply.
func reply(joinRef, ref, topic, status, response string) string {
	return fmt.Sprintf(`[%q,%q,%q,"phx_reply",{"status":%q,"response":%s}]`, joinRef, ref, topic, status, response)
}

func (b *testBench) expectClose() {
	b.t.Helper()
	b.c.Expect(fmt.Sprintf(`["11","11",%q,"phx_close",{}]`, b.topic))
}

func (b *testBench) expectError() {
	b.t.Helper()
	b.c.Expect(fmt.Sprintf(`["11","11",%q,"phx_error",{"reason":"channel_crash"}]`, b.topic))
}

// unmatched pushes with a ref and expects that the topic is not joined.
func (b *testBench) unmatched(ref string) {
	b.t.Helper()
	b.c.SendJSON("11", ref, b.topic, "echo", struct{}{})
	b.c.Expect(fmt.Sprintf(`[null,%q,%q,"phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}]`, ref, b.topic))
}

func (b *testBench) silence() {
	b.t.Helper()
	b.c.ExpectSilence()
}

// number returns the integer at key of a payload.
func number(t *testing.T, payload any, key string) int {
	t.Helper()
	object, _ := payload.(map[string]any)
	text, _ := object[key].(json.Number)
	n, err := text.Int64()
	if err != nil {
		t.Fatalf("payload %v has no integer %q", payload, key)
	}
	return int(n)
}
