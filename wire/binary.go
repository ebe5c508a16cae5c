package wire

import "unicode/utf8"

// MaxBinaryField is the length in bytes of the longest field of a binary frame
// other than the payload: its length is written as one byte.
const MaxBinaryField = 255

// kinds of binary frames. A push is laid out differently in each direction.
const (
	kindPush      = 0
	kindReply     = 1
	kindBroadcast = 2
)

// fields of a client's binary frame, by position.
const (
	fieldJoinRef = iota
	fieldRef
	fieldTopic
	fieldEvent
	fieldCount
)

// DecodeBinary overwrites *m with the message in a binary frame, a client's
// push. On failure it returns a [*DecodeError] and *m is the zero Message.
//
// An absent join ref is the string "" and not null, and so that of no channel;
// Phoenix has it so.
//
// The frame must stay unchanged as long as *m is used. The JSON tokens share one
// fresh allocation; all else are views. Nothing is asked of the payload, so the
// time does not depend on it.
func (V2) DecodeBinary(frame []byte, m *Message) error {
	*m = Message{}
	var fields [fieldCount][]byte
	payload, reason := splitBinary(frame, &fields)
	if reason != reasonNone {
		return &DecodeError{Reason: reason}
	}
	joinRef, ref, topic := fields[fieldJoinRef], fields[fieldRef], fields[fieldTopic]
	tokens := make([]byte, 0, quotedBound(joinRef)+quotedBound(ref)+quotedBound(topic))
	m.JoinRef, tokens = quoteIn(tokens, joinRef)
	m.Ref, tokens = quoteIn(tokens, ref)
	m.TopicJSON, _ = quoteIn(tokens, topic)
	m.Topic, m.TopicIsString = topic, true
	m.Event, m.EventIsString = fields[fieldEvent], true
	m.Payload, m.Binary = payload, true
	return nil
}

// AppendBinaryReply appends a reply with a binary response to dst and returns
// the extended slice. A ref or topic that is a string is written as its text,
// null as nothing, any other token as it is spelled.
//
// When a field is too long it returns dst as it was and an [*EncodeError]. It
// keeps none of its arguments.
func (V2) AppendBinaryReply(dst []byte, r *Reply) ([]byte, error) {
	w := startBinary(dst, kindReply, 4)
	w.token("join_ref", r.JoinRef)
	w.token("ref", r.Ref)
	w.token("topic", r.Topic)
	w.text("status", r.Status)
	return w.finish(r.Response)
}

// AppendBinaryPush appends a push with a binary payload to dst, otherwise as
// [V2.AppendBinaryReply]. The ref is not written, as the format has no place for
// it.
func (V2) AppendBinaryPush(dst []byte, p *Push) ([]byte, error) {
	w := startBinary(dst, kindPush, 3)
	w.token("join_ref", p.JoinRef)
	w.token("topic", p.Topic)
	w.text("event", p.Event)
	return w.finish(p.Payload)
}

// AppendBinaryBroadcast appends a broadcast with a binary payload to dst,
// otherwise as [V2.AppendBinaryReply]. Neither ref is written, so that the frame
// is the same for every subscriber.
func (V2) AppendBinaryBroadcast(dst []byte, p *Push) ([]byte, error) {
	w := startBinary(dst, kindBroadcast, 2)
	w.token("topic", p.Topic)
	w.text("event", p.Event)
	return w.finish(p.Payload)
}

// splitBinary stores the fields of a client's push and returns what follows
// them.
func splitBinary(frame []byte, fields *[fieldCount][]byte) (payload []byte, reason Reason) {
	switch {
	case len(frame) == 0:
		return nil, ReasonEmpty
	case frame[0] != kindPush:
		return nil, ReasonUnknownKind
	case len(frame) < 1+fieldCount:
		return nil, ReasonTruncated
	}
	lens, start := frame[1:1+fieldCount], 1+fieldCount
	for i, n := range lens {
		end := start + int(n)
		if end > len(frame) {
			return nil, ReasonTruncated
		}
		fields[i] = frame[start:end:end]
		if !utf8.Valid(fields[i]) {
			return nil, ReasonNotUTF8
		}
		start = end
	}
	return frame[start:len(frame):len(frame)], reasonNone
}

// quoteIn appends text to dst as a JSON token and returns the token as well.
func quoteIn(dst, text []byte) (token, extended []byte) {
	start := len(dst)
	dst = appendQuotedUTF8(dst, text)
	return dst[start:len(dst):len(dst)], dst
}

// binaryWriter appends one binary frame. All lengths come before all texts, so
// the bytes of the lengths are set aside first and filled in one by one.
type binaryWriter struct {
	before []byte // dst as it was
	out    []byte
	next   int // index in out of the next length
	err    error
}

func startBinary(dst []byte, kind byte, fields int) binaryWriter {
	out := append(dst, kind)
	return binaryWriter{before: dst, out: append(out, make([]byte, fields)...), next: len(out)}
}

func (w *binaryWriter) token(name string, token []byte) {
	start := len(w.out)
	w.out = appendPlain(w.out, token)
	w.measure(name, start)
}

func (w *binaryWriter) text(name, text string) {
	start := len(w.out)
	w.out = appendUTF8(w.out, text)
	w.measure(name, start)
}

// measure writes the length of the field that starts at start. The first field
// that is too long decides the error.
func (w *binaryWriter) measure(name string, start int) {
	n := len(w.out) - start
	if n > MaxBinaryField {
		if w.err == nil {
			w.err = &EncodeError{Field: name, Len: n}
		}
		return
	}
	w.out[w.next] = byte(n)
	w.next++
}

func (w *binaryWriter) finish(payload []byte) ([]byte, error) {
	if w.err != nil {
		return w.before, w.err
	}
	return append(w.out, payload...), nil
}
