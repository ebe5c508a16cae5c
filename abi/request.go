package abi

// RequestHeaderSize is the size in bytes of the header of a request of this
// revision. A later revision may append fields, so a reader goes by the size
// that the header names.
const RequestHeaderSize = 136

// Offsets of the fields of a request header (SPEC.md section 3.1).
const (
	reqHeaderSize   = 0
	reqCallback     = 2
	reqFlags        = 3
	reqReason       = 4
	reqTime         = 8
	reqSeed         = 16
	reqStateVersion = 32
	reqTransport    = 36

	reqSocketID = 40 // from here on (offset, length) pairs
	reqTopic    = 48
	reqEvent    = 56
	reqRef      = 64
	reqJoinRef  = 72
	reqPayload  = 80
	reqState    = 88
	reqIDTopic  = 96
	reqParams   = 104
	reqHeaders  = 112
	reqConfig   = 120
	reqSource   = 128
)

// flagBinary marks a payload of raw bytes, in requests, responses and effects.
const flagBinary = 1

// Request is what the host hands to a callback. Encoded it is one flat block;
// decoded, its slices are views into that block.
type Request struct {
	Callback Callback
	Binary   bool   // Payload is raw bytes rather than JSON text
	Reason   uint32 // handle_info: an InfoKind; terminate: a Reason
	TimeMS   int64  // wall clock, milliseconds since 1970
	Seed     [16]byte

	StateVersion uint32 // as the guest last gave it
	Transport    Transport

	SocketID []byte // unique for this connection, printable ASCII
	Topic    []byte // UTF-8
	Event    []byte // UTF-8
	Ref      []byte // opaque, empty for none; give it back to reply later
	JoinRef  []byte // opaque, empty for none
	Payload  []byte // JSON text, or bytes when Binary
	State    []byte // as the guest last gave it
	IDTopic  []byte // as connect gave it
	Params   []byte // connect: JSON object of the query parameters
	Headers  []byte // connect: JSON object of the allowed request headers
	Config   []byte // connect, join, code_change: JSON object of the plugin's settings
	Source   []byte // handle_info: topic of a broadcast or key of a timer; terminate: text of the reason
}

// Size returns the length in bytes of the encoded request.
func (r *Request) Size() int {
	return RequestHeaderSize + len(r.SocketID) + len(r.Topic) + len(r.Event) +
		len(r.Ref) + len(r.JoinRef) + len(r.Payload) + len(r.State) + len(r.IDTopic) +
		len(r.Params) + len(r.Headers) + len(r.Config) + len(r.Source)
}

// AppendRequest appends the encoded request to dst. It does not allocate when
// dst has room for [Request.Size] more bytes. The sum of the lengths must fit
// 32 bits, which the host's frame limits see to.
func AppendRequest(dst []byte, r *Request) []byte {
	w := blockWriter{base: len(dst), buf: appendZeros(dst, RequestHeaderSize)}
	h := w.buf[w.base:]
	put16(h[reqHeaderSize:], RequestHeaderSize)
	h[reqCallback] = byte(r.Callback)
	h[reqFlags] = bit(r.Binary, flagBinary)
	put32(h[reqReason:], r.Reason)
	put64(h[reqTime:], uint64(r.TimeMS))
	copy(h[reqSeed:], r.Seed[:])
	put32(h[reqStateVersion:], r.StateVersion)
	put32(h[reqTransport:], uint32(r.Transport))
	w.put(reqSocketID, r.SocketID)
	w.put(reqTopic, r.Topic)
	w.put(reqEvent, r.Event)
	w.put(reqRef, r.Ref)
	w.put(reqJoinRef, r.JoinRef)
	w.put(reqPayload, r.Payload)
	w.put(reqState, r.State)
	w.put(reqIDTopic, r.IDTopic)
	w.put(reqParams, r.Params)
	w.put(reqHeaders, r.Headers)
	w.put(reqConfig, r.Config)
	w.put(reqSource, r.Source)
	return w.buf
}

// DecodeRequest reads an encoded request into r, overwriting all of it. The
// slices are views into b. The error is a [*FormatError].
func DecodeRequest(b []byte, r *Request) error {
	if len(b) < RequestHeaderSize {
		return malformed("3.1", "request", small(len(b), RequestHeaderSize))
	}
	size := int(get16(b[reqHeaderSize:]))
	if size < RequestHeaderSize {
		return malformed("3.1", "header_size", small(size, RequestHeaderSize))
	}
	if size > len(b) {
		return malformed("3.1", "header_size", "is past the request").over(size, len(b))
	}
	r.Callback = Callback(b[reqCallback])
	if r.Callback == 0 || int(r.Callback) >= NumCallbacks {
		return malformed("3.1", "callback", "has an unknown number")
	}
	r.Binary = b[reqFlags]&flagBinary != 0
	r.Reason = get32(b[reqReason:])
	r.TimeMS = int64(get64(b[reqTime:]))
	copy(r.Seed[:], b[reqSeed:])
	r.StateVersion = get32(b[reqStateVersion:])
	r.Transport = Transport(get32(b[reqTransport:]))
	v := blockReader{block: b}
	r.SocketID = v.get(reqSocketID)
	r.Topic = v.get(reqTopic)
	r.Event = v.get(reqEvent)
	r.Ref = v.get(reqRef)
	r.JoinRef = v.get(reqJoinRef)
	r.Payload = v.get(reqPayload)
	r.State = v.get(reqState)
	r.IDTopic = v.get(reqIDTopic)
	r.Params = v.get(reqParams)
	r.Headers = v.get(reqHeaders)
	r.Config = v.get(reqConfig)
	r.Source = v.get(reqSource)
	if v.bad != 0 {
		return malformed("3.1", requestField(v.bad), "ends past the request")
	}
	return nil
}

// requestField names the pair at an offset of the header.
func requestField(pair int) string {
	names := [...]string{
		"socket_id", "topic", "event", "ref", "join_ref", "payload",
		"state", "id_topic", "params", "headers", "config", "source",
	}
	return names[(pair-reqSocketID)/8]
}
