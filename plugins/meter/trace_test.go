package meter_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/aviary-host/aviary/plugins/meter"
	"github.com/aviary-host/aviary/plugins/module"
)

// TestOffsetsAreFollowed: what is added is of the line of what it stands before.
func TestOffsetsAreFollowed(t *testing.T) {
	m := testModule(code(loop, get(0), brIf(0), end, num(7), call(1)))
	m.Debug.Offsets = [][]uint32{{10, 12, 14, 16, 17, 19, 21}, {30}}
	out, err := meter.Instrument(m, meter.Config{Stack: testStack})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range out.Funcs {
		offsets, body := out.Debug.Offsets[i], out.Funcs[i].Body
		if len(offsets) != len(body) {
			t.Fatalf("%d offsets of %d instructions", len(offsets), len(body))
		}
		for len(body) > 0 {
			n := 0
			for n < len(body) && offsets[n] == offsets[0] {
				n++
			}
			got = append(got, fmt.Sprint(offsets[0], ": ", show(&module.Func{Body: body[:n]}, 0, 1)))
			offsets, body = offsets[n:], body[n:]
		}
	}
	want := []string{
		"10: stack 86 i32.sub TAKE block fuel 3 SPEND loop",
		"12: fuel 2 SPEND get 0",
		"14: br_if 0",
		"16: end",
		"17: 7",
		"19: call 2",
		"21: end stack 86 add =stack end",
		"30: fuel 1 SPEND end",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	if m.Debug.Offsets[0][1] != 12 || len(m.Debug.Offsets[0]) != 7 {
		t.Errorf("the old module's offsets are %v", m.Debug.Offsets)
	}
}
