package presence

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// recorded is a tracker whose diffs are kept as text, with each ref replaced by
// the order of its first appearance: r1, r2, ...
type recorded struct {
	*Tracker
	diffs []string
	refs  map[string]string
}

func record() *recorded {
	r := &recorded{refs: map[string]string{}}
	r.Tracker = NewTracker(Config{OnDiff: func(topic string, d *Diff) {
		r.diffs = append(r.diffs, topic+" "+r.name(d.AppendJSON(nil)))
	}})
	return r
}

// name replaces refs in JSON text.
func (r *recorded) name(text []byte) string {
	parts := strings.Split(string(text), `"`)
	for i, p := range parts {
		if len(p) != 16 || i < 2 || !strings.HasPrefix(parts[i-2], "phx_ref") {
			continue
		}
		if r.refs[p] == "" {
			r.refs[p] = fmt.Sprint("r", len(r.refs)+1)
		}
		parts[i] = r.refs[p]
	}
	return strings.Join(parts, `"`)
}

func (r *recorded) state(topic string) string {
	return r.name(r.AppendState(nil, topic))
}

// want compares the diffs since the last call.
func (r *recorded) want(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(r.diffs, want) {
		t.Errorf("diffs\n got %s\nwant %s", strings.Join(r.diffs, "\n     "), strings.Join(want, "\n     "))
	}
	r.diffs = nil
}

func (r *recorded) wantState(t *testing.T, topic, want string) {
	t.Helper()
	if got := r.state(topic); got != want {
		t.Errorf("state of %s\n got %s\nwant %s", topic, got, want)
	}
}

func track(t *testing.T, tr *Tracker, owner Owner, topic, key, meta string) string {
	t.Helper()
	ref, err := tr.Track(Track{Owner: owner, Topic: topic, Key: key, Meta: []byte(meta)})
	if err != nil {
		t.Fatalf("track %d %s %s: %v", owner, topic, key, err)
	}
	return ref
}

func TestTrackJoinsAndUntrackLeavesWithTheSameRef(t *testing.T) {
	r := record()
	track(t, r.Tracker, 1, "t", "ann", `{"device":"phone"}`)
	r.want(t, `t {"joins":{"ann":{"metas":[{"device":"phone","phx_ref":"r1"}]}},"leaves":{}}`)
	r.wantState(t, "t", `{"ann":{"metas":[{"device":"phone","phx_ref":"r1"}]}}`)
	r.Untrack(1, "t", "ann")
	r.want(t, `t {"joins":{},"leaves":{"ann":{"metas":[{"device":"phone","phx_ref":"r1"}]}}}`)
	r.wantState(t, "t", `{}`)
}

func TestUpdateIsOneDiffAndKeepsThePreviousRef(t *testing.T) {
	r := record()
	track(t, r.Tracker, 1, "t", "ann", `{"n":1}`)
	track(t, r.Tracker, 2, "t", "ann", `{}`)
	r.diffs = nil
	for _, meta := range []string{`{"n":2}`, `{"n":3}`} {
		if _, err := r.Update(Track{Owner: 1, Topic: "t", Key: "ann", Meta: []byte(meta)}); err != nil {
			t.Fatal(err)
		}
	}
	r.want(t,
		`t {"joins":{"ann":{"metas":[{"n":2,"phx_ref":"r3","phx_ref_prev":"r1"}]}},"leaves":{"ann":{"metas":[{"n":1,"phx_ref":"r1"}]}}}`,
		`t {"joins":{"ann":{"metas":[{"n":3,"phx_ref":"r4","phx_ref_prev":"r3"}]}},"leaves":{"ann":{"metas":[{"n":2,"phx_ref":"r3","phx_ref_prev":"r1"}]}}}`)
	r.wantState(t, "t", `{"ann":{"metas":[{"phx_ref":"r2"},{"n":3,"phx_ref":"r4","phx_ref_prev":"r3"}]}}`)
}

func TestReturnedRefIsTheOneInTheState(t *testing.T) {
	tr := NewTracker(Config{})
	ref := track(t, tr, 1, "t", "ann", `{}`)
	if got := string(tr.AppendState([]byte("x"), "t")); got != `x{"ann":{"metas":[{"phx_ref":"`+ref+`"}]}}` {
		t.Errorf("state %s, ref %s", got, ref)
	}
	next, err := tr.Update(Track{Owner: 1, Topic: "t", Key: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(tr.AppendState(nil, "t")); got != `{"ann":{"metas":[{"phx_ref":"`+next+`","phx_ref_prev":"`+ref+`"}]}}` {
		t.Errorf("state %s, refs %s %s", got, ref, next)
	}
}

func TestRefusalsChangeNothing(t *testing.T) {
	r := record()
	track(t, r.Tracker, 1, "t", "ann", `{}`)
	before := r.state("t")
	r.diffs = nil
	entry := func(owner Owner, topic, key, meta string) Track {
		return Track{Owner: owner, Topic: topic, Key: key, Meta: []byte(meta)}
	}
	cases := []struct {
		name string
		do   func(Track) (string, error)
		e    Track
		want error
	}{
		{"same owner, topic and key", r.Track, entry(1, "t", "ann", `{}`), ErrAlreadyTracked},
		{"track an array", r.Track, entry(1, "t", "bob", `[]`), ErrMeta},
		{"track on a new topic", r.Track, entry(1, "new", "bob", `{`), ErrMeta},
		{"update to a string", r.Update, entry(1, "t", "ann", `"x"`), ErrMeta},
		{"update of an unknown topic", r.Update, entry(1, "u", "ann", `{}`), ErrNotTracked},
		{"update of an unknown key", r.Update, entry(1, "t", "bob", `{}`), ErrNotTracked},
		{"update by another owner", r.Update, entry(2, "t", "ann", `{}`), ErrNotTracked},
	}
	for _, c := range cases {
		ref, err := c.do(c.e)
		if !errors.Is(err, c.want) || ref != "" {
			t.Errorf("%s: ref %q, error %v; want %v", c.name, ref, err, c.want)
		}
	}
	r.Untrack(2, "t", "ann")
	r.Untrack(1, "t", "bob")
	r.Untrack(1, "u", "ann")
	r.UntrackAll(7)
	r.want(t)
	r.wantState(t, "t", before)
	if r.topicsLeft() != 1 {
		t.Errorf("%d topics, want 1", r.topicsLeft())
	}
}

func TestUntrackAllIsOneDiffPerTopic(t *testing.T) {
	r := record()
	track(t, r.Tracker, 1, "t", "ann", `{"n":1}`)
	track(t, r.Tracker, 1, "u", "ann", `{}`)
	track(t, r.Tracker, 2, "t", "ann", `{"n":2}`)
	track(t, r.Tracker, 1, "t", "bob", `{}`)
	track(t, r.Tracker, 1, "t", "", `{}`)
	r.diffs = nil
	r.UntrackAll(1)
	r.want(t,
		`t {"joins":{},"leaves":{"ann":{"metas":[{"n":1,"phx_ref":"r1"}]},"bob":{"metas":[{"phx_ref":"r4"}]}}}`,
		`u {"joins":{},"leaves":{"ann":{"metas":[{"phx_ref":"r2"}]}}}`)
	r.wantState(t, "t", `{"ann":{"metas":[{"n":2,"phx_ref":"r3"}]}}`)
	r.UntrackAll(1)
	r.want(t)
	r.UntrackAll(2)
	if n := r.topicsLeft() + r.ownersLeft(); n != 0 {
		t.Errorf("%d topics and owners left over", n)
	}
}

// The owner's list is a ring; every place in it must come out cleanly.
func TestUntrackFromEveryPlaceOfTheOwnersList(t *testing.T) {
	keys := []string{"a", "b", "c", "d"}
	for first := range keys {
		for second := range keys {
			if first == second {
				continue
			}
			r := record()
			for _, k := range keys {
				track(t, r.Tracker, 1, "t", k, `{}`)
			}
			r.Untrack(1, "t", keys[first])
			r.Untrack(1, "t", keys[second])
			track(t, r.Tracker, 1, "t", "e", `{}`)
			r.diffs = nil
			r.UntrackAll(1)
			var want []string
			for i, k := range append(slices.Clone(keys), "e") {
				if i != first && i != second {
					want = append(want, k)
				}
			}
			if got := keyOrder(r.diffs[0]); len(r.diffs) != 1 || !slices.Equal(got, want) {
				t.Errorf("after %d, %d: %q leave, want %q", first, second, got, want)
			}
			if n := r.topicsLeft() + r.ownersLeft(); n != 0 {
				t.Errorf("%d topics and owners left over", n)
			}
		}
	}
}

// keyOrder returns the keys of a state or diff in order.
func keyOrder(text string) []string {
	var keys []string
	parts := strings.Split(text, `":{"metas":`)
	for _, p := range parts[:len(parts)-1] {
		keys = append(keys, p[strings.LastIndex(p, `"`)+1:])
	}
	return keys
}

func TestKeysComeInTheOrderOfTheirFirstTrack(t *testing.T) {
	r := record()
	for i, k := range []string{"zoe", "ann", "__proto__", "ann", "constructor", "bob", "zoe"} {
		track(t, r.Tracker, Owner(i), "t", k, `{}`)
	}
	if got, want := keyOrder(r.state("t")), []string{"zoe", "ann", "__proto__", "constructor", "bob"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	r.Untrack(0, "t", "zoe") // its other entry keeps the place
	r.Untrack(1, "t", "ann")
	r.Untrack(3, "t", "ann")
	track(t, r.Tracker, 9, "t", "ann", `{}`)
	r.Untrack(2, "t", "__proto__")
	if got, want := keyOrder(r.state("t")), []string{"zoe", "constructor", "bob", "ann"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMetasOfAKeyLoseTheRightOne(t *testing.T) {
	for gone := range 3 {
		r := record()
		for i := range 3 {
			track(t, r.Tracker, Owner(i), "t", "ann", fmt.Sprintf(`{"n":%d}`, i))
		}
		r.Untrack(Owner(gone), "t", "ann")
		var metas []string
		for i := range 3 {
			if i != gone {
				metas = append(metas, fmt.Sprintf(`{"n":%d,"phx_ref":"r%d"}`, i, i+1))
			}
		}
		r.wantState(t, "t", `{"ann":{"metas":[`+strings.Join(metas, ",")+`]}}`)
	}
}

func TestKeysAreQuoted(t *testing.T) {
	r := record()
	for i, key := range []string{`a"b\c`, "line\n\u2028", "\xff", "é😀", "</script>"} {
		track(t, r.Tracker, Owner(i), "t", key, `{}`)
	}
	var state map[string]any
	text := r.AppendState(nil, "t")
	if err := json.Unmarshal(text, &state); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	for _, key := range []string{`a"b\c`, "line\n\u2028", "\ufffd", "é😀", "</script>"} {
		if state[key] == nil {
			t.Errorf("key %q missing in %s", key, text)
		}
	}
	if strings.Contains(string(text), "\u2028") {
		t.Error("U+2028 not escaped")
	}
}

// Two keys that JSON cannot tell apart must not become two members of one name.
func TestKeysThatAreNotUTF8AreOneKey(t *testing.T) {
	r := record()
	track(t, r.Tracker, 1, "t", "\xff", `{}`)
	track(t, r.Tracker, 2, "t", "\xfe", `{}`)
	r.wantState(t, "t", "{\"\ufffd\":{\"metas\":[{\"phx_ref\":\"r1\"},{\"phx_ref\":\"r2\"}]}}")
	r.Untrack(1, "t", "\xff")
	r.Untrack(2, "t", "\ufffd")
	if n := r.Count("t"); n != 0 {
		t.Errorf("%d entries left", n)
	}
}

func TestAnonymousEntriesAreCountedOnly(t *testing.T) {
	r := record()
	track(t, r.Tracker, 1, "t", "", `{}`)
	track(t, r.Tracker, 2, "t", "", `{}`)
	if _, err := r.Track(Track{Owner: 1, Topic: "t"}); !errors.Is(err, ErrAlreadyTracked) {
		t.Errorf("second anonymous entry of one owner: %v", err)
	}
	if _, err := r.Update(Track{Owner: 1, Topic: "t", Meta: []byte(`{"n":1}`)}); err != nil {
		t.Error(err)
	}
	if n := r.Count("t"); n != 2 {
		t.Errorf("count %d, want 2", n)
	}
	r.wantState(t, "t", `{}`)
	track(t, r.Tracker, 1, "t", "ann", `{}`)
	r.diffs = nil
	r.Untrack(1, "t", "")
	r.UntrackAll(2)
	r.want(t)
	if n := r.Count("t"); n != 1 {
		t.Errorf("count %d, want 1", n)
	}
}

func TestMetaIsCopied(t *testing.T) {
	r := record()
	meta := []byte(`{"n":1}`)
	if _, err := r.Track(Track{Owner: 1, Topic: "t", Key: "ann", Meta: meta}); err != nil {
		t.Fatal(err)
	}
	copy(meta, "XXXXXXX")
	r.wantState(t, "t", `{"ann":{"metas":[{"n":1,"phx_ref":"r1"}]}}`)
}

func TestDiffsMayBeKept(t *testing.T) {
	var kept []*Diff
	tr := NewTracker(Config{OnDiff: func(_ string, d *Diff) { kept = append(kept, d) }})
	track(t, tr, 1, "t", "ann", `{"n":1}`)
	first := string(kept[0].AppendJSON(nil))
	if _, err := tr.Update(Track{Owner: 1, Topic: "t", Key: "ann", Meta: []byte(`{"n":2}`)}); err != nil {
		t.Fatal(err)
	}
	tr.UntrackAll(1)
	if again := string(kept[0].AppendJSON(nil)); again != first {
		t.Errorf("a diff changed from %s to %s", first, again)
	}
}

func TestViewShowsTheStateAndLeavesNoTopicBehind(t *testing.T) {
	r := record()
	var seen []string
	see := func(state []byte, _ bool) { seen = append(seen, r.name(state)) }
	r.View("t", nobody, see)
	track(t, r.Tracker, 1, "t", "ann", `{}`)
	r.View("t", nobody, see)
	if want := []string{`{}`, `{"ann":{"metas":[{"phx_ref":"r1"}]}}`}; !slices.Equal(seen, want) {
		t.Errorf("got %q, want %q", seen, want)
	}
	r.UntrackAll(1)
	r.View("t", nobody, see)
	if n := r.topicsLeft(); n != 0 {
		t.Errorf("%d topics left over", n)
	}
}

// A Track that starts while View's callback runs may not tell of itself before
// the callback is done, not even on a topic that did not exist.
func TestNoDiffOvertakesTheViewOfAnEmptyTopic(t *testing.T) {
	var order []string // guarded by the topic's lock, as the race detector sees
	tr := NewTracker(Config{OnDiff: func(string, *Diff) { order = append(order, "diff") }})
	started, done := make(chan struct{}), make(chan struct{})
	tr.View("t", nobody, func(state []byte, _ bool) {
		go func() {
			close(started)
			_, _ = tr.Track(Track{Owner: 1, Topic: "t", Key: "ann"}) // cannot fail
			close(done)
		}()
		<-started
		order = append(order, "state "+string(state))
	})
	<-done
	if want := []string{"state {}", "diff"}; !slices.Equal(order, want) {
		t.Errorf("got %q, want %q", order, want)
	}
}

func TestDiffGroupsTheMetasOfAKey(t *testing.T) {
	d := Diff{Joins: []Entry{
		{Key: "ann", Ref: "1", Meta: []byte(`{"a":1}`)},
		{Key: "bob", Ref: "2", Meta: []byte(`{}`)},
		{Key: "ann", Ref: "3"},
		{Key: "zoe", Ref: "4", PrevRef: "0", Meta: []byte(`{}`)},
		{Key: "ann", Ref: "5", PrevRef: "3", Meta: []byte(`{"a":2}`)},
	}}
	want := `x{"joins":{"ann":{"metas":[{"a":1,"phx_ref":"1"},{"phx_ref":"3"},{"a":2,"phx_ref":"5","phx_ref_prev":"3"}]},` +
		`"bob":{"metas":[{"phx_ref":"2"}]},"zoe":{"metas":[{"phx_ref":"4","phx_ref_prev":"0"}]}},"leaves":{}}`
	if got := string(d.AppendJSON([]byte("x"))); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	d = Diff{Joins: []Entry{{Ref: "1"}}, Leaves: []Entry{{Ref: "2"}, {Key: "ann", Ref: "3"}, {Ref: "4"}}}
	if got := string(d.AppendJSON(nil)); got != `{"joins":{},"leaves":{"ann":{"metas":[{"phx_ref":"3"}]}}}` {
		t.Errorf("anonymous entries: %s", got)
	}
	if got := string((&Diff{}).AppendJSON(nil)); got != `{"joins":{},"leaves":{}}` {
		t.Errorf("empty diff: %s", got)
	}
}

// The reserved size must be enough, or a big state is copied again and again
// under the lock; and it must return to zero, or it grows without end.
func TestStateSizeIsReserved(t *testing.T) {
	tr := NewTracker(Config{})
	for i := range 50 {
		track(t, tr, Owner(i), "t", fmt.Sprint("user:", i%20), `{"n":1}`)
	}
	track(t, tr, 99, "t", "", `{"anonymous":true}`)
	for i := range 30 {
		if _, err := tr.Update(Track{Owner: Owner(i), Topic: "t", Key: fmt.Sprint("user:", i%20), Meta: []byte(`{"longer":true}`)}); err != nil {
			t.Fatal(err)
		}
	}
	tp := tr.lock("t")
	tp.mu.Unlock()
	state := tp.appendState(nil)
	if need, have := len(state), tp.size+2; need > have || have > 2*need {
		t.Errorf("%d bytes reserved for a state of %d", have, need)
	}
	for i := range 50 {
		tr.UntrackAll(Owner(i))
	}
	if tp.size != 0 {
		t.Errorf("%d bytes reserved for an empty state", tp.size)
	}
}

func TestTablesDoNotShareCacheLines(t *testing.T) {
	for _, typ := range []reflect.Type{reflect.TypeFor[topicTable](), reflect.TypeFor[ownerTable]()} {
		if typ.Size()%128 != 0 {
			t.Errorf("%v is %d bytes, no multiple of 128", typ, typ.Size())
		}
	}
}

func TestHotPathsDoNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	tr := NewTracker(Config{})
	for i := range 100 {
		track(t, tr, Owner(i), "t", fmt.Sprint("user:", i), `{"device":"phone"}`)
	}
	dst := make([]byte, 0, 64<<10)
	one := Diff{Joins: []Entry{{Key: "ann", Ref: "1", Meta: []byte(`{"a":1}`)}}}
	for name, run := range map[string]func(){
		"AppendState": func() { tr.AppendState(dst, "t") },
		"AppendJSON":  func() { one.AppendJSON(dst) },
		"Count":       func() { tr.Count("t") },
		"View":        func() { tr.View("t", nobody, func([]byte, bool) {}) },
	} {
		if n := testing.AllocsPerRun(100, run); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func (t *Tracker) topicsLeft() int {
	n := 0
	if all := t.tables.Load(); all != nil {
		for i := range all.topics {
			n += len(all.topics[i].topics)
		}
	}
	return n
}

func (t *Tracker) ownersLeft() int {
	n := 0
	if all := t.tables.Load(); all != nil {
		for i := range all.owners {
			n += len(all.owners[i].owners)
		}
	}
	return n
}

// TestEmptyTrackerIsLight: there is one for each tenant.
func TestEmptyTrackerIsLight(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	var kept *Tracker
	if n := testing.AllocsPerRun(100, func() { kept = NewTracker(Config{}) }); n > 2 {
		t.Errorf("NewTracker: %v allocations", n)
	}
	if size := reflect.TypeFor[Tracker]().Size(); size > 256 {
		t.Errorf("a tracker takes %d bytes", size)
	}
	kept.Untrack(1, "t", "k")
	kept.UntrackAll(1)
	if n := kept.Owned(1) + kept.Count("t"); n != 0 || kept.Tracks(1, "t", "k") || string(kept.AppendState(nil, "t")) != "{}" {
		t.Errorf("%d entries in an empty tracker", n)
	}
	if kept.tables.Load() != nil {
		t.Error("to look for an entry made the tables")
	}
}

func TestOwnedBytes(t *testing.T) {
	tr := NewTracker(Config{})
	want := func(bytes int) {
		t.Helper()
		if got := tr.OwnedBytes(1); got != bytes {
			t.Errorf("%d bytes, want %d", got, bytes)
		}
	}
	want(0)
	track(t, tr, 1, "t", "a", `{"n": 1}`)
	track(t, tr, 1, "u", "", "")
	track(t, tr, 2, "t", "a", `{"n":12345}`)
	want(len(`{"n":1}` + "{}"))
	if _, err := tr.Update(Track{Owner: 1, Topic: "t", Key: "a", Meta: []byte(`{"n":100}`)}); err != nil {
		t.Fatal(err)
	}
	want(len(`{"n":100}` + "{}"))
	tr.Untrack(1, "u", "")
	want(len(`{"n":100}`))
	tr.UntrackAll(1)
	want(0)
}

func TestTracks(t *testing.T) {
	tr := NewTracker(Config{})
	if _, err := tr.Track(Track{Owner: 1, Topic: "t", Key: "a\xff"}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		owner      Owner
		topic, key string
		want       bool
	}{{1, "t", "a\xff", true}, {1, "t", "a\ufffd", true}, {2, "t", "a\xff", false}, {1, "u", "a\xff", false}, {1, "t", "", false}} {
		if got := tr.Tracks(tt.owner, tt.topic, tt.key); got != tt.want {
			t.Errorf("Tracks(%d, %q, %q) = %v", tt.owner, tt.topic, tt.key, got)
		}
	}
}
