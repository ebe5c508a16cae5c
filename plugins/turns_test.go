package plugins

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/plugins/fair"
)

// loadImpatient loads a fault guest on one processor. Its callbacks wait no time for
// turns.
func loadImpatient(t *testing.T, name string) (*Plugin, *fair.Scheduler) {
	t.Helper()
	wasm, err := os.ReadFile("testdata/faults/" + name + ".wasm")
	if err != nil {
		t.Fatal(err)
	}
	sched := fair.NewScheduler(fair.Config{Procs: 1})
	tenant, err := sched.Tenant(fair.TenantConfig{Name: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	p, err := Load(context.Background(), wasm, Config{Name: "chat", Instances: 1, Tenant: tenant, Deadline: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	p.granted.patience = time.Nanosecond
	return p, sched
}

// wantBusy runs a callback whose turn does not come.
func wantBusy(t *testing.T, p *Plugin) {
	t.Helper()
	var resp abi.Response
	_, err := p.Handle(&abi.Request{Callback: abi.CallbackHandleIn}, nil, &resp)
	var call *CallError
	var unavailable *UnavailableError
	if !errors.As(err, &call) || call.Kind != KindBusy || !errors.Is(err, ErrBusy) || !errors.As(err, &unavailable) ||
		call.Message != "busy: tenant acme waits for others that compute, over 1ns" {
		t.Fatalf("error %v", err)
	}
}

// TestTurnThatDoesNotCome: a callback that computes and waits too long for its turn
// ends with an error that says so. It was not the deadline, which the wait is no part
// of, and the next callback finds the plugin in order.
func TestTurnThatDoesNotCome(t *testing.T) {
	p, sched := loadImpatient(t, "fuel_loop")
	var other fair.Turn
	other.Begin(p.tenant, time.Minute)
	if err := other.Slice(1); err != nil {
		t.Fatal(err)
	}
	wantBusy(t, p)
	other.End(1)
	var resp abi.Response
	if _, err := p.Handle(&abi.Request{Callback: abi.CallbackHandleIn}, nil, &resp); !errors.Is(err, ErrFuel) {
		t.Errorf("error %v", err)
	}
	if s := p.Stats(); s.Failures["busy"] != 1 || s.Failures["fuel"] != 1 || s.Calls != 2 || s.InstancesMade != 2 || s.Waits != 1 {
		t.Errorf("stats are %+v", s)
	}
	if p.tenant.Spent() < 10_000_000 || sched.Waiting() != 0 {
		t.Errorf("%d spent, %d wait", p.tenant.Spent(), sched.Waiting())
	}
}

// TestHeavyTenantsBeginInTurn: a tenant that has used more than its share begins its
// callbacks in turn, and not at all while others have all the turns.
func TestHeavyTenantsBeginInTurn(t *testing.T) {
	p, sched := loadImpatient(t, "echo")
	other, err := sched.Tenant(fair.TenantConfig{Name: "other"})
	if err != nil {
		t.Fatal(err)
	}
	spend := func(of *fair.Tenant, fuel int64) {
		var turn fair.Turn
		turn.Begin(of, time.Minute)
		turn.End(fuel)
	}
	for !p.tenant.Heavy() { // which is looked at only now and then
		spend(other, 10_000)
		spend(p.tenant, 1<<45)
	}
	var resp abi.Response
	req := &abi.Request{Callback: abi.CallbackHandleIn, Payload: []byte("1")}
	if _, err := p.Handle(req, nil, &resp); err != nil || string(resp.Payload) != "1" {
		t.Fatalf("answer %s, %v", resp.Payload, err)
	}
	var turn fair.Turn
	turn.Begin(other, time.Minute)
	if err := turn.Enter(); err != nil {
		t.Fatal(err)
	}
	wantBusy(t, p)
	turn.End(0)
	if _, err := p.Handle(req, nil, &resp); err != nil || p.Stats().Waits != 1 {
		t.Errorf("%v after %d waits", err, p.Stats().Waits)
	}
}
