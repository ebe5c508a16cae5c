package fair

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// world is a model of hogs on some processors: no goroutines and no clock. In each
// step one of the turns that are held spends a slice.
type world struct {
	turns  turns
	slots  int
	rand   *rand.Rand
	hogs   []*hog
	runs   []*hog // that hold a turn
	spent  map[*account]int64
	served map[*account][]int // which hogs got turns, in order
}

// hog is a callback that computes.
type hog struct {
	number  int
	account *account
	ticket  ticket
	used    int64
}

const modelSlice = 100

func newWorld(slots int, quantum int64) *world {
	return &world{
		turns: turns{free: slots, quantum: quantum, advance: quantum}, slots: slots,
		rand:  rand.New(rand.NewPCG(1, uint64(slots))),
		spent: map[*account]int64{}, served: map[*account][]int{},
	}
}

// enter has so many hogs of a tenant ask for turns.
func (w *world) enter(a *account, n int) {
	for range n {
		h := &hog{number: len(w.hogs), account: a}
		w.hogs = append(w.hogs, h)
		if w.turns.ask(a, &h.ticket) {
			w.run(h)
		}
	}
}

func (w *world) run(h *hog) {
	h.used = 0
	w.runs = append(w.runs, h)
	w.served[h.account] = append(w.served[h.account], h.number)
}

// step has one of the running hogs spend up to a slice; at the end of its quantum
// it asks for the next turn.
func (w *world) step() {
	i := w.rand.IntN(len(w.runs))
	h := w.runs[i]
	fuel := 1 + w.rand.Int64N(modelSlice)
	h.used += fuel
	w.spent[h.account] += fuel
	if h.used < w.turns.quantum {
		return
	}
	if w.turns.again(h.account, &h.ticket, h.used) {
		h.used = 0
		return
	}
	w.runs = append(w.runs[:i], w.runs[i+1:]...)
	w.settle()
}

// settle lets those run that have got their turn.
func (w *world) settle() {
	for _, h := range w.hogs {
		select {
		case <-h.ticket.ready:
			w.run(h)
		default:
		}
	}
}

// check holds what is always true.
func (w *world) check(t *testing.T) {
	t.Helper()
	holds, waiting := 0, 0
	for _, a := range w.turns.ring {
		holds += a.holds
		waiting += len(a.queue)
		if a.holds == 0 && len(a.queue) == 0 {
			t.Fatal("the ring has a tenant that neither holds nor waits")
		}
	}
	switch {
	case holds+w.turns.free != w.slots || holds != len(w.runs):
		t.Fatalf("%d turns are held by %d hogs and %d free, of %d", holds, len(w.runs), w.turns.free, w.slots)
	case waiting != w.turns.waiting:
		t.Fatalf("%d wait, %d are counted", waiting, w.turns.waiting)
	case waiting > 0 && w.turns.free > 0:
		t.Fatalf("%d wait for %d free turns", waiting, w.turns.free)
	}
}

// TestSharesFollowWeights: tenants that always have somebody waiting get fuel by
// their weights, within a quantum and what the turns that are out may still spend,
// however many hogs each of them has.
func TestSharesFollowWeights(t *testing.T) {
	const quantum = 1000
	for _, slots := range []int{1, 2, 7} {
		for _, weights := range [][]int64{{1, 1}, {1, 3}, {1, 2, 5}, {1, 1, 1, 10}} {
			t.Run(fmt.Sprint(slots, weights), func(t *testing.T) {
				w := newWorld(slots, quantum)
				var accounts []*account
				for i, weight := range weights {
					a := &account{weight: weight}
					accounts = append(accounts, a)
					w.enter(a, slots+1+i*20)
				}
				start := map[*account]int64{}
				for step := range 30_000 {
					w.step()
					w.check(t)
					if step == 1000 { // the first to come had the turns to themselves
						for a, n := range w.spent {
							start[a] = n
						}
					}
				}
				checkShares(t, w, accounts, start)
			})
		}
	}
}

func checkShares(t *testing.T, w *world, accounts []*account, start map[*account]int64) {
	t.Helper()
	share := func(a *account) int64 { return (w.spent[a] - start[a]) / a.weight }
	// A round gives a quantum for each unit of weight; what is out is known later,
	// and so is what was out at the start.
	most := w.turns.quantum + 2*(int64(w.slots)*(w.turns.quantum+modelSlice))
	for _, a := range accounts {
		if gap := share(a) - share(accounts[0]); gap > most || gap < -most {
			t.Errorf("weight %d: %d of fuel for a unit, weight %d: %d; they may differ by %d",
				a.weight, share(a), accounts[0].weight, share(accounts[0]), most)
		}
		if share(a) < 3*most {
			t.Errorf("weight %d got only %d: the test shows nothing", a.weight, share(a))
		}
	}
}

// TestOneHogBesideMany: who has one callback gets as much as who has a hundred.
func TestOneHogBesideMany(t *testing.T) {
	w := newWorld(1, 1000)
	many, one := &account{weight: 1}, &account{weight: 1}
	w.enter(many, 100)
	w.enter(one, 1)
	for range 20_000 {
		w.step()
		w.check(t)
	}
	if gap := w.spent[many] - w.spent[one]; gap > 3000 || gap < -3000 {
		t.Errorf("many hogs spent %d, one %d", w.spent[many], w.spent[one])
	}
}

// TestFirstComeFirstServed: within a tenant, in order and round.
func TestFirstComeFirstServed(t *testing.T) {
	w := newWorld(1, 1000)
	a, b := &account{weight: 2}, &account{weight: 1}
	w.enter(a, 5)
	w.enter(b, 3)
	for range 20_000 {
		w.step()
	}
	for _, tt := range []struct {
		of   *account
		want []int
	}{{a, []int{0, 1, 2, 3, 4}}, {b, []int{5, 6, 7}}} {
		for i, n := range w.served[tt.of] {
			if want := tt.want[i%len(tt.want)]; n != want {
				t.Fatalf("turn %d went to hog %d, want %d", i, n, want)
			}
		}
	}
}

// TestAloneIsNotCharged: who computes while nobody waits does not pay for it when
// somebody comes.
func TestAloneIsNotCharged(t *testing.T) {
	w := newWorld(1, 1000)
	first, second := &account{weight: 1}, &account{weight: 1}
	w.enter(first, 2)
	w.enter(second, 0)
	w.turns.leave(first, &w.hogs[1].ticket) // it goes: the other is alone
	for range 10_000 {
		w.step()
	}
	if first.credit < -2000 {
		t.Errorf("credit is %d", first.credit)
	}
	before := w.spent[first]
	w.enter(second, 1)
	for range 10_000 {
		w.step()
	}
	if gap := w.spent[first] - before - w.spent[second]; gap > 3000 || gap < -3000 {
		t.Errorf("beside each other: %d and %d", w.spent[first]-before, w.spent[second])
	}
}

// TestGreatDebt: what was spent far over a turn is paid back, and without going
// through all the rounds that this takes.
func TestGreatDebt(t *testing.T) {
	r := turns{free: 1, quantum: 1, advance: 1}
	a, b := &account{weight: 1}, &account{weight: 1}
	var tickets [3]ticket
	if !r.ask(a, &tickets[0]) || r.ask(b, &tickets[1]) {
		t.Fatal("the first gets the turn, the second waits")
	}
	r.again(a, &tickets[0], 1<<48)
	<-tickets[1].ready
	r.give(b, 1<<50)
	<-tickets[0].ready
	if a.credit < -1 || a.credit > 1 || b.credit > -(1<<49) {
		t.Errorf("credits are %d and %d", a.credit, b.credit)
	}
}

// TestTurnsInAnyOrder: whatever tenants do, no turn is lost and none is made up.
func TestTurnsInAnyOrder(t *testing.T) {
	for seed := range uint64(20) {
		w := newWorld(1+int(seed%4), 500)
		w.rand = rand.New(rand.NewPCG(seed, 2))
		accounts := make([]*account, 4)
		for i := range accounts {
			accounts[i] = &account{weight: 1 + w.rand.Int64N(4)}
		}
		for range 3000 {
			w.act(accounts)
			w.check(t)
		}
	}
}

// act does something that a tenant can do.
func (w *world) act(accounts []*account) {
	switch n := w.rand.IntN(10); {
	case n < 3:
		w.enter(accounts[w.rand.IntN(len(accounts))], 1)
	case n < 5 && len(w.runs) > 0: // a callback ends
		i := w.rand.IntN(len(w.runs))
		h := w.runs[i]
		w.runs = append(w.runs[:i], w.runs[i+1:]...)
		w.forget(h)
		w.turns.give(h.account, h.used)
		w.settle()
	case n < 6 && len(w.hogs) > 0: // one gives up waiting
		h := w.hogs[w.rand.IntN(len(w.hogs))]
		if w.turns.leave(h.account, &h.ticket) {
			w.forget(h)
		}
	case len(w.runs) > 0:
		w.step()
	}
}

func (w *world) forget(h *hog) {
	for i := range w.hogs {
		if w.hogs[i] == h {
			w.hogs = append(w.hogs[:i], w.hogs[i+1:]...)
			return
		}
	}
}
