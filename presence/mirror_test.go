package presence

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
)

// mirror is what a client knows of a topic: of each key its metas in order. It takes
// lists and diffs as phoenix.js's Presence does (presence.js, syncState and syncDiff).
type mirror struct {
	list map[string]present
	told bool // has got a list; what came before it waits
	wait []diffText
}

type meta struct {
	text string
	ref  string
}

// UnmarshalJSON keeps the text, which is compared, beside the ref.
func (m *meta) UnmarshalJSON(b []byte) error {
	var known struct {
		Ref string `json:"phx_ref"`
	}
	err := json.Unmarshal(b, &known)
	m.text, m.ref = string(b), known.Ref
	return err
}

type listText map[string]present

// present is what there is of a key; Extra stands for all that is beside its metas.
type present struct {
	Metas []meta
	Extra int
}

func (p present) equal(q present) bool { return p.Extra == q.Extra && slices.Equal(p.Metas, q.Metas) }

type diffText struct{ Joins, Leaves listText }

func decode[T any](t testing.TB, text []byte) (v T) {
	t.Helper()
	if err := json.Unmarshal(text, &v); err != nil {
		t.Errorf("%v: %s", err, text)
	}
	return v
}

// replace takes a presence_state.
func (m *mirror) replace(list listText) {
	m.list, m.told = maps.Clone(list), true
	for _, d := range m.wait {
		m.apply(d)
	}
	m.wait = nil
}

// apply takes a presence_diff.
func (m *mirror) apply(d diffText) {
	if !m.told {
		m.wait = append(m.wait, d)
		return
	}
	for key, p := range d.Joins {
		m.list[key] = present{append(without(m.list[key].Metas, p.Metas), p.Metas...), p.Extra}
	}
	for key, p := range d.Leaves {
		left := present{without(m.list[key].Metas, p.Metas), m.list[key].Extra}
		if m.list[key] = left; len(left.Metas) == 0 {
			delete(m.list, key)
		}
	}
}

func without(metas, gone []meta) []meta {
	return slices.DeleteFunc(slices.Clone(metas), func(m meta) bool {
		return slices.ContainsFunc(gone, func(g meta) bool { return g.ref == m.ref })
	})
}

// differs says how the mirror differs from the tracker's list, "" if it does not.
func (m *mirror) differs(t testing.TB, state []byte) string {
	t.Helper()
	if maps.EqualFunc(m.list, decode[listText](t, state), present.equal) {
		return ""
	}
	return fmt.Sprintf("the client has %v, the tracker %s", m.list, state)
}

// client is a mirror that is fed by a tracker: under the topic's lock, of which it has
// none of its own, so that the race detector checks that lock.
type client struct {
	mirror
	view *View
}

// nobody is the owner of no entry.
const nobody = 1 << 62

// look has the client get the list, page by page.
func (c *client) look(t testing.TB, tr *Tracker, topic string, to Owner) {
	c.view.Stop()
	c.view = tr.View(topic, to, func(page []byte, first bool) {
		list := decode[listText](t, bytes.Clone(page))
		if first {
			c.replace(list)
		} else {
			c.apply(diffText{Joins: list})
		}
	})
}
