package main

import (
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aviary-host/aviary/bench/load"
)

// TestMarkdown holds the tables; the text above them is for people.
func TestMarkdown(t *testing.T) {
	us := time.Microsecond
	ms := time.Millisecond
	busy := cpu(6 * us)
	busy.ClientCPU, busy.Last.P50, busy.Latency = 950*ms, 3*ms, load.Percentiles{P50: ms, P99: 2 * ms}
	deaf := busy
	deaf.Latency.P99 = 3 * ms
	joined := cpu(100 * us)
	joined.Connections, joined.ServerGrowth = 100, 150<<10
	p := &plan{handlers: []string{floor, baseline}, rounds: 1, window: time.Second}
	rep := newReport(p, []result{
		{scenario{load.Join, 100, 1, 0}, map[string][]load.Result{floor: {joined}, baseline: {joined}}},
		{scenario{load.Fanout, 100, 4, 0}, map[string][]load.Result{floor: {busy}, baseline: {cpu(12 * us)}}},
		{scenario{load.Fanout, 100, 4, 1}, map[string][]load.Result{floor: {deaf}, baseline: {cpu(12 * us)}}},
	})
	path := filepath.Join(t.TempDir(), "report.json")
	if err := writeFile(path, rep.json); err != nil {
		t.Fatal(err)
	}
	back, err := readReport(path)
	if err != nil {
		t.Fatal(err)
	}
	var page strings.Builder
	if err := back.markdown(&page); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(page.String(), "%!") {
		t.Errorf("a verb has no value:\n%s", page.String())
	}
	_, tables, _ := strings.Cut(page.String(), "\n## Join")
	tables, _, _ = strings.Cut(tables, "\n## A million sockets")
	const want = `

A message is a connection: TCP, upgrade and the reply to its join.

| scenario | handler | server us | to floor | to native | per second | p50 ms | p99 ms | RSS KiB a connection | client busy |
|---|---|--:|--:|--:|--:|--:|--:|--:|--:|
| join c100 | floor | 100.00 | 1.00x | 1.00x | 1000 | 0.00 | 0.00 | 1.50 | 0 % |
|  | native | 100.00 | 1.00x | 1.00x | 1000 | 0.00 | 0.00 | 1.50 | 0 % |

## Fan-out

A message is one delivery of a broadcast of 64 bytes; xM members, kK broadcasts in flight. Of the members of deafD, D never read.

| scenario | handler | server us | to floor | to native | per second | p50 ms | p99 ms | last delivery p50 ms | p99 to all reading | client busy |
|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|
| fanout x100 k4 | floor | 6.00 | 1.00x | 0.50x | 1000 | 1.00 | 2.00 | 3.00 | - | 95 % (!) |
|  | native | 12.00 | 2.00x | 1.00x | 1000 | 0.00 | 0.00 | - | - | 0 % |
| fanout x100 k4 deaf1 | floor | 6.00 | 1.00x | 0.50x | 1000 | 1.00 | 3.00 | 3.00 | 1.50x | 95 % (!) |
|  | native | 12.00 | 2.00x | 1.00x | 1000 | 0.00 | 0.00 | - | - | 0 % |
`
	if tables != want {
		t.Errorf("got\n%s\nwant\n%s", tables, want)
	}
}

func TestReadReportRefuses(t *testing.T) {
	for _, text := range []string{"", "{}", "[1]"} {
		path := filepath.Join(t.TempDir(), "report.json")
		write := func(w io.Writer) error { _, err := io.WriteString(w, text); return err }
		if err := writeFile(path, write); err != nil {
			t.Fatal(err)
		}
		if _, err := readReport(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
