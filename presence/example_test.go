package presence_test

import (
	"fmt"
	"strings"

	"github.com/aviary-host/aviary/presence"
)

func Example() {
	var refs []string
	show := func(what string, text []byte) {
		s := string(text)
		for i, ref := range refs { // refs differ from run to run
			s = strings.ReplaceAll(s, ref, fmt.Sprint("ref", i+1))
		}
		fmt.Println(what, s)
	}
	var diffs [][]byte
	t := presence.NewTracker(presence.Config{
		OnDiff: func(_ string, d *presence.Diff) { diffs = append(diffs, d.AppendJSON(nil)) },
	})

	ref, err := t.Track(presence.Track{Owner: 1, Topic: "room:1", Key: "ann", Meta: []byte(`{"typing":false}`)})
	if err != nil {
		fmt.Println(err)
		return
	}
	refs = append(refs, ref)
	t.View("room:1", 2, func(state []byte, _ bool) { show("state", state) })
	t.UntrackAll(1)

	for _, d := range diffs {
		show("diff ", d)
	}
	// Output:
	// state {"ann":{"metas":[{"typing":false,"phx_ref":"ref1"}]}}
	// diff  {"joins":{"ann":{"metas":[{"typing":false,"phx_ref":"ref1"}]}},"leaves":{}}
	// diff  {"joins":{},"leaves":{"ann":{"metas":[{"typing":false,"phx_ref":"ref1"}]}}}
}
