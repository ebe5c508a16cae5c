package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/aviary-host/aviary/bench/load"
)

type benchCmd struct {
	Workload string `arg:"" enum:"join,echo,fanout,presence,reconnect,mixed" help:"join, echo, fanout, presence, reconnect or mixed."`

	URL         string            `default:"ws://127.0.0.1:4000/socket" help:"The server's socket, as for phoenix.js."`
	Topic       string            `placeholder:"PATTERN" help:"What to join; a * is the number of the connection, or bench where all share a topic. Default: room:*, of presence presence:*."`
	Params      map[string]string `placeholder:"NAME=VALUE" help:"Parameters of the socket."`
	JoinPayload string            `placeholder:"JSON" help:"Payload of the join; a * is the number of the connection. Default: {}, of presence {\"user\":\"u*\"}."`
	Connections int               `short:"c" default:"100" help:"How many."`
	Channels    int               `default:"1" help:"Topics that a connection joins, of join and reconnect."`
	InFlight    int               `short:"k" default:"1" help:"Pushes of each connection in flight, or broadcasts of the topic."`
	Rate        float64           `help:"Broadcasts per second of fanout, in place of --in-flight, and of mixed (10); of presence: visitors per second, when all have joined."`
	Deaf        int               `help:"How many connections of fanout and mixed never read."`
	Duration    time.Duration     `short:"d" default:"10s" help:"Measured time; join: how long to hold the connections; presence, reconnect: at most."`
	Warmup      time.Duration     `default:"1s" help:"Load of echo, fanout and mixed that is not measured."`
	AtOnce      int               `default:"256" help:"Connections being made at a time."`
	Drop        string            `default:"rst" enum:"rst,fin,close" help:"How the connections of reconnect go: rst, fin or close."`
	PID         int               `name:"pid" help:"Process of the server, for its CPU and memory."`
	Info        string            `placeholder:"URL" help:"The server's counters, of mixed: /api/v1/info of Aviary's internal port."`
	Flat        float64           `placeholder:"PERCENT" help:"Mixed fails if the server's memory, files, threads or goroutines grow by more. Needs --pid."`
	JSON        bool              `name:"json" help:"Print JSON in place of a table."`
}

// Validate refuses what would measure nothing.
func (c *benchCmd) Validate() error {
	if c.Rate != 0 && c.Workload != string(load.Fanout) && c.Workload != string(load.Mixed) && c.Workload != string(load.Presence) {
		return fmt.Errorf("--rate %v goes with fanout, mixed and presence, not with %s", c.Rate, c.Workload)
	}
	if c.Warmup < 0 {
		return fmt.Errorf("--warmup %s is negative", c.Warmup)
	}
	return nil
}

// Run loads the server and prints what was measured.
func (c *benchCmd) Run(ctx context.Context, out io.Writer) error {
	r, err := load.Run(ctx, load.Config{
		URL: c.URL, Params: c.Params, PID: c.PID, Kind: load.Kind(c.Workload), Topic: c.Topic, JoinPayload: c.JoinPayload,
		Connections: c.Connections, Channels: c.Channels, InFlight: c.InFlight, Rate: c.Rate,
		Warmup: c.Warmup, Window: c.Duration, AtOnce: c.AtOnce, Drop: load.Drop(c.Drop),
		Deaf: c.Deaf, InfoURL: c.Info, Flat: c.Flat,
		Progress: load.ProgressOn(os.Stderr),
	})
	if err != nil {
		return fmt.Errorf("%s: %w", c.URL, err)
	}
	if !c.JSON {
		return r.Print(out)
	}
	text, err := json.MarshalIndent(struct {
		load.Result
		Warning string `json:"warning"`
	}{r, r.Warning()}, "", "  ")
	_, printErr := fmt.Fprintf(out, "%s\n", text)
	return errors.Join(err, printErr)
}
