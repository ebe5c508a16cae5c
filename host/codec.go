package host

import (
	"sync"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/wire"
	"github.com/gobwas/ws"
)

// codec is how the messages of a socket are read and written: by which
// serializer, and whether its link can carry raw bytes.
type codec struct {
	version wire.Version
	binary  bool // what is sent may be raw bytes
}

// newCodec: serializer 1.0.0 knows no binary frames, and a long poll's answer
// is JSON.
func newCodec(c *connected) codec {
	return codec{c.version, c.version == wire.Version2 && c.transport == abi.TransportWebSocket}
}

// decode reads one message. Serializer 1.0.0 takes JSON whatever the opcode it
// came with (v1_json_serializer.ex).
func (c codec) decode(frame []byte, binary bool, m *wire.Message) error {
	switch {
	case c.version == wire.Version1:
		return wire.V1{}.Decode(frame, m)
	case binary:
		return wire.V2{}.DecodeBinary(frame, m)
	default:
		return wire.V2{}.Decode(frame, m)
	}
}

// appendReply writes a reply, whose response is raw bytes if binary.
func (c codec) appendReply(dst []byte, r *wire.Reply, binary bool) ([]byte, error) {
	switch {
	case c.version == wire.Version1:
		return wire.V1{}.AppendReply(dst, r), nil
	case binary:
		return wire.V2{}.AppendBinaryReply(dst, r)
	default:
		return wire.V2{}.AppendReply(dst, r), nil
	}
}

// appendPush writes a push, whose payload is raw bytes if binary.
func (c codec) appendPush(dst []byte, p *wire.Push, binary bool) ([]byte, error) {
	switch {
	case c.version == wire.Version1:
		return wire.V1{}.AppendPush(dst, p), nil
	case binary:
		return wire.V2{}.AppendBinaryPush(dst, p)
	default:
		return wire.V2{}.AppendPush(dst, p), nil
	}
}

// Fanout is one broadcast on its way to its receivers: encoded for a serializer
// when the first one needs it, then shared by all as ready WebSocket frames
// (phoenix channel/server.ex dispatch). What it carries never changes.
type Fanout struct {
	topic   string
	event   string
	payload []byte // JSON object, or raw bytes if binary
	binary  bool
	spares  bool // sockets whose id topic this is, whatever the event

	v1, v2 encoding
}

// encoding is made once, when it is first asked for.
type encoding struct {
	once sync.Once
	encoded
}

// encoded is a broadcast as the clients of one serializer get it.
type encoded struct {
	op    ws.OpCode
	text  []byte // the message
	frame []byte // the message as a WebSocket frame; text is a part of it

	squeeze  sync.Once
	squeezed []byte // the message as a compressed frame
}

// deflated returns the message as a compressed frame, which is made when the
// first one needs it.
func (e *encoded) deflated(f *flates) *[]byte {
	e.squeeze.Do(func() { e.squeezed = appendDeflated(nil, f, e.op, e.text) })
	return &e.squeezed
}

// newFanout keeps event and payload, a JSON object, which must not change
// afterwards.
func newFanout(topic, event string, payload []byte) *Fanout {
	return &Fanout{topic: topic, event: event, payload: payload}
}

// encoded returns the broadcast as c's clients get it, nil if they cannot: a
// client that knows no raw bytes misses those broadcasts, where in Phoenix the
// sender dies of it (v1_json_serializer.ex).
func (f *Fanout) encoded(c codec) *encoded {
	if f.binary && !c.binary {
		return nil
	}
	e := &f.v2
	if c.version == wire.Version1 {
		e = &f.v1
	}
	e.once.Do(func() { f.encode(c, &e.encoded) })
	return &e.encoded
}

// encode writes the message behind the room for the longest header, so that
// message and frame are one piece of memory.
func (f *Fanout) encode(c codec, e *encoded) {
	const around = 64 // what a serializer has besides these three
	buf := make([]byte, maxFrameHeader, maxFrameHeader+len(f.topic)+len(f.event)+len(f.payload)+around)
	var topic [maxName + 2]byte
	p := wire.Push{Topic: wire.AppendQuoted(topic[:0], f.topic), Event: f.event, Payload: f.payload}
	if f.binary {
		// Topic and event were checked when the broadcast was made, so that they
		// fit their one byte of length.
		buf, _ = wire.V2{}.AppendBinaryBroadcast(buf, &p)
	} else {
		buf, _ = c.appendPush(buf, &p, false) // text fits anything
	}
	e.op, e.text = opCode(f.binary), buf[maxFrameHeader:]
	var room [maxFrameHeader]byte
	head := appendFrameHeader(room[:0], e.op, len(e.text))
	e.frame = buf[maxFrameHeader-len(head):]
	copy(e.frame, head)
}

func opCode(binary bool) ws.OpCode {
	if binary {
		return ws.OpBinary
	}
	return ws.OpText
}
