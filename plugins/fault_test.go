package plugins_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/plugins"
	"github.com/aviary-host/aviary/plugins/module"
)

// refusals says for each module that must not load why: a part of the error,
// which begins with "plugin chat: ".
var refusals = map[string]string{
	"abi_v2":            "module speaks ABI version 2, this host speaks version 1",
	"no_marker":         "module exports no aviary_abi_v1 or other version of the marker function; this host speaks version 1 (is it built with an Aviary SDK?)",
	"marker_type":       "export aviary_abi_v1 has type () -> (i32), not () -> (i64)",
	"newer_revision":    "module needs revision 3 of ABI version 1, this host knows revisions up to 0",
	"join_absent":       "marker says that join is not there, which is required",
	"join_missing":      "module exports no function join, which is required",
	"join_global":       "module exports no function join, which is required",
	"join_type":         "export join has type (i32, i32, i32) -> (i64), not (i32, i32) -> (i64)",
	"handle_in_type":    "export handle_in has type (i32, i32) -> (i32), not (i32, i32) -> (i64)",
	"initialize_type":   "export _initialize has type (i32) -> (), not () -> ()",
	"memory_missing":    `module exports no memory named "memory"`,
	"memory_too_large":  "module needs at least 18.8 MiB of memory, it may have 16 MiB (plugin.memory)",
	"alloc_missing":     "module exports no function aviary_alloc, which is required",
	"alloc_type":        "export aviary_alloc has type (i32) -> (i64), not (i32) -> (i32)",
	"alloc_zero":        "aviary_alloc(65536) returned 0: no memory left",
	"alloc_past_memory": "aviary_alloc(65536) returned 131080, which ends past the memory of 196608 bytes",
	"alloc_misaligned":  "aviary_alloc(65536) returned 65540, which is not aligned to 8",
	"start_only": "module exports _start but no _initialize: it is a program, not a library; " +
		"in Go, build it with -buildmode=c-shared",
	"start_traps":      "start function failed: trap: unreachable (begin)",
	"initialize_traps": "_initialize failed: trap: unreachable (init)",
	"data_past_memory": "module cannot be instantiated: data[0]: out of bounds memory access",
	"unknown_import": `module imports "wasi_snapshot_preview1"."path_open", which this host does not offer; ` +
		"allowed are aviary: config log panic presence_list; wasi_snapshot_preview1: args_get ",
	"import_meter":  `module imports "fuel" from aviary_host, which is not for guests`,
	"export_meter":  `module exports "__aviary_fuel"; names that begin with __aviary_ are the host's`,
	"import_type":   "module imports aviary.log with type (i32, i32) -> (), but it has type (i32, i32, i32) -> ()",
	"import_memory": `module imports the memory "env"."memory", but a host offers functions only`,
	"import_table":  `module imports the table "env"."table", but a host offers functions only`,
	"import_global": `module imports the global "aviary"."log", but a host offers functions only`,
}

func TestLoadRefusesFaultyModules(t *testing.T) {
	for name, want := range refusals {
		t.Run(name, func(t *testing.T) {
			checkRefusal(t, fault(t, name), want)
		})
	}
}

func TestLoadRefusesOtherFiles(t *testing.T) {
	for name, tt := range map[string]struct{ wasm, want string }{
		"nothing":   {"", "not a WebAssembly module: it does not begin with the bytes \\0asm"},
		"text":      {"(module)", "not a WebAssembly module: it does not begin with the bytes \\0asm"},
		"component": {"\x00asm\x0d\x00\x01\x00", "a WebAssembly component: this host runs core modules"},
		"version 2": {"\x00asm\x02\x00\x00\x00", "not a WebAssembly module of binary version 1"},
		"magic":     {"\x00asm", "not a WebAssembly module of binary version 1"},
		"cut off":   {string(fault(t, "echo")[:100]), "module is not accepted: code section: ends early (byte 100)"},
		"empty":     {"\x00asm\x01\x00\x00\x00", "module exports no aviary_abi_v1"},
		"invalid": {
			"\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x0a\x05\x01\x03\x00\x1a\x0b",
			"module does not compile: invalid function[0]: ",
		},
		"threads": {
			"\x00asm\x01\x00\x00\x00\x05\x04\x01\x03\x01\x01",
			"module is not accepted: memory section: shared memories, of threads, are not supported (byte 12)",
		},
		"locals": {
			"\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x0a\x09\x01\x07\x01\x80\xda\xc4\x09\x7f\x0b",
			"module is not accepted: code section, function 0: 20000000 locals, at most 4096 (byte 28)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			checkRefusal(t, []byte(tt.wasm), tt.want)
		})
	}
}

func checkRefusal(t *testing.T, wasm []byte, want string) {
	t.Helper()
	p, err := plugins.Load(context.Background(), wasm, plugins.Config{Name: "chat"})
	if err == nil {
		closePlugin(t, p)
		t.Fatal("loaded")
	}
	var refusal *plugins.LoadError
	if !errors.As(err, &refusal) || refusal.Plugin != "chat" {
		t.Errorf("error is %T %+v", err, err)
	}
	if got := err.Error(); !strings.HasPrefix(got, "plugin chat: "+want) || strings.Contains(got, "\n") {
		t.Errorf("error is\n%s\nwant\nplugin chat: %s", got, want)
	}
}

// TestRefusalNamesPlace: who wants to know where a module is bad need not parse.
func TestRefusalNamesPlace(t *testing.T) {
	_, err := plugins.Load(context.Background(), fault(t, "echo")[:100], plugins.Config{})
	var bad *module.Error
	if !errors.As(err, &bad) || bad.Section != "code" || bad.Offset != 100 || bad.Func != -1 {
		t.Errorf("error is %+v", bad)
	}
}

// TestOddSpelling: what is compiled is the module as it was read, and what is
// reported is the file as it came.
func TestOddSpelling(t *testing.T) {
	wasm := append(fault(t, "echo"), "\x00\x89\x80\x80\x80\x00\x05other..."...) // a custom section, its size in five bytes
	p := load(t, wasm, plugins.Config{})
	if got := mustHandle(t, p, abi.CallbackHandleIn, "go"); got != "go" {
		t.Errorf("echo is %s", got)
	}
	if hash := fmt.Sprintf("%x", sha256.Sum256(wasm)); p.Hash() != hash || p.Size() != len(wasm) {
		t.Errorf("hash %s and size %d, want %s and %d", p.Hash(), p.Size(), hash, len(wasm))
	}
}

func TestLoadErrorCarriesStack(t *testing.T) {
	_, err := plugins.Load(context.Background(), fault(t, "initialize_traps"), plugins.Config{})
	var refusal *plugins.LoadError
	if !errors.As(err, &refusal) || !strings.Contains(refusal.Stack, "init()") {
		t.Errorf("error is %+v", refusal)
	}
}

// callFault is a module whose handle_in fails, while join is in order.
type callFault struct {
	kind    plugins.Kind
	message string // the whole of it
	payload string // of the handle_in
	stack   bool   // there is a stack trace
	stderr  string
}

var callFaults = map[string]callFault{
	"trap_unreachable": {kind: plugins.KindTrap, message: "unreachable (handle_in)", stack: true},
	"trap_div_zero":    {kind: plugins.KindTrap, message: "integer divide by zero (handle_in)", stack: true},
	"trap_oob_load":    {kind: plugins.KindTrap, message: "out of bounds memory access (handle_in)", stack: true},
	"response_past_memory": {
		kind:    plugins.KindBadPointer,
		message: "response of 64 bytes at 196592 ends past the memory of 196608 bytes",
	},
	"response_len_negative": {
		kind:    plugins.KindBadPointer,
		message: "response of 4294967295 bytes at 16 ends past the memory of 196608 bytes",
	},
	"response_len_overflow": {
		kind:    plugins.KindBadPointer,
		message: "response of 32 bytes at 4294967280 ends past the memory of 196608 bytes",
	},
	"response_short": {
		kind:    plugins.KindBadResponse,
		message: "response of 10 bytes is under this revision's 64 (SPEC 4.1)",
	},
	"response_over_limit": {
		kind:    plugins.KindBadResponse,
		message: "response is over the limit in bytes: 1048577 > 1048576 (SPEC 8)",
	},
	"effects_truncated": {
		kind:    plugins.KindBadResponse,
		message: "effects end past the response: 160 > 112 (SPEC 4.1)",
	},
	"unknown_result": {
		kind:    plugins.KindBadResponse,
		message: "result has an unknown number (SPEC 4.2)",
	},
	"result_not_allowed": {
		kind:    plugins.KindBadResponse,
		message: "result pass is not allowed in handle_in (SPEC 4.2)",
	},
	"unknown_effect": {
		kind:    plugins.KindBadResponse,
		message: "effects[0] has an unknown kind (SPEC 5.1)",
	},
	"state_over_limit": {
		kind:    plugins.KindBadResponse,
		message: "state is over the limit in bytes: 65537 > 65536 (SPEC 8)",
	},
	"output_over_limit": {
		kind:    plugins.KindBadResponse,
		message: "output is over the limit in bytes: 2097216 > 262144 (SPEC 8)",
	},
	"panic_import": {
		kind:    plugins.KindPanic,
		message: "the cup is too full (src/cup.c:42)", stack: true,
	},
	"proc_exit": {
		kind:    plugins.KindExit,
		message: "giving up; proc_exit(3)", stack: true, stderr: "giving up",
	},
	"log_bad_pointer": {
		kind:    plugins.KindTrap,
		message: "log: 32 bytes at 196592 end past the memory of 196608 bytes", stack: true,
	},
	"alloc_second_zero": {
		kind:    plugins.KindBadAlloc,
		message: "aviary_alloc(131072) returned 0: no memory left", payload: strings.Repeat("x", 65536),
	},
	"alloc_second_traps": {
		kind:    plugins.KindTrap,
		message: "aviary_alloc: unreachable (alloc)", payload: strings.Repeat("x", 65536), stack: true,
	},
}

func TestCallFaultsCostOneCallback(t *testing.T) {
	bystander := load(t, fault(t, "counter"), plugins.Config{Name: "bystander", Instances: 1, Isolation: plugins.IsolateInstance})
	if got := mustHandle(t, bystander, abi.CallbackJoin, ""); got != "1" {
		t.Fatalf("first join answered %s", got)
	}
	calls := 1
	for name, tt := range callFaults {
		t.Run(name, func(t *testing.T) {
			p := load(t, fault(t, name), plugins.Config{Instances: 1})
			for range 3 {
				checkCallFault(t, p, tt)
				mustHandle(t, p, abi.CallbackJoin, "")
				calls++
				if got, want := mustHandle(t, bystander, abi.CallbackJoin, ""), string(rune('0'+calls%10)); got != want {
					t.Errorf("the other plugin counts %s, want %s", got, want)
				}
			}
		})
	}
}

func checkCallFault(t *testing.T, p *plugins.Plugin, want callFault) {
	t.Helper()
	resp := abi.Response{Result: abi.ResultStop, Payload: []byte("old")}
	buf := make([]byte, 0, 128)
	buf, err := p.Handle(&abi.Request{Callback: abi.CallbackHandleIn, Payload: []byte(want.payload)}, buf, &resp)
	var got *plugins.CallError
	if !errors.As(err, &got) {
		t.Fatalf("error is %T %v", err, err)
	}
	if text := "plugin chat: handle_in: " + want.kind.String() + ": " + want.message; err.Error() != text {
		t.Errorf("error is\n%s\nwant\n%s", err, text)
	}
	if got.Kind != want.kind || got.Callback != abi.CallbackHandleIn || got.Plugin != "chat" {
		t.Errorf("error is %+v", got)
	}
	if (got.Stack != "") != want.stack || got.Stderr != want.stderr {
		t.Errorf("stack is %q, stderr %q", got.Stack, got.Stderr)
	}
	var format *abi.FormatError
	if errors.As(err, &format) != (want.kind == plugins.KindBadResponse) {
		t.Errorf("format error is %v", format)
	}
	if cap(buf) < 128 {
		t.Error("the buffer was not given back")
	}
	if resp.Result != 0 || resp.Payload != nil || len(resp.Effects) != 0 {
		t.Errorf("response was left filled: %+v", resp)
	}
	if p.Live() != 1 {
		t.Error("the instance was not put back")
	}
}

func TestEveryFaultGuestIsTested(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "faults", "*.wat"))
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	good := map[string]bool{
		"echo": true, "counter": true, "imports": true, "raw": true,
		"fuel_initialize": true, "fuel_start": true, "grow": true, // budget_test.go
		"scribble": true, "table_set": true, // isolation_test.go
		"version": true, // cmd/aviary/app
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".wat")
		_, refused := refusals[name]
		_, fails := callFaults[name]
		_, spends := overspenders[name]
		if !refused && !fails && !spends && !good[name] {
			t.Errorf("%s is in no table", name)
		}
		if _, err := os.Stat(strings.TrimSuffix(file, ".wat") + ".wasm"); err != nil {
			t.Error(err)
		}
	}
}

// TestTrapPutsInstanceBack: what a failed callback has done to the memory is undone, also
// where the memory is kept between callbacks.
func TestTrapPutsInstanceBack(t *testing.T) {
	p := load(t, fault(t, "counter"), plugins.Config{Instances: 1, Isolation: plugins.IsolateInstance})
	for _, want := range []string{"1", "2", "3"} {
		if got := mustHandle(t, p, abi.CallbackHandleIn, "go"); got != want {
			t.Fatalf("count is %s, want %s", got, want)
		}
	}
	if _, err := handle(p, abi.CallbackHandleIn, "!"); err == nil {
		t.Fatal("no trap")
	}
	if got := mustHandle(t, p, abi.CallbackHandleIn, "go"); got != "1" {
		t.Errorf("count is %s after the trap, want 1 of a fresh instance", got)
	}
}

func TestTrapsDoNotLeak(t *testing.T) {
	p := load(t, fault(t, "counter"), plugins.Config{Instances: 2})
	for range 500 {
		if _, err := handle(p, abi.CallbackHandleIn, "!"); err == nil {
			t.Fatal("no trap")
		}
	}
	if n := p.Live(); n > 1 {
		t.Errorf("%d instances exist, want at most 1", n)
	}
}
