package plugins_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/plugins"
)

// TestTrapTellsAll: what failed, under which limits, and the request to the byte as
// the guest has seen it, the plugin's settings included.
func TestTrapTellsAll(t *testing.T) {
	var traps []*plugins.Trap
	p := load(t, fault(t, "trap_unreachable"), plugins.Config{
		Settings: []byte(`{"a":1}`), MemoryPages: 5, Fuel: 1_000_000, Deadline: time.Second, Stack: 100_000,
		OnTrap: func(trap *plugins.Trap) {
			trap.File = "/traps/1.json"
			traps = append(traps, trap)
		},
	})
	req := &abi.Request{
		Callback: abi.CallbackHandleIn, SocketID: []byte("S"), Topic: []byte("t"), Event: []byte("e"), Payload: []byte(`[1]`),
		State: []byte("state"), StateVersion: 3, TimeMS: 1, Seed: [16]byte{1, 2, 3},
	}
	before := time.Now()
	var resp abi.Response
	_, err := p.Handle(req, nil, &resp)
	var call *plugins.CallError
	if !errors.As(err, &call) || len(traps) != 1 {
		t.Fatalf("%d records of %v", len(traps), err)
	}
	trap := traps[0]
	want := plugins.TrapLimits{Fuel: 1_000_000, FuelSlice: 150_000, Deadline: time.Second, Stack: 100_000, Memory: 5 << 16, Response: abi.DefaultLimits()}
	if trap.Limits != want {
		t.Errorf("limits are %+v, want %+v", trap.Limits, want)
	}
	if trap.Plugin != "chat" || trap.Module != p.Hash() || trap.Kind != plugins.KindTrap || trap.Callback != abi.CallbackHandleIn ||
		trap.Message != call.Message || trap.Stack != call.Stack || trap.Stack == "" || trap.Seed != req.Seed || trap.Time.Before(before) {
		t.Errorf("record is %+v", trap)
	}
	if !bytes.Equal(trap.Request, abi.AppendRequest(nil, req)) {
		t.Error("the request is another")
	}
	logger, out := newLogger()
	logger.Log(t.Context(), slog.LevelError, "failed", "err", err)
	if line := out.lines()[0]; !strings.Contains(line, "err.trap=/traps/1.json") || !strings.Contains(line, "err.message=") {
		t.Errorf("the log does not name the file: %s", line)
	}
}

// TestTrapHasSettings: a request that has none is sent with the plugin's.
func TestTrapHasSettings(t *testing.T) {
	var trap *plugins.Trap
	p := load(t, fault(t, "echo"), plugins.Config{
		Settings: []byte(`{"a":1}`), Limits: abi.Limits{Output: 10}, OnTrap: func(it *plugins.Trap) { trap = it },
	})
	mustHandle(t, p, abi.CallbackJoin, "short")
	if trap != nil {
		t.Fatalf("a good callback has a record: %+v", trap)
	}
	if _, err := handle(p, abi.CallbackJoin, "too long for it"); err == nil || trap == nil || trap.Kind != plugins.KindBadResponse {
		t.Fatalf("error %v, record %+v", err, trap)
	}
	var got abi.Request
	if err := abi.DecodeRequest(trap.Request, &got); err != nil || string(got.Config) != `{"a":1}` || string(got.Payload) != "too long for it" {
		t.Errorf("%v: config %s, payload %s", err, got.Config, got.Payload)
	}
}

// TestNoTrapWithoutFault: what is nobody's failure has no record.
func TestNoTrapWithoutFault(t *testing.T) {
	p := load(t, fault(t, "echo"), plugins.Config{
		MemoryPages: 2, OnTrap: func(trap *plugins.Trap) { t.Errorf("record %+v", trap) },
	})
	if _, err := handle(p, abi.CallbackHandleInfo, ""); err == nil {
		t.Error("no error without the callback")
	}
	if _, err := handle(p, abi.CallbackHandleIn, strings.Repeat("x", 1<<20)); err == nil {
		t.Error("no error of a request that is too large")
	}
}
