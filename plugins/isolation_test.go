package plugins_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/plugins"
	"github.com/aviary-host/aviary/plugins/fair"
	"github.com/aviary-host/aviary/plugins/image"
	"github.com/aviary-host/aviary/plugins/module"
)

// resetMethods are all ways to give a callback a pristine instance, the last of which is
// to make one for each.
func resetMethods() []image.Method { return append(image.Methods(), image.None) }

// TestCallbacksArePristine: a guest writes to all of its memory and globals, in callbacks
// that succeed and that trap, and the next callback finds nothing of it, nor does the host.
func TestCallbacksArePristine(t *testing.T) {
	for _, method := range resetMethods() {
		t.Run(method.String(), func(t *testing.T) {
			p := load(t, fault(t, "scribble"), scribbled(method, plugins.IsolateCall))
			if got, _ := p.Reset(); got != method.String() {
				t.Fatalf("instances are put back by %s", got)
			}
			for range 5 {
				mustHandle(t, p, abi.CallbackHandleIn, "go")
				checkPristine(t, p, method)
				if _, err := handle(p, abi.CallbackHandleIn, "!"); err == nil {
					t.Fatal("no trap")
				}
				checkPristine(t, p, method)
			}
		})
	}
}

// scribbled is for a guest that writes to more than is kept as copies, and then reads it
// byte by byte.
func scribbled(method image.Method, isolation plugins.Isolation) plugins.Config {
	return plugins.Config{
		Instances: 1, MemoryPages: 12, Fuel: 1e9, Deadline: time.Minute,
		Reset: method, Isolation: isolation,
	}
}

func checkPristine(t *testing.T, p *plugins.Plugin, method image.Method) {
	t.Helper()
	if method != image.None {
		if got := p.Differs(); got != "" {
			t.Errorf("after a callback: %s", got)
		}
	}
	if got := mustHandle(t, p, abi.CallbackJoin, ""); got != "0" {
		t.Errorf("the next callback finds %s traces", got)
	}
}

// TestMarksStayWithoutIsolation is what the test above would find if nothing was put back.
func TestMarksStayWithoutIsolation(t *testing.T) {
	p := load(t, fault(t, "scribble"), scribbled(image.Auto, plugins.IsolateInstance))
	mustHandle(t, p, abi.CallbackHandleIn, "go")
	if got := mustHandle(t, p, abi.CallbackJoin, ""); got != "7" {
		t.Errorf("the next callback finds %s traces, want 7", got)
	}
	if p.Differs() == "" {
		t.Error("the instance is as the picture")
	}
	if _, err := handle(p, abi.CallbackHandleIn, "!"); err == nil {
		t.Fatal("no trap")
	}
	if got := mustHandle(t, p, abi.CallbackJoin, ""); got != "0" {
		t.Errorf("after a trap the next callback finds %s traces", got)
	}
}

// TestLongRequestIsForgotten: the buffer for it was asked of the guest, in memory that is
// put back.
func TestLongRequestIsForgotten(t *testing.T) {
	p := load(t, fault(t, "echo"), plugins.Config{Instances: 1})
	for _, n := range []int{200 << 10, 10, 100 << 10, 65536} {
		want := strings.Repeat("x", n)
		if got := mustHandle(t, p, abi.CallbackHandleIn, want); got != want {
			t.Errorf("echo of %d bytes has %d", n, len(got))
		}
		if got := p.Differs(); got != "" {
			t.Errorf("after %d bytes: %s", n, got)
		}
	}
}

// TestPristineUnderLoad has many callers find nothing of each other, under every method.
func TestPristineUnderLoad(t *testing.T) {
	for _, method := range resetMethods() {
		t.Run(method.String(), func(t *testing.T) {
			p := load(t, fault(t, "counter"), plugins.Config{Instances: 3, Reset: method})
			var work sync.WaitGroup
			for caller := range 6 {
				work.Go(func() {
					for i := range 100 {
						payload := "go"
						if (i+caller)%10 == 0 {
							payload = "!"
						}
						got, err := handle(p, abi.CallbackHandleIn, payload)
						if (err != nil) != (payload == "!") || err == nil && got != "1" {
							t.Errorf("counts %s: %v", got, err)
						}
					}
				})
			}
			work.Wait()
		})
	}
}

// TestTablesAreNotPutBack: a module that writes to one gets an instance for each callback,
// of which the log says why, or is refused.
func TestTablesAreNotPutBack(t *testing.T) {
	const why = "function 3 changes a table"
	p := load(t, fault(t, "table_set"), plugins.Config{Instances: 1})
	for range 3 {
		if got := mustHandle(t, p, abi.CallbackHandleIn, ""); got != "1" {
			t.Errorf("handle_in answers %s", got)
		}
		if got := mustHandle(t, p, abi.CallbackJoin, ""); got != "0" {
			t.Errorf("the next callback answers %s", got)
		}
	}
	if method, whyNot := p.Reset(); method != "none" || whyNot != why {
		t.Errorf("method %s, because %s", method, whyNot)
	}
	_, err := plugins.Load(context.Background(), fault(t, "table_set"), plugins.Config{Isolation: plugins.IsolateReset})
	want := `plugin unnamed: its instances cannot be put back after a callback (` + why + `), which plugin.isolation = "reset" wants`
	if err == nil || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
	kept := load(t, fault(t, "table_set"), plugins.Config{Instances: 1, Isolation: plugins.IsolateInstance})
	mustHandle(t, kept, abi.CallbackHandleIn, "")
	if got := mustHandle(t, kept, abi.CallbackJoin, ""); got != "1" {
		t.Errorf("where instances are kept the next callback answers %s", got)
	}
}

func TestResetIsRefusedWithoutImages(t *testing.T) {
	_, err := plugins.Load(context.Background(), fault(t, "echo"), plugins.Config{Isolation: plugins.IsolateReset, Reset: image.None})
	if err == nil || !strings.Contains(err.Error(), "none are wanted") {
		t.Errorf("error is %v", err)
	}
	var refusal *plugins.LoadError
	if !errors.As(err, &refusal) {
		t.Errorf("error is %T", err)
	}
}

// TestGoGuestIsPutBack: a whole run-time is, and works again each time. Under the race
// detector it is that of the plain guest, and where nothing is put back there is nothing
// to see.
func TestGoGuestIsPutBack(t *testing.T) {
	name, methods := "stdlib", resetMethods()
	if raceEnabled {
		name, methods = "plain", image.Methods()
	}
	for _, method := range methods {
		t.Run(method.String(), func(t *testing.T) {
			var log bytes.Buffer
			p := load(t, goGuest(t, name), plugins.Config{Instances: 1, Reset: method, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			rounds := 50
			if method == image.None {
				rounds = 3
			}
			first := mustHandle(t, p, abi.CallbackJoin, `{"name":"Ada"}`)
			for range rounds {
				if got := mustHandle(t, p, abi.CallbackJoin, `{"name":"Ada"}`); got != first {
					t.Fatalf("answers %s, at first %s", got, first)
				}
			}
			if method != image.None && p.Differs() != "" {
				t.Error(p.Differs())
			}
		})
	}
}

// TestInstancesOfTheirOwnCost: where each callback gets an instance, its memory is paid
// for: 16 MiB take milliseconds, however little the guest does.
func TestInstancesOfTheirOwnCost(t *testing.T) {
	m, err := module.Decode(fault(t, "table_set"), module.DefaultCaps())
	if err != nil {
		t.Fatal(err)
	}
	const pages, calls = 256, 4
	m.Memories[0].Min = pages
	s := fair.NewScheduler(fair.Config{})
	tenant, err := s.Tenant(fair.TenantConfig{Name: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		isolation plugins.Isolation
		atLeast   int64
	}{{plugins.IsolateCall, calls * pages * 16_000}, {plugins.IsolateInstance, 0}} {
		p := load(t, m.Encode(), plugins.Config{Instances: 1, Tenant: tenant, Isolation: tt.isolation})
		mustHandle(t, p, abi.CallbackJoin, "") // on the first instance
		before, spent := p.Stats().Fuel, tenant.Spent()
		for range calls {
			mustHandle(t, p, abi.CallbackJoin, "")
		}
		used := p.Stats().Fuel - before
		if paid := tenant.Spent() - spent; used < tt.atLeast || tt.atLeast == 0 && used > 10_000 || paid != used {
			t.Errorf("isolation %s: %d fuel for %d callbacks, of which the tenant paid %d", tt.isolation, used, calls, paid)
		}
	}
}

// TestPagesCost: what a callback writes to is paid for where that is too much to keep. To
// fault in a page takes as long as some thousand instructions, and a guest can write to one
// with three.
func TestPagesCost(t *testing.T) {
	const written = 12 * 16 // pages of the system's
	for _, method := range []image.Method{image.Scan, image.Pagemap} {
		p := load(t, fault(t, "scribble"), scribbled(method, plugins.IsolateCall))
		other := load(t, fault(t, "scribble"), scribbled(image.Drop, plugins.IsolateCall)) // nobody counts there
		fuel := func(p *plugins.Plugin) int64 {
			before := p.Stats().Fuel
			mustHandle(t, p, abi.CallbackHandleIn, "go")
			return p.Stats().Fuel - before
		}
		if more := fuel(p) - fuel(other); more < 1000*(written-32) || more > 1000*written {
			t.Errorf("%s: %d fuel for %d pages", method, more, written)
		}
	}
}

// TestWhoWritesMuchLooksUpOften: a guest that has written to more pages than are kept comes
// to the host more often in its next callbacks, and one that has not does not.
func TestWhoWritesMuchLooksUpOften(t *testing.T) {
	for _, method := range []image.Method{image.Scan, image.Pagemap} {
		p := load(t, fault(t, "scribble"), scribbled(method, plugins.IsolateCall))
		if p.Wary() {
			t.Errorf("%s: wary of a plugin that has done nothing", method)
		}
		mustHandle(t, p, abi.CallbackJoin, "")
		if p.Wary() {
			t.Errorf("%s: wary of a plugin that writes little", method)
		}
		mustHandle(t, p, abi.CallbackHandleIn, "go")
		if !p.Wary() {
			t.Errorf("%s: not wary of a plugin that writes much", method)
		}
		for range 3 { // short slices, in which it does the same
			if got := mustHandle(t, p, abi.CallbackJoin, ""); got != "0" {
				t.Errorf("%s: the next callback finds %s traces", method, got)
			}
		}
	}
}
