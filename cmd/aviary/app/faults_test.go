package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aviary-host/aviary/host/hosttest"
)

const faults = "../../../plugins/testdata/faults"

// faultsInCallbacks are modules that join well and whose handle_in fails, with
// the cause that the log must give (plugins/fault_test.go has them all).
var faultsInCallbacks = map[string]string{
	"trap_unreachable":      "trap: unreachable (handle_in)",
	"stack_recursion":       "stack: over its stack of 1048576 bytes (plugin.stack), in handle_in",
	"fuel_loop":             "fuel: over its fuel of 1000000 (plugin.fuel), in spin",
	"response_past_memory":  "bad_pointer: response of 64 bytes at 196592 ends past the memory",
	"response_len_negative": "bad_pointer: response of 4294967295 bytes",
	"response_short":        "bad_response: response of 10 bytes is under this revision's 64",
	"effects_truncated":     "bad_response: effects end past the response",
	"result_not_allowed":    "bad_response: result pass is not allowed in handle_in",
	"unknown_effect":        "bad_response: effects[0] has an unknown kind",
	"state_over_limit":      "bad_response: state is over the limit in bytes: 65537 > 65536",
	"output_over_limit":     "bad_response: output is over the limit in bytes",
	"panic_import":          "panic: the cup is too full (src/cup.c:42)",
	"proc_exit":             "exit: giving up; proc_exit(3)",
	"log_bad_pointer":       "trap: log: 32 bytes at 196592 end past the memory",
}

// faultsAtStart are modules that must not get to run at all.
var faultsAtStart = map[string]string{
	"abi_v2":           "module speaks ABI version 2, this host speaks version 1",
	"no_marker":        "module exports no aviary_abi_v1",
	"unknown_import":   "which this host does not offer",
	"import_type":      "but it has type",
	"join_missing":     "module exports no function join, which is required",
	"initialize_traps": "_initialize failed: trap: unreachable",
	"alloc_zero":       "aviary_alloc(65536) returned 0",
}

// log collects what the app logs.
type log struct {
	mu   sync.Mutex
	text strings.Builder
	more chan struct{} // closed at the next line; nil while nobody waits for it
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.more != nil {
		close(l.more)
		l.more = nil
	}
	return l.text.Write(p)
}

// await waits until the log says something.
func (l *log) await(t *testing.T, want string) {
	t.Helper()
	deadline := time.After(time.Minute)
	for {
		l.mu.Lock()
		if l.more == nil {
			l.more = make(chan struct{})
		}
		said, more := strings.Contains(l.text.String(), want), l.more
		l.mu.Unlock()
		if said {
			return
		}
		select {
		case <-more:
		case <-deadline:
			t.Fatalf("the log does not say %s:\n%s", want, l)
		}
	}
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// TestFaultyModulesCostOneChannel: whatever a module does wrong in a callback,
// its channel ends with phx_error, the log says which module, callback and
// cause, and everything else goes on: the same module in a new channel, another
// one on the same socket, other sockets.
func TestFaultyModulesCostOneChannel(t *testing.T) {
	cfg := &Config{HTTP: HTTP{Addr: "127.0.0.1:0"}, Plugins: []Plugin{
		{Name: "echo", Path: filepath.Join(faults, "echo.wasm"), Topics: []string{"echo:*"}, Instances: 1},
	}}
	for name := range faultsInCallbacks {
		cfg.Plugins = append(cfg.Plugins, Plugin{
			Name: name, Path: filepath.Join(faults, name+".wasm"), Topics: []string{name}, Instances: 1,
			Fuel: 1_000_000, Deadline: Duration{time.Minute},
		})
	}
	l := &log{}
	a, err := Start(t.Context(), cfg, slog.New(slog.NewTextHandler(l, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // behind the clients, for whose answers it would wait
		if err := a.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	url := "ws://" + a.PublicAddr() + "/socket/websocket?vsn=2.0.0"
	bystander := hosttest.Dial(t, url, hosttest.Options{})
	bystander.Join("echo:1", "")
	for name, cause := range faultsInCallbacks {
		t.Run(name, func(t *testing.T) {
			c := hosttest.Dial(t, url, hosttest.Options{})
			c.Join("echo:2", "")
			for range 2 {
				joinRef := c.Join(name, "")
				c.Push(name, "go", "")
				c.Expect(fmt.Sprintf(`[%q,%q,%q,"phx_error",{"reason":"channel_crash"}]`, joinRef, joinRef, name))
			}
			ref := c.Push("echo:2", "e", `{"n":1}`)
			c.Expect(fmt.Sprintf(`["11",%q,"echo:2","phx_reply",{"status":"ok","response":{"n":1}}]`, ref))
			ref = bystander.Push("echo:1", "e", `{"n":2}`)
			bystander.Expect(fmt.Sprintf(`["11",%q,"echo:1","phx_reply",{"status":"ok","response":{"n":2}}]`, ref))
			want := "plugin " + name + ": handle_in: " + cause
			if !strings.Contains(l.String(), want) {
				t.Errorf("the log does not say %q:\n%s", want, l)
			}
		})
	}
}

func TestFaultyModulesAreRefusedAtStart(t *testing.T) {
	for name, cause := range faultsAtStart {
		t.Run(name, func(t *testing.T) {
			a, err := Start(t.Context(), &Config{HTTP: HTTP{Addr: "127.0.0.1:0"}, Plugins: []Plugin{
				{Name: "chat", Path: filepath.Join(faults, name+".wasm"), Topics: []string{"*"}},
			}}, quiet)
			if a != nil || !errors.Is(err, ErrPlugin) {
				t.Fatalf("started: %v", err)
			}
			if !strings.Contains(err.Error(), "plugin chat: ") || !strings.Contains(err.Error(), cause) {
				t.Errorf("error %q, want the plugin's name and %q", err, cause)
			}
		})
	}
}
