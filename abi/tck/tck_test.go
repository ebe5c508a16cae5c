package tck_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/abi/tck"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const faults = "../../plugins/testdata/faults"

func fault(t *testing.T, name string) []byte {
	t.Helper()
	wasm, err := os.ReadFile(filepath.Join(faults, name+".wasm"))
	if err != nil {
		t.Fatal(err)
	}
	return wasm
}

func check(t *testing.T, wasm []byte, o tck.Options) *tck.Report {
	t.Helper()
	r, err := tck.Check(t.Context(), wasm, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// broken says for each module that breaks one rule which section has it, and a part of what
// is said.
var broken = map[string]tck.Finding{
	"abi_v2":                {Section: "2.1", Problem: "it speaks version 2, this host version 1"},
	"alloc_misaligned":      {Section: "2.2", Problem: "not aligned to 8"},
	"alloc_missing":         {Section: "2", Problem: "aviary_alloc is required"},
	"alloc_past_memory":     {Section: "2.2", Problem: "ends past the memory"},
	"alloc_second_traps":    {Section: "2.2", Problem: "aviary_alloc: unreachable"},
	"alloc_second_zero":     {Section: "2.2", Problem: "aviary_alloc(131072) returned 0"},
	"alloc_type":            {Section: "2", Problem: "aviary_alloc has type (i32) -> (i64), not (i32) -> (i32)"},
	"alloc_zero":            {Section: "2.2", Problem: "returned 0"},
	"counter":               {Section: "intro", Problem: "kept in memory from one callback to the next"},
	"data_past_memory":      {Section: "2", Problem: "data[0]: out of bounds"},
	"effects_truncated":     {Section: "4.1", Problem: "effects end past the response"},
	"export_meter":          {Section: "2", Problem: "__aviary_fuel"},
	"fuel_fill":             {Section: "8", Problem: "over its fuel"},
	"fuel_host_calls":       {Section: "8", Problem: "over its fuel"},
	"fuel_initialize":       {Section: "8", Problem: "_initialize failed: fuel"},
	"fuel_log":              {Section: "8", Problem: "over its fuel"},
	"fuel_loop":             {Section: "8", Problem: "over its fuel"},
	"fuel_recursion":        {Section: "8", Problem: "over its fuel"},
	"fuel_start":            {Section: "8", Problem: "start function failed: fuel"},
	"handle_in_type":        {Section: "2", Problem: "handle_in has type (i32, i32) -> (i32)"},
	"import_global":         {Section: "6", Problem: "aviary.log is a global"},
	"import_memory":         {Section: "6", Problem: "env.memory is a memory"},
	"import_meter":          {Section: "6", Problem: "aviary_host.fuel is not offered"},
	"import_table":          {Section: "6", Problem: "env.table is a table"},
	"import_type":           {Section: "6", Problem: "aviary.log has type (i32, i32) -> ()"},
	"initialize_traps":      {Section: "2", Problem: "_initialize failed: trap"},
	"initialize_type":       {Section: "2", Problem: "_initialize has type (i32) -> ()"},
	"join_absent":           {Section: "2.1", Problem: "marker says that join is not there"},
	"join_global":           {Section: "2", Problem: "join has type global"},
	"join_missing":          {Section: "2", Problem: "join is required"},
	"join_type":             {Section: "2", Problem: "join has type (i32, i32, i32) -> (i64)"},
	"log_bad_pointer":       {Section: "6", Problem: "log: 32 bytes at 196592 end past the memory"},
	"marker_type":           {Section: "2", Problem: "aviary_abi_v1 has type () -> (i32)"},
	"memory_missing":        {Section: "2", Problem: "memory is required"},
	"memory_too_large":      {Section: "8", Problem: "300 pages of 64 KiB"},
	"newer_revision":        {Section: "2.1", Problem: "needs revision 3"},
	"no_marker":             {Section: "2.1", Problem: "no aviary_abi_v1"},
	"output_over_limit":     {Section: "8", Problem: "output is over the limit"},
	"panic_import":          {Section: "7", Problem: "the cup is too full (src/cup.c:42)"},
	"proc_exit":             {Section: "7", Problem: "proc_exit(3)"},
	"response_len_negative": {Section: "3", Problem: "response of 4294967295 bytes"},
	"response_len_overflow": {Section: "3", Problem: "response of 32 bytes at 4294967280"},
	"response_over_limit":   {Section: "8", Problem: "response is over the limit"},
	"response_past_memory":  {Section: "3", Problem: "ends past the memory"},
	"response_short":        {Section: "4.1", Problem: "under this revision's 64"},
	"result_not_allowed":    {Section: "4.2", Problem: "result pass is not allowed in handle_in"},
	"stack_recursion":       {Section: "8", Problem: "over its stack"},
	"start_only":            {Section: "2", Problem: "_start without _initialize"},
	"start_traps":           {Section: "2", Problem: "start function failed: trap"},
	"state_over_limit":      {Section: "8", Problem: "state is over the limit"},
	"trap_div_zero":         {Section: "7", Problem: "integer divide by zero"},
	"trap_oob_load":         {Section: "7", Problem: "out of bounds memory access"},
	"trap_unreachable":      {Section: "7", Problem: "unreachable"},
	"unknown_effect":        {Section: "5.1", Problem: "effects[0] has an unknown kind"},
	"unknown_import":        {Section: "6", Problem: "wasi_snapshot_preview1.path_open is not offered"},
	"unknown_result":        {Section: "4.2", Problem: "result has an unknown number"},
}

func TestBrokenModules(t *testing.T) {
	for name, want := range broken {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := check(t, fault(t, name), tck.Options{})
			if len(r.Findings) != 1 {
				t.Fatalf("found %v, want one of SPEC %s: %s", r.Findings, want.Section, want.Problem)
			}
			if f := r.Findings[0]; f.Section != want.Section || !strings.Contains(f.Problem, want.Problem) {
				t.Errorf("found %s, want SPEC %s: %s", f, want.Section, want.Problem)
			}
		})
	}
}

// TestOtherFiles: what is no module at all is told apart from one that is too large.
func TestOtherFiles(t *testing.T) {
	for name, tt := range map[string]struct{ wasm, section, problem string }{
		"nothing":   {"", "1.1", "not a WebAssembly module"},
		"text":      {"(module)", "1.1", "not a WebAssembly module"},
		"component": {"\x00asm\x0d\x00\x01\x00", "1.1", "version"},
		"empty":     {"\x00asm\x01\x00\x00\x00", "2.1", "no aviary_abi_v1"},
		"cut off":   {string(fault(t, "echo")[:100]), "1.1", "ends early"},
		"invalid": {
			"\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x0a\x05\x01\x03\x00\x1a\x0b",
			"2.1", "no aviary_abi_v1",
		},
		"locals": {
			"\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x0a\x09\x01\x07\x01\x80\xda\xc4\x09\x7f\x0b",
			"8", "20000000 locals, at most 4096",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := check(t, []byte(tt.wasm), tck.Options{})
			if r.OK() || r.Findings[0].Section != tt.section || !strings.Contains(r.Findings[0].Problem, tt.problem) {
				t.Errorf("found %v, want SPEC %s: %s", r.Findings, tt.section, tt.problem)
			}
		})
	}
}

// TestGoodModules: modules that were written by hand, from SPEC.md alone, pass, with each
// callback run.
func TestGoodModules(t *testing.T) {
	for _, name := range []string{"echo", "table_set"} {
		r := check(t, fault(t, name), tck.Options{})
		if !r.OK() || len(r.Notes) != 0 {
			t.Errorf("%s: found %v, noted %q", name, r.Findings, r.Notes)
		}
		for _, callback := range r.Callbacks {
			if !slices.ContainsFunc(r.Runs, func(run tck.Run) bool { return strings.HasPrefix(run.Probe, callback) && run.Fuel > 0 }) {
				t.Errorf("%s: %s was not run, or cost nothing", name, callback)
			}
		}
		if r.InitFuel < 0 || r.LoadMicros == 0 || r.InstantiateMicros == 0 || r.Memory.Min == 0 {
			t.Errorf("%s: something is missing of %+v", name, r)
		}
	}
}

func TestReport(t *testing.T) {
	r := check(t, fault(t, "echo"), tck.Options{})
	if !slices.Contains(r.Exports, tck.Item{Name: "join", Type: "(i32, i32) -> (i64)"}) ||
		!slices.Contains(r.Exports, tck.Item{Name: "memory", Type: "memory"}) || !slices.Equal(r.Versions, []string{"1"}) {
		t.Errorf("exports are %v, versions %v", r.Exports, r.Versions)
	}
	if r.Size != len(fault(t, "echo")) || len(r.Hash) != 64 {
		t.Errorf("size is %d, hash %s", r.Size, r.Hash)
	}
	if !slices.Contains(check(t, fault(t, "imports"), tck.Options{}).Imports, tck.Item{Name: "aviary.log", Type: "(i32, i32, i32) -> ()"}) {
		t.Error("imports are not listed")
	}
}

// TestCanceled: the end of the context is no finding.
func TestCanceled(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	cancel(why)
	if r, err := tck.Check(ctx, fault(t, "echo"), tck.Options{}); !errors.Is(err, why) {
		t.Errorf("got %v, found %v", err, r.Findings)
	}
}

func TestCheckAnswer(t *testing.T) {
	long := []byte(strings.Repeat("x", 256))
	effect := func(e abi.Effect) abi.Response { return abi.Response{Effects: []abi.Effect{e}} }
	for want, r := range map[string]abi.Response{
		"SPEC 4.1: reply: the payload is not JSON: \"{\"":                         {Result: abi.ResultReply, Payload: []byte("{")},
		"SPEC 4.1: reply_error: the payload is not JSON: \"\\\"\\xff\\\"\"":       {Result: abi.ResultReplyError, Payload: []byte("\"\xff\"")},
		"SPEC 8: reply: the status has 256 bytes, at most 255":                    {Result: abi.ResultReply, Event: long},
		"SPEC 5.2: push: the payload is neither a JSON object nor bytes: \"[1]\"": {Result: abi.ResultPush, Event: []byte("e"), Payload: []byte("[1]")},
		"SPEC 8: push: the event is not UTF-8":                                    {Result: abi.ResultPush, Event: []byte("\xff")},
		"SPEC 5.2: effects[0] broadcast: the payload is neither a JSON object nor bytes: \" 7\"": effect(
			abi.Effect{Kind: abi.EffectBroadcast, Event: []byte("e"), Payload: []byte(" 7")}),
		"SPEC 8: effects[0] subscribe: the topic has 256 bytes, at most 255": effect(
			abi.Effect{Kind: abi.EffectSubscribe, Topic: long}),
		"SPEC 5.2: effects[0] presence_track: the meta is bytes, it has to be a JSON object": effect(
			abi.Effect{Kind: abi.EffectPresenceTrack, Binary: true, Payload: []byte("x")}),
		"SPEC 8: effects[0] presence_update: the key has 256 bytes, at most 255": effect(
			abi.Effect{Kind: abi.EffectPresenceUpdate, Key: long}),
		"SPEC 5.2: effects[0] send_after: the payload is not JSON: \"x\"": effect(
			abi.Effect{Kind: abi.EffectSendAfter, Payload: []byte("x")}),
		"SPEC 5.2: effects[0] reply: the payload is not JSON: \"nul\"": effect(
			abi.Effect{Kind: abi.EffectReply, Payload: []byte("nul")}),
	} {
		if found := tck.CheckAnswer(&r); len(found) != 1 || found[0].String() != want {
			t.Errorf("found %v, want %s", found, want)
		}
	}
	for _, r := range []abi.Response{
		{Result: abi.ResultReply},
		{Result: abi.ResultReply, Payload: []byte("1e400")},
		{Result: abi.ResultReply, Binary: true, Payload: []byte("\xff")},
		{Result: abi.ResultPush, Event: []byte("e"), Payload: []byte(" {}")},
		{Result: abi.ResultStop, Number: 1, Text: []byte("\xff")},
		effect(abi.Effect{Kind: abi.EffectBroadcast, Event: []byte("e"), Binary: true, Payload: []byte("[")}),
		effect(abi.Effect{Kind: abi.EffectLog, Payload: []byte("no JSON")}),
	} {
		if found := tck.CheckAnswer(&r); len(found) != 0 {
			t.Errorf("%+v: found %v", r, found)
		}
	}
}
