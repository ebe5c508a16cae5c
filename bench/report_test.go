package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aviary-host/aviary/bench/load"
)

func TestMedian(t *testing.T) {
	for _, tt := range []struct {
		in   []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1}, 5}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 3, 2, 1}, 2.5}} {
		if got := median(tt.in); got != tt.want {
			t.Errorf("median %v is %v", tt.in, got)
		}
	}
}

// cpu makes a sample of 1000 messages that cost the server so much each.
func cpu(perMessage time.Duration) load.Result {
	return load.Result{Messages: 1000, Elapsed: time.Second, ServerCPU: 1000 * perMessage, ServerRSS: 1 << 20}
}

func TestRatioIsTheMedianOfTheRounds(t *testing.T) {
	us := time.Microsecond
	r := result{scenario{load.Echo, 10, 1, 0}, map[string][]load.Result{
		baseline: {cpu(10 * us), cpu(20 * us), cpu(10 * us)},
		"go":     {cpu(15 * us), cpu(40 * us), cpu(30 * us)},
	}}
	if got := newRow(r, "go", nil); got.ServerMicros != 30 || got.Ratio != 2 || got.Throughput != 1000 {
		t.Errorf("%+v", got)
	}
	if got := newRow(r, baseline, nil); got.Ratio != 1 {
		t.Errorf("%+v", got)
	}
	alone := result{r.scenario, map[string][]load.Result{external: {cpu(0)}}}
	if got := newRow(alone, external, nil); got.Ratio != 0 || got.ServerMicros != 0 {
		t.Errorf("%+v", got)
	}
}

func TestReport(t *testing.T) {
	p := &plan{handlers: []string{external}, rounds: 1, window: time.Second}
	rep := newReport(p, []result{{scenario{load.Fanout, 100, 4, 0}, map[string][]load.Result{external: {cpu(0)}}}})
	var table strings.Builder
	if err := rep.print(&table); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(table.String()), "\n")
	if fields := strings.Fields(lines[len(lines)-1]); strings.Join(fields[:5], " ") != "fanout x100 k4 url 1000" || fields[7] != "-" {
		t.Errorf("%q", fields)
	}
	path := filepath.Join(t.TempDir(), "report.json")
	if err := writeFile(path, rep.json); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var back struct {
		Machine struct{ Cores int }
		Rows    []struct {
			Name        string
			Connections int
		}
	}
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if back.Machine.Cores == 0 || len(back.Rows) != 1 || back.Rows[0].Name != "fanout x100 k4" || back.Rows[0].Connections != 100 {
		t.Errorf("%s", text)
	}
}

func TestOptions(t *testing.T) {
	for _, bad := range []string{"-rounds 0", "-duration 0s", "-duration -1m", "-pid 7", "stray", "-soak -1s", "-soak 1s", "-soak 1s -handlers c -url ws://x/s", "-run (", "-run nothing"} {
		o, err := parseOptions(strings.Fields(bad))
		if err == nil {
			_, err = o.plan()
		}
		if err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
	o, err := parseOptions([]string{"-quick", "-run", "fanout"})
	if err != nil {
		t.Fatal(err)
	}
	p, err := o.plan()
	if err != nil {
		t.Fatal(err)
	}
	if len(p.scenarios) != 8 || p.scenarios[0].Connections != 100 || p.rounds != 1 || p.window > time.Second {
		t.Errorf("%+v", p)
	}
}
