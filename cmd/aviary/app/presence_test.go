package app

import (
	"testing"
	"time"
)

func TestPresenceTick(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"":               0, // the default
		"tick = 0":       -1,
		`tick = "0s"`:    -1,
		`tick = "1ms"`:   time.Millisecond,
		`tick = "200ms"`: 200 * time.Millisecond,
	} {
		cfg, err := parse([]byte("[presence]\n" + text + "\n" + roomPlugin))
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if got := cfg.Presence.Tick.Duration; got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
