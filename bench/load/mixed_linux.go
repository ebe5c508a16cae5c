package load

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"
)

// phase is where a connection of Mixed stands with its room.
type phase byte

const (
	phaseAway    phase = iota // not in a room; those that are dropped are not connected either
	phaseComing               // the join is not answered yet
	phaseHere                 // joined
	phaseParting              // goes as soon as it has got what was sent until it wished to
	phaseLeaving              // the leave is not answered yet
	phaseClosing              // it is; the close of the channel must follow
)

func (p phase) String() string {
	return [...]string{
		"away", "waiting for the reply to its join", "joined", "waiting for broadcasts or a heartbeat's answer", "waiting for the reply to its leave",
		"waiting for phx_close",
	}[p]
}

// moveEvery is how often those that go and come are looked after.
const moveEvery = 5 * time.Millisecond

// part is what a connection has to do in Mixed, and what it must get.
type part struct {
	role  role
	phase phase
	until time.Duration // when the phase is over, or too long
	own   bool          // the room is one of its own, where nobody broadcasts
	visit int           // joins, ever

	// A member gets all broadcasts from one on, which is known when it has got the
	// first: not before floor, not after bound.
	heard        bool
	floor, bound int
	wish         int // how many broadcasts there were when it wanted to go

	lost     bool // it ended without having got all
	lostFrom int  // of which this is the first that it may have missed
}

// got is how many broadcasts c has accounted for.
func (c *conn) got() int {
	if c.part.heard {
		return c.expect
	}
	return c.part.bound
}

// mixed is a day in the life of a server, over and over.
type mixed struct {
	l      *loop
	echo   echo
	sender *conn
	movers []*conn // those that go and come
	pushes []*conn // those that push
	rate   float64
	start  time.Duration
	look   time.Duration // when to look after the movers again
	chance *rand.Rand    // the same each time
	known  pattern       // of a broadcast
	sentAt []time.Duration
	drops  int
	account
}

// account is what has happened, warm-up and all.
type account struct {
	deliveries, joins, leaves, dropped, cut int64
	missed                                  int64 // broadcasts, at most, that were lost on connections that ended
}

func newMixed(cfg *Config) *mixed {
	return &mixed{
		echo: echo{inFlight: cfg.InFlight}, rate: cfg.Rate, chance: rand.New(rand.NewPCG(1, 2)),
		sentAt: make([]time.Duration, mostBehind),
	}
}

func (m *mixed) begin(l *loop) (err error) {
	m.l, m.sender, m.start, l.churn = l, l.conns[0], l.now, m
	for _, c := range l.conns {
		c.part = part{role: l.cfg.role(c.index), phase: phaseHere, visit: 1}
		switch c.part.role {
		case roleMember:
		case roleEcho:
			m.pushes = append(m.pushes, c)
			err = m.echo.prepare(c)
		case roleDeaf:
			m.movers = append(m.movers, c)
			err = l.deafen(c)
		default:
			m.movers = append(m.movers, c)
			m.wait(c, m.stay(c)/2)
		}
		if err != nil {
			return err
		}
	}
	m.joins = int64(len(l.conns))
	if m.sender.push, err = newPush(shoutText(m.sender.topic)); err != nil {
		return err
	}
	return l.every(time.Duration(float64(time.Second)/m.rate), m.due)
}

// due broadcasts, and has those push who have an answer to their last one, as often
// as the clock says.
func (m *mixed) due() error {
	l := m.l
	for !l.stopping && m.start+time.Duration(float64(m.sender.sent)/m.rate*float64(time.Second)) <= l.now {
		if m.sender.sent-m.sender.expect >= mostBehind {
			return fmt.Errorf("%w: the server is %d broadcasts behind; the rate %v is too much for it", errMissing, mostBehind, m.rate)
		}
		m.sentAt[m.sender.sent%mostBehind] = l.now
		l.send(m.sender)
		for _, c := range m.pushes {
			if c.sent-c.expect < m.echo.inFlight {
				m.echo.send(l, c)
			}
		}
	}
	return nil
}

// stay is how long c stays this time. To be let in again costs a server more than
// to join.
func (m *mixed) stay(c *conn) time.Duration {
	if c.part.role == roleDropper {
		return m.about(4 * m.l.cfg.stay)
	}
	return m.about(m.l.cfg.stay)
}

// about is a duration between a half and one and a half of d.
func (m *mixed) about(d time.Duration) time.Duration {
	return d/2 + time.Duration(m.chance.Int64N(int64(d)))
}

func (m *mixed) wait(c *conn, d time.Duration) { c.part.until = m.l.now + d }

// between has those move whose time has come.
func (m *mixed) between() error {
	if m.l.now < m.look {
		return nil
	}
	m.look = m.l.now + moveEvery
	for _, c := range m.movers {
		if err := m.move(c); err != nil {
			return fmt.Errorf("connection %d, %s: %w", c.index, c.topic, err)
		}
	}
	return nil
}

func (m *mixed) move(c *conn) error {
	p := &c.part
	over := m.l.now >= p.until
	switch p.phase {
	case phaseAway:
		if over && !m.l.stopping {
			return m.come(c)
		}
	case phaseHere:
		if over && !m.l.stopping && p.role != roleDeaf {
			p.wish, p.phase = m.sender.sent, phaseParting
			m.wait(c, m.l.cfg.Drain)
		}
	case phaseParting:
		if (p.own || c.got() >= p.wish) && c.beats == 0 {
			return m.part(c)
		}
		fallthrough
	default:
		if over {
			return fmt.Errorf("%w: it is %s for %s", errMissing, p.phase, m.l.cfg.Drain)
		}
	}
	return nil
}

// come has c join a room, or connect and join.
func (m *mixed) come(c *conn) error {
	l, p := m.l, &c.part
	p.phase, p.heard, p.floor, p.bound = phaseComing, false, m.sender.expect, m.sender.expect
	p.visit++
	m.wait(c, m.l.cfg.Drain)
	if p.role != roleRoamer {
		return l.connect(c)
	}
	p.own = !p.own
	c.topic = l.cfg.topic(0, 0)
	if p.own {
		c.topic = l.cfg.ownTopic(c.index)
	}
	m.say(c, joinText(p.joinRef(), c.topic, l.cfg.joinPayload(c.index)))
	return nil
}

// part has c go.
func (m *mixed) part(c *conn) error {
	p := &c.part
	if p.role == roleRoamer {
		p.phase = phaseLeaving
		m.wait(c, m.l.cfg.Drain)
		m.say(c, leaveText(p.joinRef(), p.leaveRef(), c.topic))
		return nil
	}
	how := [...]Drop{DropReset, DropEnd, DropClose}[m.drops%3]
	m.drops++
	m.dropped++
	return m.end(c, how)
}

// end closes the connection of c and has it come again.
func (m *mixed) end(c *conn, how Drop) error {
	p := &c.part
	p.lost, p.lostFrom, p.phase = true, c.got(), phaseAway
	if !p.heard {
		p.lostFrom = p.floor
	}
	m.wait(c, m.about(m.l.cfg.stay/2))
	m.l.joined--
	return c.drop(how)
}

func (m *mixed) say(c *conn, text string) {
	c.out = appendClientFrame(c.out, opText, []byte(text))
	c.frames++
	m.l.mark(c)
}

// joinRef is that of the present join; the first was the loop's.
func (p *part) joinRef() string {
	if p.role == roleRoamer {
		return strconv.Itoa(p.visit)
	}
	return joinRef
}

func (p *part) leaveRef() string { return "leave" + p.joinRef() }

// arrived is when c is let in again.
func (m *mixed) arrived(c *conn) error {
	p := &c.part
	m.joins++
	p.phase, p.bound = phaseHere, m.sender.sent
	m.settle(c)
	m.wait(c, m.stay(c))
	if p.role == roleDeaf {
		return m.l.deafen(c)
	}
	return nil
}

// settle counts what c may have missed when it had ended: all that has been
// broadcast since.
func (m *mixed) settle(c *conn) {
	if c.part.lost {
		m.missed += int64(m.sender.sent - c.part.lostFrom)
	}
	c.part.lost = false
}

// closed is expected of those that do not read: the server cuts them off.
func (m *mixed) closed(c *conn, err error) error {
	if c.part.role != roleDeaf || c.stage != stageJoined {
		return err
	}
	m.cut++
	return m.end(c, DropReset)
}

// outstanding counts those that wait for something. Whoever does not read gets
// nothing, and the rest when it is cut off.
func (m *mixed) outstanding() (n int64) {
	for _, c := range m.l.conns {
		p := &c.part
		waits := p.phase == phaseComing || p.phase == phaseLeaving || p.phase == phaseClosing
		if p.role == roleEcho {
			waits = c.expect < c.sent
		} else if p.phase == phaseHere || p.phase == phaseParting {
			waits = !p.own && c.got() < m.sender.sent
		}
		if p.role != roleDeaf && (waits || c.beats > 0) {
			n++
		}
	}
	return n
}

func (m *mixed) message(l *loop, c *conn, text []byte) error {
	if c.part.role == roleEcho {
		return m.echo.answered(l, c, text)
	}
	if c.part.heard && c.part.phase != phaseAway && m.known.is(text, formatNumber(c.expect)) {
		m.delivered(c)
		return nil
	}
	return m.other(c, text)
}

// other takes what is not just the next one.
func (m *mixed) other(c *conn, text []byte) error {
	e, err := parseMessage(text)
	if err != nil {
		return err
	}
	p := &c.part
	switch {
	case e.event == "shout" && p.phase != phaseAway && !p.own:
		return m.shout(c, text, &e)
	case e.event == "phx_reply" && p.role == roleDeaf && e.ref == fillRef:
		return nil
	case e.event == "phx_reply" && (p.phase == phaseComing || p.phase == phaseLeaving):
		return m.replied(c, text)
	case e.event == "phx_close" && p.phase == phaseClosing && e.topic == c.topic && e.ref == p.joinRef():
		p.phase = phaseAway
		m.leaves++
		m.wait(c, m.about(m.l.cfg.stay/2))
		return nil
	}
	return wrong(text, "comes when it is "+p.phase.String())
}

// replied takes the reply to a join or to a leave.
func (m *mixed) replied(c *conn, text []byte) error {
	p := &c.part
	if p.phase == phaseLeaving {
		p.phase = phaseClosing
		return checkReply(text, c.topic, p.leaveRef(), "")
	}
	if err := checkReply(text, c.topic, p.joinRef(), ""); err != nil {
		return err
	}
	return m.arrived(c)
}

// shout takes a broadcast that does not look like the next one: the first after a join,
// or a wrong one.
func (m *mixed) shout(c *conn, text []byte, e *message) error {
	p := &c.part
	n := c.expect
	if !p.heard {
		last := m.sender.sent - 1
		if p.phase != phaseComing {
			last = min(last, p.bound)
		}
		fields, _ := e.payload.(map[string]any)
		d, _ := fields["n"].(string)
		var ok bool
		if n, ok = parseNumber([]byte(d)); !ok || n < p.floor || n > last {
			return wrong(text, fmt.Sprintf("is not the first broadcast since the join, %d to %d", p.floor, last))
		}
	}
	number := formatNumber(n)
	if err := checkShout(text, c.topic, number); err != nil {
		return err
	}
	if n >= m.sender.sent {
		return wrong(text, "comes before it was sent")
	}
	m.known.learn(text, number)
	c.expect, p.heard = n, true
	m.delivered(c)
	return nil
}

// delivered counts the broadcast that c expected.
func (m *mixed) delivered(c *conn) {
	l := m.l
	if c.part.role != roleDeaf { // which reads when all is over
		l.last.add(l.now - m.sentAt[c.expect%mostBehind])
	}
	l.received++
	m.deliveries++
	c.expect++
}
