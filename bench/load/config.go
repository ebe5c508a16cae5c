package load

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Kind is the sort of a workload; the package comment says what they do.
type Kind string

// The workloads.
const (
	Join      Kind = "join"
	Echo      Kind = "echo"
	Fanout    Kind = "fanout"
	Presence  Kind = "presence"
	Reconnect Kind = "reconnect"
)

// Drop is how the connections of Reconnect go.
type Drop string

// The ways to go: a reset, as when a client's machine is cut off by its firewall;
// an end of the stream, as when its process ends; a WebSocket close frame.
const (
	DropReset Drop = "rst"
	DropEnd   Drop = "fin"
	DropClose Drop = "close"
)

// ErrConfig is what is wrong with a Config.
var ErrConfig = errors.New("bad load")

// Limits of a Config.
const (
	maxConnections = 1_000_000
	maxChannels    = 10_000
	maxInFlight    = 10_000
	maxRate        = 100_000
)

// maxFromOne is how many connections an address has ports for, by the kernel's
// default net.ipv4.ip_local_port_range.
const maxFromOne = 28_000

// Config is one workload against one server. The zero value of all but URL,
// Kind, Connections and Window is a default.
type Config struct {
	URL         string            // as for phoenix.js, such as ws://127.0.0.1:4000/socket
	Params      map[string]string // of the socket, in the query
	PID         int               // of the server, for its CPU and memory; 0: not known
	Kind        Kind
	Connections int
	Channels    int     // of each connection, Join and Reconnect only; default 1
	InFlight    int     // pushes of each connection, or broadcasts of the topic; default 1
	Rate        float64 // broadcasts per second, Fanout only; 0: InFlight says how many

	// Topic has a * where the topics differ: the number of the connection in
	// Join, Echo and Reconnect, bench in the others. A prefix that ends with a
	// colon means the same with a * behind. Default room:*, of Presence presence:*.
	Topic string
	// JoinPayload is a JSON object, a * in which is the number of the connection.
	// Default {}, of Presence {"user":"u*"}.
	JoinPayload string

	Warmup time.Duration // load that is not measured, of Echo and Fanout
	Window time.Duration // measured; of Join: held; of Presence and Reconnect: at most
	Drain  time.Duration // at most, for what is in flight at the end; default 10 s
	Settle time.Duration // watching for frames that nothing asked for; default 50 ms
	AtOnce int           // connections being made at a time; default 256
	Drop   Drop          // of Reconnect; default DropReset

	// Progress is told in words how far it is, some times a second; nil: nobody.
	Progress func(text string)

	perSource int // connections of a source address
}

// withDefaults returns c with its defaults, or what is wrong with it.
func (c Config) withDefaults() (Config, error) {
	set(&c.Channels, 1)
	set(&c.InFlight, 1)
	set(&c.AtOnce, 256)
	set(&c.perSource, maxFromOne/3) // fewer than there are ports, which the kernel would search for long
	set(&c.Drop, DropReset)
	set(&c.Drain, 10*time.Second)
	set(&c.Settle, 50*time.Millisecond)
	topic, payload := "room:*", "{}"
	if c.Kind == Presence {
		topic, payload = "presence:*", `{"user":"u*"}`
	}
	set(&c.Topic, topic)
	set(&c.JoinPayload, payload)
	if strings.HasSuffix(c.Topic, ":") {
		c.Topic += "*"
	}
	if c.Progress == nil {
		c.Progress = func(string) {}
	}
	return c, c.check()
}

func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (c *Config) check() error {
	for _, n := range []struct {
		name        string
		value, most int
	}{
		{"connections", c.Connections, maxConnections},
		{"channels", c.Channels, maxChannels},
		{"in-flight", c.InFlight, maxInFlight},
		{"at-once", c.AtOnce, maxConnections},
	} {
		if n.value < 1 || n.value > n.most {
			return fmt.Errorf("%w: %s %d is not between 1 and %d", ErrConfig, n.name, n.value, n.most)
		}
	}
	if err := c.checkValues(); err != nil {
		return err
	}
	return c.checkFit()
}

// checkValues checks what has to be right by itself.
func (c *Config) checkValues() error {
	var object map[string]any
	switch {
	case !slices.Contains([]Kind{Join, Echo, Fanout, Presence, Reconnect}, c.Kind):
		return fmt.Errorf("%w: workload %q is none of join, echo, fanout, presence, reconnect", ErrConfig, c.Kind)
	case c.Window <= 0:
		return fmt.Errorf("%w: duration %s is not positive", ErrConfig, c.Window)
	case !(c.Rate >= 0 && c.Rate <= maxRate): // nor is NaN
		return fmt.Errorf("%w: rate %v is not between 0 and %d a second", ErrConfig, c.Rate, maxRate)
	case !slices.Contains([]Drop{DropReset, DropEnd, DropClose}, c.Drop):
		return fmt.Errorf("%w: drop %q is none of rst, fin, close", ErrConfig, c.Drop)
	case json.Unmarshal([]byte(c.joinPayload(0)), &object) != nil:
		return fmt.Errorf("%w: join payload %s is no JSON object", ErrConfig, c.JoinPayload)
	}
	return nil
}

// checkFit checks what has to go with something else.
func (c *Config) checkFit() error {
	switch {
	case c.Rate > 0 && c.Kind != Fanout:
		return fmt.Errorf("%w: rate %v goes with fanout, not with %s", ErrConfig, c.Rate, c.Kind)
	case c.Channels > 1 && c.Kind != Join && c.Kind != Reconnect:
		return fmt.Errorf("%w: channels %d go with join and reconnect, not with %s", ErrConfig, c.Channels, c.Kind)
	case c.Channels > 1 && !strings.Contains(c.Topic, "*"):
		return fmt.Errorf("%w: topic %q needs a * for %d channels of a connection", ErrConfig, c.Topic, c.Channels)
	}
	return nil
}

// topic returns what a connection joins as its channel number so much.
func (c *Config) topic(conn, channel int) string {
	name := "bench"
	switch {
	case c.Channels > 1:
		name = fmt.Sprintf("%04d-%d", conn, channel)
	case c.Kind != Fanout && c.Kind != Presence:
		name = fmt.Sprintf("%04d", conn)
	}
	return strings.ReplaceAll(c.Topic, "*", name)
}

func (c *Config) joinPayload(conn int) string {
	number := formatNumber(conn)
	return strings.ReplaceAll(c.JoinPayload, "*", string(number[:]))
}
