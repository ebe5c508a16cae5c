package group

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// limits is a Quota as a host has it: so many groups, topics in each, and bytes; 0
// is no limit.
type limits struct {
	groups, inGroup, bytes int

	used Size
}

var errFull = errors.New("no room")

func (l *limits) Take(s Size) error {
	over := func(used, most int) bool { return most > 0 && used > most }
	if over(l.used.Groups+s.Groups, l.groups) || over(s.InGroup, l.inGroup) || over(l.used.Bytes+s.Bytes, l.bytes) {
		return errFull
	}
	l.used.Groups += s.Groups
	l.used.Topics += s.Topics
	l.used.Bytes += s.Bytes
	return nil
}

func (l *limits) Give(s Size) {
	l.used.Groups -= s.Groups
	l.used.Topics -= s.Topics
	l.used.Bytes -= s.Bytes
}

// do is one line of a dialogue with groups: a verb, a group, a topic. It returns
// what comes of it.
func do(g *Groups, line string) string {
	w := append(strings.Fields(line), "", "")
	var err error
	switch w[0] {
	case "create":
		err = g.Create(w[1])
	case "delete":
		err = g.Delete(w[1])
	case "add":
		err = g.Add(w[1], w[2])
	case "remove":
		err = g.Remove(w[1], w[2])
	case "hold":
		err = g.Hold(w[1], w[2])
	case "keep":
		g.Keep(w[1], w[2])
	case "drop":
		g.Drop(w[1], w[2])
	case "list":
		return fmt.Sprint(g.List())
	case "topics":
		var topics []string
		if topics, err = g.Topics(w[1]); err == nil {
			return fmt.Sprint(topics)
		}
	case "broadcast":
		var sent []string
		if err = g.Broadcast(w[1], func(topic string) { sent = append(sent, topic) }); err == nil {
			return fmt.Sprint("to ", sent)
		}
	default:
		panic("no such verb: " + line)
	}
	if err != nil {
		return err.Error()
	}
	return "ok"
}

// talk has a dialogue of lines such as "add g t = ok"; what is left out after the
// verb is ok.
func talk(t *testing.T, g *Groups, dialogue string) {
	t.Helper()
	for line := range strings.Lines(dialogue) {
		call, want, has := strings.Cut(strings.TrimSpace(line), " = ")
		if call == "" {
			continue
		}
		if !has {
			want = "ok"
		}
		if got := do(g, call); got != want {
			t.Errorf("%s: %s, want %s", call, got, want)
		}
	}
}

// TestBeryl are the cases of beryl's groups, by their numbers in the project's
// reference (section 8.2).
func TestBeryl(t *testing.T) {
	for _, tt := range []struct{ name, dialogue string }{
		{"37 start empty", `
			list = []
			topics g = no such group`},
		{"38 create and list", `
			create b
			create a
			list = [{a 0} {b 0}]`},
		{"39 create one that exists", `
			create g
			add g t
			create g = the group exists
			topics g = [t]`},
		{"40 add", `
			create g
			add g t
			add g u
			topics g = [t u]
			list = [{g 2}]`},
		{"41 add twice", `
			create g
			add g t
			add g u
			add g t
			topics g = [t u]`},
		{"42 remove", `
			create g
			add g t
			add g u
			remove g t
			remove g t
			remove g never
			topics g = [u]
			remove g u
			topics g = []
			add g t
			topics g = [t]`},
		{"43 not found for each call", `
			create other
			add g t = no such group
			remove g t = no such group
			topics g = no such group
			delete g = no such group
			broadcast g = no such group
			list = [{other 0}]`},
		{"44 delete", `
			create g
			add g t
			delete g
			list = []
			topics g = no such group
			broadcast g = no such group
			create g
			topics g = []`},
		{"45 delete missing", `
			delete g = no such group
			create g
			delete g
			delete g = no such group`},
		{"46 a fresh group is empty", `
			create g
			topics g = []
			broadcast g = to []`},
		{"47 broadcast reaches all member topics", `
			create g
			create other
			add g b
			add g a
			add other x
			add g c
			add g b
			broadcast g = to [b a c]
			broadcast other = to [x]`},
	} {
		t.Run(tt.name, func(t *testing.T) { talk(t, New(nil), tt.dialogue) })
	}
}

func TestHoldKeepDrop(t *testing.T) {
	for _, tt := range []struct{ name, dialogue string }{
		{"what is held is not seen", `
			hold g t
			list = []
			topics g = no such group
			broadcast g = no such group
			remove g t = no such group
			delete g = no such group
			add g u = no such group
			keep g t
			list = [{g 1}]
			topics g = [t]`},
		{"a group that was kept goes with its last topic", `
			hold g t
			keep g t
			add g u
			remove g t
			topics g = [u]
			remove g u
			topics g = no such group`},
		{"one that was created stays", `
			create g
			hold g t
			keep g t
			remove g t
			topics g = []`},
		{"drop leaves nothing behind", `
			hold g t
			drop g t
			list = []
			create g
			hold g t
			drop g t
			topics g = []`},
		{"a place outlasts the topic and the group", `
			create g
			add g t
			hold g t
			remove g t
			topics g = []
			delete g
			topics g = no such group
			keep g t
			topics g = [t]`},
		{"a group can be created around what is held", `
			hold g t
			create g
			topics g = []
			drop g t
			topics g = []`},
		{"each hold counts", `
			hold g t
			hold g t
			keep g t
			remove g t
			list = []
			keep g t
			topics g = [t]`},
		{"keeping what is there changes no order", `
			create g
			add g t
			add g u
			hold g t
			keep g t
			topics g = [t u]`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := &limits{}
			g := New(l)
			talk(t, g, tt.dialogue)
			empty(t, g, l)
		})
	}
}

// empty deletes all groups, after which nothing may be left.
func empty(t *testing.T, g *Groups, l *limits) {
	t.Helper()
	for _, one := range g.List() {
		if err := g.Delete(one.Name); err != nil {
			t.Error(err)
		}
	}
	if len(g.all) != 0 || l.used != (Size{}) {
		t.Errorf("left: %d groups, %+v", len(g.all), l.used)
	}
}

func TestQuota(t *testing.T) {
	for _, tt := range []struct {
		name     string
		limits   limits
		dialogue string
	}{
		{"groups", limits{groups: 2}, `
			create a
			hold b t
			create c = no room
			hold c t = no room
			drop b t
			create c
			create c = the group exists
			list = [{a 0} {c 0}]`},
		{"topics in a group", limits{inGroup: 2}, `
			create a
			add a t
			hold a u
			add a v = no room
			hold a v = no room
			add a t
			hold a t
			drop a t
			keep a u
			add a v = no room
			remove a t
			add a v
			topics a = [u v]
			create b
			add b t
			add b u`},
		{"a place is kept for who holds it", limits{inGroup: 1}, `
			create a
			add a t
			hold a t
			remove a t
			add a u = no room
			keep a t
			topics a = [t]`},
		{"bytes", limits{bytes: groupOverhead + topicOverhead + 5}, `
			create a
			add a toolong = no room
			add a four
			create b = no room
			remove a four
			add a f
			topics a = [f]`},
		{"a group is not left behind", limits{bytes: groupOverhead + 1}, `
			hold a t = no room
			list = []
			create b`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := New(&tt.limits)
			talk(t, g, tt.dialogue)
			empty(t, g, &tt.limits)
		})
	}
}

func TestNames(t *testing.T) {
	g := New(nil)
	good := []string{"a", "é", strings.Repeat("a", MaxName), "with space", "\x00"}
	bad := []string{"", "\xff", "a\xc3", strings.Repeat("a", MaxName+1), strings.Repeat("é", MaxName/2+1)}
	for _, name := range good {
		if err := errors.Join(g.Create(name), g.Add(name, name), g.Hold(name, name)); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range bad {
		for what, got := range map[string]error{
			"create":        g.Create(name),
			"hold of group": g.Hold(name, "t"),
		} {
			if !errors.Is(got, ErrInvalidName) {
				t.Errorf("%s %q: %v", what, name, got)
			}
		}
		for what, got := range map[string]error{
			"add":           g.Add("a", name),
			"hold of topic": g.Hold("a", name),
		} {
			if !errors.Is(got, ErrInvalidTopic) {
				t.Errorf("%s %q: %v", what, name, got)
			}
		}
		if err := g.Remove("a", name); err != nil {
			t.Errorf("remove %q: %v", name, err)
		}
		if err := g.Delete(name); !errors.Is(err, ErrNotFound) {
			t.Errorf("delete %q: %v", name, err)
		}
	}
	if n := len(g.List()); n != len(good) {
		t.Errorf("%d groups", n)
	}
}

// TestListsDoNotChange: whoever goes through the topics of a group is not in the way
// of those who change it.
func TestListsDoNotChange(t *testing.T) {
	g := New(nil)
	talk(t, g, `
		create g
		add g a
		add g b
		add g c`)
	before, err := g.Topics("g")
	if err != nil {
		t.Fatal(err)
	}
	var sent []string
	if err := g.Broadcast("g", func(topic string) {
		sent = append(sent, topic)
		talk(t, g, `
			remove g a
			remove g b
			add g `+topic+topic)
	}); err != nil {
		t.Error(err)
	}
	want := []string{"a", "b", "c"}
	if !slices.Equal(sent, want) || !slices.Equal(before, want) {
		t.Errorf("sent to %v, listed %v", sent, before)
	}
	_ = append(before, "mine")
	talk(t, g, `
		topics g = [c aa bb cc]
		delete g`)
	if !slices.Equal(before, want) {
		t.Errorf("listed %v", before)
	}
}

func TestNothingIsAllocated(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	g := New(nil)
	talk(t, g, `
		create g
		add g t
		add g u`)
	n := 0
	send := func(string) { n++ }
	for name, run := range map[string]func(){
		"Broadcast":    func() { _ = g.Broadcast("g", send) },
		"Topics":       func() { _, _ = g.Topics("g") },
		"Add again":    func() { _ = g.Add("g", "t") },
		"Hold, Keep":   func() { _ = g.Hold("g", "t"); g.Keep("g", "t") },
		"Hold, Drop":   func() { _ = g.Hold("g", "t"); g.Drop("g", "t") },
		"Remove of no": func() { _ = g.Remove("g", "v") },
	} {
		if allocs := testing.AllocsPerRun(100, run); allocs != 0 {
			t.Errorf("%s: %v allocations", name, allocs)
		}
	}
	if n == 0 {
		t.Error("nothing was sent")
	}
}

// thousand is a group of 1000 topics.
func thousand(b *testing.B) *Groups {
	b.Helper()
	g := New(nil)
	err := g.Create("g")
	for i := range 1000 {
		err = errors.Join(err, g.Add("g", fmt.Sprint("room:", i)))
	}
	if err != nil {
		b.Fatal(err)
	}
	return g
}

func BenchmarkBroadcast(b *testing.B) {
	g := thousand(b)
	for b.Loop() {
		if err := g.Broadcast("g", func(string) {}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkChurn adds and removes a topic of a group of 1000.
func BenchmarkChurn(b *testing.B) {
	g := thousand(b)
	for b.Loop() {
		if err := errors.Join(g.Add("g", "one"), g.Remove("g", "one")); err != nil {
			b.Fatal(err)
		}
	}
}
