package host

import (
	"sync"

	"github.com/aviary-host/aviary/wire"
	"github.com/gobwas/ws"
)

// Fanout is one broadcast on its way to its receivers: encoded when the first
// one needs it, then shared by all as ready WebSocket frames (phoenix
// channel/server.ex dispatch). Event and payload never change.
type Fanout struct {
	topic   string
	event   string
	payload []byte // JSON object

	once sync.Once
	v2   encoded
}

// encoded is a broadcast as clients of one serializer get it.
type encoded struct {
	text  []byte // the message
	frame []byte // the message as a WebSocket frame; text is a part of it
}

// newFanout keeps event and payload, which must not change afterwards.
func newFanout(topic, event string, payload []byte) *Fanout {
	return &Fanout{topic: topic, event: event, payload: payload}
}

// encoded returns the broadcast in serializer 2.0.0.
func (f *Fanout) encoded() *encoded {
	f.once.Do(func() {
		topic := wire.AppendQuoted(make([]byte, 0, len(f.topic)+2), f.topic)
		text := wire.V2{}.AppendPush(nil, &wire.Push{Topic: topic, Event: f.event, Payload: f.payload})
		frame := appendFrame(make([]byte, 0, len(text)+maxFrameHeader), ws.OpText, text)
		f.v2 = encoded{text: frame[len(frame)-len(text):], frame: frame}
	})
	return &f.v2
}
