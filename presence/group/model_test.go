package group

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
)

// model is what Groups are to do, written down as plainly as can be: lists, and no
// thought of cost.
type model struct {
	most, inGroup int
	groups        []modelGroup
	held          [][2]string // groups and topics
}

type modelGroup struct {
	name    string
	created bool
	topics  []string
}

func (m *model) find(name string) *modelGroup {
	for i := range m.groups {
		if m.groups[i].name == name {
			return &m.groups[i]
		}
	}
	return nil
}

// prune drops groups that go with their last topic.
func (m *model) prune() {
	m.groups = slices.DeleteFunc(m.groups, func(g modelGroup) bool { return !g.created && len(g.topics) == 0 })
}

// room tells whether there is some for a topic in a group, "" for the group alone.
func (m *model) room(name, topic string) bool {
	names, places := map[string]bool{}, map[string]bool{}
	for _, g := range m.groups {
		names[g.name] = true
		if g.name == name {
			for _, t := range g.topics {
				places[t] = true
			}
		}
	}
	for _, h := range m.held {
		names[h[0]] = true
		if h[0] == name {
			places[h[1]] = true
		}
	}
	names[name] = true
	if topic != "" {
		places[topic] = true
	}
	return len(names) <= m.most && (topic == "" || len(places) <= m.inGroup)
}

// settle takes a held place away.
func (m *model) settle(name, topic string) {
	i := slices.Index(m.held, [2]string{name, topic})
	m.held = slices.Delete(m.held, i, i+1)
}

func (m *model) put(g *modelGroup, topic string) {
	if !slices.Contains(g.topics, topic) {
		g.topics = append(g.topics, topic)
	}
}

// do is do of the model.
func (m *model) do(line string) string {
	defer m.prune()
	w := append(strings.Fields(line), "", "")
	name, topic := w[1], w[2]
	g := m.find(name)
	switch w[0] {
	case "create":
		switch {
		case g != nil:
			return ErrExists.Error()
		case !m.room(name, ""):
			return errFull.Error()
		}
		m.groups = append(m.groups, modelGroup{name: name, created: true})
		return "ok"
	case "hold":
		if !m.room(name, topic) {
			return errFull.Error()
		}
		m.held = append(m.held, [2]string{name, topic})
		return "ok"
	case "drop":
		m.settle(name, topic)
		return "ok"
	case "keep":
		m.settle(name, topic)
		if g == nil {
			m.groups = append(m.groups, modelGroup{name: name})
			g = m.find(name)
		}
		m.put(g, topic)
		return "ok"
	}
	if g == nil {
		return ErrNotFound.Error()
	}
	return m.doWith(g, w[0], topic)
}

// doWith does what needs a group.
func (m *model) doWith(g *modelGroup, verb, topic string) string {
	switch verb {
	case "delete":
		g.created, g.topics = false, nil
	case "add":
		if !m.room(g.name, topic) {
			return errFull.Error()
		}
		m.put(g, topic)
	case "remove":
		g.topics = slices.DeleteFunc(g.topics, func(t string) bool { return t == topic })
	case "topics":
		return fmt.Sprint(g.topics)
	case "broadcast":
		return fmt.Sprint("to ", g.topics)
	}
	return "ok"
}

func (m *model) list() string {
	list := []Group{}
	for _, g := range m.groups {
		list = append(list, Group{g.name, len(g.topics)})
	}
	slices.SortFunc(list, func(a, b Group) int { return strings.Compare(a.Name, b.Name) })
	return fmt.Sprint(list)
}

// act draws a line that the model can take part in: what is kept or dropped has to
// be held.
func (m *model) act(rng *rand.Rand, prefix string) string {
	verbs := []string{"create", "delete", "add", "add", "add", "remove", "hold", "hold", "keep", "drop", "topics", "broadcast"}
	verb := verbs[rng.IntN(len(verbs))]
	name, topic := fmt.Sprint(prefix, rng.IntN(4)), fmt.Sprint("t", rng.IntN(5))
	if verb == "keep" || verb == "drop" {
		if len(m.held) == 0 {
			return "topics " + name
		}
		h := m.held[rng.IntN(len(m.held))]
		name, topic = h[0], h[1]
	}
	return strings.Join([]string{verb, name, topic}, " ")
}

func (m *model) letGo(g *Groups) {
	for _, h := range m.held {
		g.Drop(h[0], h[1])
	}
}

// TestModel: whatever is done, Groups answer as the model does, and list as much.
func TestModel(t *testing.T) {
	runs := 2000
	if testing.Short() || raceEnabled {
		runs = 200
	}
	seen := map[string]int{}
	for seed := range runs {
		rng := rand.New(rand.NewPCG(uint64(seed), 1))
		m := &model{most: 3, inGroup: 3}
		l := &limits{groups: m.most, inGroup: m.inGroup}
		g := New(l)
		var lines []string
		for range 60 {
			line := m.act(rng, "g")
			want, got := m.do(line), do(g, line)
			lines = append(lines, line+" = "+got)
			if got != want || do(g, "list") != m.list() {
				t.Fatalf("seed %d: %s\nwant %s, list %s; it is %s", seed, strings.Join(lines, "\n"), want, m.list(), do(g, "list"))
			}
			verb, _, _ := strings.Cut(line, " ")
			seen[verb+" "+got[:min(len(got), 2)]]++
		}
		m.letGo(g)
		empty(t, g, l)
	}
	for _, what := range []string{"create ok", "create no", "create th", "delete ok", "delete no", "add ok", "add no", "remove ok", "hold ok", "hold no", "keep ok", "drop ok", "broadcast to"} {
		if seen[what] < runs/10 {
			t.Errorf("the runs saw %q %d times only", what, seen[what])
		}
	}
}

// TestConcurrentModels: goroutines with groups of their own, each with its model,
// do not notice each other.
func TestConcurrentModels(t *testing.T) {
	total := &limits{}
	g := New(total)
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(worker), 2))
			prefix := fmt.Sprint("w", worker, "-")
			m := &model{most: 1 << 20, inGroup: 1 << 20}
			for range 3000 {
				line := m.act(rng, prefix)
				if want, got := m.do(line), do(g, line); got != want {
					t.Errorf("%s: %s, want %s", line, got, want)
					return
				}
			}
			m.letGo(g)
			for _, one := range m.groups {
				if err := g.Delete(one.name); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	empty(t, g, total)
}

// TestHammer: goroutines that fight over the same few groups never get past a
// limit, never see a topic twice, and never fail to keep what they hold.
func TestHammer(t *testing.T) {
	l := &limits{groups: 3, inGroup: 4}
	g := New(l)
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(worker), 3))
			for range 5000 {
				if err := fight(g, rng, l); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	empty(t, g, l)
}

// fight is one act of TestHammer, and what must hold after it.
func fight(g *Groups, rng *rand.Rand, l *limits) error {
	name, topic := fmt.Sprint("g", rng.IntN(4)), fmt.Sprint("t", rng.IntN(6))
	var err error
	switch rng.IntN(6) {
	case 0:
		err = g.Create(name)
	case 1:
		err = g.Delete(name)
	case 2:
		err = g.Add(name, topic)
	case 3:
		err = g.Remove(name, topic)
	default:
		if err = g.Hold(name, topic); err == nil {
			g.Keep(name, topic)
		}
	}
	if err != nil && !errors.Is(err, errFull) && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrExists) {
		return err
	}
	if list := g.List(); len(list) > l.groups {
		return fmt.Errorf("groups %v, over %d", list, l.groups)
	}
	once := map[string]bool{}
	n := 0
	if err := g.Broadcast(name, func(topic string) { once[topic] = true; n++ }); err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if n > l.inGroup || n != len(once) {
		return fmt.Errorf("a broadcast reached %d topics: %v", n, slices.Sorted(maps.Keys(once)))
	}
	return nil
}
