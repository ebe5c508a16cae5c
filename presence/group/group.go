package group

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// MaxName bounds the name of a group and a topic, in bytes.
const MaxName = 255

// Errors. Each call says which it returns; beside them it returns those of the
// Quota, as they are.
var (
	// ErrNotFound tells that there is no group of that name.
	ErrNotFound = errors.New("no such group")
	// ErrExists tells that there is a group of that name already.
	ErrExists = errors.New("the group exists")
	// ErrInvalidName tells that a name is not UTF-8 of 1 to MaxName bytes.
	ErrInvalidName = fmt.Errorf("the name of a group is not UTF-8 of 1 to %d bytes", MaxName)
	// ErrInvalidTopic tells that a topic is not UTF-8 of 1 to MaxName bytes.
	ErrInvalidTopic = fmt.Errorf("topic is not UTF-8 of 1 to %d bytes", MaxName)
)

// Size is how much more, or less, groups take up.
type Size struct {
	Groups  int // 1 for a group
	Topics  int // 1 for a topic in a group
	InGroup int // topics that the group has then
	Bytes   int // of names, with about what tables take beside them
}

// What tables take for a group and for a topic beside their names, in bytes.
const (
	groupOverhead = 512
	topicOverhead = 96
)

// Quota counts what groups take up and may refuse it. It is called with the lock of
// the groups held, so it must neither block nor call back.
type Quota interface {
	// Take counts s, or returns why there is no room and counts nothing of it.
	Take(s Size) error
	// Give takes back what was counted.
	Give(s Size)
}

// Groups are the groups of one tenant. Make them with [New]; they need no closing.
type Groups struct {
	quota Quota

	mu  sync.RWMutex
	all map[string]*set // nil until the first one comes
}

// set is one group. It is in the map as long as somebody sees it or holds a place
// in it.
type set struct {
	topics  []string          // in the order they were added; elements are never written again
	places  map[string]*place // of the topics, and of those that are held
	held    int               // places that are held, as often as they are
	created bool
}

// place is a topic's in a group: taken by the topic, or kept free for it.
type place struct {
	in   bool
	held int
}

// there tells whether anybody but who holds a place in it sees the group.
func (s *set) there() bool { return s != nil && (s.created || len(s.topics) > 0) }

// New returns what has no groups yet. quota may be nil: then there are no bounds.
func New(quota Quota) *Groups {
	if quota == nil {
		quota = unbounded{}
	}
	return &Groups{quota: quota}
}

type unbounded struct{}

func (unbounded) Take(Size) error { return nil }
func (unbounded) Give(Size)       {}

func valid(name string) bool { return name != "" && len(name) <= MaxName && utf8.ValidString(name) }

// Create makes a group without topics. Errors: ErrInvalidName, ErrExists.
func (g *Groups) Create(name string) error {
	if !valid(name) {
		return ErrInvalidName
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.all[name].there() {
		return ErrExists
	}
	s, err := g.setLocked(name)
	if err != nil {
		return err
	}
	s.created = true
	return nil
}

// Delete ends a group, with the topics that are in it. Errors: ErrNotFound.
func (g *Groups) Delete(name string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.all[name]
	if !s.there() {
		return ErrNotFound
	}
	s.created = false
	for _, topic := range s.topics {
		s.places[topic].in = false
		g.leaveLocked(s, topic)
	}
	s.topics = nil
	g.forgetLocked(name, s)
	return nil
}

// Add puts a topic into a group; one that is in it stays where it is. Errors:
// ErrInvalidTopic, ErrNotFound.
func (g *Groups) Add(name, topic string) error {
	if !valid(topic) {
		return ErrInvalidTopic
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.all[name]
	if !s.there() {
		return ErrNotFound
	}
	p, err := g.placeLocked(s, topic)
	if err != nil {
		return err
	}
	s.enter(topic, p)
	return nil
}

// Remove takes a topic out of a group; nothing happens if it is not in it. Errors:
// ErrNotFound.
func (g *Groups) Remove(name, topic string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.all[name]
	if !s.there() {
		return ErrNotFound
	}
	if p := s.places[topic]; p != nil && p.in {
		p.in = false
		i := slices.Index(s.topics, topic)
		s.topics = slices.Concat(s.topics[:i], s.topics[i+1:]) // somebody may be reading the old list
		g.leaveLocked(s, topic)
		g.forgetLocked(name, s)
	}
	return nil
}

// Topics returns the topics of a group, in their order. The slice is shared: it
// must not be written to. Errors: ErrNotFound.
func (g *Groups) Topics(name string) ([]string, error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	s := g.all[name]
	if !s.there() {
		return nil, ErrNotFound
	}
	return slices.Clip(s.topics), nil
}

// Group is a group as List shows it.
type Group struct {
	Name   string
	Topics int // how many
}

// List returns all groups, in the order of their names.
func (g *Groups) List() []Group {
	g.mu.RLock()
	defer g.mu.RUnlock()
	list := make([]Group, 0, len(g.all))
	for name, s := range g.all {
		if s.there() {
			list = append(list, Group{name, len(s.topics)})
		}
	}
	slices.SortFunc(list, func(a, b Group) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// Broadcast calls send with each topic that the group has now, in their order. No
// lock is held meanwhile. Errors: ErrNotFound.
func (g *Groups) Broadcast(name string, send func(topic string)) error {
	topics, err := g.Topics(name)
	for _, topic := range topics {
		send(topic)
	}
	return err
}

// Hold keeps a place for a topic in a group, whether there is such a group or not,
// so that a Keep of the two cannot fail. Nobody sees anything of it. Each Hold has to
// be followed by one Keep or Drop. Errors: ErrInvalidName, ErrInvalidTopic.
func (g *Groups) Hold(name, topic string) error {
	switch {
	case !valid(name):
		return ErrInvalidName
	case !valid(topic):
		return ErrInvalidTopic
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	s, err := g.setLocked(name)
	if err != nil {
		return err
	}
	p, err := g.placeLocked(s, topic)
	if err != nil {
		g.forgetLocked(name, s)
		return err
	}
	p.held++
	s.held++
	return nil
}

// Keep puts a topic into the group in which a place is held for it, and makes the
// group if it is not there.
func (g *Groups) Keep(name, topic string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.all[name]
	p := s.places[topic]
	s.enter(topic, p)
	s.held--
	p.held--
}

// Drop gives back the place that is held for a topic in a group.
func (g *Groups) Drop(name, topic string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.all[name]
	s.held--
	s.places[topic].held--
	g.leaveLocked(s, topic)
	g.forgetLocked(name, s)
}

// setLocked returns the group, a new one if there is none: then the caller has to
// let it be seen, hold a place in it, or forget it.
func (g *Groups) setLocked(name string) (*set, error) {
	if s := g.all[name]; s != nil {
		return s, nil
	}
	if err := g.quota.Take(groupSize(name)); err != nil {
		return nil, err
	}
	if g.all == nil {
		g.all = map[string]*set{}
	}
	s := &set{places: map[string]*place{}}
	g.all[name] = s
	return s, nil
}

// forgetLocked drops the group if it is nobody's concern any more.
func (g *Groups) forgetLocked(name string, s *set) {
	if s.there() || s.held > 0 {
		return
	}
	delete(g.all, name)
	g.quota.Give(groupSize(name))
}

// placeLocked returns the topic's place in a group, a new one if there is none.
func (g *Groups) placeLocked(s *set, topic string) (*place, error) {
	if p := s.places[topic]; p != nil {
		return p, nil
	}
	if err := g.quota.Take(topicSize(topic, len(s.places)+1)); err != nil {
		return nil, err
	}
	p := &place{}
	s.places[topic] = p
	return p, nil
}

// leaveLocked drops a topic's place if nobody needs it.
func (g *Groups) leaveLocked(s *set, topic string) {
	if p := s.places[topic]; p.in || p.held > 0 {
		return
	}
	delete(s.places, topic)
	g.quota.Give(topicSize(topic, len(s.places)))
}

// enter puts a topic into the group, last, if it is not in it.
func (s *set) enter(topic string, p *place) {
	if !p.in {
		p.in = true
		s.topics = append(s.topics, topic) // past the end of every list that was handed out
	}
}

func groupSize(name string) Size {
	return Size{Groups: 1, Bytes: len(name) + groupOverhead}
}

func topicSize(topic string, inGroup int) Size {
	return Size{Topics: 1, InGroup: inGroup, Bytes: len(topic) + topicOverhead}
}
