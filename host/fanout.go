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

	encode sync.Once
	frame  []byte
}

// newFanout keeps event and payload, which must not change afterwards.
func newFanout(topic, event string, payload []byte) *Fanout {
	return &Fanout{topic: topic, event: event, payload: payload}
}

// frameV2 returns the broadcast as a text frame of serializer 2.0.0.
func (f *Fanout) frameV2() []byte {
	f.encode.Do(func() {
		topic := wire.AppendQuoted(make([]byte, 0, len(f.topic)+2), f.topic)
		text := wire.V2{}.AppendPush(nil, &wire.Push{Topic: topic, Event: f.event, Payload: f.payload})
		f.frame = appendFrame(make([]byte, 0, len(text)+10), ws.OpText, text)
	})
	return f.frame
}
