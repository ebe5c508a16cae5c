package host

import (
	"fmt"

	"github.com/aviary-host/aviary/abi"
)

// account is what a channel has of its tenant's quotas: from quotaState on, by
// kind. Before the effects of a callback happen, as much is taken as they can
// come to; afterwards what they did not need is given back. So a quota is never
// exceeded, and what it counts is right whenever no callback runs.
type account [quotaKinds - quotaState]int64

func (a *account) of(kind quotaKind) *int64 { return &a[kind-quotaState] }

// reserve takes what the answer of a callback needs, or nothing.
func (c *Channel) reserve(r *abi.Response) error {
	t, before, want := c.socket.tenant, c.held, c.wants(r)
	for i := range want {
		kind := quotaState + quotaKind(i)
		if want[i] <= c.held[i] {
			continue
		}
		if e := t.take(kind, want[i]-c.held[i]); e != nil {
			c.hold(before)
			return &OutputError{Field: kind.key(), Problem: fmt.Sprintf("would get %d more: over the tenant's limit of %s", want[i]-before[i], e.value()), over: e}
		}
		c.held[i] = want[i]
	}
	return nil
}

// wants returns what the channel has after the answer at most: of two effects on
// the same new timer, subscription or presence it counts both, and of an old one the
// payload that it had, too.
func (c *Channel) wants(r *abi.Response) account {
	want, has := c.held, c.has()
	state := want.of(quotaState)
	*state = int64(c.stateAfter(r)+has.timers.bytes+has.metas) + has.fetched()
	timers, subs, tracks := want.of(quotaTimers), want.of(quotaSubscriptions), want.of(quotaPresences)
	*timers, *subs = int64(has.timers.len()), int64(len(has.subs))
	for i := range r.Effects {
		switch e := &r.Effects[i]; e.Kind {
		case abi.EffectSendAfter:
			*state += kept(e)
			if len(e.Key) == 0 || has.timers.pending[string(e.Key)] == nil {
				*timers++
			}
		case abi.EffectSubscribe:
			if has.subs[string(e.Topic)] == nil && string(e.Topic) != c.topic {
				*subs++
			}
		case abi.EffectPresenceTrack:
			c.more().recount = true
			*state += kept(e)
			if !c.socket.tenant.presence.Tracks(c.owner, c.topicOf(e), string(e.Key)) {
				*tracks++
			}
		case abi.EffectPresenceUpdate:
			c.more().recount = true
			*state += kept(e)
		case abi.EffectPresenceUntrack:
			c.more().recount = true
		}
	}
	return want
}

// kept is how many bytes of an effect's payload are kept at most: none is an empty object.
func kept(e *abi.Effect) int64 { return int64(max(len(e.Payload), len(emptyObject))) }

// stateAfter is the length of the state that the channel has after the answer.
func (c *Channel) stateAfter(r *abi.Response) int {
	switch {
	case r.HasState:
		return len(r.State)
	case c.sub == nil: // a join, which begins with what connect gave
		seed, _ := c.socket.seed()
		return len(seed)
	}
	return len(c.state)
}

// balance gives back what was reserved and is not there.
func (c *Channel) balance() {
	left := c.held
	if c.has().recount {
		*left.of(quotaPresences) = int64(c.socket.tenant.presence.Owned(c.owner))
		c.rare.metas, c.rare.recount = c.socket.tenant.presence.OwnedBytes(c.owner), false
	}
	has := c.has()
	*left.of(quotaTimers) = int64(has.timers.len())
	*left.of(quotaSubscriptions) = int64(len(has.subs))
	*left.of(quotaState) = int64(len(c.state) + has.timers.bytes + has.metas)
	c.hold(left)
}

// hold gives back all but what is left.
func (c *Channel) hold(left account) {
	for i := range left {
		if n := c.held[i] - left[i]; n != 0 {
			c.socket.tenant.give(quotaState+quotaKind(i), n)
		}
	}
	c.held = left
}
