package plugins

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/aviary-host/aviary/abi"
)

// model is a breaker with a clock that stands still.
type model struct {
	*breaker
	clock time.Duration
	count int64 // callbacks
}

func newModel(rule Breaker) *model {
	m := &model{clock: time.Hour}
	m.breaker = newBreaker(rule, func() int64 { return m.count })
	m.now = func() time.Duration { return m.clock }
	m.extra = func(time.Duration) time.Duration { return 0 }
	return m
}

// call runs a callback that ends so; it tells whether the breaker let it through.
func (m *model) call(how outcome) bool {
	probe, after := m.let()
	if after > 0 {
		return false
	}
	if m.count++; m.count%callsPerLook == 0 {
		m.look()
	}
	m.ended(how, probe)
	return true
}

// openFor tells how long the breaker is open now, by trying each 100 ms; the last
// try is a probe that ends so.
func (m *model) openFor(how outcome) time.Duration {
	for d := time.Duration(0); ; d += 100 * time.Millisecond {
		if m.call(how) {
			return d
		}
		m.clock += 100 * time.Millisecond
	}
}

// TestBreakerOpens: by the failures within its window, and by nothing else.
func TestBreakerOpens(t *testing.T) {
	for _, tt := range []struct {
		name  string
		every time.Duration // between failures
		good  int           // callbacks before each failure, evenly spread
		opens int           // after how many failures, 0 for never
	}{
		{"at once", 0, 0, 5},
		{"in its time", 2 * time.Second, 0, 5},
		{"too slowly", 2600 * time.Millisecond, 0, 0},
		{"one of two", time.Second, 1, 5},
		{"one of a hundred", time.Second, 99, 5},
		{"one of two hundred", time.Second, 199, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newModel(Breaker{})
			opened := 0
			for i := 1; i <= 30 && opened == 0; i++ {
				for range tt.good {
					m.clock += tt.every / time.Duration(tt.good+1)
					if !m.call(outcomeGood) {
						t.Fatal("open")
					}
				}
				m.clock += tt.every / time.Duration(tt.good+1)
				m.call(outcomeFailed)
				if m.at() == breakerOpen {
					opened = i
				}
			}
			if opened != tt.opens {
				t.Errorf("opens after %d failures, want %d", opened, tt.opens)
			}
		})
	}
}

// TestOneClientCannotCloseABusyPlugin: of a thousand callbacks a second, a burst of
// failures of one client are too few, however fast they come; a module of which a
// tenth fails is too much.
func TestOneClientCannotCloseABusyPlugin(t *testing.T) {
	m := newModel(Breaker{})
	busy := func(seconds, failEvery int) {
		for i := range seconds * 1000 {
			m.clock += time.Millisecond
			if failEvery > 0 && i%failEvery == 0 {
				m.call(outcomeFailed)
			} else {
				m.call(outcomeGood)
			}
		}
	}
	busy(60, 0)
	for range 90 {
		m.call(outcomeFailed)
	}
	if m.at() != breakerClosed {
		t.Error("90 failures in 10 s closed a plugin of 10 000 callbacks")
	}
	busy(20, 0)
	for range 90 {
		m.call(outcomeFailed)
	}
	if m.at() != breakerClosed {
		t.Error("failures count that are longer ago than the window")
	}
	busy(20, 10)
	if m.at() == breakerClosed {
		t.Error("a tenth fails, and it is asked all the same")
	}
}

// TestBreakerDoubles: each probe that fails doubles the time, up to a bound; one that
// says nothing changes nothing; one that is good closes.
func TestBreakerDoubles(t *testing.T) {
	m := newModel(Breaker{})
	fail := func() {
		for range 5 {
			m.call(outcomeFailed)
		}
	}
	fail()
	for i, want := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
		if got := m.openFor(outcomeFailed); got != want*time.Second {
			t.Errorf("pause %d is %v, want %v", i, got, want*time.Second)
		}
	}
	if got := m.openFor(outcomeUnsaid); got != 30*time.Second || m.at() != breakerOpen {
		t.Errorf("after a probe that says nothing it is %v, after %v", m.at(), got)
	}
	if !m.call(outcomeGood) || m.at() != breakerClosed {
		t.Error("a good probe does not close")
	}
	fail()
	if got := m.openFor(outcomeGood); got != 30*time.Second {
		t.Errorf("soon after it is open for %v, want 30s", got)
	}
	m.clock += quiet + time.Second
	fail()
	if got := m.openFor(outcomeGood); got != time.Second {
		t.Errorf("after a quiet time it is open for %v, want 1s", got)
	}
	if n := m.opened.Load(); n != 10 {
		t.Errorf("it opened %d times, want 10", n)
	}
}

// TestOneProbe: while one is under way nobody else is let through, and failures of
// callbacks that began before count no more.
func TestOneProbe(t *testing.T) {
	m := newModel(Breaker{Failures: 1, Window: time.Second})
	m.call(outcomeFailed)
	m.ended(outcomeFailed, false)
	m.clock += time.Second
	probe, after := m.let()
	if !probe || after != 0 || m.at() != breakerHalfOpen {
		t.Fatalf("probe: %t, after %v", probe, after)
	}
	if _, after := m.let(); after != busyPause {
		t.Errorf("the second may come after %v", after)
	}
	m.ended(outcomeGood, true)
	if probe, after := m.let(); probe || after != 0 {
		t.Error("it is closed, and does not let through")
	}
	if m.opened.Load() != 1 {
		t.Errorf("it opened %d times", m.opened.Load())
	}
}

// TestPausesVary: by up to a quarter.
func TestPausesVary(t *testing.T) {
	m := newModel(Breaker{Failures: 1, Window: time.Second})
	r := rand.New(rand.NewPCG(1, 2))
	m.extra = func(d time.Duration) time.Duration {
		if d != firstPause/4 {
			t.Errorf("up to %v more", d)
		}
		return time.Duration(r.Int64N(int64(d)))
	}
	m.call(outcomeFailed)
	if wait := m.until - m.clock; wait < firstPause || wait >= firstPause*5/4 {
		t.Errorf("open for %v", wait)
	}
}

// TestWindowIsBounded: it is about right whenever failures come, within a part.
func TestWindowIsBounded(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	w := window{slot: time.Second}
	type failure struct{ at time.Duration }
	var all []failure
	for now, calls := time.Duration(0), int64(0); now < 10*time.Minute; {
		step := time.Duration(r.Int64N(int64(4 * time.Second)))
		now += step
		calls += int64(step / time.Millisecond) // 1000 in a second
		all = append(all, failure{now})
		failures, callbacks := w.fail(now, calls)
		least, most := int64(0), int64(0)
		for _, f := range all {
			if f.at > now-9*time.Second {
				least++
			}
			if f.at > now-10*time.Second {
				most++
			}
		}
		if failures < least || failures > most {
			t.Fatalf("at %v: %d failures, want %d to %d", now, failures, least, most)
		}
		if now > 10*time.Second && (callbacks < 8900 || callbacks > 10_100) {
			t.Fatalf("at %v: %d callbacks, want about 9000 to 10000", now, callbacks)
		}
	}
}

func TestParseBreaker(t *testing.T) {
	for text, want := range map[string]Breaker{
		"5/10s":   {5, 10 * time.Second},
		"1/100ms": {1, 100 * time.Millisecond},
		"off":     {Failures: -1},
	} {
		if got, err := ParseBreaker(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"":            `invalid breaker "": write failures and a time, such as "5/10s", or "off"`,
		"5":           `invalid breaker "5": write failures and a time, such as "5/10s", or "off"`,
		"5/s":         `invalid breaker "5/s": write failures and a time, such as "5/10s", or "off"`,
		"0/10s":       `invalid breaker "0/10s": no failures, at least 1`,
		"1000001/10s": `invalid breaker: 1000001 failures, at most 1000000 (plugin.breaker)`,
		"5/10ms":      `invalid breaker: a time of 10ms, it has to be 100ms to 1h0m0s (plugin.breaker)`,
		"5/2h":        `invalid breaker: a time of 2h0m0s, it has to be 100ms to 1h0m0s (plugin.breaker)`,
	} {
		if _, err := ParseBreaker(text); !errors.Is(err, ErrBreaker) || err.Error() != want {
			t.Errorf("%s: error %v, want %s", text, err, want)
		}
	}
}

// TestBreakerOfAPlugin: while it is open callbacks are refused at once, with the time
// to try again, and the module is not asked; then it is.
func TestBreakerOfAPlugin(t *testing.T) {
	p, _ := loadImpatient(t, "counter")
	now := time.Hour
	p.breaker.now = func() time.Duration { return now }
	p.breaker.extra = func(time.Duration) time.Duration { return 0 }
	run := func(payload string) error {
		var resp abi.Response
		_, err := p.Handle(&abi.Request{Callback: abi.CallbackHandleIn, Payload: []byte(payload)}, nil, &resp)
		return err
	}
	for i := range 5 {
		if err := run("!"); err == nil || errors.Is(err, ErrUnavailable) {
			t.Fatalf("failure %d: %v", i, err)
		}
	}
	now += 400 * time.Millisecond
	made := p.Stats().InstancesMade
	for range 3 {
		err := run("go")
		var u *UnavailableError
		if !errors.Is(err, ErrUnavailable) || !errors.As(err, &u) || u.RetryAfter != 600*time.Millisecond ||
			!strings.HasSuffix(err.Error(), "handle_in: unavailable: plugin is unavailable: it failed too often (plugin.breaker)") {
			t.Fatalf("error %v", err)
		}
	}
	s := p.Stats()
	if got := fmt.Sprint(s.Breaker, s.BreakerOpened, s.Calls, s.Failures["trap"], s.Failures["unavailable"], s.InstancesMade-made); got != "open1 5 5 3 0" {
		t.Errorf("stats are %s: %+v", got, s)
	}
	now += 600 * time.Millisecond
	if err := run("go"); err != nil || p.Stats().Breaker != "closed" {
		t.Errorf("%v, breaker %s", err, p.Stats().Breaker)
	}
}
