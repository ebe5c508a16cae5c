package load

import (
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"
)

// Percentiles are of durations; of each the middle of its bucket.
type Percentiles struct {
	P50 time.Duration `json:"p50_ns"`
	P90 time.Duration `json:"p90_ns"`
	P99 time.Duration `json:"p99_ns"`
	Max time.Duration `json:"max_ns"`
}

// Result is what one run measured. What a workload does not have, and what is not
// known without a pid, is 0.
type Result struct {
	Kind        Kind    `json:"workload"`
	Connections int     `json:"connections"`
	Channels    int     `json:"channels"` // of each connection
	InFlight    int     `json:"in_flight"`
	Rate        float64 `json:"rate"` // asked for, broadcasts per second
	Deaf        int     `json:"deaf"` // of the connections, those that do not read

	Sent     int64         `json:"sent"`       // pushes, or joins, warm-up and all
	Received int64         `json:"received"`   // messages, warm-up and all
	Messages int64         `json:"messages"`   // within the window: replies, deliveries, joins, presence messages
	Elapsed  time.Duration `json:"elapsed_ns"` // of the window
	Latency  Percentiles   `json:"latency"`    // of the messages; of Join and Reconnect: from connect(2) to the last join's reply
	Last     Percentiles   `json:"last"`       // Fanout, Presence with a rate: until the last member had a broadcast
	CutOff   int64         `json:"cut_off"`    // Fanout and Mixed: connections ended by the server, as they did not read

	ServerCPU    time.Duration `json:"server_cpu_ns"` // within the window
	ClientCPU    time.Duration `json:"client_cpu_ns"`
	ServerRSS    int64         `json:"server_rss_bytes"`        // at the end of the window
	ServerGrowth int64         `json:"server_rss_growth_bytes"` // since before the first connection; Join and Reconnect
	HoldCPU      time.Duration `json:"hold_cpu_ns"`             // Join: of the server, while nothing but heartbeats went on
	Hold         time.Duration `json:"hold_ns"`
	Bytes        int64         `json:"received_bytes"` // Presence: WebSocket payloads
	Entries      int64         `json:"entries"`        // Presence: presences named by all messages
	Soak         *Soak         `json:"soak,omitempty"` // Mixed
}

// Throughput is messages per second.
func (r *Result) Throughput() float64 { return float64(r.Messages) / r.Elapsed.Seconds() }

// ServerMicros is the server's CPU per message in microseconds.
func (r *Result) ServerMicros() float64 { return perMessage(r.ServerCPU, r.Messages) }

// ClientMicros is the client's CPU per message in microseconds.
func (r *Result) ClientMicros() float64 { return perMessage(r.ClientCPU, r.Messages) }

// Busy is the share of one core that the generator took.
func (r *Result) Busy() float64 { return r.ClientCPU.Seconds() / r.Elapsed.Seconds() }

// Warning says that the generator was the limit, and is empty if it was not.
func (r *Result) Warning() string {
	const most = 0.9
	if r.Busy() <= most {
		return ""
	}
	return fmt.Sprintf("the load generator was %.0f %% busy, of the one core that it uses: it was the limit, and latencies and rates are its own", 100*r.Busy())
}

func perMessage(cpu time.Duration, messages int64) float64 {
	return float64(cpu.Nanoseconds()) / 1e3 / float64(messages)
}

// Print writes r as a table.
func (r *Result) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, line := range r.lines() {
		if _, err := fmt.Fprintf(t, "%s\t%s\n", line[0], line[1]); err != nil {
			return err
		}
	}
	err := t.Flush()
	if text := r.Warning(); text != "" {
		_, warnErr := fmt.Fprintf(w, "\nwarning: %s\n", text)
		err = errors.Join(err, warnErr)
	}
	return err
}

func (r *Result) lines() [][2]string {
	what := map[Kind]string{Join: "joined", Echo: "replies", Fanout: "deliveries", Presence: "presence messages", Reconnect: "joined again", Mixed: "messages"}[r.Kind]
	lines := [][2]string{
		{"workload", fmt.Sprintf("%s, %d connections", r.Kind, r.Connections)},
		{what, fmt.Sprintf("%d in %s, %.0f/s", r.Messages, r.Elapsed.Round(time.Millisecond), r.Throughput())},
	}
	add := func(name, format string, v ...any) { lines = append(lines, [2]string{name, fmt.Sprintf(format, v...)}) }
	switch {
	case r.Rate > 0 && r.Deaf > 0:
		add("asked for", "%g broadcasts/s; %d do not read, %d cut off in all", r.Rate, r.Deaf, r.CutOff)
	case r.Kind == Presence && r.Rate > 0:
		add("asked for", "%g joins and %g leaves/s", r.Rate, r.Rate)
		add("received", "%.1f MB", float64(r.Bytes)/1e6)
	case r.Rate > 0:
		add("asked for", "%g broadcasts/s", r.Rate)
	case r.Deaf > 0:
		add("in flight", "%d; %d do not read, %d cut off in all", r.InFlight, r.Deaf, r.CutOff)
	case r.Kind == Echo || r.Kind == Fanout:
		add("in flight", "%d", r.InFlight)
	case r.Channels > 1:
		add("channels", "%d a connection", r.Channels)
	case r.Kind == Presence:
		add("received", "%.1f MB, %d presences named", float64(r.Bytes)/1e6, r.Entries)
	}
	add("latency", "%s", r.Latency)
	if r.Kind == Fanout || r.Kind == Presence && r.Rate > 0 {
		add("last delivery", "%s", r.Last)
	}
	if r.Soak != nil {
		lines = r.soakLines(lines)
	}
	if r.ServerRSS > 0 {
		lines = r.serverLines(lines)
	}
	add("client CPU", "%.2f us/message, %.0f %% of a core", r.ClientMicros(), 100*r.Busy())
	return lines
}

// serverLines appends what is known with a pid.
func (r *Result) serverLines(lines [][2]string) [][2]string {
	add := func(name, format string, v ...any) { lines = append(lines, [2]string{name, fmt.Sprintf(format, v...)}) }
	add("server CPU", "%.2f us/message, %.0f %% of a core", r.ServerMicros(), 100*r.ServerCPU.Seconds()/r.Elapsed.Seconds())
	add("server RSS", "%.1f MiB", float64(r.ServerRSS)/(1<<20))
	if r.Kind == Join {
		add("RSS per connection", "%.2f KiB", float64(r.ServerGrowth)/1024/float64(r.Connections))
		add("idle CPU", "%.2f %% of a core, over %s", 100*r.HoldCPU.Seconds()/r.Hold.Seconds(), r.Hold.Round(time.Millisecond))
	}
	return lines
}

// String has all of them in milliseconds.
func (p Percentiles) String() string {
	ms := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }
	return fmt.Sprintf("p50 %.2f ms, p90 %.2f ms, p99 %.2f ms, max %.2f ms", ms(p.P50), ms(p.P90), ms(p.P99), ms(p.Max))
}

// ProgressOn returns what shows progress on f: one line, rewritten, if f is a
// terminal, and nothing otherwise.
func ProgressOn(f *os.File) func(text string) {
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return func(string) {}
	}
	return func(text string) {
		_, _ = fmt.Fprintf(f, "\r%-72s\r", text) // only a courtesy
	}
}
