package wire

// Message is one decoded client frame.
//
// Every slice is a view into the frame it was decoded from and lives as long as
// the frame is neither changed nor reused. Fresh memory are, of a text frame,
// only Topic and Event whose text holds an escape; of a binary frame, only the
// JSON tokens, which it has to be quoted to be, and of a user broadcast Event and
// Payload as well.
type Message struct {
	// JoinRef and Ref are raw JSON tokens, nil when null. A ref may be any JSON
	// value and is echoed and compared as received: 11 and "11" differ, and so
	// do two spellings of one string. A binary frame knows neither types nor
	// null: its refs are always strings, "" where it has none.
	JoinRef, Ref []byte

	// Topic is the topic's text without quotes and escapes. It is nil, and
	// TopicIsString false, when the client sent something other than a string.
	Topic         []byte
	TopicIsString bool
	// TopicJSON is the topic as received, a raw JSON token. Frames back to this
	// client carry it, so that the client sees its own spelling.
	TopicJSON []byte

	// Event is the event's text without quotes and escapes; when the client sent
	// something other than a string, EventIsString is false and Event is the raw
	// JSON token.
	Event         []byte
	EventIsString bool

	// Payload is the payload's raw JSON text: valid, not parsed, of any type. Of
	// a binary push it is bytes of any kind, and Binary is true.
	Payload []byte
	Binary  bool
}

// Reply is the answer to one ref. JoinRef, Ref and Topic are raw JSON tokens,
// usually those of the [Message] answered; nil becomes null. Replies to
// heartbeats and to unmatched topics carry a nil JoinRef even when the request
// had one (phoenix socket.ex).
type Reply struct {
	JoinRef, Ref, Topic []byte

	// Status is plain text, usually [StatusOK] or [StatusError].
	Status string

	// Response is any JSON value, pasted as it is: the caller vouches that it is
	// [Valid]. Empty means {}. In a binary frame it is any bytes, and empty means
	// none.
	Response []byte
}

// Push is every other frame a server sends. JoinRef, Ref and Topic are raw JSON
// tokens; nil becomes null. What it is follows from its refs (phoenix
// v2_json_serializer.ex, socket.ex):
//
//	push                   JoinRef set, Ref nil
//	broadcast              both nil
//	phx_close, phx_error   the join ref in both
type Push struct {
	JoinRef, Ref, Topic []byte

	// Event is plain text.
	Event string

	// Payload is a JSON object, pasted as it is: the caller vouches that it is
	// [Valid] and [IsObject]. Empty means {}. In a binary frame it is any bytes,
	// and empty means none.
	Payload []byte
}
