package host

import (
	"errors"
	"fmt"
	"slices"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/presence/group"
)

// Errors of the calls on groups, beside those of the server API.
var (
	// ErrNoSuchGroup tells that there is no group of that name.
	ErrNoSuchGroup = group.ErrNotFound
	// ErrGroupExists tells that there is a group of that name already.
	ErrGroupExists = group.ErrExists
	// ErrInvalidGroup tells that the name of a group is not UTF-8 of 1 to 255 bytes.
	ErrInvalidGroup = group.ErrInvalidName
	// ErrTenantLimit tells that the tenant would have more than it may. The error
	// that wraps it names limit, value and key.
	ErrTenantLimit = errors.New("a limit of the tenant is exceeded")
)

// groupQuota lets the groups of a tenant take what its limits allow. What names take
// counts as state.
type groupQuota struct{ t *Tenant }

// Take meets group.Quota.
func (q groupQuota) Take(s group.Size) error {
	if e := q.t.overGroupTopics(s.InGroup); e != nil {
		return e
	}
	if s.Groups > 0 {
		if e := q.t.take(quotaGroups, int64(s.Groups)); e != nil {
			return e
		}
	}
	if e := q.t.take(quotaState, int64(s.Bytes)); e != nil {
		q.t.give(quotaGroups, int64(s.Groups))
		return e
	}
	return nil
}

// Give meets group.Quota.
func (q groupQuota) Give(s group.Size) {
	q.t.give(quotaGroups, int64(s.Groups))
	q.t.give(quotaState, int64(s.Bytes))
}

// overGroupTopics returns what n topics exceed, of one group or reached by one
// callback; nil if nothing.
func (t *Tenant) overGroupTopics(n int) *tenantExcess {
	if q := &t.quotas[quotaGroupTopics]; q.most < 1 || int64(n) <= q.most {
		return nil
	}
	return t.exceeded(quotaGroupTopics, 0)
}

// holdGroups checks the effects on groups of a handler that has caps, and keeps places
// for the topics that they add, so that they cannot fail. Who cannot go through with
// them gives that back with dropGroups.
func (t *Tenant) holdGroups(caps *Capabilities, effects []abi.Effect) error {
	reached := 0
	for i := range effects {
		e := &effects[i]
		var err error
		switch e.Kind {
		case abi.EffectGroupAdd:
			err = t.groups.Hold(string(e.Key), string(e.Topic))
		case abi.EffectGroupBroadcast:
			err = t.checkReach(caps, e, &reached)
		}
		if err != nil {
			t.dropGroups(effects[:i])
			return groupRefusal(i, e, err)
		}
	}
	return nil
}

// checkReach refuses a broadcast to a group with a topic that the handler may not
// broadcast to: somebody else may have added it. It counts the topics that the
// broadcasts of one callback reach: fuel does not pay for them.
func (t *Tenant) checkReach(caps *Capabilities, e *abi.Effect, reached *int) error {
	topics, _ := t.groups.Topics(string(e.Key)) // none where there is no such group
	for _, topic := range topics {
		if !caps.mayBroadcast(topic) {
			return &deniedError{&OutputError{Problem: caps.notAmong(capBroadcast, []byte(topic))}}
		}
	}
	*reached += len(topics)
	if over := t.overGroupTopics(*reached); over != nil {
		return fmt.Errorf("%d topics reached by one callback: %w", *reached, over)
	}
	return nil
}

// mayBroadcast tells whether topic is among those of broadcasts.
func (c *Capabilities) mayBroadcast(topic string) bool {
	return c == nil || names(c, capBroadcast, topic)
}

// groupRefusal is err as what refuses effect number i.
func groupRefusal(i int, e *abi.Effect, err error) error {
	out := &OutputError{Field: effectName(i, e), Problem: fmt.Sprintf("group %q: %s", logText(e.Key), err)}
	if denied := (*deniedError)(nil); errors.As(err, &denied) {
		out.Problem = fmt.Sprintf("group %q: %s", logText(e.Key), denied.Problem)
		return &deniedError{out}
	}
	errors.As(err, &out.over)
	return out
}

// dropGroups gives back the places that are held for effects that do not happen.
func (t *Tenant) dropGroups(effects []abi.Effect) {
	for i := range effects {
		if e := &effects[i]; e.Kind == abi.EffectGroupAdd {
			t.groups.Drop(string(e.Key), string(e.Topic))
		}
	}
}

// applyGroup makes an effect on a group happen, for a handler that has caps. A group
// that is not there is none without topics.
func (t *Tenant) applyGroup(caps *Capabilities, e *abi.Effect) {
	name := string(e.Key)
	switch e.Kind {
	case abi.EffectGroupAdd:
		t.groups.Keep(name, string(e.Topic))
	case abi.EffectGroupRemove:
		_ = t.groups.Remove(name, string(e.Topic)) // it is not in it, then
	case abi.EffectGroupBroadcast:
		t.broadcastGroup(caps, e)
	}
}

// broadcastGroup sends an effect's event to the topics of its group. One that came
// into it since the check, and is not for the handler, is left out.
func (t *Tenant) broadcastGroup(caps *Capabilities, e *abi.Effect) {
	name, event, payload := string(e.Key), string(e.Event), ownPayload(e)
	_ = t.groups.Broadcast(name, func(topic string) { // to nobody where there is no such group
		if !caps.mayBroadcast(topic) {
			t.fault(t.log.Warn, "a broadcast leaves out a topic of its group", "CAPABILITY_DENIED", "group", logText(e.Key), "topic", logText([]byte(topic)))
			return
		}
		f := newFanout(topic, event, payload)
		f.binary, f.spares = e.Binary, caps.spares(topic, e.Event)
		t.pubsub.Broadcast(topic, f)
	})
}

// checkGroupCall is checkCall for a call that changes the group, and topic in it.
func (t *Tenant) checkGroupCall(name string, topic ...string) error {
	if t.suspended.Load() != nil {
		return ErrSuspended
	}
	if topicProblem([]byte(name)) {
		return ErrInvalidGroup
	}
	if slices.ContainsFunc(topic, func(topic string) bool { return topicProblem([]byte(topic)) }) {
		return ErrInvalidTopic
	}
	return nil
}

// ofGroup is err with the group that it is about.
func ofGroup(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("group %q: %w", logText([]byte(name[:min(len(name), maxName)])), err)
}

// CreateGroup makes a group of topics, without any. It stays until DeleteGroup, or
// until the server ends: groups are kept in memory. Errors: ErrInvalidGroup,
// ErrGroupExists, ErrTenantLimit. This and all calls below that change something or
// send fail with ErrSuspended while the tenant is.
func (t *Tenant) CreateGroup(name string) error {
	if err := t.checkGroupCall(name); err != nil {
		return err
	}
	return ofGroup(name, t.groups.Create(name))
}

// DeleteGroup ends a group; nobody on its topics notices. Errors: ErrInvalidGroup,
// ErrNoSuchGroup.
func (t *Tenant) DeleteGroup(name string) error {
	if err := t.checkGroupCall(name); err != nil {
		return err
	}
	return ofGroup(name, t.groups.Delete(name))
}

// AddToGroup puts a topic into a group, as the last one; nothing happens if it is in
// it. Nobody needs to have joined the topic. Errors: ErrInvalidGroup,
// ErrInvalidTopic, ErrNoSuchGroup, ErrTenantLimit.
func (t *Tenant) AddToGroup(name, topic string) error {
	if err := t.checkGroupCall(name, topic); err != nil {
		return err
	}
	return ofGroup(name, t.groups.Add(name, topic))
}

// RemoveFromGroup takes a topic out of a group; nothing happens if it is not in it. A
// group that an effect made goes with its last topic. Errors: ErrInvalidGroup,
// ErrInvalidTopic, ErrNoSuchGroup.
func (t *Tenant) RemoveFromGroup(name, topic string) error {
	if err := t.checkGroupCall(name, topic); err != nil {
		return err
	}
	return ofGroup(name, t.groups.Remove(name, topic))
}

// BroadcastGroup is Broadcast to each topic of a group, in the order in which they
// were added. Who has joined several of them gets it on each. Errors: those of
// Broadcast, ErrInvalidGroup, ErrNoSuchGroup.
func (t *Tenant) BroadcastGroup(name, event string, payload []byte) error {
	if err := t.checkGroupCall(name); err != nil {
		return err
	}
	if err := checkEvent(event); err != nil {
		return err
	}
	p, err := object(payload)
	if err != nil {
		return err
	}
	return ofGroup(name, t.groups.Broadcast(name, func(topic string) { t.pubsub.Broadcast(topic, newFanout(topic, event, p)) }))
}

// GroupInfo is a group as Groups lists it.
type GroupInfo struct {
	Group  string `json:"group"`
	Topics int    `json:"topics"` // how many
}

// Groups returns all groups of the tenant, in the order of their names.
func (t *Tenant) Groups() []GroupInfo {
	list := []GroupInfo{}
	for _, g := range t.groups.List() {
		list = append(list, GroupInfo{g.Name, g.Topics})
	}
	return list
}

// GroupTopics returns the topics of a group, in the order in which they were added.
// Errors: ErrNoSuchGroup.
func (t *Tenant) GroupTopics(name string) ([]string, error) {
	topics, err := t.groups.Topics(name)
	return append([]string{}, topics...), ofGroup(name, err)
}

// CreateGroup is [Tenant.CreateGroup] of the default tenant, and so are all calls
// below.
func (s *Server) CreateGroup(name string) error { return s.home().CreateGroup(name) }

// DeleteGroup is [Tenant.DeleteGroup].
func (s *Server) DeleteGroup(name string) error { return s.home().DeleteGroup(name) }

// AddToGroup is [Tenant.AddToGroup].
func (s *Server) AddToGroup(name, topic string) error { return s.home().AddToGroup(name, topic) }

// RemoveFromGroup is [Tenant.RemoveFromGroup].
func (s *Server) RemoveFromGroup(name, topic string) error {
	return s.home().RemoveFromGroup(name, topic)
}

// BroadcastGroup is [Tenant.BroadcastGroup].
func (s *Server) BroadcastGroup(name, event string, payload []byte) error {
	return s.home().BroadcastGroup(name, event, payload)
}

// Groups is [Tenant.Groups].
func (s *Server) Groups() []GroupInfo { return s.home().Groups() }

// GroupTopics is [Tenant.GroupTopics].
func (s *Server) GroupTopics(name string) ([]string, error) { return s.home().GroupTopics(name) }
