package play

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/plugins"
	"github.com/aviary-host/aviary/plugins/traps"
)

// Limits returns the limits under which a recorded callback ran.
func Limits(r *traps.Record) plugins.Config {
	l := &r.Limits
	return plugins.Config{
		Name: r.Plugin, Fuel: l.Fuel, FuelSlice: l.FuelSlice, Deadline: time.Duration(l.DeadlineNS), Stack: l.Stack,
		MemoryPages: uint32(l.Memory / pageSize),
		Limits:      abi.Limits{Response: l.Response, State: l.State, Effects: l.Effects, Output: l.Output},
	}
}

const pageSize = 64 << 10 // of memory, in bytes

// FromRecord makes a case of the record of a failed callback: the same request with the
// same state, time and seed, that is not to fail. The error wraps ErrCase where the record
// lacks what users have sent.
func FromRecord(r *traps.Record) (*Case, *abi.Request, error) {
	if !r.Replayable {
		return nil, nil, fmt.Errorf("%w: it cannot be run again: %s", ErrCase, r.Why)
	}
	req := &abi.Request{}
	if err := abi.DecodeRequest(r.Request, req); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrCase, err)
	}
	c := &Case{
		About: fmt.Sprintf("failed on %s: %s: %s", r.Time.Format(time.DateOnly), r.Kind, r.Message),
		Topic: string(req.Topic), SocketID: string(req.SocketID), IDTopic: string(req.IDTopic),
		Time: req.TimeMS, Seed: hex.EncodeToString(req.Seed[:]), Settings: req.Config, StateVersion: req.StateVersion,
	}
	if len(req.State) > 0 {
		c.State, c.StateBytes = stateOf(req.State)
	}
	s := Step{
		Callback: req.Callback.String(), Event: string(req.Event), Source: string(req.Source), Params: req.Params, Headers: req.Headers,
		JoinRef: string(req.JoinRef), Ref: or(string(req.Ref), noRef), Longpoll: req.Transport == abi.TransportLongPoll,
	}
	switch req.Callback {
	case abi.CallbackHandleInfo:
		s.Reason = infoKinds()[(max(req.Reason, 1)-1)%3]
	case abi.CallbackTerminate:
		s.Reason = abi.Reason(req.Reason).String()
	}
	if req.Binary {
		s.Bytes = req.Payload
	} else if len(req.Payload) > 0 {
		s.Payload = json.RawMessage(req.Payload)
	}
	c.Steps = []Step{s}
	return c, req, nil
}

// Encode returns the file of a case.
func (c *Case) Encode() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(c); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCase, err)
	}
	return b.Bytes(), nil
}
