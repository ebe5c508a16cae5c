package host

import (
	"errors"
	"fmt"
	"strings"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/presence"
	"github.com/aviary-host/aviary/wire"
)

func (c *Config) checkPresences() error {
	if c.PresencePage < 0 {
		return fmt.Errorf("%w: presence.page: %d bytes is negative", errConfig, c.PresencePage)
	}
	return nil
}

// newTracker makes the presences of a tenant.
func (t *Tenant) newTracker(cfg *Config) *presence.Tracker {
	return presence.NewTracker(presence.Config{
		OnDiff: t.presenceDiff,
		Tick:   max(cfg.PresenceTick, 0),
		Page:   cfg.PresencePage,
	})
}

// presenceDiff broadcasts changes of presences. It is called under the lock
// of the topic's presences, which is what keeps diffs and states in order.
func (t *Tenant) presenceDiff(topic string, d *presence.Diff) {
	t.pubsub.LocalBroadcast(topic, newFanout(topic, wire.EventPresenceDiff, d.AppendJSON(nil)))
}

// track enters or updates a presence; tracking a key twice updates it.
func (c *Channel) track(e *abi.Effect) {
	t := presence.Track{Owner: c.owner, Topic: c.topicOf(e), Key: string(e.Key), Meta: e.Payload, Extra: c.extraOf(e)}
	tracker := c.socket.tenant.presence
	if e.Kind == abi.EffectPresenceTrack {
		_, err := tracker.Track(t)
		if !errors.Is(err, presence.ErrAlreadyTracked) {
			c.logPresence(err)
			return
		}
	}
	_, err := tracker.Update(t)
	if !errors.Is(err, presence.ErrNotTracked) {
		c.logPresence(err)
	}
}

func (c *Channel) logPresence(err error) {
	if err != nil {
		c.socket.tenant.fault(c.log().Error, "presence refused", "PRESENCE_REFUSED", "err", err)
	}
}

// pushPresences pushes the presences of topic to the channel's client: the first page as
// presence_state, which phoenix.js puts in the place of what it has, the others as joins of
// a presence_diff, which it adds.
func (c *Channel) pushPresences(topic string) {
	views := c.has().views
	views[topic].Stop() // or its pages would come behind the new ones
	view := c.socket.tenant.presence.View(topic, c.owner, func(page []byte, first bool) {
		if first {
			c.sendEvent(wire.EventPresenceState, page, false)
			return
		}
		const open, end = `{"joins":`, `,"leaves":{}}`
		diff := append(make([]byte, 0, len(open)+len(page)+len(end)), open...)
		c.sendEvent(wire.EventPresenceDiff, append(append(diff, page...), end...), false)
	})
	switch {
	case view == nil:
		delete(views, topic)
	case views == nil:
		c.more().views = map[string]*presence.View{topic: view}
	default:
		views[topic] = view
	}
}

// quieten ends all that reaches the client from elsewhere.
func (c *Channel) quieten() {
	c.sub.Cancel()
	for _, view := range c.has().views {
		view.Stop()
	}
}

// AppendPresences appends the presences of topic to dst, the JSON object of a
// presence_state (SPEC.md section 6, presence_list).
func (t *Tenant) AppendPresences(dst []byte, topic string) []byte {
	return t.presence.AppendState(dst, topic)
}

// AppendPresence appends what AppendPresences has for one key, {"metas":[...]}, to dst;
// false, and dst as it was, if nobody is present by that key.
func (t *Tenant) AppendPresence(dst []byte, topic, key string) ([]byte, bool) {
	return t.presence.AppendPresence(dst, topic, key)
}

// CountPresences returns how many entries topic has, anonymous ones included.
func (t *Tenant) CountPresences(topic string) int { return t.presence.Count(topic) }

// BroadcastPresenceDiff sends a presence_diff of the caller's own making to every channel
// joined to topic: of presences that are kept elsewhere, and that no list of the server's
// has. Anonymous entries are left out; if nothing is left, nothing is sent. It fails with
// ErrInvalidPayload if a ref or a meta is not what clients can read.
func (t *Tenant) BroadcastPresenceDiff(topic string, d *presence.Diff) error {
	if err := t.checkCall(topic, wire.EventPresenceDiff); err != nil {
		return err
	}
	named := 0
	for _, entries := range [][]presence.Entry{d.Joins, d.Leaves} {
		for i := range entries {
			if entries[i].Key == "" {
				continue
			}
			named++
			if problem := entryProblem(&entries[i]); problem != "" {
				return fmt.Errorf("%w: presence %q: %s", ErrInvalidPayload, logText([]byte(entries[i].Key)), problem)
			}
		}
	}
	if named == 0 {
		return nil
	}
	payload := d.AppendJSON(nil)
	if len(payload) > maxPayload {
		return fmt.Errorf("%w: the diff has %d bytes", ErrInvalidPayload, len(payload))
	}
	t.pubsub.Broadcast(topic, newFanout(topic, wire.EventPresenceDiff, payload))
	return nil
}

// entryProblem tells what is wrong with a part of a diff from outside, "" if nothing is.
func entryProblem(e *presence.Entry) string {
	isRef := func(s string) bool {
		return len(s) <= maxName && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' })
	}
	switch {
	case e.Ref == "" || !isRef(e.Ref) || !isRef(e.PrevRef):
		return fmt.Sprintf("phx_ref %q or phx_ref_prev %q is not printable ASCII of 1 to %d bytes, without quotes and backslashes",
			logText([]byte(e.Ref)), logText([]byte(e.PrevRef)), maxName)
	case objectProblem(e.Meta, false) != "":
		return "meta " + objectProblem(e.Meta, false)
	}
	return keyProblem([]byte(e.Key))
}

// AppendPresences is [Tenant.AppendPresences] of the default tenant, and so are the calls
// below.
func (s *Server) AppendPresences(dst []byte, topic string) []byte {
	return s.home().AppendPresences(dst, topic)
}

// AppendPresence is [Tenant.AppendPresence].
func (s *Server) AppendPresence(dst []byte, topic, key string) ([]byte, bool) {
	return s.home().AppendPresence(dst, topic, key)
}

// CountPresences is [Tenant.CountPresences].
func (s *Server) CountPresences(topic string) int { return s.home().CountPresences(topic) }

// BroadcastPresenceDiff is [Tenant.BroadcastPresenceDiff].
func (s *Server) BroadcastPresenceDiff(topic string, d *presence.Diff) error {
	return s.home().BroadcastPresenceDiff(topic, d)
}
