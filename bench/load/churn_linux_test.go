package load

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// hall is a fake whose members are told of who comes and goes.
type hall struct {
	spoil func(n, member int, text string) []string

	mu      sync.Mutex // members are told in one order
	members []*fakeConn
	keys    map[*fakeConn]string
	told    int
}

func (h *hall) came(c *fakeConn, payload json.RawMessage) {
	var p struct{ User string }
	if err := json.Unmarshal(payload, &p); err != nil {
		panic(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.keys[c] = p.User
	if p.User > "u00000001" {
		h.tell("joins", "leaves", p.User)
		return
	}
	if h.members = append(h.members, c); len(h.members) == 2 {
		for _, m := range h.members {
			m.send(`["1",null,"presence:bench","presence_state",{"u00000000":{"metas":[]},"u00000001":{"metas":[]}}]`)
		}
	}
}

func (h *hall) went(c *fakeConn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if key := h.keys[c]; key > "u00000001" {
		h.tell("leaves", "joins", key)
	}
}

func (h *hall) tell(has, lacks, key string) {
	text := fmt.Sprintf(`[null,null,"presence:bench","presence_diff",{%q:{%q:{"metas":[]}},%q:{}}]`, has, key, lacks)
	for i, m := range h.members {
		m.send(h.spoil(h.told, i, text)...)
	}
	h.told++
}

// spoiled is a way to tell of changes that is right but for those between two numbers,
// and for one member, or all if that is negative.
func spoiled(from, to, member int, as func(text string) []string) func(n, m int, text string) []string {
	return func(n, m int, text string) []string {
		if n < from || n > to || member >= 0 && m != member {
			return []string{text}
		}
		return as(text)
	}
}

func TestVisitors(t *testing.T) {
	const late, ever = 3, 1 << 30
	left := func(string) []string { return nil }
	twice := func(text string) []string { return []string{text, text} }
	nothing := func(string) []string {
		return []string{`[null,null,"presence:bench","presence_diff",{"joins":{},"leaves":{}}]`}
	}
	other := func(text string) []string { return []string{strings.Replace(text, "presence_diff", "presence_dif", 1)} }
	for _, tt := range []struct {
		name  string
		spoil func(n, member int, text string) []string
		want  error
		words string
	}{
		{"nothing wrong", spoiled(ever, ever, 0, left), nil, ""},
		{"a member is left out", spoiled(late, ever, 1, left), errMissing, "had not come"},
		{"a member misses one", spoiled(late, late, 1, left), errWrong, "as others got it"},
		{"nobody is told", spoiled(late, ever, -1, left), errMissing, "missing"},
		{"all are told twice", spoiled(late, late, -1, twice), errWrong, "which has not happened or was told of"},
		{"of nothing", spoiled(late, late, -1, nothing), errWrong, "tells of nothing"},
		{"something else", spoiled(late, late, -1, other), errWrong, "is no presence_diff"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := &hall{spoil: tt.spoil, keys: map[*fakeConn]string{}}
			f := newFake(t, nil)
			f.behave(manners{came: h.came, went: h.went})
			cfg := short(Presence, 2, 1)
			cfg.URL, cfg.Rate, cfg.stay = f.url, 500, 10*time.Millisecond
			r, err := Run(t.Context(), cfg)
			if !errors.Is(err, tt.want) || tt.want != nil && !strings.Contains(err.Error(), tt.words) {
				t.Fatalf("%v, want %v with %q", err, tt.want, tt.words)
			}
			if tt.want == nil && (r.Messages == 0 || r.Bytes == 0 || r.Last.Max < r.Last.P50 || r.Last.P50 <= 0) {
				t.Errorf("%+v", r)
			}
		})
	}
}
