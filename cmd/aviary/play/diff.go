package play

import (
	"bytes"
	"encoding/json"
	"math/big"
	"strings"
)

// compact writes JSON text without space between its parts.
func compact(text json.RawMessage) string {
	var b bytes.Buffer
	if json.Compact(&b, text) != nil {
		return string(text) // not JSON: shown as it is
	}
	return b.String()
}

// same tells whether two JSON texts say the same: white space, the order of keys, escapes
// and the spelling of numbers do not matter. Empty means {}.
func same(a, b json.RawMessage) bool {
	x, errX := value(orObject(a))
	y, errY := value(orObject(b))
	if errX != nil || errY != nil {
		return string(a) == string(b)
	}
	return sameValue(x, y)
}

func value(text []byte) (v any, err error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	err = dec.Decode(&v)
	return v, err
}

func sameValue(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for key, v := range a {
			if w, ok := b[key]; !ok || !sameValue(v, w) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !sameValue(a[i], b[i]) {
				return false
			}
		}
		return true
	case json.Number:
		b, ok := b.(json.Number)
		return ok && sameNumber(a, b)
	}
	return a == b
}

// longNumber is the most characters of a number that are compared by value: one such as
// 1e1000000 would take all memory.
const longNumber = 64

func sameNumber(a, b json.Number) bool {
	if a == b {
		return true
	}
	if len(a) > longNumber || len(b) > longNumber || farExponent(a) || farExponent(b) {
		return false
	}
	x, okX := new(big.Rat).SetString(a.String())
	y, okY := new(big.Rat).SetString(b.String())
	return okX && okY && x.Cmp(y) == 0
}

// farExponent tells whether a number has an exponent of more than three digits.
func farExponent(n json.Number) bool {
	_, exp, _ := strings.Cut(strings.ToLower(n.String()), "e")
	return len(strings.TrimLeft(exp, "+-0")) > 3
}

func (e *Effect) same(f *Effect) bool {
	x, y := *e, *f
	x.Payload, y.Payload = nil, nil
	x.Bytes, y.Bytes = nil, nil
	x.Status, y.Status = or(x.Status, "ok"), or(y.Status, "ok")
	return samePlain(&x, &y) && same(e.Payload, f.Payload) && bytes.Equal(e.Bytes, f.Bytes)
}

// samePlain compares effects that have no payloads.
func samePlain(x, y *Effect) bool {
	a, errA := json.Marshal(x)
	b, errB := json.Marshal(y)
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

// sameResult compares what two answers say but for their effects and states.
func (a *Answer) sameResult(b *Answer) bool {
	return a.Result == b.Result && or(a.Status, "ok") == or(b.Status, "ok") && a.Event == b.Event && a.Number == b.Number &&
		a.Reason == b.Reason && a.Text == b.Text && a.IDTopic == b.IDTopic && same(a.Payload, b.Payload) && bytes.Equal(a.Bytes, b.Bytes)
}

// Diff compares what a callback has answered with what was expected, and returns the
// lines of both: those that are missing begin with "- ", those that were not expected
// with "+ ", the others with "  ". It is nil if nothing differs. A state that is not
// expected is not compared.
func Diff(callback string, want, got *Answer) []string {
	w, g := want.items(callback), got.items(callback)
	if len(want.State) > 0 || want.StateBytes != nil {
		w, g = append(w, want.stateItem()), append(g, got.stateItem())
	}
	return diffItems(w, g)
}

// item is a line, and how it is compared.
type item struct {
	line string
	of   any // *Effect, *Answer for its result, or state
}

// state marks the item of a state.
type state struct{ a *Answer }

func (a *Answer) items(callback string) []item {
	lines := a.Lines(callback)
	items := make([]item, len(lines))
	first := 0
	if callback == "join" {
		items[0] = item{lines[0], a}
		first = 1
	} else {
		items[len(lines)-1] = item{lines[len(lines)-1], a}
	}
	for i := range a.Effects {
		items[first+i] = item{lines[first+i], &a.Effects[i]}
	}
	return items
}

func (a *Answer) stateItem() item { return item{"state " + a.stateLine(), state{a}} }

func (i *item) same(j *item) bool {
	switch x := i.of.(type) {
	case *Effect:
		y, ok := j.of.(*Effect)
		return ok && x.same(y)
	case *Answer:
		y, ok := j.of.(*Answer)
		return ok && x.sameResult(y)
	case state:
		y, ok := j.of.(state)
		return ok && bytes.Equal(x.a.StateBytes, y.a.StateBytes) && (len(x.a.State) > 0) == (len(y.a.State) > 0) && same(x.a.State, y.a.State)
	}
	return false
}

// diffItems aligns two lists by their longest common part. There are at most some 66 of
// each.
func diffItems(want, got []item) []string {
	longest := make([][]int, len(want)+1) // of what begins at i and j
	for i := range longest {
		longest[i] = make([]int, len(got)+1)
	}
	for i := len(want) - 1; i >= 0; i-- {
		for j := len(got) - 1; j >= 0; j-- {
			if want[i].same(&got[j]) {
				longest[i][j] = longest[i+1][j+1] + 1
			} else {
				longest[i][j] = max(longest[i+1][j], longest[i][j+1])
			}
		}
	}
	var lines []string
	differs := false
	for i, j := 0, 0; i < len(want) || j < len(got); {
		switch {
		case i < len(want) && j < len(got) && want[i].same(&got[j]):
			lines = append(lines, "  "+got[j].line)
			i, j = i+1, j+1
		case j == len(got) || i < len(want) && longest[i+1][j] >= longest[i][j+1]:
			lines = append(lines, "- "+want[i].line)
			i, differs = i+1, true
		default:
			lines = append(lines, "+ "+got[j].line)
			j, differs = j+1, true
		}
	}
	if !differs {
		return nil
	}
	return lines
}
