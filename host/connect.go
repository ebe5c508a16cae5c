package host

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"log/slog"
	"strconv"
	"time"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/wire"
	"github.com/valyala/fasthttp"
)

// connected is what the connect callback decided for a socket to be.
type connected struct {
	transport    abi.Transport
	version      wire.Version
	socketID     string
	idTopic      string
	deflates     bool   // permessage-deflate was agreed on
	leave        func() // gives back what was counted for the connection
	state        []byte
	stateVersion uint32
}

// refusal is an HTTP answer in place of an upgrade.
type refusal struct {
	status int
	body   string
	retry  bool // the client is to try again, also one that polls
}

// newSocketID returns 128 random bits in upper-case hex.
func newSocketID() string {
	const digits = "0123456789ABCDEF"
	var b [16]byte
	rand.Read(b[:]) // never fails: crypto/rand crashes the process instead
	var text [2 * len(b)]byte
	for i, x := range b {
		text[2*i], text[2*i+1] = digits[x>>4], digits[x&15]
	}
	return string(text[:])
}

// connect asks the mount's handler about a client (phoenix socket.ex,
// connect/3 and id/1).
func (s *Server) connect(v *visitor) (*connected, *refusal) {
	c := &connected{transport: v.transport, version: v.version, socketID: newSocketID()}
	m := v.mount
	if m.connects == nil {
		return c, nil
	}
	gen := m.connects.connecting()
	defer gen.release()
	if !gen.version.Handler.Implements(abi.CallbackConnect) {
		return c, nil
	}
	params, problem := paramsJSON(v.ctx.QueryArgs(), v.vars)
	if problem != "" {
		return nil, &refusal{status: fasthttp.StatusBadRequest, body: problem}
	}
	b := s.scratch.Get().(*scratch)
	defer s.release(b)
	b.req = abi.Request{
		Callback: abi.CallbackConnect, Transport: v.transport, SocketID: []byte(c.socketID),
		Params: params, Headers: v.headersJSON(),
	}
	s.stamp(&b.req)
	log := m.tenant.log.With("socket", c.socketID).With(gen.attrs(m.ConnectPlugin)...)
	resp, err := s.call(gen.version.Handler, b, stay)
	if err == nil {
		err = checkConnect(resp)
	}
	if err == nil {
		err = m.connecting(c.socketID).check(resp.Effects)
	}
	if err == nil {
		err = m.tenant.holdGroups(m.ConnectCapabilities, resp.Effects)
	}
	if after, ok := asUnavailable(err); ok {
		m.tenant.countUnavailable(log, abi.CallbackConnect, err)
		v.ctx.Response.Header.Set("Retry-After", strconv.FormatInt(roundUp(after, time.Second), 10))
		return nil, &refusal{status: fasthttp.StatusServiceUnavailable, body: "plugin_unavailable"}
	}
	if err != nil {
		m.tenant.callbackFailed(log, abi.CallbackConnect, err)
		return nil, &refusal{status: fasthttp.StatusInternalServerError}
	}
	m.tenant.applyConnect(resp, m.ConnectCapabilities, log)
	if resp.Result == abi.ResultReplyError {
		return nil, &refusal{status: cmp.Or(int(resp.Number), fasthttp.StatusForbidden), body: string(resp.Payload)}
	}
	c.idTopic = string(resp.IDTopic)
	c.state, c.stateVersion = bytes.Clone(resp.State), resp.StateVersion
	return c, nil
}

// checkConnect is checkAnswer for connect, where the payload is the body of an
// HTTP answer and may be anything.
func checkConnect(r *abi.Response) error {
	if len(r.IDTopic) > 0 && topicProblem(r.IDTopic) {
		return &OutputError{Field: "id_topic", Problem: "is not UTF-8 of 1 to 255 bytes"}
	}
	without := *r
	without.Binary, without.Payload = false, nil
	return checkAnswer(&without, codec{})
}

// applyConnect makes the effects happen that are allowed without a channel.
func (t *Tenant) applyConnect(r *abi.Response, caps *Capabilities, log *slog.Logger) {
	for i := range r.Effects {
		e := &r.Effects[i]
		switch e.Kind {
		case abi.EffectBroadcast:
			t.broadcast(nil, caps, string(e.Topic), e)
		case abi.EffectSendInfo:
			t.sendInfo(string(e.Key), string(e.Topic), e)
		case abi.EffectGroupAdd, abi.EffectGroupRemove, abi.EffectGroupBroadcast:
			t.applyGroup(caps, e)
		case abi.EffectDisconnect:
			t.disconnect(string(e.Key))
		case abi.EffectLog:
			t.logEffect(func() *slog.Logger { return log }, e)
		}
	}
}

// sendInfo leaves an effect's message with a channel; nothing if there is none.
func (t *Tenant) sendInfo(socketID, topic string, e *abi.Effect) {
	if c := t.find(socketID, topic); c != nil {
		c.postInfo(&mail{
			kind: mailInfo, info: abi.InfoMessage, event: string(e.Event), payload: ownPayload(e), binary: e.Binary,
		})
	}
}

// disconnect closes all sockets with the id topic.
func (t *Tenant) disconnect(idTopic string) {
	t.pubsub.Broadcast(idTopic, newFanout(idTopic, wire.EventDisconnect, emptyObject))
}
