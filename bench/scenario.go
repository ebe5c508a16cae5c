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
	Deaf        int       `json:"deaf"`      // of the connections of a fan-out, those that never read
}

func (s scenario) String() string {
	switch s.Kind {
	case load.Echo:
		return fmt.Sprintf("echo c%d k%d", s.Connections, s.InFlight)
	case load.Fanout:
		name := fmt.Sprintf("fanout x%d k%d", s.Connections, s.InFlight)
		if s.Deaf > 0 {
			name += fmt.Sprintf(" deaf%d", s.Deaf)
		}
		return name
	}
	return fmt.Sprintf("%s c%d", s.Kind, s.Connections)
}

// reading is the scenario that differs from s in that all read.
func (s scenario) reading() scenario {
	s.Deaf = 0
	return s
}

func scenarios(quick bool) []scenario {
	all := []scenario{
		{load.Join, 10_000, 1, 0},
		{load.Echo, 100, 1, 0},
		{load.Echo, 100, 16, 0},
		{load.Echo, 1000, 1, 0},
		{load.Echo, 1000, 16, 0},
		{load.Fanout, 1000, 1, 0},
		{load.Fanout, 1000, 4, 0},
		{load.Fanout, 1000, 8, 0},
		{load.Fanout, 10_000, 1, 0},
		{load.Fanout, 10_000, 1, 1},
		{load.Fanout, 10_000, 4, 0},
		{load.Fanout, 10_000, 8, 0},
		{load.Fanout, 10_000, 8, 1},
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
	warmup := min(window, 500*time.Millisecond)
	if s.Deaf > 0 {
		warmup += min(window, time.Second) // until they are full
	}
	return load.Config{
		URL: to.url, PID: to.pid, Kind: s.Kind, Connections: s.Connections, InFlight: s.InFlight, Deaf: s.Deaf,
		Warmup: warmup, Window: window,
	}
}

// target is a running server.
type target struct {
	url string
	pid int // 0 when not known: no CPU and no memory then
}
