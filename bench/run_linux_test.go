package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aviary-host/aviary/bench/load"
)

// TestQuickRun builds the server and puts all scenarios through it: what is
// sent and what comes back must agree, which the run itself insists on too.
func TestQuickRun(t *testing.T) {
	dir := t.TempDir()
	server, floor, report := filepath.Join(dir, "server"), filepath.Join(dir, "floor"), filepath.Join(dir, "report.json")
	build(t, server, "../examples/bench")
	build(t, floor, "./floor")
	var table strings.Builder
	err := run(t.Context(), []string{"-server", server, "-floor", floor, "-handlers", "floor,native", "-quick", "-json", report}, &table)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	var rep struct{ Rows []row }
	if err := json.Unmarshal(text, &rep); err != nil {
		t.Fatal(err)
	}
	if len(rep.Rows) != 2*len(scenarios(true)) {
		t.Errorf("%d rows", len(rep.Rows))
	}
	for _, r := range rep.Rows {
		m, each := r.Samples[0], int64(1)
		if r.Kind == load.Fanout {
			each = int64(r.Connections - r.Deaf)
		}
		if m.Messages == 0 || m.Received < m.Messages || m.Received != m.Sent*each {
			t.Errorf("%s: sent %d, received %d, %d of them in the window", r.Name, m.Sent, m.Received, m.Messages)
		}
		if m.ServerCPU <= 0 || m.ClientCPU <= 0 || m.ServerRSS <= 0 || m.Latency.P99 < m.Latency.P50 || m.Latency.P50 <= 0 {
			t.Errorf("%s: %+v", r.Name, m)
		}
	}
	t.Log("\n" + table.String())
}

// TestQuickSoak: what the server counts agrees with what its clients know.
func TestQuickSoak(t *testing.T) {
	server := filepath.Join(t.TempDir(), "server")
	build(t, server, "../examples/bench")
	report := filepath.Join(t.TempDir(), "report.json")
	var table strings.Builder
	if err := run(t.Context(), []string{"-server", server, "-handlers", "native", "-quick", "-soak", "2s", "-json", report}, &table); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	var r load.Result
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	s := r.Soak
	if s.Broadcasts == 0 || s.Joins <= int64(r.Connections) || s.Server.Deliveries != s.Deliveries+s.Lost || len(s.Figures) != 4 {
		t.Errorf("%+v, %+v", s, s.Server)
	}
	if !strings.Contains(table.String(), "goroutines") {
		t.Errorf("%s", &table)
	}
}

func build(t *testing.T, path, source string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", path, source)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
}

func TestServerThatCannotServe(t *testing.T) {
	for _, path := range []string{"/nonexistent/server", "/bin/true", "/bin/false"} {
		if s, err := startServer(t.Context(), path, "native"); err == nil {
			t.Errorf("%s was taken for a server: %v", path, s.stop())
		}
	}
}
