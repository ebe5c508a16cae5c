package main

import (
	"fmt"
	"time"
)

// kind is the sort of a workload.
type kind string

const (
	kindEcho   kind = "echo"
	kindFanout kind = "fanout"
)

// scenario is one workload; doc.go says what they do.
type scenario struct {
	Kind     kind `json:"kind"`
	Conns    int  `json:"connections"`
	InFlight int  `json:"in_flight"` // pushes of each connection, or broadcasts of the room
}

func (s scenario) String() string {
	if s.Kind == kindFanout {
		return fmt.Sprintf("fanout x%d k%d", s.Conns, s.InFlight)
	}
	return fmt.Sprintf("echo c%d k%d", s.Conns, s.InFlight)
}

func scenarios(quick bool) []scenario {
	all := []scenario{
		{kindEcho, 100, 1},
		{kindEcho, 100, 16},
		{kindEcho, 1000, 1},
		{kindEcho, 1000, 16},
		{kindFanout, 1000, 1},
		{kindFanout, 1000, 4},
		{kindFanout, 1000, 8},
		{kindFanout, 10_000, 1},
		{kindFanout, 10_000, 4},
		{kindFanout, 10_000, 8},
	}
	if quick {
		for i := range all {
			all[i].Conns /= 10
		}
	}
	return all
}

// timing is how long the phases of a run last.
type timing struct {
	warmup time.Duration // load that is not measured
	window time.Duration
	drain  time.Duration // at most, for what is in flight at the end of the window
	settle time.Duration // watching for frames that nothing asked for
}

// target is a running server.
type target struct {
	endpoint
	pid int // 0 when not known: no CPU and no memory then
}

// sample is what one run measured.
type sample struct {
	Sent      int64         `json:"sent"`       // pushes, warm-up and all
	Received  int64         `json:"received"`   // messages, warm-up and all
	Messages  int64         `json:"messages"`   // within the window
	Elapsed   time.Duration `json:"elapsed_ns"` // of the window
	P50       time.Duration `json:"p50_ns"`
	P99       time.Duration `json:"p99_ns"`
	ServerCPU time.Duration `json:"server_cpu_ns"` // within the window; 0 without a pid
	ClientCPU time.Duration `json:"client_cpu_ns"`
	ServerRSS int64         `json:"server_rss_bytes"` // at the end of the window
}

func (s sample) throughput() float64 { return float64(s.Messages) / s.Elapsed.Seconds() }

func (s sample) serverMicros() float64 { return perMessage(s.ServerCPU, s.Messages) }

func (s sample) clientMicros() float64 { return perMessage(s.ClientCPU, s.Messages) }

func perMessage(cpu time.Duration, messages int64) float64 {
	return float64(cpu.Nanoseconds()) / 1e3 / float64(messages)
}
