package dev

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/aviary-host/aviary/cmd/aviary/play"
	"github.com/aviary-host/aviary/plugins/traps"
)

// Attributes of the log line of a failed callback, as host and plugins write it.
const (
	attrCode     = "code"
	attrCallback = "callback"
	attrEvent    = "event"
	attrMessage  = "err.message"
	attrError    = "err" // in place of the three of the group, where there is only a message
	attrStack    = "err.stack"
	attrRecord   = "err.trap"
	attrPayload  = "payload" // ours: from the record

	codeFailed = "CALLBACK_FAILED"
	codeDenied = "CAPABILITY_DENIED"
)

// maxShown is how much of a payload is shown, in bytes.
const maxShown = 2000

// explain says to the author what a callback failed with, and how to run it again. It adds
// the payload to the attributes, which a server does not log.
func (d *developer) explain(attrs map[string]any) {
	text := func(key string) string { s, _ := attrs[key].(string); return s }
	what := text(attrCallback)
	if event := text(attrEvent); event != "" {
		what += " " + event
	}
	payload := recordedPayload(text(attrRecord))
	if payload != "" {
		attrs[attrPayload] = payload
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s failed: %s\n", what, cmp.Or(text(attrMessage), text(attrError)))
	if payload != "" {
		fmt.Fprintf(&b, "    payload %s\n", payload)
	}
	for frame := range strings.SplitSeq(text(attrStack), "\n") {
		if frame != "" {
			fmt.Fprintf(&b, "    at %s\n", frame)
		}
	}
	if record := text(attrRecord); record != "" {
		if rel, err := filepath.Rel(d.cfg.Dir, record); err == nil {
			record = rel
		}
		fmt.Fprintf(&b, "    again, with this state: aviary replay %s", record)
	}
	_ = d.say("%s", strings.TrimSuffix(b.String(), "\n")) // what cannot be printed is on the page
}

// recordedPayload returns the payload in the record of a failure, "" if there is none.
func recordedPayload(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	record, err := traps.Decode(text)
	if err != nil {
		return ""
	}
	c, _, err := play.FromRecord(record)
	if err != nil {
		return ""
	}
	step := &c.Steps[0]
	var shown bytes.Buffer
	switch {
	case step.Bytes != nil:
		fmt.Fprintf(&shown, "<% x>", step.Bytes)
	case json.Compact(&shown, step.Payload) != nil:
		return ""
	}
	return shown.String()[:min(shown.Len(), maxShown)]
}
