package aviary

import "github.com/aviary-host/aviary/abi"

// FetchHandler answers what clients see beside the metas of a presence that is about to be
// tracked or updated: an object, such as one with what is known of the user. It is asked once
// for each Track and UpdatePresence, c.Event() being the topic; only log lines are allowed as
// effects.
type FetchHandler func(c Call, key string, meta Value) Payload

// Handler answers an event, a message or a broadcast of a channel.
type Handler[S any] func(c *Context[S], p Value) Result

// JoinHandler decides whether a client may join. p is the payload of its request.
type JoinHandler[S any] func(c *Context[S], p Value) JoinResult

// TerminateHandler runs when a channel ends. The client may be gone; only
// broadcasts and the like still reach somebody.
type TerminateHandler[S any] func(c *Context[S], reason Reason)

// CodeChangeHandler moves a channel from another version of the module to this
// one. c.State() reads the old state by the new codec; where that does not do,
// version and old are what the old module left. An error keeps the channel with
// the old version. Only log lines are allowed as effects.
type CodeChangeHandler[S any] func(c *Context[S], version uint32, old []byte) error

// Channel declares the channel that serves the topics that match pattern, and
// returns it for handlers to be added. It is called from an init function.
//
// A pattern is a topic; or it ends in a star, which matches any rest, as room:*
// does; or whole segments are stars, as in doc:*:page and doc:*:*, each of which
// matches any one segment. The first declared pattern that matches a topic wins.
func Channel[S any](pattern string, codec Codec[S]) *Route[S] {
	return addRoute(guest, pattern, codec)
}

func addRoute[S any](m *machine, pattern string, codec Codec[S]) *Route[S] {
	if codec.Load == nil || codec.Append == nil {
		panic("aviary: channel " + pattern + " has no codec; see NoState")
	}
	r := &Route[S]{pattern: parsePattern(pattern), codec: codec}
	m.routes = append(m.routes, r)
	return r
}

// Route is a channel under declaration: the handlers of the topics of one pattern.
// Its methods return it; they panic on what cannot be meant, such as a second
// handler for the same thing.
type Route[S any] struct {
	pattern pattern
	codec   Codec[S]

	join       JoinHandler[S]
	in         handlers[S]
	info       handlers[S]
	out        handlers[S]
	terminate  TerminateHandler[S]
	codeChange CodeChangeHandler[S]
	fetch      FetchHandler

	context Context[S] // reused: one callback at a time
}

// handlers are those of one callback: by event, and for any other event.
type handlers[S any] struct {
	named []named[S]
	other Handler[S]
}

type named[S any] struct {
	event   string
	handler Handler[S]
}

// Join sets the handler of joins. A channel must have one: without, the server refuses
// the module.
func (r *Route[S]) Join(handler JoinHandler[S]) *Route[S] {
	r.once(handler != nil, r.join == nil, "Join")
	r.join = handler
	return r
}

// On sets the handler of one event from clients.
func (r *Route[S]) On(event string, handler Handler[S]) *Route[S] {
	r.add(&r.in, event, handler)
	return r
}

// HandleIn sets the handler of all other events from clients. Without one they get
// the error reply {"reason":"unknown event","event":...}.
func (r *Route[S]) HandleIn(handler Handler[S]) *Route[S] {
	r.once(handler != nil, r.in.other == nil, "HandleIn")
	r.in.other = handler
	return r
}

// OnInfo sets the handler of one event of messages, timers and subscribed topics.
func (r *Route[S]) OnInfo(event string, handler Handler[S]) *Route[S] {
	r.add(&r.info, event, handler)
	return r
}

// HandleInfo sets the handler of all others. Without one they are ignored.
func (r *Route[S]) HandleInfo(handler Handler[S]) *Route[S] {
	r.once(handler != nil, r.info.other == nil, "HandleInfo")
	r.info.other = handler
	return r
}

// HandleOut makes broadcasts of an event go through handler on their way to each
// client of the channel. It answers Pass to deliver the broadcast as it is, or
// NoReply to drop it, having pushed something else or not.
func (r *Route[S]) HandleOut(event string, handler Handler[S]) *Route[S] {
	r.add(&r.out, event, handler)
	return r
}

// Terminate sets the handler of the channel's end.
func (r *Route[S]) Terminate(handler TerminateHandler[S]) *Route[S] {
	r.once(handler != nil, r.terminate == nil, "Terminate")
	r.terminate = handler
	return r
}

// CodeChange sets the handler that brings a channel to this version of the module.
// Without one its state is taken over as it is.
func (r *Route[S]) CodeChange(handler CodeChangeHandler[S]) *Route[S] {
	r.once(handler != nil, r.codeChange == nil, "CodeChange")
	r.codeChange = handler
	return r
}

// FetchPresence sets the handler that enriches presences.
func (r *Route[S]) FetchPresence(handler FetchHandler) *Route[S] {
	r.once(handler != nil, r.fetch == nil, "FetchPresence")
	r.fetch = handler
	return r
}

// once panics unless what is given a handler, for the first time.
func (r *Route[S]) once(given, first bool, what string) {
	if !given {
		panic("aviary: channel " + r.pattern.text + ": " + what + " without a handler")
	}
	if !first {
		panic("aviary: channel " + r.pattern.text + ": " + what + " twice")
	}
}

func (r *Route[S]) add(to *handlers[S], event string, handler Handler[S]) {
	if event == "" {
		panic("aviary: channel " + r.pattern.text + ": handler of the empty event")
	}
	r.once(handler != nil, !to.has(event), "event "+event)
	to.named = append(to.named, named[S]{event, handler})
}

func (h *handlers[S]) has(event string) bool {
	for i := range h.named {
		if h.named[i].event == event {
			return true
		}
	}
	return false
}

// find returns the handler of event, nil if there is none.
func (h *handlers[S]) find(event string) Handler[S] {
	for i := range h.named {
		if h.named[i].event == event {
			return h.named[i].handler
		}
	}
	return h.other
}

func (h *handlers[S]) any() bool { return h.other != nil || len(h.named) > 0 }

// topics implements route.
func (r *Route[S]) topics() pattern { return r.pattern }

// has implements route.
func (r *Route[S]) has(callback abi.Callback) bool {
	switch callback {
	case abi.CallbackJoin:
		return r.join != nil
	case abi.CallbackHandleInfo:
		return r.info.any()
	case abi.CallbackHandleOut:
		return r.out.any()
	case abi.CallbackTerminate:
		return r.terminate != nil
	case abi.CallbackCodeChange:
		return r.codeChange != nil
	case abi.CallbackPresenceFetch:
		return r.fetch != nil
	}
	return true
}

// serve implements route.
func (r *Route[S]) serve(m *machine) {
	c := &r.context
	c.begin(m, &r.codec)
	switch m.req.Callback {
	case abi.CallbackJoin:
		r.serveJoin(c)
	case abi.CallbackHandleIn:
		r.serveEvent(c, &r.in, unknownEvent)
	case abi.CallbackHandleInfo:
		r.serveEvent(c, &r.info, Call.NoReply)
	case abi.CallbackHandleOut:
		r.serveEvent(c, &r.out, Call.Pass)
	case abi.CallbackTerminate:
		if r.terminate != nil {
			r.terminate(c, Reason(m.req.Reason))
		}
	case abi.CallbackCodeChange:
		r.serveCodeChange(c)
	case abi.CallbackPresenceFetch:
		c.m.resp.Result = abi.ResultReply
		if r.fetch != nil { // another channel has one
			c.m.resp.Payload, c.m.resp.Binary = wirePayload(valueFrom(r.fetch(c.Call, stringOf(c.m.req.Source), c.m.payload())))
		}
	}
}

func (r *Route[S]) serveJoin(c *Context[S]) {
	if r.join == nil {
		panic("aviary: channel " + r.pattern.text + " has no Join handler")
	}
	for i := range r.out.named {
		c.Intercept(r.out.named[i].event)
	}
	result := r.join(c, c.m.payload())
	result.write(c.m)
	if result.kind == abi.ResultReply {
		c.commit()
		return
	}
	effects := &c.m.resp.Effects // a refused join has nothing to intercept
	*effects = append((*effects)[:0], (*effects)[len(r.out.named):]...)
}

// serveEvent gives the event to its handler, or to otherwise if there is none.
func (r *Route[S]) serveEvent(c *Context[S], among *handlers[S], otherwise func(Call) Result) {
	var result Result
	if handler := among.find(c.Event()); handler != nil {
		result = handler(c, c.m.payload())
	} else {
		result = otherwise(c.Call)
	}
	result.write(c.m)
	c.commit()
}

func unknownEvent(c Call) Result {
	return c.ReplyError(Object().Str("reason", "unknown event").Str("event", c.Event()))
}

func (r *Route[S]) serveCodeChange(c *Context[S]) {
	m := c.m
	if r.codeChange == nil {
		m.keepState()
		return
	}
	if err := r.codeChange(c, m.req.StateVersion, m.req.State); err != nil {
		m.refuse(err.Error())
		return
	}
	c.State()
	m.state = r.codec.Append(m.state[:0], &c.state)
	m.resp.HasState, m.resp.State, m.resp.StateVersion = true, m.state, r.codec.Version
}
