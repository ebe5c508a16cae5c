package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/aviary-host/aviary/cmd/aviary/talk"
)

type connectCmd struct {
	URL    string            `arg:"" help:"The server's socket, as for phoenix.js: ws://127.0.0.1:4000/socket."`
	Topic  string            `arg:"" help:"The topic to join."`
	Join   string            `short:"j" default:"{}" placeholder:"JSON" help:"Payload of the join."`
	Params map[string]string `placeholder:"NAME=VALUE" help:"Parameters of the socket."`
}

// Run speaks the channel: each line of the input is an event and its payload, what comes
// is printed. It leaves at the end of the input.
func (c *connectCmd) Run(ctx context.Context, out io.Writer) error {
	if !json.Valid([]byte(c.Join)) {
		return fmt.Errorf("--join %s is not JSON", c.Join)
	}
	return talk.Talk(ctx, talk.Config{
		URL: c.URL, Topic: c.Topic, Join: json.RawMessage(c.Join), Params: c.Params, In: os.Stdin, Out: out,
	})
}
