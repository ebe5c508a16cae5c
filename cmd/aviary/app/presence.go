package app

import (
	"fmt"
	"time"

	"github.com/pelletier/go-toml/v2/unstable"
)

// Presence is how clients are told of presences.
type Presence struct {
	Tick Tick `toml:"tick"` // changes of a topic wait so long for others; default 50ms, 0 for none
	Page Size `toml:"page"` // of a list that is pushed, at a time; default 256KiB
}

const (
	// minTick is what a mistake in the unit is under, maxTick what one is over.
	minTick = time.Millisecond
	maxTick = time.Minute

	// minPage is enough for some entries.
	minPage = 1 << 10
)

// Tick is a duration that may be 0, which is kept as -1: the default is another.
type Tick struct {
	time.Duration `toml:"-"`
}

// UnmarshalText reads the form of time.ParseDuration, of which 0 is part.
func (k *Tick) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return unstable.NewParserError(text, "write a duration such as \"50ms\", or 0; %s has no unit that is known", text)
	}
	if v == 0 {
		v = -1
	} else if v < minTick || v > maxTick {
		return unstable.NewParserError(text, "%s is neither 0 nor between %s and %s", text, minTick, maxTick)
	}
	k.Duration = v
	return nil
}

func (p *Presence) check() error {
	if p.Page != 0 && p.Page < minPage {
		return fmt.Errorf("presence.page = %d bytes is under 1KiB", p.Page)
	}
	return nil
}
