package fair

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a scheduler's clock that tests turn.
type clock struct{ now time.Duration }

// newScheduler makes a scheduler with a clock that stands still.
func newScheduler(procs int) (*Scheduler, *clock) {
	s, c := NewScheduler(Config{Procs: procs}), &clock{}
	s.now = func() time.Duration { return c.now }
	s.sleep = func(d time.Duration) { c.now += d }
	return s, c
}

func tenant(t testing.TB, s *Scheduler, cfg TenantConfig) *Tenant {
	t.Helper()
	tenant, err := s.Tenant(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return tenant
}
