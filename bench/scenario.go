package main

import (
	"fmt"
	"time"

	"github.com/aviary-host/aviary/bench/load"
)

// scenario is one workload; the package load says what they do.
type scenario struct {
	Kind        load.Kind `json:"kind"`
	Connections int       `json:"connections"`
	InFlight    int       `json:"in_flight"` // pushes of each connection, or broadcasts of the room
}

func (s scenario) String() string {
	switch s.Kind {
	case load.Echo:
		return fmt.Sprintf("echo c%d k%d", s.Connections, s.InFlight)
	case load.Fanout:
		return fmt.Sprintf("fanout x%d k%d", s.Connections, s.InFlight)
	}
	return fmt.Sprintf("%s c%d", s.Kind, s.Connections)
}

func scenarios(quick bool) []scenario {
	all := []scenario{
		{load.Join, 10_000, 1},
		{load.Echo, 100, 1},
		{load.Echo, 100, 16},
		{load.Echo, 1000, 1},
		{load.Echo, 1000, 16},
		{load.Fanout, 1000, 1},
		{load.Fanout, 1000, 4},
		{load.Fanout, 1000, 8},
		{load.Fanout, 10_000, 1},
		{load.Fanout, 10_000, 4},
		{load.Fanout, 10_000, 8},
	}
	if quick {
		for i := range all {
			all[i].Connections /= 10
		}
	}
	return all
}

// load returns what the generator is to do with the server at url.
func (s scenario) load(to target, window time.Duration) load.Config {
	return load.Config{
		URL: to.url, PID: to.pid, Kind: s.Kind, Connections: s.Connections, InFlight: s.InFlight,
		Warmup: min(window, 500*time.Millisecond), Window: window,
	}
}

// target is a running server.
type target struct {
	url string
	pid int // 0 when not known: no CPU and no memory then
}
