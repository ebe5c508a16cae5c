package presence

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

// collect is record with changes that wait until serve is called.
func collect() *recorded {
	r := &recorded{refs: map[string]string{}}
	r.Tracker = NewTracker(Config{Tick: time.Hour, OnDiff: func(topic string, d *Diff) {
		r.diffs = append(r.diffs, topic+" "+r.name(d.AppendJSON(nil)))
	}})
	return r
}

// do runs steps such as "track 1 ann", each on topic t; "look 1" has the client of an owner
// see the list, "list" and "read" a plugin, and "tick" ends the tick.
func (r *recorded) do(t *testing.T, steps string) {
	t.Helper()
	for step := range strings.SplitSeq(steps, ", ") {
		var what, key string
		var owner Owner
		f := strings.Fields(step)
		what = f[0]
		if len(f) > 2 {
			key = f[2]
		}
		if len(f) > 1 {
			_, _ = fmt.Sscan(f[1], &owner) // is a number, as written below
		}
		e := Track{Owner: owner, Topic: "t", Key: key}
		var err error
		switch what {
		case "track":
			_, err = r.Track(e)
		case "update":
			_, err = r.Update(e)
		case "untrack":
			r.Untrack(owner, "t", key)
		case "end":
			r.UntrackAll(owner)
		case "look":
			r.View("t", owner, func([]byte, bool) {})
		case "read":
			r.AppendPresence(nil, "t", key)
		case "list":
			r.AppendState(nil, "t")
		case "tick":
			r.serve()
		default:
			err = fmt.Errorf("no such step")
		}
		if err != nil {
			t.Fatalf("%s: %v", step, err)
		}
	}
}

func TestChangesOfATick(t *testing.T) {
	const (
		one   = `{"metas":[{"phx_ref":"r1"}]}`
		two   = `{"metas":[{"phx_ref":"r2"}]}`
		after = `{"metas":[{"phx_ref":"r2","phx_ref_prev":"r1"}]}`
		both  = `{"metas":[{"phx_ref":"r1"},{"phx_ref":"r2","phx_ref_prev":"r1"}]}`
	)
	diff := func(joins, leaves string) string {
		return fmt.Sprintf(`t {"joins":{%s},"leaves":{%s}}`, joins, leaves)
	}
	for _, tt := range []struct{ name, before, steps, want string }{
		{"two join", "", "track 1 ann, track 2 bob", diff(`"ann":`+one+`,"bob":`+two, "")},
		{"a key twice", "", "track 1 ann, track 2 ann", diff(`"ann":{"metas":[{"phx_ref":"r1"},{"phx_ref":"r2"}]}`, "")},
		{"an owner's end", "track 1 ann, track 1 bob", "end 1", diff("", `"ann":`+one+`,"bob":`+two)},
		{"an update", "track 1 ann", "update 1 ann", diff(`"ann":`+after, `"ann":`+one)},
		{"come and gone", "", "track 1 ann, untrack 1 ann", ""},
		{"come and gone among others", "", "track 1 ann, track 2 bob, end 1", diff(`"bob":`+`{"metas":[{"phx_ref":"r1"}]}`, "")},
		{"come, changed", "", "track 1 ann, update 1 ann", diff(`"ann":`+one, "")},
		{"come, changed and gone", "", "track 1 ann, update 1 ann, end 1", ""},
		{"gone and back", "track 1 ann", "untrack 1 ann, track 1 ann", diff(`"ann":`+two, `"ann":`+one)},
		{"gone, back and gone", "track 1 ann", "untrack 1 ann, track 1 ann, end 1", diff("", `"ann":`+one)},
		{"changed twice: the version between is nobody's", "track 1 ann", "update 1 ann, update 1 ann", diff(`"ann":`+after, `"ann":`+one)},
		{"changed and gone", "track 1 ann", "update 1 ann, end 1", diff("", `"ann":`+one)},
		{"anonymous", "", "track 1, update 1, track 2, end 1", ""},

		// Somebody has seen what goes, and needs to be told.
		{"come, seen by the own client and gone", "", "track 1 ann, look 1, end 1", diff(`"ann":`+one, `"ann":`+one)},
		{"come, left out of the list of another and gone", "", "track 1 ann, look 2, end 1", ""},
		{"come, changed, left out and gone", "", "track 1 ann, update 1 ann, look 2, end 1", ""},
		{"come, listed and gone", "", "track 1 ann, list, end 1", diff(`"ann":`+one, `"ann":`+one)},
		{"come, read and gone", "", "track 1 ann, read 0 ann, end 1", diff(`"ann":`+one, `"ann":`+one)},
		{"only what was seen", "", "track 1 ann, look 1, track 2 bob, end 2, end 1", diff(`"ann":`+one, `"ann":`+one)},
		{"seen, changed and gone", "track 1 ann", "update 1 ann, look 2, end 1", diff(`"ann":`+after, `"ann":`+both)},
		{"seen before it came", "", "list, track 1 ann, end 1", ""},
		{"seen in the tick before", "", "track 1 ann, look 1, tick, end 1, track 2 bob, end 2", diff(`"ann":`+one, "") + "\n" + diff("", `"ann":`+one)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := collect()
			if tt.before != "" {
				r.do(t, tt.before+", tick")
			}
			r.diffs = nil
			r.do(t, tt.steps)
			r.serve()
			if got := strings.Join(r.diffs, "\n"); got != tt.want {
				t.Errorf("\n got %s\nwant %s", got, tt.want)
			}
			r.do(t, "end 1, end 2, tick")
			if n := r.topicsLeft() + r.ownersLeft(); n != 0 {
				t.Errorf("%d topics and owners left over", n)
			}
		})
	}
}

// Writes are read at once, long before they are told of.
func TestReadsDoNotWaitForTheTick(t *testing.T) {
	r := collect()
	r.do(t, "track 1 ann, track 2 ann, track 3")
	r.wantState(t, "t", `{"ann":{"metas":[{"phx_ref":"r1"},{"phx_ref":"r2"}]}}`)
	if p, ok := r.AppendPresence([]byte("x"), "t", "ann"); !ok || r.name(p) != `x{"metas":[{"phx_ref":"r1"},{"phx_ref":"r2"}]}` {
		t.Errorf("ann is %s", p)
	}
	r.do(t, "end 1")
	r.wantState(t, "t", `{"ann":{"metas":[{"phx_ref":"r2"}]}}`)
	if n := r.Count("t"); n != 2 {
		t.Errorf("count %d, want 2", n)
	}
	r.do(t, "end 2")
	for _, topic := range []string{"t", "u"} {
		if p, ok := r.AppendPresence([]byte("x"), topic, "ann"); ok || string(p) != "x" {
			t.Errorf("ann on %s is %s", topic, p)
		}
	}
	r.want(t)
}

// told is when OnDiff was told of what, in a bubble whose clock is not the world's.
func told(cfg Config, act func(tr *Tracker)) (diffs []string) {
	begin := time.Now()
	var mu sync.Mutex // topics have locks of their own
	cfg.OnDiff = func(topic string, d *Diff) {
		mu.Lock()
		defer mu.Unlock()
		diffs = append(diffs, fmt.Sprintf("%s %s +%d-%d", time.Since(begin), topic, len(d.Joins), len(d.Leaves)))
	}
	tr := NewTracker(cfg)
	act(tr)
	tr.Close()
	return diffs
}

func TestTicks(t *testing.T) {
	const tick = 50 * time.Millisecond
	join := func(tr *Tracker, owner int, topic string) {
		_, _ = tr.Track(Track{Owner: Owner(owner), Topic: topic, Key: fmt.Sprint(owner)}) // cannot fail
	}
	for _, tt := range []struct {
		name string
		tick time.Duration
		act  func(tr *Tracker)
		want []string
	}{
		{"one timer for all topics, none while nothing changes", tick, func(tr *Tracker) {
			join(tr, 1, "t")
			time.Sleep(20 * time.Millisecond)
			join(tr, 2, "u")
			join(tr, 3, "t")
			time.Sleep(time.Hour)
			join(tr, 4, "t")
			time.Sleep(tick + 1)
		}, []string{"50ms t +2-0", "50ms u +1-0", "1h0m0.07s t +1-0"}},
		{"no tick: each by itself", 0, func(tr *Tracker) {
			join(tr, 1, "t")
			join(tr, 2, "t")
			tr.UntrackAll(1)
		}, []string{"0s t +1-0", "0s t +1-0", "0s t +0-1"}},
		{"close tells what waits, and after it each by itself", tick, func(tr *Tracker) {
			join(tr, 1, "t")
			join(tr, 2, "t")
			time.Sleep(time.Millisecond)
			tr.Close()
			join(tr, 3, "t")
			tr.UntrackAll(1)
		}, []string{"1ms t +2-0", "1ms t +1-0", "1ms t +0-1"}},
		{"a topic of many waits longer, and no other with it", time.Millisecond, func(tr *Tracker) {
			for i := range 160 { // 25 us for each
				join(tr, i, "t")
			}
			time.Sleep(time.Second)
			join(tr, 200, "t")
			join(tr, 201, "u")
			time.Sleep(1500 * time.Microsecond)
			join(tr, 202, "t")
			join(tr, 203, "u")
			time.Sleep(time.Second)
		}, []string{"1ms t +160-0", "1.001s u +1-0", "1.002s u +1-0", "1.005s t +2-0"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if got := told(Config{Tick: tt.tick}, tt.act); !slices.Equal(got, tt.want) {
					t.Errorf("\n got %s\nwant %s", strings.Join(got, "\n     "), strings.Join(tt.want, "\n     "))
				}
			})
		})
	}
}

func TestCloseWaitsForATick(t *testing.T) {
	defer goleak.VerifyNone(t)
	entered, leave := make(chan struct{}), make(chan struct{})
	tr := NewTracker(Config{Tick: time.Microsecond, OnDiff: func(string, *Diff) { close(entered); <-leave }})
	track(t, tr, 1, "t", "ann", `{}`)
	<-entered
	closed := make(chan struct{})
	go func() { tr.Close(); close(closed) }()
	select {
	case <-closed:
		t.Error("closed while OnDiff runs")
	default:
	}
	close(leave)
	<-closed
	tr.Close()
}

// Pages have a timer of their own where changes have none.
func TestPagesWithoutTick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var pages []string
		told(Config{Page: 1}, func(tr *Tracker) {
			for i := range 3 {
				track(t, tr, Owner(i), "t", fmt.Sprint(i), `{}`)
			}
			tr.View("t", nobody, func(page []byte, _ bool) {
				pages = append(pages, fmt.Sprint(time.Since(begin), keyOrder(string(page))))
			})
			time.Sleep(time.Hour)
			tr.View("t", nobody, func([]byte, bool) {})
		})
		if want := []string{"0s [0]", "50ms [1]", "100ms [2]"}; !slices.Equal(pages, want) {
			t.Errorf("pages %q, want %q", pages, want)
		}
	})
}

// A list of several pages, and the diffs between them, add up to the list.
func TestPages(t *testing.T) {
	tr := NewTracker(Config{Tick: time.Hour, Page: 100, OnDiff: func(string, *Diff) {}})
	for i := range 7 {
		track(t, tr, Owner(i), "t", fmt.Sprint("k", i), `{}`)
	}
	tr.serve()
	var pages []string
	v := tr.View("t", nobody, func(page []byte, first bool) { pages = append(pages, fmt.Sprint(first, keyOrder(string(page)))) })
	track(t, tr, 8, "t", "late", `{}`)
	tr.Untrack(3, "t", "k3")
	tr.Untrack(4, "t", "k4") // where a page would begin
	tr.serve()
	tr.serve()
	tr.serve()
	want := []string{"true [k0 k1 k2]", "false [k5 k6]"}
	if !slices.Equal(pages, want) {
		t.Errorf("pages %q, want %q", pages, want)
	}
	v.Stop()
	if tp := tr.lock("t"); len(tp.views) != 0 {
		t.Errorf("%d views left over", len(tp.views))
	} else {
		tp.mu.Unlock()
	}
}

func TestStoppedViewHasNoMorePages(t *testing.T) {
	tr := NewTracker(Config{Tick: time.Hour, Page: 1})
	track(t, tr, 1, "t", "a", `{}`)
	track(t, tr, 2, "t", "b", `{}`)
	pages := 0
	v := tr.View("t", nobody, func([]byte, bool) { pages++ })
	tr.UntrackAll(1)
	tr.UntrackAll(2)
	v.Stop()
	v.Stop()
	tr.serve()
	if pages != 1 || tr.topicsLeft() != 0 {
		t.Errorf("%d pages, %d topics left over", pages, tr.topicsLeft())
	}
	(*View)(nil).Stop()
}

// Whatever happens in whatever order, what a client was shown and told adds up to the
// tracker's list once all is told; and who was told of everything never loses what it has
// not got.
func TestPropertyListAndDiffsAddUp(t *testing.T) {
	runs := 1000
	if raceEnabled { // the steps are those of one goroutine
		runs = 100
	}
	for seed := range uint64(runs) {
		interleave(t, seed)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// crowd is a tracker and those who watch one topic of it.
type crowd struct {
	*Tracker
	clients []*client
	strict  *replica // has been there from the beginning
}

func newCrowd(t *testing.T, cfg Config) *crowd {
	cr := &crowd{strict: newReplica()}
	cfg.OnDiff = func(_ string, d *Diff) {
		if err := cr.strict.apply(d); err != nil {
			t.Error(err)
		}
		text := decode[diffText](t, d.AppendJSON(nil))
		for _, c := range cr.clients {
			c.apply(text)
		}
	}
	cr.Tracker = NewTracker(cfg)
	return cr
}

// step does something.
func (cr *crowd) step(t *testing.T, rng *rand.Rand) {
	e := Track{Owner: Owner(rng.IntN(4)), Topic: "t", Key: []string{"", "ann", "bob", "zoe", "eve"}[rng.IntN(5)]}
	e.Meta = fmt.Appendf(nil, `{"n":%d}`, rng.IntN(3))
	if rng.IntN(3) == 0 {
		e.Extra = fmt.Appendf(nil, `{"Extra":%d}`, rng.IntN(3))
	}
	switch rng.IntN(12) {
	case 0, 1, 2:
		_, _ = cr.Track(e) // what is refused changes nothing
	case 3, 4:
		_, _ = cr.Update(e)
	case 5:
		cr.Untrack(e.Owner, e.Topic, e.Key)
	case 6:
		cr.UntrackAll(e.Owner)
	case 7: // comes to the topic, and is shown the list later, or never
		cr.clients = append(cr.clients, new(client))
	case 8, 9:
		if n := len(cr.clients); n > 0 {
			cr.clients[rng.IntN(n)].look(t, cr.Tracker, "t", e.Owner)
		}
	case 10: // is given the list that a plugin has read
		c := new(client)
		c.replace(decode[listText](t, cr.AppendState(nil, "t")))
		cr.clients = append(cr.clients, c)
	default:
		cr.serve()
	}
}

// settle tells what there is to tell, and compares.
func (cr *crowd) settle(t *testing.T) {
	for range 8 { // more than there are pages
		cr.serve()
	}
	state := cr.AppendState(nil, "t")
	for i, c := range cr.clients {
		if problem := c.differs(t, state); c.told && problem != "" {
			t.Errorf("client %d of %d: %s", i, len(cr.clients), problem)
		}
	}
}

func interleave(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 5))
	cfg := Config{Tick: time.Hour, Page: []int{0, 1, 150}[rng.IntN(3)]}
	if rng.IntN(8) == 0 {
		cfg.Tick, cfg.Page = 0, 0 // no timer
	}
	cr := newCrowd(t, cfg)
	for range 10 + rng.IntN(60) {
		cr.step(t, rng)
	}
	cr.settle(t)
	for i := range 4 {
		cr.UntrackAll(Owner(i))
	}
	cr.settle(t)
	if n := cr.topicsLeft() + cr.ownersLeft(); n != 0 || len(cr.strict.refs) != 0 {
		t.Errorf("%d topics and owners left over, %v", n, cr.strict.refs)
	}
}

// The same with goroutines and a clock.
func TestHammerListAndDiffsAddUp(t *testing.T) {
	const owners, members, rounds = 6, 6, 400
	var clients [members]client
	subscribed := 0 // guarded by the topic's lock
	tr := NewTracker(Config{Tick: 200 * time.Microsecond, Page: 60, OnDiff: func(_ string, d *Diff) {
		text := decode[diffText](t, d.AppendJSON(nil))
		for i := range clients[:subscribed] {
			clients[i].apply(text)
		}
	}})
	subscribed = members
	var wg sync.WaitGroup
	for g := range owners {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 3))
			for i := range rounds {
				churn(tr, rng, Owner(g<<32|i), []string{"t"})
			}
			_, _ = tr.Track(Track{Owner: Owner(1<<60 + g), Topic: "t", Key: fmt.Sprint("stays", g)}) // cannot fail
		})
	}
	for i := range clients {
		wg.Go(func() {
			for range rounds / 4 {
				clients[i].look(t, tr, "t", nobody)
			}
		})
	}
	wg.Wait()
	for !viewed(tr) {
		tr.serve()
	}
	tr.Close()
	state := tr.AppendState(nil, "t")
	for i := range clients {
		if problem := clients[i].differs(t, state); problem != "" {
			t.Errorf("client %d: %s", i, problem)
		}
	}
	if !strings.Contains(string(state), "stays5") {
		t.Errorf("the list is %s", state)
	}
}

// viewed tells whether all pages have been handed over.
func viewed(tr *Tracker) bool {
	tp := tr.lock("t")
	defer tp.mu.Unlock()
	return len(tp.views) == 0
}
