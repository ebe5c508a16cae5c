package main

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestQuantilesLieWithinABucket(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, most := range []int64{50, 5_000, 1_000_000, int64(time.Hour)} {
		var h histogram
		exact := make([]int64, 10_001)
		for i := range exact {
			exact[i] = rnd.Int64N(most)
			h.add(time.Duration(exact[i]))
		}
		slices.Sort(exact)
		for _, q := range []float64{0, 0.5, 0.99, 1} {
			want := float64(exact[int(q*10_000)])
			if got := float64(h.quantile(q)); math.Abs(got-want) > want/64+1 {
				t.Errorf("quantile %v below %d: %v, want %v", q, most, got, want)
			}
		}
	}
}

func TestHistogramTakesAnything(t *testing.T) {
	var h histogram
	if h.quantile(0.5) != 0 {
		t.Error("the median of nothing is not 0")
	}
	h.add(-1)
	h.add(math.MaxInt64)
	if h.quantile(0) != 0 || h.quantile(1) < math.MaxInt64/64*63 {
		t.Error(h.quantile(0), h.quantile(1))
	}
	for v := uint64(0); v < 1<<20; v++ {
		if m := middleOf(bucketOf(v)); bucketOf(m) != bucketOf(v) {
			t.Fatalf("%d stands for the bucket of %d", m, v)
		}
	}
}

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
func cpu(perMessage time.Duration) sample {
	return sample{Messages: 1000, Elapsed: time.Second, ServerCPU: 1000 * perMessage, ServerRSS: 1 << 20}
}

func TestRatioIsTheMedianOfTheRounds(t *testing.T) {
	us := time.Microsecond
	r := result{scenario{kindEcho, 10, 1}, map[string][]sample{
		baseline: {cpu(10 * us), cpu(20 * us), cpu(10 * us)},
		"go":     {cpu(15 * us), cpu(40 * us), cpu(30 * us)},
	}}
	if got := newRow(r, "go"); got.ServerMicros != 30 || got.Ratio != 2 || got.Throughput != 1000 {
		t.Errorf("%+v", got)
	}
	if got := newRow(r, baseline); got.Ratio != 1 {
		t.Errorf("%+v", got)
	}
	alone := result{r.scenario, map[string][]sample{external: {cpu(0)}}}
	if got := newRow(alone, external); got.Ratio != 0 || got.ServerMicros != 0 {
		t.Errorf("%+v", got)
	}
}

func TestReport(t *testing.T) {
	p := &plan{handlers: []string{external}, rounds: 1, timing: timingFor(time.Second)}
	rep := newReport(p, []result{{scenario{kindFanout, 100, 4}, map[string][]sample{external: {cpu(0)}}}})
	var table strings.Builder
	if err := rep.print(&table); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(table.String()), "\n")
	if fields := strings.Fields(lines[len(lines)-1]); strings.Join(fields[:5], " ") != "fanout x100 k4 url 1000" || fields[7] != "-" {
		t.Errorf("%q", fields)
	}
	path := filepath.Join(t.TempDir(), "report.json")
	if err := rep.save(path); err != nil {
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
	for _, bad := range []string{"-rounds 0", "-duration 0s", "-duration 1m", "-pid 7", "stray", "-run (", "-run nothing", "-url http://x"} {
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
	if len(p.scenarios) != 6 || p.scenarios[0].Conns != 100 || p.rounds != 1 || p.timing.window > time.Second {
		t.Errorf("%+v", p)
	}
}
