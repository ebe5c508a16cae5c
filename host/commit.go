package host

import (
	"bytes"
	"cmp"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/pubsub"
	"github.com/aviary-host/aviary/wire"
)

// OutputError reports an answer that is well-formed but holds something that
// must not reach a client: it refuses the whole callback.
type OutputError struct {
	Field   string // such as "effects[2] push: payload"
	Problem string

	over *tenantExcess // where a limit of the tenant is
}

// Error describes the problem in one line.
func (e *OutputError) Error() string { return e.Field + " " + e.Problem }

// checkOutput checks what the codec does not: JSON, names, references. After
// it nothing of the answer can fail any more, so that it takes place whole or
// not at all. It is the answer of h.
func (c *Channel) checkOutput(h Handler, r *abi.Response) error {
	if err := checkAnswer(r, c.socket.codec); err != nil {
		return err
	}
	if err := c.actor().check(r.Effects); err != nil {
		return err
	}
	has := c.has()
	timers, subs, events, tracks := has.timers.len(), len(has.subs), c.intercepted(), 0
	for i := range r.Effects {
		switch e := &r.Effects[i]; {
		case e.Kind == abi.EffectSendAfter:
			timers++
		case e.Kind == abi.EffectSubscribe:
			subs++
		case e.Kind == abi.EffectIntercept && !e.Off:
			events++
		case e.Kind == abi.EffectPresenceTrack:
			tracks++
		}
	}
	if tracks > 0 {
		tracks += c.socket.tenant.presence.Owned(c.owner)
	}
	// Counted without regard to replacements, so a callback may be refused a
	// little early, but never gets past the limit.
	if max(timers, subs, events, tracks) > maxPending {
		return &OutputError{Field: "effects", Problem: fmt.Sprintf("leave more than %d timers, subscriptions, interceptions or presences", maxPending)}
	}
	if err := c.fetch(h, r); err != nil {
		return err
	}
	tenant := c.socket.tenant
	if err := tenant.holdGroups(c.route.caps, r.Effects); err != nil {
		return err
	}
	if err := c.reserve(r); err != nil { // last, as nothing can be refused any more
		tenant.dropGroups(r.Effects)
		return err
	}
	return nil
}

// checkAnswer is the part of the check that needs no channel, only to know what
// the client can be sent.
func checkAnswer(r *abi.Response, to codec) error {
	if err := checkResult(r, to); err != nil {
		return err
	}
	for i := range r.Effects {
		e := &r.Effects[i]
		if problem := checkEffect(e, to); problem != "" {
			return &OutputError{Field: effectName(i, e), Problem: problem}
		}
	}
	return nil
}

// effectName is how errors call effect number i.
func effectName(i int, e *abi.Effect) string {
	return fmt.Sprintf("effects[%d] %s%s:", i, e.Kind, named(e.Event))
}

// named tells an effect from its like by the event that it is about.
func named(event []byte) string {
	if len(event) == 0 || eventProblem(event) != "" {
		return ""
	}
	return fmt.Sprintf(" of %q", event)
}

func checkResult(r *abi.Response, to codec) error {
	problem := ""
	switch r.Result {
	case abi.ResultPush:
		problem = cmp.Or(eventProblem(r.Event), objectProblem(r.Payload, r.Binary), binaryProblem(r.Binary, to))
	case abi.ResultReply, abi.ResultReplyError:
		problem = cmp.Or(statusProblem(r.Event), jsonProblem(r.Payload, r.Binary), binaryProblem(r.Binary, to))
	}
	if problem != "" {
		return &OutputError{Field: r.Result.String() + ":", Problem: problem}
	}
	return nil
}

// binaryProblem: raw bytes for a client that knows none would in Phoenix end its
// channel or its socket (v1_json_serializer.ex).
func binaryProblem(binary bool, to codec) string {
	if binary && !to.binary {
		return "payload is raw bytes, which serializer 1.0.0 and long polling cannot carry"
	}
	return ""
}

// checkEffect tells what is wrong with an effect, "" when nothing is.
func checkEffect(e *abi.Effect, to codec) string {
	if len(e.Topic) > 0 && topicProblem(e.Topic) {
		return fmt.Sprintf("topic is not UTF-8 of 1 to %d bytes", maxName)
	}
	switch e.Kind {
	case abi.EffectReply:
		return cmp.Or(statusProblem(e.Event), jsonProblem(e.Payload, e.Binary), refProblem(e.Key), binaryProblem(e.Binary, to))
	case abi.EffectPush:
		return cmp.Or(eventProblem(e.Event), objectProblem(e.Payload, e.Binary), binaryProblem(e.Binary, to))
	case abi.EffectBroadcast, abi.EffectBroadcastFrom:
		return cmp.Or(eventProblem(e.Event), objectProblem(e.Payload, e.Binary))
	case abi.EffectSendInfo, abi.EffectSendAfter:
		return cmp.Or(eventProblem(e.Event), jsonProblem(e.Payload, e.Binary))
	case abi.EffectPresenceTrack, abi.EffectPresenceUpdate:
		if e.Binary {
			return "payload is raw bytes, a meta is a JSON object"
		}
		return cmp.Or(keyProblem(e.Key), objectProblem(e.Payload, false))
	case abi.EffectGroupAdd, abi.EffectGroupRemove:
		return keyProblem(e.Key)
	case abi.EffectGroupBroadcast:
		return cmp.Or(keyProblem(e.Key), eventProblem(e.Event), objectProblem(e.Payload, e.Binary))
	}
	return ""
}

func jsonProblem(p []byte, binary bool) string {
	if !binary && len(p) > 0 && !wire.Valid(p) {
		return "payload is not valid JSON"
	}
	return ""
}

// objectProblem holds Phoenix's rule that pushes and broadcasts carry a map, or
// raw bytes (channel/server.ex).
func objectProblem(p []byte, binary bool) string {
	switch {
	case binary || len(p) == 0:
		return ""
	case !wire.Valid(p):
		return "payload is not valid JSON"
	case !wire.IsObject(p):
		return "payload is JSON, but not an object"
	}
	return ""
}

func eventProblem(event []byte) string {
	if len(event) > maxName || !utf8.Valid(event) {
		return fmt.Sprintf("event is not UTF-8 of 1 to %d bytes", maxName)
	}
	return ""
}

func statusProblem(status []byte) string {
	if len(status) > maxName || !utf8.Valid(status) {
		return fmt.Sprintf("status is not UTF-8 of up to %d bytes", maxName)
	}
	return ""
}

func keyProblem(key []byte) string {
	if len(key) > maxName || !utf8.Valid(key) {
		return fmt.Sprintf("key is not UTF-8 of up to %d bytes", maxName)
	}
	return ""
}

// refProblem keeps a guest from writing into the frame: a ref is pasted into
// it as a JSON token.
func refProblem(ref []byte) string {
	if refTooLong(ref) || len(ref) > 0 && !wire.Valid(ref) {
		return "key is not a ref of this host"
	}
	return ""
}

func (c *Channel) setState(r *abi.Response) {
	if !r.HasState {
		return
	}
	c.state = append(c.state[:0], r.State...)
	c.stateVersion = r.StateVersion
}

// apply makes the effects happen, in order. They have been checked. ref is that
// of the message at hand, nil where there is none.
func (c *Channel) apply(r *abi.Response, ref []byte) {
	var fanouts pace
	for i := range r.Effects {
		e := &r.Effects[i]
		switch e.Kind {
		case abi.EffectReply:
			c.sendReply(refOr(e.Key, ref), statusOr(e.Event, wire.StatusOK), e.Payload, e.Binary)
		case abi.EffectPush:
			c.sendEvent(string(e.Event), e.Payload, e.Binary)
		case abi.EffectBroadcast, abi.EffectBroadcastFrom:
			fanouts.step(1, c.detach)
			c.socket.tenant.broadcast(c, c.route.caps, c.topicOf(e), e)
		case abi.EffectSendInfo:
			c.sendInfo(e)
		case abi.EffectSendAfter:
			c.sendAfter(e)
		case abi.EffectCancel:
			if c.rare != nil {
				c.rare.timers.cancel(string(e.Key))
			}
		case abi.EffectDisconnect:
			c.disconnect(e)
		case abi.EffectStop:
			c.stop(abi.Reason(e.Number), e.Payload)
		case abi.EffectLog:
			c.socket.tenant.logEffect(c.log, e)
		case abi.EffectGroupBroadcast:
			c.detach() // to any number of topics
			c.socket.tenant.broadcastGroup(c.route.caps, e)
		default:
			c.applyTopic(e)
		}
	}
}

// applyTopic makes the effects on subscriptions, presences and groups happen.
func (c *Channel) applyTopic(e *abi.Effect) {
	tenant := c.socket.tenant
	switch e.Kind {
	case abi.EffectSubscribe:
		c.subscribe(string(e.Topic))
	case abi.EffectUnsubscribe:
		c.unsubscribe(string(e.Topic))
	case abi.EffectIntercept:
		c.intercept(string(e.Event), !e.Off)
	case abi.EffectPresenceTrack, abi.EffectPresenceUpdate:
		c.track(e)
	case abi.EffectPresenceUntrack:
		tenant.presence.Untrack(c.owner, c.topicOf(e), string(e.Key))
	case abi.EffectPresencePush:
		c.pushPresences(c.topicOf(e))
	case abi.EffectGroupAdd, abi.EffectGroupRemove:
		tenant.applyGroup(c.route.caps, e)
	}
}

func refOr(key, ref []byte) []byte {
	if len(key) > 0 {
		return key
	}
	return ref
}

// topicOf returns the topic an effect names, the channel's own by default.
func (c *Channel) topicOf(e *abi.Effect) string {
	if len(e.Topic) == 0 {
		return c.topic
	}
	return string(e.Topic)
}

// broadcast sends an effect's event to topic, from a channel or from nobody, for
// a handler that has caps.
func (t *Tenant) broadcast(from *Channel, caps *Capabilities, topic string, e *abi.Effect) {
	// The fan-out outlives the callback's buffers, so it gets its own bytes.
	f := newFanout(topic, string(e.Event), ownPayload(e))
	f.binary, f.spares = e.Binary, caps.spares(topic, e.Event)
	except := e.Kind == abi.EffectBroadcastFrom
	switch {
	case except && e.Local:
		t.pubsub.LocalBroadcastFrom(from, topic, f)
	case except:
		t.pubsub.BroadcastFrom(from, topic, f)
	case e.Local:
		t.pubsub.LocalBroadcast(topic, f)
	default:
		t.pubsub.Broadcast(topic, f)
	}
}

// ownPayload returns a copy of an effect's payload.
func ownPayload(e *abi.Effect) []byte {
	if e.Binary {
		return bytes.Clone(e.Payload)
	}
	return cloneOrEmpty(e.Payload)
}

func cloneOrEmpty(p []byte) []byte {
	if len(p) == 0 {
		return emptyObject
	}
	return append(make([]byte, 0, len(p)), p...)
}

func (c *Channel) sendInfo(e *abi.Effect) {
	to := string(e.Key)
	if to == "" {
		to = c.socket.id
	}
	c.socket.tenant.sendInfo(to, c.topicOf(e), e)
}

func (c *Channel) sendAfter(e *abi.Effect) {
	t := &timer{key: string(e.Key), event: string(e.Event), payload: ownPayload(e), binary: e.Binary}
	delay := min(time.Duration(e.Value), maxDelay/time.Millisecond) * time.Millisecond
	c.more().timers.start(t, delay, func() {
		// Never dropped: a timer fires once, and few are pending at a time.
		c.post(mail{kind: mailInfo, info: abi.InfoTimer, timer: t}, false)
	})
}

func (c *Channel) disconnect(e *abi.Effect) {
	if len(e.Key) == 0 {
		c.socket.Deliver("", &Fanout{event: wire.EventDisconnect})
		return
	}
	c.socket.tenant.disconnect(string(e.Key))
}

func (c *Channel) subscribe(topic string) {
	more := c.more()
	if topic == c.topic || more.subs[topic] != nil {
		return
	}
	if more.subs == nil {
		more.subs = map[string]*pubsub.Subscription[*Fanout]{}
	}
	more.subs[topic] = c.socket.tenant.pubsub.Subscribe(topic, c, nil)
}

func (c *Channel) unsubscribe(topic string) {
	subs := c.has().subs
	if sub := subs[topic]; sub != nil {
		sub.Cancel()
		delete(subs, topic)
	}
}

// interceptFrom makes the interceptions of a join's answer happen, which are in
// force before the first broadcast comes. The other effects follow the reply.
func (c *Channel) interceptFrom(r *abi.Response) {
	for i := range r.Effects {
		if e := &r.Effects[i]; e.Kind == abi.EffectIntercept {
			c.intercept(string(e.Event), !e.Off)
		}
	}
}

// intercept replaces the set that Deliver reads.
func (c *Channel) intercept(event string, on bool) {
	next := map[string]bool{}
	if set := c.intercepts.Load(); set != nil {
		for e := range *set {
			next[e] = true
		}
	}
	if on {
		next[event] = true
	} else {
		delete(next, event)
	}
	c.intercepts.Store(&next)
}

func (c *Channel) intercepted() int {
	if set := c.intercepts.Load(); set != nil {
		return len(*set)
	}
	return 0
}

// maxLogText bounds a text of a guest in the log, in bytes (SPEC.md section 8).
const maxLogText = 1 << 10

// logEffect writes a line of a handler, if the tenant may have one more. Those that it
// may not are told of in front of the next one. The logger is asked for only if there
// is something to write.
func (t *Tenant) logEffect(logger func() *slog.Logger, e *abi.Effect) {
	ctx, level := t.srv.ctx, logLevel(abi.Level(e.Number))
	if !t.log.Enabled(ctx, level) {
		return
	}
	hidden := 0
	if may := t.srv.cfg.LogLine; may != nil {
		var ok bool
		if hidden, ok = may(t.name); !ok {
			return
		}
	}
	log := logger()
	if hidden > 0 {
		log.Warn("log lines of the tenant were dropped", "dropped", hidden, "key", "tenant.log_lines")
	}
	log.Log(ctx, level, logText(e.Payload), "src", "guest")
}

func logText(b []byte) string {
	return strings.ToValidUTF8(string(b[:min(len(b), maxLogText)]), "\uFFFD")
}

func logLevel(l abi.Level) slog.Level {
	switch l {
	case abi.LevelDebug:
		return slog.LevelDebug
	case abi.LevelWarn:
		return slog.LevelWarn
	case abi.LevelError:
		return slog.LevelError
	default:
		return slog.LevelInfo
	}
}
