//go:build linux

package load

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

func TestConfigRefuses(t *testing.T) {
	good := Config{Kind: Join, Connections: 1, Window: time.Second}
	if _, err := good.withDefaults(); err != nil {
		t.Fatal(err)
	}
	for want, spoil := range map[string]func(*Config){
		"connections 0 is not between 1 and 1000000":                  func(c *Config) { c.Connections = 0 },
		"channels -1 is not between 1 and 10000":                      func(c *Config) { c.Channels = -1 },
		"in-flight 10001 is not between 1 and 10000":                  func(c *Config) { c.InFlight = 10_001 },
		"at-once -1 is not between 1 and 1000000":                     func(c *Config) { c.AtOnce = -1 },
		`workload "x" is none of join, echo, fanout`:                  func(c *Config) { c.Kind = "x" },
		"duration 0s is not positive":                                 func(c *Config) { c.Window = 0 },
		"rate NaN is not between 0 and 100000 a second":               func(c *Config) { c.Rate = math.NaN() },
		"rate -1 is not between 0 and 100000 a second":                func(c *Config) { c.Rate = -1 },
		"rate 5 goes with fanout, mixed and presence, not with join":  func(c *Config) { c.Rate = 5 },
		"channels 2 go with join and reconnect, not with echo":        func(c *Config) { c.Channels, c.Kind = 2, Echo },
		`topic "room:lobby" needs a * for 2 channels of a connection`: func(c *Config) { c.Channels, c.Topic = 2, "room:lobby" },
		"deaf 1 goes with fanout and mixed, not with join":            func(c *Config) { c.Deaf = 1 },
		"deaf 1 is not between 0 and one less than connections 1":     func(c *Config) { c.Kind, c.Deaf = Fanout, 1 },
		"deaf -1 is not between 0 and one":                            func(c *Config) { c.Kind, c.Deaf = Fanout, -1 },
		"flat NaN is not between 0 and 1000 percent":                  func(c *Config) { c.Kind, c.Flat = Mixed, math.NaN() },
		"flat and info go with mixed, not with join":                  func(c *Config) { c.Flat = 5 },
		"flat 5 needs the pid of the server":                          func(c *Config) { c.Kind, c.Connections, c.Flat = Mixed, 10, 5 },
		"connections 11 are less than 10 and deaf 2":                  func(c *Config) { c.Kind, c.Connections, c.Deaf = Mixed, 11, 2 },
		`topic "room:lobby" needs a * for the topics of mixed`:        func(c *Config) { c.Kind, c.Connections, c.Topic = Mixed, 10, "room:lobby" },
		`drop "gently" is none of rst, fin, close`:                    func(c *Config) { c.Drop = "gently" },
		"join payload {* is no JSON object":                           func(c *Config) { c.JoinPayload = "{*" },
		`url "http://x" is not like ws://127.0.0.1:4000/socket`:       func(c *Config) { c.URL = "http://x" },
		`pid -3 is not that of a server`:                              func(c *Config) { c.URL, c.PID = "ws://127.0.0.1:1/s", -3 },
	} {
		cfg := good
		spoil(&cfg)
		_, err := Run(t.Context(), cfg)
		if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestFileLimitIsNamed(t *testing.T) {
	err := RaiseFileLimit(1 << 40)
	if err == nil || !strings.Contains(err.Error(), "1099511627776 connections need a limit of open files of 1099511627840 and it is") {
		t.Error(err)
	}
	if err := RaiseFileLimit(1); err != nil {
		t.Error(err)
	}
}

func TestTopics(t *testing.T) {
	for _, tt := range []struct {
		cfg  Config
		want string
	}{
		{Config{Kind: Echo}, "room:0007"},
		{Config{Kind: Join, Channels: 3}, "room:0007-2"},
		{Config{Kind: Reconnect, Topic: "a:*:b"}, "a:0007:b"},
		{Config{Kind: Fanout}, "room:bench"},
		{Config{Kind: Fanout, Topic: "room:lobby"}, "room:lobby"},
		{Config{Kind: Presence}, "presence:bench"},
		{Config{Kind: Echo, Topic: "user:"}, "user:0007"},
		{Config{Kind: Mixed}, "room:0007"},
	} {
		tt.cfg.Connections, tt.cfg.Window = 10, time.Second
		cfg, err := tt.cfg.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		if got := cfg.topic(7, 2); got != tt.want {
			t.Errorf("%s %s: %s, want %s", cfg.Kind, cfg.Topic, got, tt.want)
		}
	}
	cfg, err := Config{Kind: Presence, Connections: 1, Window: 1}.withDefaults()
	if err != nil || cfg.joinPayload(12) != `{"user":"u00000012"}` {
		t.Errorf("%s, %v", cfg.joinPayload(12), err)
	}
}

// TestPrint is the golden of the tables.
func TestPrint(t *testing.T) {
	ms := time.Millisecond
	p := Percentiles{ms, 2 * ms, 3 * ms, 4 * ms}
	base := Result{Connections: 100, Channels: 1, InFlight: 4, Messages: 1000, Elapsed: time.Second, Latency: p, ClientCPU: 100 * ms}
	for _, tt := range []struct {
		name string
		set  func(*Result)
		want string
	}{
		{"fanout", func(r *Result) { r.Kind, r.Last, r.ClientCPU = Fanout, p, 950*ms }, `
workload       fanout, 100 connections
deliveries     1000 in 1s, 1000/s
in flight      4
latency        p50 1.00 ms, p90 2.00 ms, p99 3.00 ms, max 4.00 ms
last delivery  p50 1.00 ms, p90 2.00 ms, p99 3.00 ms, max 4.00 ms
client CPU     950.00 us/message, 95 % of a core

warning: the load generator was 95 % busy, of the one core that it uses: it was the limit, and latencies and rates are its own
`},
		{"join", func(r *Result) {
			r.Kind, r.Channels, r.ServerCPU, r.ServerRSS, r.ServerGrowth = Join, 10, 50*ms, 3<<20, 100<<10
			r.Hold, r.HoldCPU = time.Second, 10*ms
		}, `
workload            join, 100 connections
joined              1000 in 1s, 1000/s
channels            10 a connection
latency             p50 1.00 ms, p90 2.00 ms, p99 3.00 ms, max 4.00 ms
server CPU          50.00 us/message, 5 % of a core
server RSS          3.0 MiB
RSS per connection  1.00 KiB
idle CPU            1.00 % of a core, over 1s
client CPU          100.00 us/message, 10 % of a core
`},
		{"presence", func(r *Result) { r.Kind, r.Bytes, r.Entries = Presence, 2_500_000, 10_000 }, `
workload           presence, 100 connections
presence messages  1000 in 1s, 1000/s
received           2.5 MB, 10000 presences named
latency            p50 1.00 ms, p90 2.00 ms, p99 3.00 ms, max 4.00 ms
client CPU         100.00 us/message, 10 % of a core
`},
		{"mixed", func(r *Result) {
			r.Kind, r.Rate, r.Deaf, r.CutOff, r.ServerCPU, r.ServerRSS = Mixed, 50, 1, 2, 50*ms, 3<<20
			r.Soak = &Soak{
				Broadcasts: 50, Deliveries: 700, Echoes: 300, Joins: 120, Leaves: 15, Dropped: 5, CutOff: 2, Missed: 40, Lost: 30, Delivery: p, Join: p,
				Server:  &Counters{FramesIn: 600, Deliveries: 730, SlowClients: 2},
				Figures: []Figure{{Name: "RSS", First: 20 << 20, Last: 21 << 20}, {Name: "files", First: 100, Last: 99}},
			}
		}, `
workload       mixed, 100 connections
messages       1000 in 1s, 1000/s
asked for      50 broadcasts/s; 1 do not read, 2 cut off in all
latency        p50 1.00 ms, p90 2.00 ms, p99 3.00 ms, max 4.00 ms
echoes         300
broadcasts     50, delivered 700 times: p50 1.00 ms, p90 2.00 ms, p99 3.00 ms, max 4.00 ms
joins          120, and 15 leaves; to connect and join: p50 1.00 ms, p90 2.00 ms, p99 3.00 ms, max 4.00 ms
ended          5 dropped, 2 cut off as they did not read; they missed 40 deliveries at most
server counts  600 messages in, 730 deliveries of which 30 were lost with their connection, 2 slow clients
RSS            20.0 to 21.0 MiB, +5.0 %
files          100 to 99, -1.0 %
server CPU     50.00 us/message, 5 % of a core
server RSS     3.0 MiB
client CPU     100.00 us/message, 10 % of a core
`},
	} {
		r := base
		tt.set(&r)
		var got bytes.Buffer
		if err := r.Print(&got); err != nil {
			t.Fatal(err)
		}
		if "\n"+got.String() != tt.want {
			t.Errorf("%s: got\n%s\nwant%s", tt.name, &got, tt.want)
		}
	}
}
