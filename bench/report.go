package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/aviary-host/aviary/bench/load"
)

// machine is what the figures were measured on.
type machine struct {
	Cores  int    `json:"cores"`
	Kernel string `json:"kernel"`
	CPU    string `json:"cpu"` // model, "" if not known
	Go     string `json:"go"`  // of the load generator
}

func thisMachine() machine {
	return machine{
		Cores: runtime.NumCPU(), Kernel: load.Kernel(), CPU: load.Processor(),
		Go: runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH,
	}
}

// report is what -json writes.
type report struct {
	Machine machine       `json:"machine"`
	Rounds  int           `json:"rounds"`
	Window  time.Duration `json:"window_ns"`
	Rows    []row         `json:"rows"`
}

// row is one handler in one scenario: medians of the rounds.
type row struct {
	Name string `json:"name"`
	scenario
	Handler      string        `json:"handler"`
	Throughput   float64       `json:"messages_per_s"`
	P50Micros    float64       `json:"p50_us"`
	P99Micros    float64       `json:"p99_us"`
	ServerMicros float64       `json:"server_cpu_us_per_message"` // 0 without a pid
	Ratio        float64       `json:"server_cpu_to_native"`      // 0 without native
	FloorRatio   float64       `json:"server_cpu_to_floor"`       // 0 without the floor
	ClientMicros float64       `json:"client_cpu_us_per_message"`
	ServerRSS    float64       `json:"server_rss_bytes"`
	LastMicros   float64       `json:"last_delivery_p50_us"`                   // fan-out
	DeafRatio    float64       `json:"p99_to_all_reading"`                     // fan-out where some do not read; 0 without the one where all do
	Growth       float64       `json:"server_rss_growth_bytes_per_connection"` // join
	Busy         float64       `json:"client_busy"`                            // share of the one core that the generator uses
	Samples      []load.Result `json:"rounds"`
}

func newReport(p *plan, results []result) report {
	rep := report{Machine: thisMachine(), Rounds: p.rounds, Window: p.window}
	all := map[scenario]map[string][]load.Result{}
	for _, r := range results {
		all[r.scenario] = r.samples
	}
	for _, r := range results {
		for _, h := range p.handlers {
			rep.Rows = append(rep.Rows, newRow(r, h, all[r.scenario.reading()][h]))
		}
	}
	return rep
}

// newRow has the medians of a handler. reading is its samples of the scenario in which
// all read, if there is one.
func newRow(r result, handler string, reading []load.Result) row {
	all := r.samples[handler]
	var deaf []float64
	for i := range min(len(all), len(reading)) {
		if r.scenario.Deaf > 0 && reading[i].Latency.P99 > 0 {
			deaf = append(deaf, micros(all[i].Latency.P99)/micros(reading[i].Latency.P99))
		}
	}
	return row{
		Name: r.scenario.String(), scenario: r.scenario, Handler: handler, Samples: all,
		Throughput:   medianOf(all, (*load.Result).Throughput),
		P50Micros:    medianOf(all, func(r *load.Result) float64 { return micros(r.Latency.P50) }),
		P99Micros:    medianOf(all, func(r *load.Result) float64 { return micros(r.Latency.P99) }),
		ServerMicros: medianOf(all, (*load.Result).ServerMicros),
		Ratio:        median(ratios(all, r.samples[baseline])),
		FloorRatio:   median(ratios(all, r.samples[floor])),
		ClientMicros: medianOf(all, (*load.Result).ClientMicros),
		DeafRatio:    median(deaf),
		LastMicros:   medianOf(all, func(r *load.Result) float64 { return micros(r.Last.P50) }),
		Growth:       medianOf(all, func(r *load.Result) float64 { return float64(r.ServerGrowth) }) / float64(r.scenario.Connections),
		Busy:         medianOf(all, (*load.Result).Busy),
		ServerRSS:    medianOf(all, func(r *load.Result) float64 { return float64(r.ServerRSS) }),
	}
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

// ratios compares the server CPU of runs of the same round.
func ratios(of, to []load.Result) []float64 {
	var out []float64
	for i := range min(len(of), len(to)) {
		if to[i].ServerCPU > 0 {
			out = append(out, of[i].ServerMicros()/to[i].ServerMicros())
		}
	}
	return out
}

func medianOf(all []load.Result, f func(*load.Result) float64) float64 {
	values := make([]float64, len(all))
	for i := range all {
		values[i] = f(&all[i])
	}
	return median(values)
}

// median returns the middle value, the mean of two if there are two, and 0 of
// none. It sorts values.
func median(values []float64) float64 {
	n := len(values)
	if n == 0 {
		return 0
	}
	slices.Sort(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

// print writes the report as a table.
func (r *report) print(w io.Writer) error {
	const heading = "scenario\thandler\tmsg/s\tp50 ms\tp99 ms\tserver us/msg\tto native\tto floor\tclient us/msg\tserver RSS MiB\t\n"
	_, err := fmt.Fprintf(w, "%d cores, shared by client and server; %s; %s\n"+
		"medians of %d x %s; to native, to floor: server CPU, median of the ratios within each round\n\n",
		r.Machine.Cores, r.Machine.Kernel, r.Machine.Go, r.Rounds, r.Window)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, headErr := io.WriteString(t, heading)
	err = errors.Join(err, headErr)
	for i := range r.Rows {
		row := &r.Rows[i]
		_, rowErr := fmt.Fprintf(t, "%s\t%s\t%.0f\t%.2f\t%.2f\t%s\t%s\t%s\t%.2f\t%s\t\n",
			row.Name, row.Handler, row.Throughput, row.P50Micros/1e3, row.P99Micros/1e3,
			known("%.2f", row.ServerMicros), known("%.2fx", row.Ratio), known("%.2fx", row.FloorRatio),
			row.ClientMicros, known("%.1f", row.ServerRSS/(1<<20)))
		err = errors.Join(err, rowErr)
	}
	return errors.Join(err, t.Flush())
}

// known formats a figure that is 0 when it could not be had.
func known(format string, v float64) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf(format, v)
}

// json writes the report so that readReport can read it.
func (r *report) json(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// readReport reads what json wrote. The figures are taken anew from the samples,
// so that an older run has those that came later.
func readReport(path string) (r report, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("%s: %w", path, err)
	}
	if len(r.Rows) == 0 {
		return r, fmt.Errorf("%s holds no report", path)
	}
	all := map[scenario]map[string][]load.Result{}
	for _, row := range r.Rows {
		if all[row.scenario] == nil {
			all[row.scenario] = map[string][]load.Result{}
		}
		all[row.scenario][row.Handler] = row.Samples
	}
	for i, row := range r.Rows {
		r.Rows[i] = newRow(result{row.scenario, all[row.scenario]}, row.Handler, all[row.reading()][row.Handler])
	}
	return r, nil
}
