package app

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aviary-host/aviary/host"
	"github.com/aviary-host/aviary/host/origin"
	"github.com/aviary-host/aviary/plugins"
)

// readmeConfig returns the configuration that README shows, in which every key
// has its default.
func readmeConfig(t *testing.T) *Config {
	t.Helper()
	text, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "```toml\ndata_dir")
	block, _, closed := strings.Cut(rest, "```")
	if !ok || !closed {
		t.Fatal("README has no configuration that begins with data_dir")
	}
	cfg, err := parse([]byte("data_dir" + block))
	if err != nil {
		t.Fatalf("README's configuration: %v", err)
	}
	return cfg
}

func TestReadmeShowsTheDefaults(t *testing.T) {
	cfg := readmeConfig(t)
	m := &cfg.Mounts[0]
	shown, defaults := m.Limits.host(), host.DefaultLimits()
	for name, rates := range map[string][2]fmt.Stringer{
		"frames":          {shown.Frames, defaults.Frames},
		"messages":        {shown.Messages, defaults.Messages},
		"joins":           {shown.Joins, defaults.Joins},
		"channel":         {shown.Channel, defaults.Channel},
		"connection_rate": {cfg.HTTP.ConnectionRate, host.DefaultConnectionRate()},
	} {
		if got, want := rates[0].String(), rates[1].String(); got != want {
			t.Errorf("%s is %s, the default %s", name, got, want)
		}
	}
	if cfg.CacheSize != defaultCacheSize {
		t.Errorf("cache_size is %d, the default %d", cfg.CacheSize, int64(defaultCacheSize))
	}
	if p := cfg.Presence; p.Tick.Duration != host.DefaultPresenceTick || p.Page != host.DefaultPresencePage {
		t.Errorf("presence is %+v, the default %s and %d", p, host.DefaultPresenceTick, host.DefaultPresencePage)
	}
	p, d := &cfg.Plugins[0], plugins.Defaults()
	if p.Fuel != int64(d.Fuel) || p.Deadline.Duration != d.Deadline || int64(p.Stack) != int64(d.Stack) || int64(p.Memory) != int64(d.MemoryPages)*pageSize {
		t.Errorf("budgets are %d, %s, %d and %d bytes, the defaults %+v", p.Fuel, p.Deadline, p.Stack, p.Memory, d)
	}
	if b := cfg.Plugins[0].Breaker.Breaker; b != (plugins.Breaker{Failures: 5, Window: 10 * time.Second}) {
		t.Errorf("breaker is %+v", b) // plugins.Breaker names the default
	}
	if got, want := cfg.Tenants[0].host().Limits, host.DefaultTenantLimits(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the limits of a tenant are %+v, the defaults %+v", got, want)
	}
	got, err := m.Origins.policy()
	if err != nil {
		t.Fatal(err)
	}
	if want, err := origin.Parse([]string{"same-host"}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("origins are %v, the default %v, %v", got, want, err)
	}
}

// TestReadmeNamesEveryKey: a key that nobody is told of is a key that nobody
// uses.
func TestReadmeNamesEveryKey(t *testing.T) {
	text, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var walk func(typ reflect.Type)
	walk = func(typ reflect.Type) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct {
			return
		}
		for i := range typ.NumField() {
			f := typ.Field(i)
			if key := f.Tag.Get("toml"); key != "" && key != "-" {
				if !strings.Contains(string(text), key) {
					t.Errorf("README does not name %s.%s", typ.Name(), key)
				}
				walk(f.Type)
			}
		}
	}
	walk(reflect.TypeFor[Config]())
}
