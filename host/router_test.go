package host

import (
	"errors"
	"strings"
	"testing"

	"github.com/aviary-host/aviary/abi"
)

// nobody is a handler that is never called.
type nobody struct{}

func (nobody) Implements(abi.Callback) bool { return false }

func (nobody) Handle(*abi.Request, []byte, *abi.Response) ([]byte, error) {
	return nil, errors.New("nobody is home")
}

func TestPatterns(t *testing.T) {
	for _, tt := range []struct {
		pattern string
		yes, no []string
	}{
		{"room:lobby", []string{"room:lobby"}, []string{"room:lobby2", "room", "room:", "Room:lobby", "room:*"}},
		{"room:*", []string{"room:lobby", "room:", "room:a:b", "room:*"}, []string{"room", "rooms:1", "xroom:1"}},
		{"room*", []string{"room", "rooms", "room:1"}, []string{"roo"}},
		{"*", []string{"anything", "a:b", "x"}, nil},
		{"document:*:*", []string{"document:1:2", "document::", "document:a:"}, []string{"document:1", "document:1:2:3", "documents:1:2"}},
		{"a:*:b", []string{"a:x:b", "a::b"}, []string{"a:b", "a:x:y:b", "a:x:c", "a:x"}},
		{"*:edit", []string{"doc:edit", ":edit"}, []string{"edit", "doc:edit:x"}},
		{"*:*", []string{"a:b", ":"}, []string{"a", "a:b:c"}},
		{"room:a*", []string{"room:a", "room:abc", "room:a:b"}, []string{"room:b"}},
	} {
		p, err := compilePattern(tt.pattern)
		if err != nil {
			t.Errorf("%q: %v", tt.pattern, err)
			continue
		}
		for _, topic := range tt.yes {
			if !p.matches(topic) {
				t.Errorf("%q should match %q", tt.pattern, topic)
			}
		}
		for _, topic := range tt.no {
			if p.matches(topic) {
				t.Errorf("%q should not match %q", tt.pattern, topic)
			}
		}
	}
}

// TestPatternWithin compares what patterns say of each other with what they
// match: all patterns of up to four characters, and all topics that are long
// enough to tell them apart.
func TestPatternWithin(t *testing.T) {
	var patterns []pattern
	for _, text := range words("a:*", 4) {
		if p, err := compilePattern(text); err == nil {
			patterns = append(patterns, p)
		}
	}
	topics := words("a:z", 8) // no pattern has a z, and none more than four colons
	matched := make([][]bool, len(patterns))
	for i := range patterns {
		for _, topic := range topics {
			matched[i] = append(matched[i], patterns[i].matches(topic))
		}
	}
	if len(patterns) < 50 {
		t.Fatalf("only %d patterns", len(patterns))
	}
	for i := range patterns {
		others := make([]bool, len(topics)) // what all of them match that p is not within
		for j := range patterns {
			within := patterns[i].within(&patterns[j])
			if got := covers(matched[j], matched[i]); got != within {
				t.Errorf("%q within %q: %v, want %v", patterns[i].text, patterns[j].text, within, got)
			}
			for k := range topics {
				others[k] = others[k] || !within && matched[j][k]
			}
		}
		if patterns[i].kind != patternExact && covers(others, matched[i]) {
			t.Errorf("%q is within several together, but in none of them", patterns[i].text)
		}
	}
}

// covers tells whether big has all that small has.
func covers(big, small []bool) bool {
	for i := range small {
		if small[i] && !big[i] {
			return false
		}
	}
	return true
}

// words returns all texts of 1 to n characters of alphabet.
func words(alphabet string, n int) []string {
	all, last := []string{}, []string{""}
	for range n {
		var next []string
		for _, w := range last {
			for _, c := range alphabet {
				next = append(next, w+string(c))
			}
		}
		all, last = append(all, next...), next
	}
	return all
}

// TestBytesFitAsTextDoes: topics of effects are bytes, and must not be copied
// to be looked at.
func TestBytesFitAsTextDoes(t *testing.T) {
	long := strings.Repeat("x", maxName/4)
	topics := [][]byte{[]byte("a:" + long), []byte("a:" + long + ":b"), []byte(long), []byte("a::b"), {}}
	for _, text := range []string{"a:" + long, "a:*", "a:*:b", "*:*", "*", "x*"} {
		p, err := compilePattern(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, topic := range topics {
			if got, want := fits(&p, topic), p.matches(string(topic)); got != want {
				t.Errorf("%q fits %q: %v, want %v", text, topic, got, want)
			}
			if n := testing.AllocsPerRun(10, func() { fits(&p, topic) }); n != 0 {
				t.Errorf("%q: %v allocations for %q", text, n, topic)
			}
		}
	}
}

func TestInvalidPatterns(t *testing.T) {
	for _, text := range []string{"", "room:\n", "a\x7f", "\xff:*", "a*b", "room:a*b:c", "*a", "a:*:b*", "a**"} {
		if _, err := compilePattern(text); !errors.Is(err, ErrInvalidPattern) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestFirstDeclaredWins is case 34 of the conformance list: food* before foo*.
func TestFirstDeclaredWins(t *testing.T) {
	var rt router
	for _, p := range []string{"food*", "foo*", "foo:exact"} {
		var err error
		if rt, err = rt.with(Route{Pattern: p, Plugin: p, Handler: nobody{}}); err != nil {
			t.Fatal(err)
		}
	}
	for topic, want := range map[string]string{"foo:1": "foo*", "food:1": "food*", "foo:exact": "foo*", "bar": ""} {
		got := ""
		if r := rt.match(topic); r != nil {
			got = r.plugin
		}
		if got != want {
			t.Errorf("%q goes to %q, want %q", topic, got, want)
		}
	}
	if _, err := rt.with(Route{Pattern: "foo*", Handler: nobody{}}); !errors.Is(err, ErrPatternRegistered) {
		t.Errorf("a second foo*: %v", err)
	}
}
