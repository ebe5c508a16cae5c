package aviary

import "github.com/aviary-host/aviary/abi"

// Reason says why a channel ends.
type Reason = abi.Reason

// The reasons. A guest may give the first three: normal and shutdown tell the
// client phx_close, error tells it phx_error, upon which it joins again.
const (
	ReasonNormal           = abi.ReasonNormal
	ReasonShutdown         = abi.ReasonShutdown
	ReasonError            = abi.ReasonError
	ReasonLeft             = abi.ReasonLeft
	ReasonClosed           = abi.ReasonClosed
	ReasonHeartbeatTimeout = abi.ReasonHeartbeatTimeout
	ReasonDuplicateJoin    = abi.ReasonDuplicateJoin
	ReasonDraining         = abi.ReasonDraining
	ReasonDisconnected     = abi.ReasonDisconnected
)

// Result is what a handler decided: see [Call.NoReply], [Call.Reply],
// [Call.ReplyError], [Call.ReplyStatus], [Call.Stop] and [Call.Pass]. The zero
// Result is NoReply. It takes place after all effects of the callback.
type Result struct {
	kind    abi.Result
	payload Value
	status  string
	stop    Reason // 0: the channel goes on
	text    string
}

// NoReply leaves it at the effects. In a HandleOut handler it drops the message.
func (Call) NoReply() Result { return Result{} }

// Reply answers the client's message with status ok. It has a meaning only in
// handlers of the client's events; elsewhere use [Call.ReplyTo].
func (Call) Reply(p Payload) Result {
	return Result{kind: abi.ResultReply, payload: valueFrom(p)}
}

// ReplyError answers the client's message with status error.
func (Call) ReplyError(p Payload) Result {
	return Result{kind: abi.ResultReplyError, payload: valueFrom(p)}
}

// ReplyStatus answers the client's message with a status of your own.
func (Call) ReplyStatus(status string, p Payload) Result {
	return Result{kind: abi.ResultReply, payload: valueFrom(p), status: status}
}

// Pass delivers a message as it is, in a HandleOut handler.
func (Call) Pass() Result { return Result{kind: abi.ResultPass} }

// Stop ends the channel for one of the reasons [ReasonNormal],
// [ReasonShutdown] and [ReasonError].
// why is for the log.
func (Call) Stop(reason Reason, why string) Result { return Result{}.Stop(reason, why) }

// Stop adds to a result that the channel ends after it: c.Reply(p).Stop(ReasonNormal, "").
func (r Result) Stop(reason Reason, why string) Result {
	r.stop, r.text = reason, why
	return r
}

// write puts r into the response.
func (r *Result) write(m *machine) {
	res := &m.resp
	if r.stop == 0 {
		res.Result = r.kind
		res.Event = bytesOf(r.status)
		res.Payload, res.Binary = wirePayload(r.payload)
		return
	}
	if r.kind == abi.ResultReply || r.kind == abi.ResultReplyError {
		status := r.status
		if r.kind == abi.ResultReplyError {
			status = statusError
		}
		e := m.effect(abi.EffectReply, r.payload)
		e.Event = bytesOf(status)
	}
	res.Result, res.Number, res.Text = abi.ResultStop, uint32(r.stop), bytesOf(r.text)
}

// statusError is the status of a reply by ReplyError, where it has to be spelled.
const statusError = "error"

// wirePayload splits a value into the two fields that stand for it in a response.
func wirePayload(v Value) (payload []byte, binary bool) {
	return bytesOf(v.text), v.kind == KindBytes
}

// JoinResult is what a Join handler decided: see [Call.Accept] and [Call.Refuse].
// The zero JoinResult is neither, and fails the join.
type JoinResult struct {
	kind    abi.Result
	payload Value
	stop    Reason
	text    string
}

// Accept lets the client join and answers it p. The effects of the join take
// place after this answer.
func (Call) Accept(p Payload) JoinResult {
	return JoinResult{kind: abi.ResultReply, payload: valueFrom(p)}
}

// Refuse does not let the client join and tells it p, by custom an object with a
// "reason". The state is dropped. phoenix.js will try again, until it leaves.
func (Call) Refuse(p Payload) JoinResult {
	return JoinResult{kind: abi.ResultReplyError, payload: valueFrom(p)}
}

// Stop adds to an accepted join that the channel ends right after its effects.
func (r JoinResult) Stop(reason Reason, why string) JoinResult {
	r.stop, r.text = reason, why
	return r
}

func (r *JoinResult) write(m *machine) {
	m.resp.Result = r.kind
	m.resp.Payload, m.resp.Binary = wirePayload(r.payload)
	if r.stop != 0 {
		e := m.effect(abi.EffectStop, Value{text: r.text})
		e.Number = uint32(r.stop)
	}
}
