package plugins_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/plugins"
	"github.com/aviary-host/aviary/plugins/fair"
)

func newTenant(t testing.TB, s *fair.Scheduler, cfg fair.TenantConfig) *fair.Tenant {
	t.Helper()
	tenant, err := s.Tenant(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return tenant
}

// TestShortCallbacksPassHogs: while many guests of one tenant compute for all that
// they are allowed, each callback of another tenant is answered, and none waits for a
// turn. In the end all turns are back: the hogs went on to their end by fuel.
func TestShortCallbacksPassHogs(t *testing.T) {
	sched := fair.NewScheduler(fair.Config{})
	a, b := newTenant(t, sched, fair.TenantConfig{Name: "a"}), newTenant(t, sched, fair.TenantConfig{Name: "b"})
	hog := load(t, fault(t, "fuel_loop"), plugins.Config{Name: "hog", Instances: 8, Deadline: time.Minute, Tenant: a})
	echo := load(t, fault(t, "echo"), plugins.Config{Name: "echo", Instances: 1, Tenant: b})
	var done atomic.Bool
	var burnt atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for !done.Load() {
				switch _, err := handle(hog, abi.CallbackHandleIn, ""); {
				case errors.Is(err, plugins.ErrFuel):
					burnt.Add(1)
				case !errors.Is(err, plugins.ErrBusy): // as on a slow machine
					t.Errorf("a hog ended with %v", err)
				}
			}
		})
	}
	for i := 0; i < 300 || burnt.Load() < 16; i++ {
		want := fmt.Sprint(i)
		if got := mustHandle(t, echo, abi.CallbackHandleIn, want); got != want {
			t.Errorf("answer %s, want %s", got, want)
		}
	}
	done.Store(true)
	wg.Wait()
	if n := echo.Stats().Waits; n != 0 {
		t.Errorf("short callbacks waited for %d turns", n)
	}
	if n := hog.Stats().Waits; n == 0 {
		t.Error("no hog waited for another")
	}
	if spent, least := a.Spent(), burnt.Load()*10_000_000; spent < least {
		t.Errorf("the tenant is charged %d for callbacks of %d", spent, least)
	}
}

// TestHogsShareByWeight: two tenants that do nothing but compute get through their
// work in the order of their weights, though the heavier one began last.
func TestHogsShareByWeight(t *testing.T) {
	sched := fair.NewScheduler(fair.Config{Procs: 2}) // one turn
	heavy := newTenant(t, sched, fair.TenantConfig{Name: "heavy", Weight: 8})
	light := newTenant(t, sched, fair.TenantConfig{Name: "light"})
	cfg := plugins.Config{Instances: 4, Deadline: time.Minute, Fuel: 2_500_000} // more than a turn, and all of heavy's less than its round
	var ended sync.Mutex
	var order []string
	burn := func(tenant *fair.Tenant) func() {
		cfg.Name, cfg.Tenant = tenant.Name(), tenant
		p := load(t, fault(t, "fuel_loop"), cfg)
		return func() {
			if _, err := handle(p, abi.CallbackHandleIn, ""); !errors.Is(err, plugins.ErrFuel) {
				t.Errorf("a hog ended with %v", err)
			}
			ended.Lock()
			order = append(order, tenant.Name())
			ended.Unlock()
		}
	}
	var gate fair.Turn // holds the only turn until all of them wait
	gate.Begin(light, time.Minute)
	if err := gate.Slice(1); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for _, f := range []func(){burn(light), burn(heavy)} {
		for range 4 {
			wg.Go(f)
		}
	}
	for sched.Waiting() < 8 {
		runtime.Gosched()
	}
	gate.End(0)
	wg.Wait()
	if got := strings.Join(order[:4], " "); got != "heavy heavy heavy heavy" {
		t.Errorf("the first to end are %s", got)
	}
}

// TestQuotaRefusesCallbacks: a tenant over its fuel per second gets an error that
// says so and when to come again; it costs no instance.
func TestQuotaRefusesCallbacks(t *testing.T) {
	sched := fair.NewScheduler(fair.Config{})
	acme := newTenant(t, sched, fair.TenantConfig{Name: "acme", FuelPerSecond: 1000})
	p := load(t, fault(t, "echo"), plugins.Config{Tenant: acme})
	var turn fair.Turn
	turn.Begin(acme, time.Minute)
	turn.End(1_000_000)
	resp := abi.Response{Payload: []byte("old")}
	_, err := p.Handle(&abi.Request{Callback: abi.CallbackHandleIn}, nil, &resp)
	var call *plugins.CallError
	var unavailable *plugins.UnavailableError
	if !errors.Is(err, plugins.ErrQuota) || !errors.As(err, &call) || !errors.As(err, &unavailable) || call.Kind != plugins.KindQuota {
		t.Fatalf("error %v", err)
	}
	const want = "plugin chat: handle_in: quota: tenant acme is over its fuel of 1000 per second (tenant.fuel_per_second)"
	if err.Error() != want || resp.Payload != nil || p.Live() != 1 {
		t.Errorf("error %v, response %+v, %d instances", err, resp, p.Live())
	}
	if reason, after := unavailable.Unavailable(); !strings.Contains(reason, "acme") || after < 900*time.Second || after > 1000*time.Second {
		t.Errorf("unavailable for %v: %s", after, reason)
	}
}

// TestMemoryOfTenant: an instance for which the tenant has no memory is not made;
// callers wait for those that there are. A plugin that goes makes room.
func TestMemoryOfTenant(t *testing.T) {
	sched := fair.NewScheduler(fair.Config{})
	acme := newTenant(t, sched, fair.TenantConfig{Name: "acme", Memory: 5 << 20})
	cfg := plugins.Config{Instances: 8, MemoryPages: 16, Tenant: acme, Name: "first"} // 1 MiB each
	first := load(t, fault(t, "echo"), cfg)
	second, err := plugins.Load(context.Background(), fault(t, "echo"), cfg)
	if err != nil {
		t.Fatal(err)
	}
	flood(t, second, 8)
	flood(t, first, 8)
	if _, used := acme.Memory(); used != int64(first.Live()+second.Live())<<20 || used > 5<<20 {
		t.Errorf("%d bytes for %d and %d instances", used, first.Live(), second.Live())
	}
	_, err = plugins.Load(context.Background(), fault(t, "echo"), plugins.Config{Name: "big", MemoryPages: 96, Tenant: acme})
	_, used := acme.Memory()
	want := fmt.Sprintf("plugin big: an instance may have 6 MiB (plugin.memory), but tenant acme has %d", 5-used>>20)
	if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.HasSuffix(err.Error(), "of its 5 MiB left (tenant.memory)") {
		t.Errorf("error %v, want %s", err, want)
	}
	closePlugin(t, second)
	flood(t, first, 8)
	if _, used := acme.Memory(); used != int64(first.Live())<<20 {
		t.Errorf("%d bytes for %d instances", used, first.Live())
	}
}

// flood has so many callers call at once.
func flood(t *testing.T, p *plugins.Plugin, callers int) {
	t.Helper()
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range 200 {
				mustHandle(t, p, abi.CallbackHandleIn, "x")
			}
		})
	}
	wg.Wait()
}

// TestLogLinesOfTenant: what is over the lines of a tenant is counted, and told of
// in front of the next line.
func TestLogLinesOfTenant(t *testing.T) {
	sched := fair.NewScheduler(fair.Config{})
	acme := newTenant(t, sched, fair.TenantConfig{Name: "acme", LogLines: 1000, LogBurst: 1})
	logger, out := newLogger()
	p := load(t, fault(t, "fuel_log"), plugins.Config{Tenant: acme, Logger: logger, Instances: 1, Deadline: time.Minute, Fuel: 100_000})
	for {
		if _, err := handle(p, abi.CallbackHandleIn, ""); !errors.Is(err, plugins.ErrFuel) {
			t.Fatal(err)
		}
		for _, line := range out.lines() {
			if strings.HasPrefix(line, `level=WARN msg="log lines of the tenant were dropped" plugin=chat src=guest dropped=`) &&
				strings.Contains(line, " tenant=acme key=tenant.log_lines callback=handle_in") {
				return
			}
		}
	}
}
