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
	Mixed     Kind = "mixed"
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
	maxFlat        = 1000
	minMixed       = 10 // connections, so that there are some of each role

	defaultRate = 10  // of Mixed
	defaultFill = 265 // see deafen
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
	Channels    int // of each connection, Join and Reconnect only; default 1
	InFlight    int // pushes of each connection, or broadcasts of the topic; default 1
	Deaf        int // of the connections of Fanout and Mixed: so many join and then never read

	// Rate is how many broadcasts a second there are, of Fanout and Mixed; 0: InFlight says
	// how many, of Mixed: 10. Of Presence: visitors per second, after all have joined.
	Rate float64

	// Topic has a * where the topics differ: the number of the connection in
	// Join, Echo, Reconnect and what is its own in Mixed, bench in the others. A prefix that ends with a
	// colon means the same with a * behind. Default room:*, of Presence presence:*.
	Topic string
	// JoinPayload is a JSON object, a * in which is the number of the connection.
	// Default {}, of Presence {"user":"u*"}.
	JoinPayload string

	Warmup time.Duration // load that is not measured, of Echo, Fanout, Mixed and the visitors of Presence
	Window time.Duration // measured; of Join: held; of Presence and Reconnect: at most
	Drain  time.Duration // at most, for what is in flight at the end; default 10 s
	Settle time.Duration // watching for frames that nothing asked for; default 50 ms
	AtOnce int           // connections being made at a time; default 256
	Drop   Drop          // of Reconnect; default DropReset

	// InfoURL is where the server's counters are, of Mixed: a JSON object as GET
	// /api/v1/info of Aviary's internal port answers; "": not known.
	InfoURL string
	// Flat is how many percent more memory, files, threads and goroutines the server
	// may have at the end of Mixed than at its beginning; 0: that is not judged.
	Flat float64

	// Progress is told in words how far it is, some times a second; nil: nobody.
	Progress func(text string)

	perSource int           // connections of a source address
	stay      time.Duration // that one who roams stays in a room, about; a visitor at least, who stays away for up to three times as long
	fill      int           // echoes that fill a connection that never reads
}

// withDefaults returns c with its defaults, or what is wrong with it.
func (c Config) withDefaults() (Config, error) {
	set(&c.Channels, 1)
	set(&c.InFlight, 1)
	set(&c.AtOnce, 256)
	set(&c.perSource, maxFromOne/3) // fewer than there are ports, which the kernel would search for long
	set(&c.stay, time.Second)
	set(&c.fill, defaultFill)
	set(&c.Drop, DropReset)
	set(&c.Drain, 10*time.Second)
	set(&c.Settle, 50*time.Millisecond)
	if c.Kind == Mixed {
		set(&c.Rate, defaultRate)
	}
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
	return errors.Join(c.checkValues(), c.checkFit(), c.checkDeaf(), c.checkMixed())
}

// checkValues checks what has to be right by itself.
func (c *Config) checkValues() error {
	var object map[string]any
	switch {
	case !slices.Contains([]Kind{Join, Echo, Fanout, Presence, Reconnect, Mixed}, c.Kind):
		return fmt.Errorf("%w: workload %q is none of join, echo, fanout, presence, reconnect, mixed", ErrConfig, c.Kind)
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
	case c.Rate > 0 && c.Kind != Fanout && c.Kind != Mixed && c.Kind != Presence:
		return fmt.Errorf("%w: rate %v goes with fanout, mixed and presence, not with %s", ErrConfig, c.Rate, c.Kind)
	case c.Channels > 1 && c.Kind != Join && c.Kind != Reconnect:
		return fmt.Errorf("%w: channels %d go with join and reconnect, not with %s", ErrConfig, c.Channels, c.Kind)
	case c.Channels > 1 && !strings.Contains(c.Topic, "*"):
		return fmt.Errorf("%w: topic %q needs a * for %d channels of a connection", ErrConfig, c.Topic, c.Channels)
	}
	return nil
}

// checkDeaf checks how many do not read.
func (c *Config) checkDeaf() error {
	switch {
	case c.Deaf != 0 && c.Kind != Fanout && c.Kind != Mixed:
		return fmt.Errorf("%w: deaf %d goes with fanout and mixed, not with %s", ErrConfig, c.Deaf, c.Kind)
	case c.Deaf < 0 || c.Deaf > 0 && c.Deaf >= c.Connections:
		return fmt.Errorf("%w: deaf %d is not between 0 and one less than connections %d", ErrConfig, c.Deaf, c.Connections)
	}
	return nil
}

// checkMixed checks what is for Mixed only.
func (c *Config) checkMixed() error {
	switch {
	case !(c.Flat >= 0 && c.Flat <= maxFlat): // nor is NaN
		return fmt.Errorf("%w: flat %v is not between 0 and %d percent", ErrConfig, c.Flat, maxFlat)
	case c.Kind != Mixed && (c.Flat != 0 || c.InfoURL != ""):
		return fmt.Errorf("%w: flat and info go with mixed, not with %s", ErrConfig, c.Kind)
	case c.Kind != Mixed:
		return nil
	case c.Flat > 0 && c.PID == 0:
		return fmt.Errorf("%w: flat %v needs the pid of the server", ErrConfig, c.Flat)
	case c.Connections-c.Deaf < minMixed:
		return fmt.Errorf("%w: connections %d are less than %d and deaf %d, so that mixed has some of each role",
			ErrConfig, c.Connections, minMixed, c.Deaf)
	case !strings.Contains(c.Topic, "*"):
		return fmt.Errorf("%w: topic %q needs a * for the topics of mixed", ErrConfig, c.Topic)
	}
	return nil
}

// isDeaf tells whether a connection never reads what it gets after its join.
func (c *Config) isDeaf(conn int) bool { return conn >= c.Connections-c.Deaf }

// topic returns what a connection joins as its channel number so much.
func (c *Config) topic(conn, channel int) string {
	name := "bench"
	switch {
	case c.Channels > 1:
		name = fmt.Sprintf("%04d-%d", conn, channel)
	case c.Kind == Mixed && c.role(conn) != roleEcho:
	case c.Kind != Fanout && c.Kind != Presence:
		name = fmt.Sprintf("%04d", conn)
	}
	return strings.ReplaceAll(c.Topic, "*", name)
}

// ownTopic is one of Mixed that a connection has to itself.
func (c *Config) ownTopic(conn int) string {
	return strings.ReplaceAll(c.Topic, "*", fmt.Sprintf("%04d", conn))
}

func (c *Config) joinPayload(conn int) string {
	number := formatNumber(conn)
	return strings.ReplaceAll(c.JoinPayload, "*", string(number[:]))
}
