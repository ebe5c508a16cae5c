package host

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aviary-host/aviary/host/limit"
	"github.com/aviary-host/aviary/wire"
)

// Limits are how much the clients of a mount may do. A rate that is off lets
// everything pass. The rates of a socket are counted where the client's messages
// are read, those of a channel for each topic of a socket, so that nobody pays
// for somebody else.
type Limits struct {
	// Frames bounds what comes in on a socket at all, pings and what cannot be
	// read included, before a byte of it is decoded. Over it the socket is closed
	// with 1008.
	Frames limit.Rate

	// Messages bounds the messages of a socket other than joins, Joins its joins,
	// and Channel the events for one channel. Over them the message is answered
	// with an error, {"reason":"rate_limited",...}, and nothing else happens.
	Messages, Joins, Channel limit.Rate

	// Topics take the place of Channel for topics that fit; the first that does
	// counts.
	Topics []TopicRate

	// LogOnly names limits that are only logged, not enforced: frames, messages,
	// joins, channel, topics, max_channels.
	LogOnly []string
}

// TopicRate is the rate of the channels whose topics match a pattern.
type TopicRate struct {
	Pattern string // as Route.Pattern
	Rate    limit.Rate

	compiled pattern
}

// DefaultLimits is what a mount has that names none: far above what people do
// with their hands, and below what harms their neighbours.
func DefaultLimits() *Limits {
	return &Limits{
		Frames:   limit.Rate{Count: 1000, Burst: 2000},
		Messages: limit.Rate{Count: 1000, Burst: 2000},
		Joins:    limit.Rate{Count: 100, Burst: 200},
		Channel:  limit.Rate{Count: 500, Burst: 1000},
	}
}

// limitKind is one of the limits of a socket.
type limitKind uint8

const (
	limitFrames limitKind = iota
	limitMessages
	limitJoins
	limitChannel
	limitTopics
	limitMaxChannels
	limitKinds
)

func (k limitKind) String() string {
	return [...]string{"frames", "messages", "joins", "channel", "topics", "max_channels"}[k]
}

// key is where the configuration sets the limit.
func (k limitKind) key() string {
	if k == limitMaxChannels {
		return "mount.max_channels"
	}
	return "mount.limits." + k.String()
}

// compile checks l and returns a copy in which the patterns are compiled.
func (l *Limits) compile() (*Limits, error) {
	out := *l
	out.Topics = slices.Clone(l.Topics)
	for i := range out.Topics {
		t := &out.Topics[i]
		var err error
		if t.compiled, err = compilePattern(t.Pattern); err != nil {
			return nil, fmt.Errorf("limits.topics: %w", err)
		}
		if err := t.Rate.Check(); err != nil && !t.Rate.Off() {
			return nil, fmt.Errorf("limits.topics: %w", err)
		}
	}
	for kind, rate := range map[limitKind]limit.Rate{
		limitFrames: l.Frames, limitMessages: l.Messages, limitJoins: l.Joins, limitChannel: l.Channel,
	} {
		if err := rate.Check(); err != nil && !rate.Off() {
			return nil, fmt.Errorf("limits.%s: %w", kind, err)
		}
	}
	for _, name := range l.LogOnly {
		if !slices.ContainsFunc(allLimits(), func(k limitKind) bool { return k.String() == name }) {
			return nil, fmt.Errorf("limits.log_only: %q is none of %v", name, allLimits())
		}
	}
	return &out, nil
}

func allLimits() []limitKind {
	all := make([]limitKind, limitKinds)
	for i := range all {
		all[i] = limitKind(i)
	}
	return all
}

func (l *Limits) logsOnly(k limitKind) bool { return slices.Contains(l.LogOnly, k.String()) }

// forTopic returns the rate of a channel, and which limit it is.
func (l *Limits) forTopic(topic string) (limit.Rate, limitKind) {
	for i := range l.Topics {
		if l.Topics[i].compiled.matches(topic) {
			return l.Topics[i].Rate, limitTopics
		}
	}
	return l.Channel, limitChannel
}

// meter counts what the client of one socket does. Owned by the goroutine that
// reads.
type meter struct {
	frames, messages, joins limit.Bucket

	// topics holds the buckets of the topics that had events of late, in the order
	// of the topics. They stay when a channel is left: joining anew does not fill
	// them.
	topics []topicBucket

	breaches *[limitKinds]breach // nil until there is one
}

// topicBucket is the bucket of one topic of a socket.
type topicBucket struct {
	topic string
	limit.Bucket
}

// breach is how often a limit was exceeded since that was last logged.
type breach struct {
	logged time.Time
	since  int
}

// count counts one more, and tells how many there have been since the last time
// that logging was due.
func (b *breach) count() (times int, due bool) {
	b.since++
	if time.Since(b.logged) < breachPause {
		return 0, false
	}
	times = b.since
	b.logged, b.since = time.Now(), 0
	return times, true
}

// breachPause is how long a limit that goes on being exceeded is not logged.
const breachPause = 10 * time.Second

// maxBuckets bounds the topics of a socket that have buckets. An event for one
// more is refused.
const maxBuckets = 1024

// excess tells that a limit is exceeded.
type excess struct {
	kind limitKind
	rate limit.Rate
	wait time.Duration
}

// Error names the limit, its value and its key, short enough for a close frame.
func (e *excess) Error() string {
	return fmt.Sprintf("over the limit of %s %s (%s)", e.rate, e.kind, e.kind.key())
}

// appendJSON appends the response of a message that was refused.
func (e *excess) appendJSON(dst []byte) []byte {
	dst = append(dst, `{"reason":"rate_limited","limit":`...)
	dst = wire.AppendQuoted(dst, e.rate.String())
	dst = append(dst, `,"key":`...)
	dst = wire.AppendQuoted(dst, e.kind.key())
	if e.wait != limit.Never {
		dst = append(dst, `,"retry_after_ms":`...)
		dst = strconv.AppendInt(dst, max(1, e.wait.Milliseconds()), 10)
	}
	return append(dst, '}')
}

// take takes a token out of b; it returns what is exceeded, nil if nothing is.
func (s *Socket) take(b *limit.Bucket, rate limit.Rate, kind limitKind) *excess {
	if rate.Off() {
		return nil
	}
	ok, wait := b.Take(rate, time.Since(s.srv.began), 1)
	if ok {
		return nil
	}
	return s.exceeded(&excess{kind, rate, wait})
}

// exceeded logs e; it returns nil where the limit is only logged.
func (s *Socket) exceeded(e *excess) *excess {
	s.breached(e.kind, "limit", e.rate.String())
	if s.mount.Limits.logsOnly(e.kind) {
		return nil
	}
	return e
}

// breached logs that a limit is exceeded, now and then.
func (s *Socket) breached(kind limitKind, attrs ...any) {
	if s.meter.breaches == nil {
		s.meter.breaches = new([limitKinds]breach)
	}
	times, due := s.meter.breaches[kind].count()
	if !due {
		return
	}
	attrs = append([]any{
		"code", "LIMIT", "which", kind.String(), "key", kind.key(), "times", times,
		"enforced", !s.mount.Limits.logsOnly(kind),
	}, attrs...)
	s.log.Warn("a client exceeds a limit", attrs...)
}

// overFrames counts a frame, whatever it holds.
func (s *Socket) overFrames() error {
	if e := s.take(&s.meter.frames, s.mount.Limits.Frames, limitFrames); e != nil {
		return e
	}
	return nil
}

// overMessages counts a decoded message, and answers it if it is one too many.
func (s *Socket) overMessages(m *wire.Message) bool {
	bucket, rate, kind := &s.meter.messages, s.mount.Limits.Messages, limitMessages
	if string(m.Event) == wire.EventJoin {
		bucket, rate, kind = &s.meter.joins, s.mount.Limits.Joins, limitJoins
	}
	if s.answerExcess(m, s.take(bucket, rate, kind)) {
		return true
	}
	e := s.tenant.overMessages() // behind the socket's own: who sends too much is not to use up what others may
	if e != nil {
		s.reply(m.JoinRef, m, wire.StatusError, e.appendJSON(nil))
	}
	return e != nil
}

// overChannel counts an event for a channel, likewise.
func (s *Socket) overChannel(m *wire.Message, topic string) bool {
	rate, kind := s.mount.Limits.forTopic(topic)
	if rate.Off() {
		return false
	}
	b := s.bucket(topic)
	if b == nil {
		return s.answerExcess(m, s.exceeded(&excess{kind, rate, limit.Never}))
	}
	return s.answerExcess(m, s.take(b, rate, kind))
}

func (s *Socket) answerExcess(m *wire.Message, e *excess) bool {
	if e == nil {
		return false
	}
	s.reply(m.JoinRef, m, wire.StatusError, e.appendJSON(nil))
	return true
}

// bucket returns the bucket of a topic, nil when so many topics have been used
// of late that there is no room for another. It is valid until the next call.
func (s *Socket) bucket(topic string) *limit.Bucket {
	m := &s.meter
	at, found := m.find(topic)
	if !found {
		if len(m.topics) >= maxBuckets {
			s.forgetFull()
			at, _ = m.find(topic)
		}
		if len(m.topics) >= maxBuckets {
			return nil
		}
		m.topics = slices.Insert(m.topics, at, topicBucket{topic: topic})
	}
	return &m.topics[at].Bucket
}

// find returns the place of a topic's bucket, or where it would be.
func (m *meter) find(topic string) (at int, found bool) {
	return slices.BinarySearchFunc(m.topics, topic, func(b topicBucket, topic string) int { return strings.Compare(b.topic, topic) })
}

// forgetFull forgets the buckets that are as good as new.
func (s *Socket) forgetFull() {
	now := time.Since(s.srv.began)
	s.meter.topics = slices.DeleteFunc(s.meter.topics, func(b topicBucket) bool {
		rate, _ := s.mount.Limits.forTopic(b.topic)
		return isFull(b.Bucket, rate, now)
	})
}

// isFull tells whether nothing of b is taken: a whole burst could be.
func isFull(b limit.Bucket, rate limit.Rate, now time.Duration) bool {
	whole := rate.Burst
	if whole == 0 {
		whole = rate.Count
	}
	ok, _ := b.Take(rate, now, whole) // b is a copy
	return ok
}
