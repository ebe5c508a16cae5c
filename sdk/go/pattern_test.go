package aviary

import (
	"slices"
	"strings"
	"testing"
)

func TestPattern(t *testing.T) {
	for _, tt := range []struct {
		pattern, topic string
		match          bool
		wildcards      []string
	}{
		{"exact", "exact", true, nil},
		{"exact", "exactly", false, nil},
		{"exact", "", false, nil},
		{"room:*", "room:7", true, []string{"7"}},
		{"room:*", "room:", true, []string{""}},
		{"room:*", "room:a:b", true, []string{"a:b"}},
		{"room:*", "room", false, nil},
		{"room*", "room:7", true, []string{":7"}},
		{"*", "anything", true, []string{"anything"}},
		{"*", "", true, []string{""}},
		{"a:*:c", "a:b:c", true, []string{"b"}},
		{"a:*:c", "a::c", true, []string{""}},
		{"a:*:c", "a:b:d", false, nil},
		{"a:*:c", "a:b:c:d", false, nil},
		{"a:*:c", "a:b", false, nil},
		{"*:a", "x:a", true, []string{"x"}},
		{"doc:*:*", "doc:1:2", true, []string{"1", "2"}},
		{"doc:*:*", "doc:1", false, nil},
		{"doc:*:*", "doc:1:2:3", false, nil},
		{"*:*", "a:b", true, []string{"a", "b"}},
		{"*:b*", "*:bcd", true, []string{"cd"}},   // one whole star and a star at the end: a prefix
		{"*:b*", "a:bcd", false, nil},             // so the first star is only itself
		{"fo*o", "fo*o", true, nil},               // a star inside a segment is only itself
		{"fo*o", "foxo", false, nil},              //
		{"café:*", "café:ü", true, []string{"ü"}}, // bytes, not characters
	} {
		p := parsePattern(tt.pattern)
		if got := p.match(tt.topic); got != tt.match {
			t.Errorf("%s matches %q: %v", tt.pattern, tt.topic, got)
		}
		if !tt.match {
			continue
		}
		for i, want := range append(slices.Clone(tt.wildcards), "") {
			if got := p.wildcard(tt.topic, i); got != want {
				t.Errorf("%s: star %d of %q is %q, want %q", tt.pattern, i, tt.topic, got, want)
			}
		}
	}
}

func TestFirstDeclaredPatternWins(t *testing.T) {
	m := new(machine)
	for _, p := range []string{"food*", "foo*", "room:1", "room:*"} {
		addRoute(m, p, NoState()).Join(func(c *Context[None], _ Value) JoinResult {
			return c.Accept(Text(p))
		})
	}
	for topic, want := range map[string]string{
		"food:1": `"food*"`, "foo:1": `"foo*"`, "room:1": `"room:1"`, "room:11": `"room:*"`,
		"nowhere": `{"reason":"unmatched topic"}`,
	} {
		if got := string(m.join(t, topic).Payload); got != want {
			t.Errorf("%s went to %s, want %s", topic, got, want)
		}
	}
}

func FuzzPattern(f *testing.F) {
	f.Add("a:*:c", "a:b:c", 0)
	f.Add("room:*", "room:", 1)
	f.Fuzz(func(t *testing.T, text, topic string, i int) {
		if text == "" {
			return
		}
		p := parsePattern(text)
		if p.match(topic) && !strings.Contains(topic, p.wildcard(topic, i)) {
			t.Errorf("%q is not in %q", p.wildcard(topic, i), topic)
		}
		if p.kind == patternExact && !p.match(text) {
			t.Errorf("%q does not match itself", text)
		}
	})
}
