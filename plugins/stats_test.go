package plugins_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/plugins"
)

// TestStatsNames: they are what operators' dashboards go by.
func TestStatsNames(t *testing.T) {
	p := load(t, fault(t, "counter"), plugins.Config{Instances: 1, Breaker: plugins.Breaker{Failures: 5, Window: 1e10}})
	for range 3 {
		mustHandle(t, p, abi.CallbackHandleIn, "go")
	}
	if _, err := handle(p, abi.CallbackHandleIn, "!"); err == nil {
		t.Fatal("no trap")
	}
	if _, err := handle(p, abi.CallbackHandleInfo, ""); err == nil {
		t.Fatal("the callback is not there")
	}
	s := p.Stats()
	if s.Fuel < 50 || s.Fuel > 1000 {
		t.Errorf("four small callbacks and an initialisation spent %d", s.Fuel)
	}
	s.Fuel = 123
	got, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"name":"chat","state":"ready","module":"` + p.Hash() + `","tenant":"default","calls":4,"failures":{` +
		`"bad_alloc":0,"bad_pointer":0,"bad_response":0,"busy":0,"deadline":0,"denied":0,"exit":0,"fuel":0,"host":0,"instantiate":0,` +
		`"no_callback":1,"panic":0,"quota":0,"stack":0,"too_large":0,"trap":1,"unavailable":0},` +
		`"fuel":123,"instances":1,"instances_made":2,"resets":4,"breaker":"closed","breaker_opened":0,"waits":0,"waited_micros":0}`
	if string(got) != want {
		t.Errorf("stats are\n%s\nwant\n%s", got, want)
	}
}

// TestStatsWhileCalled: each callback is counted once, also while others ask.
func TestStatsWhileCalled(t *testing.T) {
	const callers, rounds = 6, 500
	p := load(t, fault(t, "echo"), plugins.Config{Instances: 3})
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range rounds {
				mustHandle(t, p, abi.CallbackHandleIn, "x")
				if n := p.Stats().Calls; n < 1 || n > callers*rounds {
					t.Errorf("%d calls", n)
				}
			}
		})
	}
	wg.Wait()
	s := p.Stats()
	if s.Calls != callers*rounds || s.InstancesMade > 1+3 || s.Fuel < s.Calls {
		t.Errorf("stats are %+v", s)
	}
	var zero int64
	for _, n := range s.Failures {
		zero += n
	}
	if zero != 0 || strings.Contains(s.Breaker, "open") {
		t.Errorf("stats are %+v", s)
	}
}
