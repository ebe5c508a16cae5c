package presence

import (
	"errors"
	"testing"
)

// TestExtra: what stands beside the metas of a key is in the list and in all diffs (case
// 119), that of the latest version for all of them.
func TestExtra(t *testing.T) {
	r := record()
	enter := func(owner Owner, extra string) {
		t.Helper()
		if _, err := r.Track(Track{Owner: owner, Topic: "t", Key: "ann", Extra: []byte(extra)}); err != nil {
			t.Fatal(err)
		}
	}
	enter(1, `{"user": {"name":"Ann"}, "metas":[1], "n":1}`)
	enter(2, `{"n":2}`)
	r.Untrack(2, "t", "ann")
	if _, err := r.Update(Track{Owner: 1, Topic: "t", Key: "ann", Meta: []byte(`{"a":1}`)}); err != nil {
		t.Fatal(err)
	}
	r.want(t,
		`t {"joins":{"ann":{"metas":[{"phx_ref":"r1"}],"user":{"name":"Ann"},"n":1}},"leaves":{}}`,
		`t {"joins":{"ann":{"metas":[{"phx_ref":"r2"}],"n":2}},"leaves":{}}`,
		`t {"joins":{},"leaves":{"ann":{"metas":[{"phx_ref":"r2"}],"n":2}}}`,
		`t {"joins":{"ann":{"metas":[{"a":1,"phx_ref":"r3","phx_ref_prev":"r1"}]}},"leaves":{"ann":{"metas":[{"phx_ref":"r1"}],"n":2}}}`)
	r.wantState(t, "t", `{"ann":{"metas":[{"a":1,"phx_ref":"r3","phx_ref_prev":"r1"}]}}`)
	enter(2, `{"n":3}`)
	r.wantState(t, "t", `{"ann":{"metas":[{"a":1,"phx_ref":"r3","phx_ref_prev":"r1"},{"phx_ref":"r4"}],"n":3}}`)
	if p, _ := r.AppendPresence(nil, "t", "ann"); r.name(p) != `{"metas":[{"a":1,"phx_ref":"r3","phx_ref_prev":"r1"},{"phx_ref":"r4"}],"n":3}` {
		t.Errorf("ann is %s", p)
	}
	for _, do := range []func(Track) (string, error){r.Track, r.Update} {
		if _, err := do(Track{Owner: 2, Topic: "t", Key: "ann", Extra: []byte(`[]`)}); !errors.Is(err, ErrMeta) {
			t.Errorf("an extra of a list: %v", err)
		}
	}
	for i := range 3 {
		r.UntrackAll(Owner(i))
	}
	if n := r.topicsLeft() + r.ownersLeft(); n != 0 {
		t.Errorf("%d topics and owners left over", n)
	}
}

// A version that changes what stands beside the others is told of although it has gone: the
// list has it, so clients need it.
func TestExtraOfWhatHasGone(t *testing.T) {
	r := collect()
	r.do(t, "track 1 ann, tick")
	r.diffs = nil
	if _, err := r.Track(Track{Owner: 2, Topic: "t", Key: "ann", Extra: []byte(`{"n":1}`)}); err != nil {
		t.Fatal(err)
	}
	r.do(t, "end 2, tick")
	gone := `"ann":{"metas":[{"phx_ref":"r2"}],"n":1}`
	r.want(t, `t {"joins":{`+gone+`},"leaves":{`+gone+`}}`)
	r.wantState(t, "t", `{"ann":{"metas":[{"phx_ref":"r1"}],"n":1}}`)
}
