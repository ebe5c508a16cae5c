package fair

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestTenantRefuses(t *testing.T) {
	for want, cfg := range map[string]TenantConfig{
		"tenant a: weight of -1 is not between 1 and 1000 (tenant.weight)":                                       {Name: "a", Weight: -1},
		"tenant default: weight of 1001 is not between 1 and 1000 (tenant.weight)":                               {Weight: 1001},
		"tenant a: fuel of -1 per second is not between 1 and 1000000000000 (tenant.fuel_per_second)":            {Name: "a", FuelPerSecond: -1},
		"tenant a: fuel of 1000000000001 per second is not between 1 and 1000000000000 (tenant.fuel_per_second)": {Name: "a", FuelPerSecond: maxFuelRate + 1},
		"tenant a: burst of -1 is not between 1 and 1000000000000 (tenant.fuel_per_second)":                      {Name: "a", FuelBurst: -1},
		"tenant a: memory of -1 bytes is negative (tenant.memory)":                                               {Name: "a", Memory: -1},
	} {
		if _, err := NewScheduler(Config{}).Tenant(cfg); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// turn begins a callback that has patience for a test's length.
func turn(of *Tenant) *Turn {
	t := &Turn{}
	t.Begin(of, time.Minute)
	return t
}

func mustSlice(t *testing.T, turn *Turn, fuel int64) {
	t.Helper()
	if err := turn.Slice(fuel); err != nil {
		t.Fatal(err)
	}
}

// waitFor waits until n callbacks wait for turns of a kind.
func waitFor(s *Scheduler, in *turns, n int) {
	for {
		s.mu.Lock()
		waiting := in.waiting
		s.mu.Unlock()
		if waiting == n {
			return
		}
		runtime.Gosched()
	}
}

// idleTurns tells whether all turns are back.
func idleTurns(s *Scheduler) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hogs.free == max(1, s.procs-1) && s.gate.free == s.procs && len(s.hogs.ring)+len(s.gate.ring) == 0
}

// TestHogGivesWay: a hog has its turn until its quantum is over, then it is the
// other tenant's.
func TestHogGivesWay(t *testing.T) {
	s, _ := newScheduler(2) // one turn
	a, b := turn(tenant(t, s, TenantConfig{Name: "a"})), turn(tenant(t, s, TenantConfig{Name: "b"}))
	mustSlice(t, a, 1)
	got := make(chan error)
	go func() { got <- b.Slice(1) }()
	waitFor(s, &s.hogs, 1)
	mustSlice(t, a, hogQuantum-1)
	select {
	case err := <-got:
		t.Fatal(err, "the other has a turn before the quantum is over")
	default:
	}
	back := make(chan error)
	go func() { back <- a.Slice(1) }()
	if err := <-got; err != nil {
		t.Fatal(err)
	}
	waitFor(s, &s.hogs, 1)
	if waits, _ := b.End(1); waits != 1 {
		t.Errorf("it waited %d times", waits)
	}
	if err := <-back; err != nil {
		t.Fatal(err)
	}
	if waits, _ := a.End(0); waits != 1 || !idleTurns(s) {
		t.Errorf("%d waits; are all turns back: %t", waits, idleTurns(s))
	}
	if waits, _ := a.End(1); waits != 0 || !idleTurns(s) {
		t.Error("a callback ended twice")
	}
}

// TestPatienceEnds: who waits too long gets an error that names the tenant, and
// the turn goes to others.
func TestPatienceEnds(t *testing.T) {
	s, _ := newScheduler(1)
	a, b := turn(tenant(t, s, TenantConfig{Name: "a"})), &Turn{}
	mustSlice(t, a, 1)
	b.Begin(tenant(t, s, TenantConfig{Name: "b"}), time.Nanosecond)
	err := b.Slice(1)
	if !errors.Is(err, ErrBusy) || err.Error() != "busy: tenant b waits for others that compute, over 1ns" {
		t.Errorf("error %v", err)
	}
	b.End(0)
	a.End(0)
	if !idleTurns(s) {
		t.Error("a turn is lost")
	}
}

// TestHeavyTenantsTakeTurns: a tenant that floods with short callbacks has to take a
// turn before each, the other one has not; when it stops it is like everybody else.
func TestHeavyTenantsTakeTurns(t *testing.T) {
	s, clock := newScheduler(2)
	flood, light := tenant(t, s, TenantConfig{Name: "flood"}), tenant(t, s, TenantConfig{Name: "light"})
	spend := func(of *Tenant, fuel int64) {
		of.spend(fuel)
		clock.now += time.Millisecond
	}
	for i := range 100 {
		spend(flood, 2<<reviewShift)
		if i%50 == 0 {
			spend(light, 60) // not even a callback in 50 ms
		}
	}
	if !flood.Heavy() || light.Heavy() {
		t.Fatalf("flood is heavy: %t, light: %t", flood.Heavy(), light.Heavy())
	}
	first, second, third := turn(flood), turn(flood), turn(flood)
	if err := errors.Join(first.Enter(), second.Enter()); err != nil {
		t.Fatal(err)
	}
	got := make(chan error)
	go func() { got <- third.Enter() }()
	waitFor(s, &s.gate, 1)
	mustSlice(t, first, 100) // it is a hog now: the third may begin
	if err := <-got; err != nil {
		t.Fatal(err)
	}
	for _, turn := range []*Turn{first, second, third} {
		turn.End(100)
	}
	clock.now += 10 * lately
	spend(light, 2<<reviewShift)
	if flood.Heavy() || !idleTurns(s) {
		t.Errorf("flood is still heavy: %t; all turns are back: %t", flood.Heavy(), idleTurns(s))
	}
}

// TestAloneNobodyIsHeavy: without others, or with ones that do nothing, or little of
// everything, there is no share to be over.
func TestAloneNobodyIsHeavy(t *testing.T) {
	s, clock := newScheduler(2)
	only := tenant(t, s, TenantConfig{})
	spend := func(ms time.Duration, fuel int64) {
		for range 200 {
			only.spend(fuel)
			clock.now += ms * time.Millisecond
		}
	}
	spend(1, 2<<reviewShift)
	if only.Heavy() {
		t.Error("the only tenant is heavy")
	}
	other := tenant(t, s, TenantConfig{Name: "other"})
	spend(1, 2<<reviewShift)
	if only.Heavy() {
		t.Error("beside one that does nothing")
	}
	clock.now += 10 * lately
	other.spend(2 << reviewShift)
	spend(20, 2<<reviewShift)
	if only.Heavy() {
		t.Error("on a machine that does little")
	}
}

// TestTurnDoesNotAllocate: what every callback pays is an addition.
func TestTurnDoesNotAllocate(t *testing.T) {
	s := NewScheduler(Config{})
	for name, of := range map[string]*Tenant{
		"unlimited": tenant(t, s, TenantConfig{}),
		"limited":   tenant(t, s, TenantConfig{FuelPerSecond: maxFuelRate}),
	} {
		turn := &Turn{}
		if n := testing.AllocsPerRun(1000, func() {
			prepaid, err := of.Admit(nil)
			if err != nil {
				t.Fatal(err)
			}
			turn.Begin(of, time.Second)
			if err := turn.Slice(1000); err != nil {
				t.Fatal(err)
			}
			turn.End(1000)
			of.Refund(prepaid)
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestLinesAreCounted(t *testing.T) {
	s, clock := newScheduler(1)
	a := tenant(t, s, TenantConfig{Name: "a", LogLines: 2, LogBurst: 3})
	var got []string
	log := func(n int) {
		for range n {
			switch hidden, ok := a.Line(); {
			case !ok:
				got = append(got, "-")
			case hidden > 0:
				got = append(got, "h")
			default:
				got = append(got, "l")
			}
		}
	}
	log(5)
	clock.now += time.Second
	log(4)
	clock.now += time.Minute
	log(4)
	if want := "lll--hl--hll-"; strings.Join(got, "") != want {
		t.Errorf("%s, want %s", strings.Join(got, ""), want)
	}
	unlimited := tenant(t, s, TenantConfig{Name: "b", LogLines: -1})
	for range 10_000 {
		if _, ok := unlimited.Line(); !ok {
			t.Fatal("a line of a tenant without a limit was dropped")
		}
	}
}

func TestMemoryIsShared(t *testing.T) {
	s, _ := newScheduler(1)
	a := tenant(t, s, TenantConfig{Name: "a", Memory: 100})
	if !a.Reserve(60) || a.Reserve(60) || !a.Reserve(40) || a.Reserve(1) {
		t.Fatal("100 bytes are 60 and 40")
	}
	var called []int64
	for _, n := range []int64{50, 30} {
		a.WhenFree(n, func() { called = append(called, n) })
	}
	a.Unreserve(40)
	if len(called) != 1 || called[0] != 30 {
		t.Errorf("%v were told that there are 40 bytes", called)
	}
	a.Unreserve(60)
	a.WhenFree(100, func() { called = append(called, 100) })
	if limit, used := a.Memory(); len(called) != 3 || limit != 100 || used != 0 {
		t.Errorf("%v were told, %d of %d are used", called, used, limit)
	}
}
