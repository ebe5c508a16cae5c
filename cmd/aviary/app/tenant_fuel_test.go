package app

import (
	"strings"
	"testing"
	"time"

	"github.com/aviary-host/aviary/host/limit"
	"github.com/aviary-host/aviary/plugins/fair"
	"github.com/pelletier/go-toml/v2"
)

func TestTenantFuelReadsEveryKey(t *testing.T) {
	var cfg struct {
		Tenants []struct {
			Name string `toml:"name"`
			TenantFuel
		} `toml:"tenant"`
	}
	text := "[[tenant]]\nname = \"a\"\nfuel_per_second = 5000\nweight = 3\nmemory = \"64MiB\"\nlog_lines = \"10/s burst 20\"\n"
	if err := toml.NewDecoder(strings.NewReader(text)).DisallowUnknownFields().Decode(&cfg); err != nil {
		t.Fatal(err)
	}
	got := cfg.Tenants[0].TenantFuel
	if got.FuelPerSecond != 5000 || got.Weight != 3 || got.Memory != 64<<20 || got.LogLines.Count != 10 || got.LogLines.Burst != 20 {
		t.Errorf("%+v", got)
	}
	tenant, err := got.tenant(fair.NewScheduler(fair.Config{}), "a")
	if err != nil {
		t.Fatal(err)
	}
	if limit, _ := tenant.Memory(); tenant.Name() != "a" || limit != 64<<20 {
		t.Errorf("tenant %s has %d bytes", tenant.Name(), limit)
	}
	got.Weight = -2
	if _, err := got.tenant(fair.NewScheduler(fair.Config{}), "a"); err == nil || !strings.Contains(err.Error(), "tenant a: weight of -2") {
		t.Errorf("error %v", err)
	}
}

func TestRatePerSecond(t *testing.T) {
	for _, tt := range []struct {
		rate         limit.Rate
		count, burst int
	}{
		{limit.Rate{}, -1, 0},
		{limit.Rate{Count: 10}, 10, 10},
		{limit.Rate{Count: 10, Burst: 20}, 10, 20},
		{limit.Rate{Count: 90, Per: time.Minute}, 2, 90},
		{limit.Rate{Count: 1, Per: time.Hour}, 1, 1},
	} {
		if count, burst := (Rate{Rate: tt.rate}).perSecond(); count != tt.count || burst != tt.burst {
			t.Errorf("%v: %d and %d, want %d and %d", tt.rate, count, burst, tt.count, tt.burst)
		}
	}
}

// TestLogEffectsCount: what a plugin logs through effects comes out of the same lines as
// what it logs through imports.
func TestLogEffectsCount(t *testing.T) {
	a := &App{}
	cfg := &Config{Tenants: []Tenant{{Name: "acme", TenantFuel: TenantFuel{LogLines: Rate{Rate: limit.Rate{Count: 1, Burst: 2}, given: true}}}}}
	if err := a.makeTenants(cfg); err != nil {
		t.Fatal(err)
	}
	hc, err := a.hostConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for range 100 {
		if _, ok := hc.LogLine("acme"); ok {
			n++
		}
	}
	if _, ok := a.tenants["acme"].Line(); ok || n < 2 || n > 90 {
		t.Errorf("%d lines of 100 were let through, and another by the import: %t", n, ok)
	}
	if _, ok := hc.LogLine(""); !ok {
		t.Error("the default tenant pays for another")
	}
}
