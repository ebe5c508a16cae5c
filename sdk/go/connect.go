package aviary

import "github.com/aviary-host/aviary/abi"

// ConnectHandler decides whether a client may connect. params are the query
// parameters of its request: an object of strings, and of objects and arrays of
// them.
type ConnectHandler func(c *ConnectContext, params Value) ConnectResult

// Connect declares the handler of new connections. Without one every client is
// accepted. It panics when called twice.
func Connect(handler ConnectHandler) { guest.setConnect(handler) }

func (m *machine) setConnect(handler ConnectHandler) {
	if handler == nil {
		panic("aviary: Connect without a handler")
	}
	if m.connect != nil {
		panic("aviary: Connect twice")
	}
	m.connect = handler
}

// ConnectContext is what a Connect handler works with. There is no channel yet,
// so only effects that need none are to be had.
type ConnectContext struct{ shared }

// Header returns a header of the client's request, "" unless the server's
// configuration lets the guest see it. The name is in lower case.
func (c *ConnectContext) Header(name string) string { return c.Headers().Get(name).String() }

// Headers returns all headers that the guest may see.
func (c *ConnectContext) Headers() Value { return parse(stringOf(c.m.req.Headers)) }

// ConnectResult is what a Connect handler decided: see [ConnectContext.Accept] and
// [ConnectContext.Refuse]. The zero ConnectResult is neither, and fails the
// connection.
type ConnectResult struct {
	kind    abi.Result
	payload Value
	status  int
	idTopic string
	seed    Value
	seeded  bool
}

// Accept lets the client connect.
func (*ConnectContext) Accept() ConnectResult { return ConnectResult{kind: abi.ResultReply} }

// Refuse does not: the client gets the HTTP status, 400 to 599 or 0 for 403, and
// the body.
func (*ConnectContext) Refuse(status int, body Payload) ConnectResult {
	return ConnectResult{kind: abi.ResultReplyError, status: status, payload: valueFrom(body)}
}

// ID gives the socket a topic of its own, by which it can be disconnected:
// [Call.DisconnectAll], or a broadcast of the event disconnect.
func (r ConnectResult) ID(topic string) ConnectResult {
	r.idTopic = topic
	return r
}

// Seed sets the state that each join of the socket begins with. It must be what
// the codec of the channel reads: an object for [State], or [Codec.Encode].
func (r ConnectResult) Seed(state Payload) ConnectResult {
	r.seed, r.seeded = valueFrom(state), true
	return r
}

func (r *ConnectResult) write(m *machine) {
	res := &m.resp
	res.Result = r.kind
	res.Payload, res.Binary = wirePayload(r.payload)
	res.Number = uint32(r.status)
	res.IDTopic = bytesOf(r.idTopic)
	res.HasState, res.State = r.seeded, bytesOf(r.seed.text)
}

func (m *machine) serveConnect() {
	var r ConnectResult
	if m.connect == nil {
		r.kind = abi.ResultReply
	} else {
		r = m.connect(&m.connectContext, m.params())
	}
	r.write(m)
}

func (m *machine) params() Value { return parse(stringOf(m.req.Params)) }
