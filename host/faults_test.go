package host

import (
	"testing"
	"time"
)

// TestFaultsAreLoggedAtARate: of each kind, and none is forgotten.
func TestFaultsAreLoggedAtARate(t *testing.T) {
	f := faults{kinds: map[string]*fault{}}
	count := func(code string, now time.Duration) (lines, hidden int) {
		for range 100 {
			if n, ok := f.due(code, now); ok {
				lines, hidden = lines+1, hidden+n
			}
		}
		return lines, hidden
	}
	for _, tt := range []struct {
		code          string
		now           time.Duration
		lines, hidden int
	}{
		{"A", 0, 50, 0},
		{"B", 0, 50, 0},
		{"A", 0, 0, 0},
		{"A", 2 * time.Second, 2, 150}, // the hundred and fifty of before
		{"A", 3 * time.Second, 1, 98},
	} {
		if lines, hidden := count(tt.code, tt.now); lines != tt.lines || hidden != tt.hidden {
			t.Errorf("%s at %s: %d lines, %d hidden; want %d, %d", tt.code, tt.now, lines, hidden, tt.lines, tt.hidden)
		}
	}
}
