package fair

import (
	"errors"
	"testing"
	"time"
)

// callback runs a callback that spends so much, in no time.
func callback(t *testing.T, of *Tenant, fuel int64) error {
	t.Helper()
	prepaid, err := of.Admit(nil)
	if err != nil {
		return err
	}
	turn := turn(of)
	turn.End(fuel)
	of.Refund(prepaid)
	return nil
}

// TestFuelPerSecond: over a long time a tenant spends its rate, whatever its
// callbacks cost, and the burst at its beginning.
func TestFuelPerSecond(t *testing.T) {
	for _, cost := range []int64{1, 999, 1_000_000, 3_000_000} {
		s, clock := newScheduler(1)
		a := tenant(t, s, TenantConfig{FuelPerSecond: 1_000_000, FuelBurst: 10_000_000})
		spent := int64(0)
		for clock.now < time.Minute && spent < 100_000_000 {
			if cost == 1 && spent == 1_000_000 {
				return // never over: a million of them last a second at least
			}
			if err := callback(t, a, cost); err != nil {
				clock.now += 100 * time.Millisecond
				continue
			}
			spent += cost
		}
		if most := int64(10_000_000 + 60*1_000_000); spent < most-2*cost || spent > most+4*cost {
			t.Errorf("callbacks of %d spent %d in a minute, want %d", cost, spent, most)
		}
	}
}

// TestQuotaErrorSaysWhen: it names limit and key, and after the wait that it names
// there is fuel again.
func TestQuotaErrorSaysWhen(t *testing.T) {
	s, clock := newScheduler(1)
	a := tenant(t, s, TenantConfig{Name: "acme", FuelPerSecond: 1000})
	if err := callback(t, a, 6000); err != nil { // its own debt is nobody else's
		t.Fatal(err)
	}
	err := callback(t, a, 1)
	var quota *QuotaError
	if !errors.As(err, &quota) || !errors.Is(err, ErrQuota) ||
		err.Error() != "tenant acme is over its fuel of 1000 per second (tenant.fuel_per_second)" {
		t.Fatalf("error %v", err)
	}
	if quota.RetryAfter != 5*time.Second {
		t.Errorf("retry after %v", quota.RetryAfter)
	}
	clock.now += quota.RetryAfter
	if err := callback(t, a, 1); err != nil {
		t.Error(err)
	}
}

// TestQuotaQueuesInOrder: each that waits does so for its own time, so that they do
// not come all at once.
func TestQuotaQueuesInOrder(t *testing.T) {
	q := newQuota(1000, 1000)
	q.typical.Store(500)
	var waits []time.Duration
	for range 7 {
		_, wait, ok := q.reserve(0, maxQuotaWait)
		if !ok {
			wait = -1
		}
		waits = append(waits, wait)
	}
	want := []time.Duration{0, 0, 0, 500, 1000, 1500, 2000}
	for i := range want {
		if want[i] *= time.Millisecond; waits[i] != want[i] {
			t.Errorf("wait %d is %v, want %v", i, waits[i], want[i])
		}
	}
	if _, _, ok := q.reserve(0, maxQuotaWait); ok {
		t.Error("the eighth waits for more than 2 s")
	}
}

// TestQuotaQueueIsBounded: one more than may wait does not.
func TestQuotaQueueIsBounded(t *testing.T) {
	s, _ := newScheduler(1)
	a := tenant(t, s, TenantConfig{FuelPerSecond: 1000})
	a.fuel.charge(0, 1500)
	a.fuel.queue.Store(maxQuotaQueue)
	if _, err := a.Admit(nil); !errors.Is(err, ErrQuota) {
		t.Errorf("error %v", err)
	}
	a.fuel.queue.Store(maxQuotaQueue - 1)
	if _, err := a.Admit(nil); err != nil {
		t.Error(err)
	}
}
