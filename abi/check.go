package abi

// Check tells whether the response is one that callback may give: its result
// is allowed there, its effects are, and what they need is present (SPEC.md
// sections 4.2 and 5.2). It does not look into payloads. The error is a
// [*FormatError].
func (r *Response) Check(callback Callback) error {
	if int(callback) >= NumCallbacks {
		return malformed("3", "callback", "has an unknown number")
	}
	if allowedResults[callback]>>r.Result&1 == 0 {
		return malformed("4.2", "result "+r.Result.String(), "is not allowed in "+callback.String())
	}
	if err := r.checkResult(callback); err != nil {
		return err
	}
	allowed := r.allowedEffects(callback)
	for i := range r.Effects {
		e := &r.Effects[i]
		if allowed>>e.Kind&1 == 0 {
			return malformed("5.2", effectName(i)+" "+e.Kind.String(), "is not allowed in "+where(callback, r.Result))
		}
		problem := e.check()
		if problem == "" {
			problem = e.checkIn(callback)
		}
		if problem != "" {
			return malformed("5.2", effectName(i)+" "+e.Kind.String(), problem)
		}
	}
	return nil
}

func where(callback Callback, result Result) string {
	if callback == CallbackJoin && result == ResultReplyError {
		return "a refused join"
	}
	return callback.String()
}

func (r *Response) checkResult(callback Callback) error {
	switch {
	case r.Result == ResultPush && len(r.Event) == 0:
		return malformed("4.2", "event", "of a push is empty")
	case r.Result == ResultStop && !guestReason(r.Number):
		return malformed("4.2", "number", "of a stop is none of normal, shutdown, error")
	case callback == CallbackConnect && r.Result == ResultReplyError && !refusalStatus(r.Number):
		return malformed("4.2", "number", "of a refused connect is no HTTP status from 400 to 599")
	case callback == CallbackCodeChange && r.Result == ResultNoReply && !r.HasState:
		return malformed("3.7", "state", "is missing from the answer to code_change")
	}
	return nil
}

func guestReason(n uint32) bool { return n >= uint32(ReasonNormal) && n <= uint32(ReasonError) }

func refusalStatus(n uint32) bool { return n == 0 || n >= 400 && n <= 599 }

// Sets of results and of effects, a bit each.
const (
	channelResults = 1<<ResultNoReply | 1<<ResultPush | 1<<ResultStop

	anywhereEffects = 1<<EffectBroadcast | 1<<EffectSendInfo | 1<<EffectDisconnect | 1<<EffectLog |
		1<<EffectGroupAdd | 1<<EffectGroupRemove | 1<<EffectGroupBroadcast
	closingEffects = anywhereEffects | 1<<EffectReply | 1<<EffectPush | 1<<EffectBroadcastFrom |
		1<<EffectPresenceUntrack
	channelEffects = 1<<numEffects - 2
	changeEffects  = 1<<EffectLog | 1<<EffectIntercept | 1<<EffectSubscribe | 1<<EffectUnsubscribe |
		1<<EffectSendAfter | 1<<EffectCancel | 1<<EffectPresenceTrack | 1<<EffectPresenceUpdate |
		1<<EffectPresenceUntrack
)

var allowedResults = [NumCallbacks]uint{
	CallbackConnect:    1<<ResultReply | 1<<ResultReplyError,
	CallbackJoin:       1<<ResultReply | 1<<ResultReplyError,
	CallbackHandleIn:   channelResults | 1<<ResultReply | 1<<ResultReplyError,
	CallbackHandleInfo: channelResults,
	CallbackHandleOut:  channelResults | 1<<ResultPass,
	CallbackTerminate:  1 << ResultNoReply,
	CallbackCodeChange: 1<<ResultNoReply | 1<<ResultReplyError,

	CallbackPresenceFetch: 1 << ResultReply,
}

// allowedEffects returns the effects that have a meaning in callback: there is
// no channel yet in connect and in a refused join, none any more after
// terminate, code_change only converts, and presence_fetch only tells.
func (r *Response) allowedEffects(callback Callback) uint {
	switch callback {
	case CallbackConnect:
		return anywhereEffects
	case CallbackTerminate:
		return closingEffects
	case CallbackCodeChange:
		return changeEffects
	case CallbackPresenceFetch:
		return 1 << EffectLog
	case CallbackJoin:
		if r.Result == ResultReplyError {
			return anywhereEffects
		}
	}
	return channelEffects
}

// check tells what an effect lacks, "" when nothing.
func (e *Effect) check() (problem string) {
	needs := effectNeeds[e.Kind]
	switch {
	case needs&needEvent != 0 && len(e.Event) == 0:
		return "has no event"
	case needs&needTopic != 0 && len(e.Topic) == 0:
		return "has no topic"
	case needs&needKey != 0 && len(e.Key) == 0:
		return "has no key"
	case e.Kind == EffectSendAfter && e.Value < 0:
		return "has a negative delay"
	case e.Kind == EffectStop && !guestReason(e.Number):
		return "has a reason that is none of normal, shutdown, error"
	case e.Kind == EffectLog && e.Number > uint32(LevelError):
		return "has an unknown level"
	}
	return ""
}

// checkIn tells what an effect lacks in callback: the fields that may be left
// empty to mean the current channel or message need one.
func (e *Effect) checkIn(callback Callback) (problem string) {
	switch {
	case callback == CallbackConnect && len(e.Topic) == 0 &&
		(e.Kind == EffectBroadcast || e.Kind == EffectSendInfo):
		return "has no topic, and connect has no channel to take it from"
	case callback == CallbackConnect && len(e.Key) == 0 &&
		(e.Kind == EffectDisconnect || e.Kind == EffectSendInfo):
		return "has no key, and connect has no joined socket to take it from"
	case e.Kind == EffectReply && len(e.Key) == 0 && callback != CallbackHandleIn:
		return "has no key, and only handle_in has a message to reply to"
	}
	return ""
}

const (
	needEvent = 1 << iota
	needTopic
	needKey
)

var effectNeeds = [numEffects]uint8{
	EffectPush:           needEvent,
	EffectBroadcast:      needEvent,
	EffectBroadcastFrom:  needEvent,
	EffectSendInfo:       needEvent,
	EffectSendAfter:      needEvent,
	EffectCancel:         needKey,
	EffectSubscribe:      needTopic,
	EffectUnsubscribe:    needTopic,
	EffectGroupAdd:       needTopic | needKey,
	EffectGroupRemove:    needTopic | needKey,
	EffectGroupBroadcast: needEvent | needKey,
	EffectIntercept:      needEvent,
}
