package host

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// ErrInvalidPattern is wrapped by every refusal of a topic pattern.
var ErrInvalidPattern = errors.New("invalid topic pattern")

// ErrPatternRegistered tells that the same pattern was registered before: the
// second one could never match.
var ErrPatternRegistered = errors.New("topic pattern already registered")

// pattern is one compiled topic pattern. The forms are those of beryl
// (reference "Topic patterns"), of which Phoenix's two are a part:
//
//	room:lobby     exact
//	room:*         prefix: everything that begins with room:, also room: itself
//	document:*:*   segments: as many segments, * fits any one of them
//
// A pattern with a single * at its very end is a prefix; a pattern in which
// whole segments are * otherwise, or more than one is, matches by segment. A *
// elsewhere would match nothing that anybody means, so it is refused, as
// Phoenix does (socket.ex, channel/3).
type pattern struct {
	text     string
	prefix   string   // of a prefix pattern, without the *
	segments []string // of a segment pattern
	kind     patternKind
}

type patternKind uint8

const (
	patternExact patternKind = iota
	patternPrefix
	patternSegments
)

// compilePattern checks and compiles text.
func compilePattern(text string) (pattern, error) {
	switch {
	case text == "":
		return pattern{}, fmt.Errorf("%w: it is empty", ErrInvalidPattern)
	case !utf8.ValidString(text):
		return pattern{}, fmt.Errorf("%w %q: not UTF-8", ErrInvalidPattern, text)
	case strings.ContainsFunc(text, isControl):
		return pattern{}, fmt.Errorf("%w %q: has a control character", ErrInvalidPattern, text)
	}
	segments := strings.Split(text, ":")
	stars := 0
	for _, s := range segments {
		if s == "*" {
			stars++
		}
	}
	endsInStar := strings.HasSuffix(text, "*")
	strays := strings.Count(text, "*") - stars
	if endsInStar && segments[len(segments)-1] != "*" {
		strays--
	}
	switch {
	case strays > 0 || stars > 0 && endsInStar && segments[len(segments)-1] != "*":
		return pattern{}, fmt.Errorf("%w %q: * must be a whole segment or the last character", ErrInvalidPattern, text)
	case stars >= 2 || stars == 1 && !endsInStar:
		return pattern{text: text, kind: patternSegments, segments: segments}, nil
	case endsInStar:
		return pattern{text: text, kind: patternPrefix, prefix: text[:len(text)-1]}, nil
	}
	return pattern{text: text, kind: patternExact}, nil
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }

func (p *pattern) matches(topic string) bool { return fits(p, topic) }

// fits is matches for topics that are bytes as well. It does not allocate:
// bytes are turned into a string only to be compared.
func fits[T string | []byte](p *pattern, topic T) bool {
	switch p.kind {
	case patternPrefix:
		return len(topic) >= len(p.prefix) && string(topic[:len(p.prefix)]) == p.prefix
	case patternSegments:
		return fitsSegments(p.segments, topic)
	default:
		return string(topic) == p.text
	}
}

func fitsSegments[T string | []byte](want []string, topic T) bool {
	for i, w := range want {
		end := 0
		for end < len(topic) && topic[end] != ':' {
			end++
		}
		if w != "*" && w != string(topic[:end]) {
			return false
		}
		last := i == len(want)-1
		if last != (end == len(topic)) {
			return false
		}
		if !last {
			topic = topic[end+1:]
		}
	}
	return true
}

// within tells whether every topic that p matches is matched by q. What a
// pattern leaves open may be a text that no other pattern spells out, so that
// a pattern is within several together only if it is within one of them.
func (p *pattern) within(q *pattern) bool {
	switch {
	case p.kind == patternExact:
		return q.matches(p.text)
	case q.kind == patternPrefix:
		// What all topics of p begin with is the text before its first *.
		fixed, _, _ := strings.Cut(p.text, "*")
		return strings.HasPrefix(fixed, q.prefix)
	case p.kind != patternSegments || q.kind != patternSegments || len(p.segments) != len(q.segments):
		return false
	}
	for i, segment := range q.segments {
		if segment != "*" && segment != p.segments[i] {
			return false
		}
	}
	return true
}

// Route binds the topics that a pattern matches to the handler of their
// channels.
type Route struct {
	Tenant  string // whose topics they are; "" for the default tenant's
	Pattern string
	Plugin  string // name of the handler in logs
	Handler Handler

	// Generations is a handler that is replaced, in place of Handler.
	Generations *Generations

	// Capabilities is what the handler may do in these channels; nil means
	// everything, which is for handlers in Go. The pattern has to be within what it
	// may serve.
	Capabilities *Capabilities
}

type route struct {
	pattern
	plugin   string
	handlers *Generations
	caps     *Capabilities
}

// router holds the routes in the order of their declaration. It is never
// changed once in use: with returns a longer copy.
type router []route

func (rt router) with(r Route) (router, error) {
	p, err := compilePattern(r.Pattern)
	if err != nil {
		return nil, err
	}
	for i := range rt {
		if rt[i].text == r.Pattern {
			return nil, fmt.Errorf("%w: %q", ErrPatternRegistered, r.Pattern)
		}
	}
	if err := r.Capabilities.CheckServe(r.Pattern); err != nil {
		return nil, fmt.Errorf("%w: %w", errConfig, err)
	}
	handlers := r.Generations
	if handlers == nil {
		handlers = only(r.Handler)
	}
	longer := make(router, len(rt), len(rt)+1)
	copy(longer, rt)
	return append(longer, route{pattern: p, plugin: r.Plugin, handlers: handlers, caps: r.Capabilities}), nil
}

// match returns the first declared route that fits, nil if none does.
func (rt router) match(topic string) *route {
	for i := range rt {
		if rt[i].matches(topic) {
			return &rt[i]
		}
	}
	return nil
}
