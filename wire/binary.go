package wire

import "unicode/utf8"

// MaxBinaryField is the length in bytes of the longest field of a binary frame
// other than the payload: its length is written as one byte.
const MaxBinaryField = 255

// kinds of binary frames. A push is laid out differently in each direction.
const (
	kindPush          = 0
	kindReply         = 1
	kindBroadcast     = 2
	kindUserBroadcast = 3 // not of Phoenix but of Supabase
)

// fields of a client's binary frame, by position.
const (
	fieldJoinRef = iota
	fieldRef
	fieldTopic
	fieldEvent
	fieldMetadata // only of a user broadcast
	maxFields
)

// pushFields is how many a push has.
const pushFields = fieldMetadata

// DecodeBinary overwrites *m with the message in a binary frame, which is a
// client's push, or a user broadcast of Supabase's realtime-js. On failure it
// returns a [*DecodeError] and *m is the zero Message.
//
// A user broadcast becomes what the same client sends as text where it speaks
// V1: the event "broadcast", whose payload is JSON and not Binary, an object of
// type, event, payload and, if the frame has metadata, meta. Payload and metadata
// are judged as [Valid] judges them, with that object around them.
//
// An absent join ref is the string "" and not null, and so that of no channel;
// Phoenix has it so.
//
// The frame must stay unchanged as long as *m is used. What is no view shares one
// fresh allocation, at most 6 KB larger than the frame. Nothing is asked of the
// payload of a push, so the time does not depend on it; that of a user broadcast
// takes as long as in [V2.Decode].
func (V2) DecodeBinary(frame []byte, m *Message) error {
	*m = Message{}
	if reason := m.setBinary(frame); reason != reasonNone {
		return &DecodeError{Reason: reason}
	}
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

// setBinary fills m, so far zero, with a binary frame. It leaves m alone if it
// returns a reason.
func (m *Message) setBinary(frame []byte) Reason {
	if len(frame) == 0 {
		return ReasonEmpty
	}
	switch frame[0] {
	case kindPush:
		return m.setPush(frame)
	case kindUserBroadcast:
		return m.setUserBroadcast(frame)
	default:
		return ReasonUnknownKind
	}
}

func (m *Message) setPush(frame []byte) Reason {
	var fields [pushFields][]byte
	payload, reason := splitBinary(frame, 1+pushFields, fields[:])
	if reason != reasonNone {
		return reason
	}
	m.setAddress(fields[:], 0)
	m.Event, m.EventIsString = fields[fieldEvent], true
	m.Payload, m.Binary = payload, true
	return reasonNone
}

// setAddress sets the refs and the topic. The memory that it makes for their
// tokens has room for so many bytes more, which may be appended to rest.
func (m *Message) setAddress(fields [][]byte, room int) (rest []byte) {
	joinRef, ref, topic := fields[fieldJoinRef], fields[fieldRef], fields[fieldTopic]
	rest = make([]byte, 0, quotedBound(joinRef)+quotedBound(ref)+quotedBound(topic)+room)
	m.JoinRef, rest = quoteIn(rest, joinRef)
	m.Ref, rest = quoteIn(rest, ref)
	m.TopicJSON, rest = quoteIn(rest, topic)
	m.Topic, m.TopicIsString = topic, true
	return rest
}

// splitBinary stores the fields of a client's frame and returns what follows
// them. Their lengths follow the kind, their texts start at frame[start].
func splitBinary(frame []byte, start int, fields [][]byte) (payload []byte, reason Reason) {
	if len(frame) < start {
		return nil, ReasonTruncated
	}
	for i, n := range frame[1 : 1+len(fields)] {
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
