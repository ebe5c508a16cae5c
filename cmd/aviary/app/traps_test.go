package app

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/host/hosttest"
	"github.com/aviary-host/aviary/plugins/traps"
)

// TestFailuresAreKept: the log line of a failure names the file of its record, which
// has the payload where the plugin says so.
func TestFailuresAreKept(t *testing.T) {
	for _, payloads := range []bool{true, false} {
		l, dir := &log{}, filepath.Join(t.TempDir(), "data")
		a, err := Start(t.Context(), &Config{
			DataDir: dir, HTTP: HTTP{Addr: "127.0.0.1:0"},
			Plugins: []Plugin{{Name: "bad", Path: filepath.Join(faults, "trap_unreachable.wasm"), Topics: []string{"*"}, Payloads: payloads}},
		}, slog.New(slog.NewTextHandler(l, nil)))
		if err != nil {
			t.Fatal(err)
		}
		c := hosttest.Dial(t, "ws://"+a.PublicAddr()+"/socket/websocket?vsn=2.0.0", hosttest.Options{})
		c.Join("t", "")
		c.Push("t", "e", `{"secret":1}`)
		c.Expect(`["11","11","t","phx_error",{"reason":"channel_crash"}]`)
		c.Drop() // else Close waits for its answer
		if err := a.Close(t.Context()); err != nil {
			t.Error(err)
		}
		_, rest, ok := strings.Cut(l.String(), "err.trap=")
		path, _, _ := strings.Cut(rest, "\n")
		text, err := os.ReadFile(path)
		if !ok || err != nil || filepath.Dir(path) != filepath.Join(dir, "traps") {
			t.Fatalf("%v: no file is named by\n%s", err, l)
		}
		r, err := traps.Decode(text)
		if err != nil {
			t.Fatal(err)
		}
		var req abi.Request
		if err := abi.DecodeRequest(r.Request, &req); err != nil {
			t.Fatal(err)
		}
		if r.Replayable != payloads || (string(req.Payload) == `{"secret":1}`) != payloads || r.Plugin != "bad" || time.Since(r.Time) > time.Hour {
			t.Errorf("with payloads %t the record is %+v, the payload %s", payloads, r, req.Payload)
		}
	}
}

func TestDataDirIsChecked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Start(t.Context(), &Config{
		DataDir: path, HTTP: HTTP{Addr: "127.0.0.1:0"},
		Plugins: []Plugin{{Name: "x", Wasm: module(t), Topics: []string{"*"}}},
	}, quiet)
	if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "data_dir: ") {
		t.Errorf("error %v", err)
	}
}

func TestDataDirIsRelativeToTheFile(t *testing.T) {
	path := write(t, "data_dir = \"var\"\n"+plugin+"trap_payloads = true\n")
	cfg, err := Load(path)
	if err != nil || cfg.DataDir != filepath.Join(filepath.Dir(path), "var") || !cfg.Plugins[0].Payloads {
		t.Errorf("%v: %+v", err, cfg)
	}
}
