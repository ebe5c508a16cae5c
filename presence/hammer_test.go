package presence

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestRefFormat(t *testing.T) {
	m := newRefMaker()
	before := time.Now().UnixNano()
	ref := m.next()
	raw, err := base64.RawURLEncoding.DecodeString(ref)
	if len(ref) != 16 || err != nil || len(raw) != 12 {
		t.Fatalf("ref %q: %v", ref, err)
	}
	ns := int64(binary.BigEndian.Uint64(raw))
	if ns < before-int64(time.Second) || ns > time.Now().UnixNano()+int64(time.Second) {
		t.Errorf("ref says %v", time.Unix(0, ns))
	}
	nodes := map[uint32]bool{}
	for range 8 {
		m := newRefMaker()
		nodes[m.node] = true
	}
	if len(nodes) < 7 { // one chance meeting in 2^32 may be forgiven
		t.Error("trackers share their random part")
	}
}

// A clock that stands still or goes back must not repeat a ref; neither must
// many goroutines at once.
func TestHammerRefsAreUnique(t *testing.T) {
	const goroutines, each = 8, 20_000
	clocks := map[string]func(m *refMaker, i int) string{
		"real clock":       func(m *refMaker, _ int) string { return m.next() },
		"clock stands":     func(m *refMaker, _ int) string { return m.at(1000) },
		"clock goes back":  func(m *refMaker, i int) string { return m.at(int64(1_000_000 - i)) },
		"clock goes round": func(m *refMaker, i int) string { return m.at(int64(i % 7)) },
	}
	for name, ref := range clocks {
		m := newRefMaker()
		got := make([][]string, goroutines)
		var wg sync.WaitGroup
		for g := range goroutines {
			wg.Go(func() {
				for i := range each {
					got[g] = append(got[g], ref(&m, i))
				}
			})
		}
		wg.Wait()
		seen := make(map[string]bool, goroutines*each)
		for _, r := range slices.Concat(got...) {
			seen[r] = true
		}
		if len(seen) != goroutines*each {
			t.Errorf("%s: %d refs of %d are distinct", name, len(seen), goroutines*each)
		}
	}
}

// replica is what a client knows of one topic: key -> refs. It is fed under the
// topic's lock and has none of its own, so the race detector checks that lock.
type replica struct {
	refs  map[string][]string
	ever  map[string]bool // refs ever joined, which may not come again
	views int
}

func newReplica() *replica {
	return &replica{refs: map[string][]string{}, ever: map[string]bool{}}
}

func (r *replica) apply(d *Diff) error {
	for _, e := range d.Joins {
		if r.ever[e.Ref] {
			return fmt.Errorf("ref %s used again", e.Ref)
		}
		r.ever[e.Ref] = true
		r.refs[e.Key] = append(r.refs[e.Key], e.Ref)
	}
	for _, e := range d.Leaves {
		i := slices.Index(r.refs[e.Key], e.Ref)
		if i < 0 {
			return fmt.Errorf("%s leaves with ref %s, which never joined", e.Key, e.Ref)
		}
		r.refs[e.Key] = slices.Delete(r.refs[e.Key], i, i+1)
		if len(r.refs[e.Key]) == 0 {
			delete(r.refs, e.Key)
		}
	}
	return nil
}

// compare checks that the diffs so far add up to state.
func (r *replica) compare(state []byte) error {
	var list map[string]struct {
		Metas []struct {
			Ref string `json:"phx_ref"`
		}
	}
	if err := json.Unmarshal(state, &list); err != nil {
		return err
	}
	sorted := func(s []string) []string { s = slices.Clone(s); slices.Sort(s); return s }
	got := map[string][]string{}
	for key, p := range list {
		for _, m := range p.Metas {
			got[key] = append(got[key], m.Ref)
		}
	}
	if !maps.EqualFunc(got, r.refs, func(a, b []string) bool { return slices.Equal(sorted(a), sorted(b)) }) {
		return fmt.Errorf("state %s, diffs add up to %v", state, r.refs)
	}
	r.views++
	return nil
}

// Many owners come, change and go on few topics, so that topics die and are born
// again, while others look. At every look the diffs so far must add up to exactly
// the state: that is what a client relies on.
func TestHammerStateIsTheSumOfTheDiffsBeforeIt(t *testing.T) {
	topics := []string{"t", "u", "v"}
	replicas := map[string]*replica{}
	for _, name := range topics {
		replicas[name] = newReplica()
	}
	var failed atomic.Pointer[error]
	report := func(err error) {
		if err != nil {
			failed.CompareAndSwap(nil, &err)
		}
	}
	tr := NewTracker(Config{OnDiff: func(topic string, d *Diff) { report(replicas[topic].apply(d)) }})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 2))
			for i := range 1500 {
				churn(tr, rng, Owner(g<<32|i), topics)
				topic := topics[rng.IntN(len(topics))]
				tr.View(topic, nobody, func(state []byte, _ bool) { report(replicas[topic].compare(state)) })
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		t.Fatal(*err)
	}
	for name, r := range replicas {
		if r.views < 1000 || len(r.ever) < 1000 || len(r.refs) != 0 {
			t.Errorf("%s: %d views, %d refs, %d keys left", name, r.views, len(r.ever), len(r.refs))
		}
	}
	if n := tr.topicsLeft() + tr.ownersLeft(); n != 0 {
		t.Errorf("%d topics and owners left over", n)
	}
}

// churn is the life of one owner: a few tracks, updates and untracks, then its
// end.
func churn(tr *Tracker, rng *rand.Rand, owner Owner, topics []string) {
	for range 1 + rng.IntN(4) {
		e := Track{Owner: owner, Topic: topics[rng.IntN(len(topics))], Key: []string{"", "ann", "bob", "zoe"}[rng.IntN(4)]}
		// The same owner may draw an entry twice; errors are part of the game.
		_, _ = tr.Track(e)
		switch rng.IntN(3) {
		case 0:
			_, _ = tr.Update(e)
		case 1:
			tr.Untrack(e.Owner, e.Topic, e.Key)
		}
	}
	tr.UntrackAll(owner)
}

// Two goroutines may end one owner at the same time; each entry leaves once.
func TestHammerUntrackAllTwiceLeavesOnce(t *testing.T) {
	r := newReplica()
	tr := NewTracker(Config{OnDiff: func(_ string, d *Diff) {
		if err := r.apply(d); err != nil {
			t.Error(err)
		}
	}})
	for i := range 300 {
		for k := range 5 {
			track(t, tr, Owner(i), "t", fmt.Sprint(k), `{}`)
		}
		var wg sync.WaitGroup
		wg.Go(func() { tr.UntrackAll(Owner(i)) })
		wg.Go(func() { tr.UntrackAll(Owner(i)) })
		wg.Go(func() { tr.Untrack(Owner(i), "t", "3") })
		wg.Wait()
	}
	if len(r.refs) != 0 || tr.ownersLeft() != 0 {
		t.Errorf("%v left, %d owners", r.refs, tr.ownersLeft())
	}
}
