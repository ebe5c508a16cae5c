package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/aviary-host/aviary/bench/load"
)

// column is one of a table in the Markdown report.
type column struct {
	title string
	value func(*row) string
}

// section is the scenarios of one kind. Its text says what a message is.
type section struct {
	kind        load.Kind
	title, text string
	columns     []column
}

// Columns of every section come first and last.
func sections() []section {
	first := []column{
		{"scenario", func(r *row) string { return r.Name }},
		{"handler", func(r *row) string { return r.Handler }},
		{"server us", func(r *row) string { return known("%.2f", r.ServerMicros) }},
		{"to floor", func(r *row) string { return known("%.2fx", r.FloorRatio) }},
		{"to native", func(r *row) string { return known("%.2fx", r.Ratio) }},
		{"per second", func(r *row) string { return fmt.Sprintf("%.0f", r.Throughput) }},
	}
	latency := []column{
		{"p50 ms", func(r *row) string { return fmt.Sprintf("%.2f", r.P50Micros/1e3) }},
		{"p99 ms", func(r *row) string { return fmt.Sprintf("%.2f", r.P99Micros/1e3) }},
	}
	last := column{"last delivery p50 ms", func(r *row) string { return known("%.2f", r.LastMicros/1e3) }}
	deaf := column{"p99 to all reading", func(r *row) string { return known("%.2fx", r.DeafRatio) }}
	growth := column{"RSS KiB a connection", func(r *row) string { return known("%.2f", r.Growth/1024) }}
	busy := column{"client busy", busyText}
	with := func(more ...column) []column {
		return append(append(append([]column(nil), first...), latency...), append(more, busy)...)
	}
	return []section{
		{load.Join, "Join", "A message is a connection: TCP, upgrade and the reply to its join.", with(growth)},
		{load.Echo, "Echo", "A message is a push of 64 bytes and its reply; cC connections, each with kK pushes in flight.", with()},
		{load.Fanout, "Fan-out", "A message is one delivery of a broadcast of 64 bytes; xM members, kK broadcasts in flight. Of the members of deafD, D never read.", with(last, deaf)},
	}
}

// busyText marks where the generator was the limit.
func busyText(r *row) string {
	text := fmt.Sprintf("%.0f %%", 100*r.Busy)
	for i := range r.Samples {
		if r.Samples[i].Warning() != "" {
			return text + " (!)"
		}
	}
	return text
}

const markdownHead = `# Performance

Written by ` + "`make performance`" + `; do not edit. Client and server shared %d cores%s; %s; %s.
Medians of %d rounds of %s. Every reply and every delivery was checked: a lost, wrong or surplus one ends the run.

## How to read this

- **server us** is user and system time of the server's whole process per message. It is the figure that survives a noisy machine; rates and
  latencies say as much about the client and the neighbours.
- **to floor** compares it with bench/floor, an epoll server by hand that parses frames and answers, and has no channels, checks, limits or timers: one
  write for all replies to a read, and one for each delivery. Below 1 the server does less system calls than that, as several deliveries leave in one write.
- **to native** compares it with the same host and a handler in Go: what the sandbox costs.
- Ratios are medians of the ratios within each round, of server processes that took turns. Compare only within a scenario: latency of a closed loop grows with what is
  in flight.
- **client busy** is the share of one core that the generator took; (!) is over 90 %% in some round: the generator was the limit then.

The handlers: *floor*; *native*, the host with a handler in Go; *c* and *rust*, guests without an SDK (examples/bench/guest_c, guest_rust); *go*, a guest with the SDK
(examples/bench/guest). Each guest runs in its default isolation.

` + "```" + `
make performance                                   # this page
make bench                                         # the same tables on standard output
go run ./bench -run 'echo c1000' -handlers floor,c # some of it
aviary bench echo -c 1000 -k 16 --url ws://127.0.0.1:4000/socket --pid PID   # any server
` + "```" + `
`

// markdown writes the report as a page.
func (r *report) markdown(w io.Writer) error {
	var b strings.Builder
	cpu := r.Machine.CPU
	if cpu != "" {
		cpu = " (" + cpu + ")"
	}
	fmt.Fprintf(&b, markdownHead, r.Machine.Cores, cpu, r.Machine.Kernel, r.Machine.Go, r.Rounds, r.Window)
	for _, s := range sections() {
		r.section(&b, s)
	}
	million(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *report) section(b *strings.Builder, s section) {
	var rows []*row
	for i := range r.Rows {
		if r.Rows[i].Kind == s.kind {
			rows = append(rows, &r.Rows[i])
		}
	}
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(b, "\n## %s\n\n%s\n\n|", s.title, s.text)
	for _, c := range s.columns {
		fmt.Fprintf(b, " %s |", c.title)
	}
	fmt.Fprintf(b, "\n|%s\n", strings.Repeat("---|", 2)+strings.Repeat("--:|", len(s.columns)-2))
	name := ""
	for _, row := range rows {
		fmt.Fprint(b, "|")
		for i, c := range s.columns {
			text := c.value(row)
			if i == 0 && text == name {
				text = ""
			}
			fmt.Fprintf(b, " %s |", text)
		}
		name = cmp.Or(row.Name, name)
		fmt.Fprintln(b)
	}
}
