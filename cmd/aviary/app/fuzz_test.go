package app

import (
	"strings"
	"testing"
)

// FuzzManifest: whatever a manifest says, it is read or refused, and one that
// was read grants what it says and survives being asked.
func FuzzManifest(f *testing.F) {
	f.Add([]byte(roomManifest), "room:1")
	f.Add([]byte(roomManifest+"broadcast = [\"*:x\"]\npresence = [\"*\"]\ntimers = true\nconfig = [\"*\"]\nsecrets = [\"k\"]\n"), "a:x")
	f.Add([]byte("[capabilities]\nserve = [\"a*b\"]\n"), "")
	f.Add([]byte("capabilities = {presence = [\"a:*\", \"b\"], log = true}"), "b")
	f.Add([]byte("[capabilities]\nlog = 1\n"), "")
	f.Add([]byte(""), "")
	f.Fuzz(func(t *testing.T, text []byte, topic string) {
		c, err := ParseManifest(text)
		if err != nil {
			if err.Error() == "" {
				t.Error("refused without a word")
			}
			return
		}
		h, err := c.compile("m")
		if err != nil {
			t.Fatalf("accepted, but %v", err)
		}
		for _, topics := range c.Serve {
			if err := h.CheckServe(topics); err != nil {
				t.Errorf("what is granted is refused: %v", err)
			}
		}
		if (h.CheckLog() == nil) != c.Log {
			t.Errorf("log = %v, but %v", c.Log, h.CheckLog())
		}
		if allowed := h.CheckPresence([]byte(topic)) == nil; allowed != fitsOne(c.Presence, topic) {
			t.Errorf("presences of %q by %q: %v", topic, c.Presence, allowed)
		}
	})
}

// fitsOne tells whether a topic fits a pattern, in the plainest way: by segment,
// or by what comes before a last *.
func fitsOne(patterns []string, topic string) bool {
	for _, p := range patterns {
		segments, parts := strings.Split(p, ":"), strings.Split(topic, ":")
		stars := 0
		for _, s := range segments {
			if s == "*" {
				stars++
			}
		}
		before, isPrefix := strings.CutSuffix(p, "*")
		switch {
		case isPrefix && (stars == 0 || stars == 1 && segments[len(segments)-1] == "*"):
			if strings.HasPrefix(topic, before) {
				return true
			}
		case len(segments) == len(parts):
			fits := true
			for i := range segments {
				fits = fits && (segments[i] == parts[i] || segments[i] == "*")
			}
			if fits {
				return true
			}
		}
	}
	return false
}
