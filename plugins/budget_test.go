package plugins_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/plugins"
	"github.com/aviary-host/aviary/plugins/module"
)

// overspender is a guest whose handle_in would go on for ever.
type overspender struct {
	err     error
	message string // of fuel or stack; the deadline's is the same for all
}

var overspenders = map[string]overspender{
	"fuel_loop":       {plugins.ErrFuel, "fuel: over its fuel of 10000000 (plugin.fuel), in spin"},
	"fuel_recursion":  {plugins.ErrFuel, "fuel: over its fuel of 10000000 (plugin.fuel), in twice"},
	"fuel_host_calls": {plugins.ErrFuel, "fuel: over its fuel of 10000000 (plugin.fuel), in wasi_snapshot_preview1.random_get"},
	"fuel_log":        {plugins.ErrFuel, "fuel: over its fuel of 10000000 (plugin.fuel), in "},
	"fuel_fill":       {plugins.ErrFuel, "fuel: over its fuel of 10000000 (plugin.fuel), in handle_in"},
	"stack_recursion": {plugins.ErrStack, "stack: over its stack of 1048576 bytes (plugin.stack), in handle_in"},
}

// TestNoGuestRunsForEver: each of them ends with the error that names what ran out.
// Meanwhile another plugin answers and the collector collects, and then the plugin
// is as good as new. It is fuel that ends them, so no clock is looked at.
func TestNoGuestRunsForEver(t *testing.T) {
	other := load(t, fault(t, "echo"), plugins.Config{Name: "other", Instances: 1})
	for name, tt := range overspenders {
		t.Run(name, func(t *testing.T) {
			p := load(t, fault(t, name), plugins.Config{Instances: 1, Deadline: time.Minute})
			for range 5 {
				err := overspend(t, p, other)
				if text := "plugin chat: handle_in: " + tt.message; err == nil ||
					!errors.Is(err, tt.err) || !strings.HasPrefix(err.Error(), text) {
					t.Fatalf("error is\n%v\nwant\n%s", err, text)
				}
				if p.Live() != 1 {
					t.Error("the instance was not put back")
				}
				mustHandle(t, p, abi.CallbackJoin, "")
			}
		})
	}
}

// overspend runs handle_in of p, and does beside it what else a server does.
func overspend(t *testing.T, p, other *plugins.Plugin) error {
	t.Helper()
	ended := make(chan error)
	go func() {
		_, err := handle(p, abi.CallbackHandleIn, "")
		ended <- err
	}()
	for range 10 {
		if got := mustHandle(t, other, abi.CallbackHandleIn, "hello"); got != "hello" {
			t.Errorf("the other plugin answers %q", got)
		}
	}
	runtime.GC()
	return <-ended
}

// TestDeadlineEndsGuests: what has fuel for years still has to be in time.
func TestDeadlineEndsGuests(t *testing.T) {
	for name, tt := range overspenders {
		if errors.Is(tt.err, plugins.ErrStack) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			p := load(t, fault(t, name), plugins.Config{Instances: 1, Fuel: 1 << 48, Deadline: 10 * time.Millisecond})
			_, err := handle(p, abi.CallbackHandleIn, "")
			const want = "plugin chat: handle_in: deadline: over its deadline of 10ms (plugin.deadline), in "
			var call *plugins.CallError
			if !errors.Is(err, plugins.ErrDeadline) || !errors.As(err, &call) || call.Kind != plugins.KindDeadline ||
				!strings.HasPrefix(err.Error(), want) {
				t.Errorf("error is\n%v\nwant\n%s", err, want)
			}
			mustHandle(t, p, abi.CallbackJoin, "")
		})
	}
}

// TestShortCallsReadNoClock: the deadline begins when the first slice is used up.
func TestShortCallsReadNoClock(t *testing.T) {
	p := load(t, fault(t, "echo"), plugins.Config{Deadline: 1})
	for range 1000 {
		mustHandle(t, p, abi.CallbackHandleIn, "x")
	}
}

// TestFuelIsPerCallback: what one callback spent is not missing in the next.
func TestFuelIsPerCallback(t *testing.T) {
	p := load(t, fault(t, "echo"), plugins.Config{Instances: 1, Fuel: 1000, FuelSlice: 10})
	for range 1000 {
		mustHandle(t, p, abi.CallbackHandleIn, "x")
	}
}

// TestGrowthEnds: memory and tables grow to their bounds, which costs most of the
// fuel, and no further.
func TestGrowthEnds(t *testing.T) {
	for _, tt := range []struct {
		fuel uint64
		want string
	}{
		{20_000_000, "trap: unreachable (handle_in)"}, // the growth is over
		{10_000_000, "fuel: over its fuel of 10000000 (plugin.fuel), in handle_in"},
	} {
		p := load(t, fault(t, "grow"), plugins.Config{Instances: 1, Fuel: tt.fuel, Deadline: time.Minute})
		_, err := handle(p, abi.CallbackHandleIn, "")
		if want := "plugin chat: handle_in: " + tt.want; err == nil || err.Error() != want {
			t.Errorf("error is\n%v\nwant\n%s", err, want)
		}
	}
}

func TestBudgetOfInitialisation(t *testing.T) {
	for name, want := range map[string]string{
		"fuel_initialize": "_initialize failed: fuel: over its fuel of 20000000 (100 times plugin.fuel), in spin",
		"fuel_start":      "start function failed: fuel: over its fuel of 20000000 (100 times plugin.fuel), in spin",
	} {
		_, err := plugins.Load(context.Background(), fault(t, name), plugins.Config{Fuel: 200_000})
		if want = "plugin unnamed: " + want; !errors.Is(err, plugins.ErrFuel) || err.Error() != want {
			t.Errorf("error is\n%v\nwant\n%s", err, want)
		}
	}
}

// TestMetersCount: a module that is too much for the compiler only with its meters
// is refused all the same.
func TestMetersCount(t *testing.T) {
	loops := slices.Repeat([]module.Instr{module.Block(module.OpLoop, module.BlockEmpty), {Op: module.OpEnd}}, 2000)
	m := module.Module{Types: []module.FuncType{{}}, Funcs: []module.Func{{Body: append(loops, module.Instr{Op: module.OpEnd})}}}
	checkRefusal(t, m.Encode(), "module is not accepted with its meters: code section, function 1: 56172073 steps from one basic block to another, at most 33554432")
}

func TestBudgetsOutOfRange(t *testing.T) {
	for want, cfg := range map[string]plugins.Config{
		"configured for fuel of 281474976710657, but there is at most 281474976710656 (plugin.fuel)": {Fuel: 1<<48 + 1},
		"configured for a deadline of -1ns, which is negative (plugin.deadline)":                     {Deadline: -1},
		"configured for a stack of 33554433 bytes, but there are at most 33554432 (plugin.stack)":    {Stack: 32<<20 + 1},
	} {
		_, err := plugins.Load(context.Background(), fault(t, "echo"), cfg)
		if want = "plugin unnamed: " + want; err == nil || err.Error() != want {
			t.Errorf("error is\n%v\nwant\n%s", err, want)
		}
	}
}
