package host

import (
	"errors"
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
