package load

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// openWithin bounds the opening, which is not what is measured.
const openWithin = 10 * time.Minute

// churn: so many visitors a second come to a topic, and as many go, and each member must be
// told of each. A server may tell of several at once, all members alike.
type churn struct {
	members  int
	visitors []*conn
	every    time.Duration
	begun    time.Duration
	come     int // how often one has come
	gone     int

	asked   map[string]time.Duration // when a key came (+) or went (-), of which nobody has been told
	diffs   []told
	waiting int64 // deliveries of diffs to members that have not got them
}

// told is a diff.
type told struct {
	text    []byte
	at      time.Duration // of its oldest change
	members int           // that have got it
}

func newChurn(cfg *Config) *churn {
	n := 4*int(cfg.Rate*cfg.stay.Seconds()) + 256
	ch := &churn{members: cfg.Connections, every: time.Duration(float64(time.Second) / cfg.Rate), asked: map[string]time.Duration{}}
	for i := range n {
		index := cfg.Connections + i
		ch.visitors = append(ch.visitors, &conn{fd: -1, index: index, topic: cfg.topic(index, 0)})
	}
	return ch
}

func (ch *churn) begin(l *loop) error {
	l.conns, l.visitors = append(l.conns, ch.visitors...), len(ch.visitors)
	ch.begun = l.now
	return l.every(ch.every, func() error { return ch.due(l) })
}

// due has those come and go whose time it is.
func (ch *churn) due(l *loop) error {
	due := int((l.now - ch.begun) / ch.every)
	for ; ch.come < due && !l.stopping; ch.come++ {
		c := ch.visitors[ch.come%len(ch.visitors)]
		if c.fd >= 0 {
			return fmt.Errorf("%w: visitor %d is to come again and is still %s; the rate %v is too much for the server", errMissing, ch.come, c.stage, l.cfg.Rate)
		}
		if err := l.connect(c); err != nil {
			return l.failed(c, err)
		}
		ch.asked["+"+key(c)] = l.now
	}
	stays := int(l.cfg.stay / ch.every)
	if l.stopping {
		due = ch.come + stays // all go
	}
	for ; ch.gone < due-stays; ch.gone++ {
		c := ch.visitors[ch.gone%len(ch.visitors)]
		if c.stage != stageJoined {
			return nil // it stays until it has been let in
		}
		if err := c.drop(DropReset); err != nil {
			return l.failed(c, err)
		}
		l.joined--
		ch.asked["-"+key(c)] = l.now
	}
	return nil
}

func key(c *conn) string {
	n := formatNumber(c.index)
	return "u" + string(n[:])
}

// message takes a diff. What a visitor gets is its own affair.
func (ch *churn) message(l *loop, c *conn, text []byte) error {
	if c.index >= ch.members {
		return nil
	}
	if c.expect == len(ch.diffs) {
		if err := ch.learn(text); err != nil {
			return err
		}
	}
	d := &ch.diffs[c.expect]
	if !bytes.Equal(text, d.text) {
		return wrong(text, fmt.Sprintf("is not presence_diff %d, as others got it", c.expect))
	}
	c.expect++
	ch.waiting--
	l.got(d.at)
	if d.members++; d.members == ch.members {
		l.last.add(l.now - d.at)
		d.text = nil
	}
	return nil
}

// learn takes a diff that nobody has got before.
func (ch *churn) learn(text []byte) error {
	var m []json.RawMessage
	var diff struct{ Joins, Leaves map[string]json.RawMessage }
	if json.Unmarshal(text, &m) != nil || len(m) != 5 || string(m[3]) != `"presence_diff"` || json.Unmarshal(m[4], &diff) != nil {
		return wrong(text, "is no presence_diff")
	}
	var changes []time.Duration
	for sign, keys := range map[string]map[string]json.RawMessage{"+": diff.Joins, "-": diff.Leaves} {
		for key := range keys {
			at, ok := ch.asked[sign+key]
			if !ok {
				return wrong(text, fmt.Sprintf("tells of %s%s, which has not happened or was told of", sign, key))
			}
			delete(ch.asked, sign+key)
			changes = append(changes, at)
		}
	}
	if len(changes) == 0 {
		return wrong(text, "tells of nothing")
	}
	ch.diffs = append(ch.diffs, told{text: bytes.Clone(text), at: slices.Min(changes)})
	ch.waiting += int64(ch.members)
	return nil
}

func (ch *churn) outstanding() int64 { return ch.waiting + int64(len(ch.asked)) }

// visits is what follows when all have seen all.
func (l *loop) visits(ctx context.Context, r *Result) error {
	// Presences that everybody has seen may be told of once more.
	if err := l.until(ctx, l.cfg.stay, "calm", nil); err != nil {
		return err
	}
	ch := newChurn(l.cfg)
	if err := RaiseFileLimit(l.cfg.Connections + len(ch.visitors)); err != nil {
		return err
	}
	l.work = ch
	l.tick()
	if err := ch.begin(l); err != nil {
		return err
	}
	if err := l.until(ctx, l.cfg.Warmup+2*l.cfg.stay, "warming up", nil); err != nil {
		return err
	}
	l.bytes = 0
	if err := l.window(ctx, r); err != nil {
		return err
	}
	r.Bytes = l.bytes
	return l.finish(ctx)
}
