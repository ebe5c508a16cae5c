package hosttest

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/big"
	"slices"
	"strings"
)

// decode returns the JSON value of text with its numbers as they are spelled.
func decode(text string) (any, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("more than one JSON value")
	}
	return v, nil
}

// placeholder returns the name in "<name>".
func placeholder(v any) (string, bool) {
	s, ok := v.(string)
	if !ok || len(s) < 3 || s[0] != '<' || s[len(s)-1] != '>' {
		return "", false
	}
	return s[1 : len(s)-1], true
}

// matcher compares a frame with a golden one; bound are the values of the
// placeholders met so far, and it adds to them.
type matcher struct {
	bound map[string]any
}

// diff tells where got differs from want, "" if nowhere. at is where in the
// frame the two are.
func (m *matcher) diff(at string, want, got any) string {
	if name, ok := placeholder(want); ok {
		return m.bind(at, name, got)
	}
	switch w := want.(type) {
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return mismatch(at, want, got)
		}
		for i := range w {
			if d := m.diff(fmt.Sprintf("%s[%d]", at, i), w[i], g[i]); d != "" {
				return d
			}
		}
		return ""
	case map[string]any:
		return m.diffObject(at, w, got)
	case json.Number:
		if g, ok := got.(json.Number); ok && sameNumber(w, g) {
			return ""
		}
		return mismatch(at, want, got)
	}
	if want != got {
		return mismatch(at, want, got)
	}
	return ""
}

func (m *matcher) diffObject(at string, want map[string]any, got any) string {
	g, ok := got.(map[string]any)
	if !ok {
		return mismatch(at, want, got)
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		v, ok := g[key]
		if !ok {
			return fmt.Sprintf("%s: key %q is missing in %s", at, key, encode(got))
		}
		if d := m.diff(at+"."+key, want[key], v); d != "" {
			return d
		}
	}
	for _, key := range slices.Sorted(maps.Keys(g)) {
		if _, ok := want[key]; !ok {
			return fmt.Sprintf("%s: key %q was not expected in %s", at, key, encode(got))
		}
	}
	return ""
}

func (m *matcher) bind(at, name string, got any) string {
	if name == "any" {
		return ""
	}
	if v, ok := m.bound[name]; ok {
		if (&matcher{}).diff(at, v, got) != "" {
			return fmt.Sprintf("%s: <%s> was %s before and is %s now", at, name, encode(v), encode(got))
		}
		return ""
	}
	m.bound[name] = got
	return ""
}

func sameNumber(a, b json.Number) bool {
	if a == b {
		return true
	}
	x, ok := new(big.Rat).SetString(a.String())
	if !ok {
		return false
	}
	y, ok := new(big.Rat).SetString(b.String())
	return ok && x.Cmp(y) == 0
}

func mismatch(at string, want, got any) string {
	return fmt.Sprintf("%s: got %s, want %s", at, encode(got), encode(want))
}

func encode(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}
