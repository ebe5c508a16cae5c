package presence

import "fmt"

// check refuses what no state tells.
func (d *Delta) check() error {
	for i := range d.sections {
		sec := &d.sections[i]
		if i > 0 && d.sections[i-1].replica.Name >= sec.replica.Name {
			return fmt.Errorf("%w: section of %v is not in order", ErrEncoding, sec.replica)
		}
		if err := sec.check(d.clocks); err != nil {
			return fmt.Errorf("section of %.40q: %w", sec.replica.Name, err)
		}
	}
	for i := range d.floors {
		if err := d.checkFloor(i); err != nil {
			return err
		}
	}
	return nil
}

func (d *Delta) checkFloor(i int) error {
	f := d.floors[i]
	if err := checkName(f.name); err != nil {
		return err
	}
	switch {
	case i > 0 && d.floors[i-1].name >= f.name:
		return fmt.Errorf("%w: retired %.40q is not in order", ErrEncoding, f.name)
	case f.below == 0 || f.below > maxIncarnation+1:
		return fmt.Errorf("%w: retired %.40q below %d, want 1 to %d", ErrEncoding, f.name, f.below, uint64(maxIncarnation+1))
	case f.age == 0 || f.age > maxClock:
		return fmt.Errorf("%w: retired %.40q at %d, want 1 to %d", ErrEncoding, f.name, f.age, uint64(maxClock))
	case d.section(f.name) != nil:
		return fmt.Errorf("%w: %.40q is retired and has a section", ErrEncoding, f.name)
	}
	return nil
}

func (sec *section) check(clocks bool) error {
	if err := checkReplica(sec.replica); err != nil {
		return err
	}
	if clocks && (sec.from > 0 || len(sec.removed)+len(sec.items) > 0) {
		return fmt.Errorf("%w: clocks with changes", ErrEncoding)
	}
	if err := sec.checkCover(); err != nil {
		return err
	}
	if err := sec.checkRemoved(); err != nil {
		return err
	}
	before := sec.from
	for _, t := range sec.items {
		if t.clock <= before || !sec.covers(t.clock) {
			return fmt.Errorf("%w: item %d is not in order, or not one of the changes told of", ErrEncoding, t.clock)
		}
		before = t.clock
		if err := checkItem(t.item); err != nil {
			return err
		}
	}
	return nil
}

func (sec *section) checkCover() error {
	switch {
	case sec.to < sec.from || sec.to == sec.from && sec.from > 0 || sec.to > maxClock:
		return fmt.Errorf("%w: changes after %d up to %d", ErrEncoding, sec.from, sec.to)
	case sec.from > 0 && len(sec.cloud) > 0:
		return fmt.Errorf("%w: spans beyond changes after %d", ErrEncoding, sec.from)
	case len(sec.cloud) > maxSpans:
		return fmt.Errorf("%w: %d spans are more than %d", ErrEncoding, len(sec.cloud), maxSpans)
	}
	before := sec.to
	for _, sp := range sec.cloud {
		if sp.first < before+2 || sp.last < sp.first || sp.last > maxClock {
			return fmt.Errorf("%w: span %d to %d is not beyond a gap after %d", ErrEncoding, sp.first, sp.last, before)
		}
		before = sp.last
	}
	return nil
}

// checkRemoved: each is removed by a change that came later and is told of, and one
// change removes one.
func (sec *section) checkRemoved() error {
	n := uint64(len(sec.removed))
	switch {
	case n > sec.size():
		return fmt.Errorf("%w: %d items removed in %d changes", ErrEncoding, n, sec.size())
	case sec.from == 0 && n > maxGone:
		return fmt.Errorf("%w: %d items removed before they came are more than %d", ErrEncoding, n, maxGone)
	}
	before := uint64(0)
	for _, clock := range sec.removed {
		if clock <= before || sec.covers(clock) || clock > sec.last() {
			return fmt.Errorf("%w: removed item %d is not in order, or among the changes told of, or after them", ErrEncoding, clock)
		}
		before = clock
	}
	return nil
}
