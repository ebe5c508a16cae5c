package presence

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrEncoding says that bytes are not the encoding of a delta.
var ErrEncoding = errors.New("presence: not a delta")

// deltaVersion begins every binary delta; then comes its kind.
const (
	deltaVersion = 1
	kindChanges  = 0
	kindClocks   = 1
)

// AppendBinary appends the delta's binary form and returns the extended slice.
// Equal deltas have equal bytes. The package comment tells the form.
func (d *Delta) AppendBinary(dst []byte) []byte {
	kind := byte(kindChanges)
	if d.clocks {
		kind = kindClocks
	}
	dst = append(dst, deltaVersion, kind)
	dst = binary.AppendUvarint(dst, uint64(len(d.sections)))
	for i := range d.sections {
		dst = d.sections[i].appendBinary(dst)
	}
	dst = binary.AppendUvarint(dst, uint64(len(d.floors)))
	for _, f := range d.floors {
		dst = appendString(dst, f.name)
		dst = binary.AppendUvarint(dst, f.below)
		dst = binary.AppendUvarint(dst, f.age)
	}
	return dst
}

func (sec *section) appendBinary(dst []byte) []byte {
	dst = appendString(dst, sec.replica.Name)
	dst = binary.AppendUvarint(dst, sec.replica.Incarnation)
	dst = binary.AppendUvarint(dst, sec.from)
	dst = binary.AppendUvarint(dst, sec.to-sec.from)
	dst = binary.AppendUvarint(dst, uint64(len(sec.cloud)))
	at := sec.to
	for _, sp := range sec.cloud {
		dst = binary.AppendUvarint(dst, sp.first-at-2) // one clock at least is between
		dst = binary.AppendUvarint(dst, sp.last-sp.first)
		at = sp.last
	}
	dst = binary.AppendUvarint(dst, uint64(len(sec.removed)))
	at = 0
	for _, clock := range sec.removed {
		dst = binary.AppendUvarint(dst, clock-at-1)
		at = clock
	}
	dst = binary.AppendUvarint(dst, uint64(len(sec.items)))
	at = sec.from
	for _, t := range sec.items {
		dst = binary.AppendUvarint(dst, t.clock-at-1)
		at = t.clock
		for _, s := range [...]string{t.item.Topic, t.item.Key, t.item.Ref, t.item.PrevRef} {
			dst = appendString(dst, s)
		}
		dst = binary.AppendUvarint(dst, uint64(len(t.item.Meta)))
		dst = append(dst, t.item.Meta...)
	}
	return dst
}

func appendString(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

// DecodeDelta reads the binary form of a delta, and only that form which
// AppendBinary gives it. It keeps nothing of b and takes memory in proportion to it.
// It fails with [ErrEncoding], [ErrItem] or [ErrIncarnation].
func DecodeDelta(b []byte) (*Delta, error) {
	r := reader{b: b}
	if v := r.byte(); v != deltaVersion {
		return nil, fmt.Errorf("%w: version %d, want %d", ErrEncoding, v, deltaVersion)
	}
	kind := r.byte()
	if kind > kindClocks {
		return nil, fmt.Errorf("%w: kind %d, want %d or %d", ErrEncoding, kind, kindChanges, kindClocks)
	}
	d := &Delta{clocks: kind == kindClocks}
	n := r.count(minSection)
	for d.sections = make([]section, 0, n); n > 0 && !r.bad; n-- {
		d.sections = append(d.sections, r.section())
	}
	n = r.count(minFloor)
	for d.floors = make([]floor, 0, n); n > 0 && !r.bad; n-- {
		d.floors = append(d.floors, floor{r.string(), r.uvarint(), r.uvarint()})
	}
	switch {
	case r.bad:
		return nil, fmt.Errorf("%w: cut short, or a number out of bounds, before byte %d of %d", ErrEncoding, r.i, len(b))
	case r.i != len(b):
		return nil, fmt.Errorf("%w: %d bytes follow it", ErrEncoding, len(b)-r.i)
	}
	if err := d.check(); err != nil {
		return nil, err
	}
	return d, nil
}

// The fewest bytes that each takes up. A count that the rest of the bytes has no room
// for is refused before there is memory for it.
const (
	minSection = 8
	minSpan    = 2
	minItem    = 9
	minFloor   = 4
)

// reader reads numbers and strings. Once something was not there, it is bad and
// reads zeros.
type reader struct {
	b     []byte
	i     int
	bad   bool
	topic string // the latest: often that of the next item as well
}

func (r *reader) byte() byte {
	if r.i >= len(r.b) {
		r.bad = true
		return 0
	}
	r.i++
	return r.b[r.i-1]
}

// uvarint reads a number in its shortest form.
func (r *reader) uvarint() uint64 {
	n, size := binary.Uvarint(r.b[r.i:])
	if r.bad || size <= 0 || size > 1 && r.b[r.i+size-1] == 0 {
		r.bad = true
		return 0
	}
	r.i += size
	return n
}

// clock reads a distance of at least more and returns the clock so far after at.
func (r *reader) clock(at, more uint64) uint64 {
	n := r.uvarint()
	if n > maxClock || at+more+n > maxClock {
		r.bad = true
		return at
	}
	return at + more + n
}

// count reads a number of things that take up least bytes each, or more.
func (r *reader) count(least int) int {
	n := r.uvarint()
	if n > uint64((len(r.b)-r.i)/least) {
		r.bad = true
		return 0
	}
	return int(n)
}

// bytes reads a length and as many bytes, which stay those of the buffer.
func (r *reader) bytes() []byte {
	n := r.count(1)
	r.i += n
	return r.b[r.i-n : r.i]
}

func (r *reader) string() string { return string(r.bytes()) }

func (r *reader) section() section {
	sec := section{replica: Replica{r.string(), r.uvarint()}}
	sec.from = r.clock(0, 0)
	sec.to = r.clock(sec.from, 0)
	at := sec.to
	n := r.count(minSpan)
	for sec.cloud = make([]span, 0, n); n > 0 && !r.bad; n-- {
		first := r.clock(at, 2)
		at = r.clock(first, 0)
		sec.cloud = append(sec.cloud, span{first, at})
	}
	at = 0
	n = r.count(1)
	for sec.removed = make([]uint64, 0, n); n > 0 && !r.bad; n-- {
		at = r.clock(at, 1)
		sec.removed = append(sec.removed, at)
	}
	n = r.count(minItem)
	sec.items = make([]taggedItem, 0, n)
	for at = sec.from; n > 0 && !r.bad; n-- {
		at = r.clock(at, 1)
		sec.items = append(sec.items, taggedItem{at, r.item()})
	}
	return sec
}

func (r *reader) item() *Item {
	if topic := r.bytes(); string(topic) != r.topic {
		r.topic = string(topic)
	}
	it := &Item{Topic: r.topic}
	it.Key, it.Ref, it.PrevRef = r.string(), r.string(), r.string()
	it.Meta = append(it.Meta, r.bytes()...)
	return it
}
