package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/aviary-host/aviary/cmd/aviary/play"
)

// errCall tells that a callback failed, which has been printed.
var errCall = errors.New("the callback fails")

type callCmd struct {
	Callback string `arg:"" enum:"connect,join,handle_in,handle_info,handle_out,terminate,code_change" help:"connect, join, handle_in, handle_info, handle_out, terminate or code_change."`
	Payload  string `arg:"" optional:"" placeholder:"JSON" help:"The payload; of connect the parameters. Default: {}."`
	moduleFlags

	Topic  string `default:"room:lobby" help:"The channel's topic."`
	Event  string `short:"e" help:"The event, of handle_in, handle_info and handle_out."`
	Reason string `help:"Of handle_info: message, timer or broadcast; of terminate: left, closed and so on."`
	Source string `help:"Of handle_info: the timer's key, the broadcast's topic."`
	Join   string `placeholder:"JSON" help:"Join with this payload first; its state is the callback's."`
	State  string `placeholder:"JSON" help:"The channel's state."`
	JSON   bool   `name:"json" help:"Print JSON in place of text."`
}

// Run runs one callback of the module and prints what it answers.
func (c *callCmd) Run(ctx context.Context, out io.Writer) (err error) {
	parsed, err := c.parse()
	if err != nil {
		return err
	}
	builds := out
	if c.JSON {
		builds = io.Discard
	}
	file, cfg, err := c.find(ctx, builds)
	if err != nil {
		return err
	}
	parsed.Settings = cfg.Settings
	m, err := loadModule(ctx, file, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	played := m.Play(parsed)
	last := played[len(played)-1]
	if c.JSON {
		err = printJSON(out, map[string]any{"answer": last.Outcome.Answer, "error": problemOf(last.Outcome), "fuel": last.Outcome.Fuel, "logs": last.Outcome.Logs})
	} else {
		_, err = io.WriteString(out, last.Outcome.Describe(last.Step.Callback, m.Quota()))
	}
	if err == nil && last.Outcome.Err != nil {
		return fmt.Errorf("%s: %w", last.Step.Callback, errCall)
	}
	return err
}

func problemOf(o *play.Outcome) string {
	if o.Err == nil {
		return ""
	}
	return o.Err.Error()
}

// parse makes a case of the flags.
func (c *callCmd) parse() (*play.Case, error) {
	step := play.Step{Callback: c.Callback, Event: c.Event, Reason: c.Reason, Source: c.Source}
	for flag, text := range map[string]string{"payload": c.Payload, "--join": c.Join, "--state": c.State} {
		if text != "" && !json.Valid([]byte(text)) {
			return nil, fmt.Errorf("%s %s is not JSON", flag, text)
		}
	}
	if c.Callback == "connect" {
		step.Params = json.RawMessage(c.Payload)
	} else {
		step.Payload = json.RawMessage(c.Payload)
	}
	whole := play.Case{Topic: c.Topic, State: json.RawMessage(c.State), Steps: []play.Step{step}}
	if c.Join != "" {
		whole.Steps = []play.Step{{Callback: "join", Payload: json.RawMessage(c.Join)}, step}
	}
	text, err := whole.Encode()
	if err != nil {
		return nil, err
	}
	return play.ParseCase(text)
}
