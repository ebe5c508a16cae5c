package wire

import "bytes"

// V1 is the serializer for vsn ~> 1.0.0, which is also what a client without a
// vsn speaks. It has no state; use the zero value. It knows no binary frames:
// Phoenix decodes JSON whatever the opcode it came with.
// Source: phoenix v1_json_serializer.ex, message.ex.
type V1 struct{}

// longestKey is join_ref with each letter spelled \u....
const longestKey = len("join_ref") * len(`\u0000`)

// Decode overwrites *m with the message in a frame, an object with the keys
// topic, event, payload and ref. A join_ref is read when it is there, other keys
// are ignored, and of equal keys the first counts. On failure it returns a
// [*DecodeError] and *m is the zero Message.
//
// Ownership, allocations and time are those of [V2.Decode].
func (V1) Decode(frame []byte, m *Message) error {
	*m = Message{}
	if reason := checkText(frame); reason != reasonNone {
		return &DecodeError{Reason: reason}
	}
	var elems [elemCount][]byte
	if reason := splitObject(frame, &elems); reason != reasonNone {
		return &DecodeError{Reason: reason}
	}
	m.set(&elems)
	return nil
}

// AppendReply appends a phx_reply frame to dst and returns the extended slice.
// The join ref is not written, as the format has no place for it, and an empty
// Status is null. It does not look inside the raw tokens and keeps none of them.
func (V1) AppendReply(dst []byte, r *Reply) []byte {
	dst = append(dst, `{"topic":`...)
	dst = appendToken(dst, r.Topic)
	dst = append(dst, `,"event":"`+EventReply+`","payload":{"status":`...)
	if r.Status == "" {
		dst = append(dst, "null"...)
	} else {
		dst = AppendQuoted(dst, r.Status)
	}
	dst = append(dst, `,"response":`...)
	dst = appendPayload(dst, r.Response)
	dst = append(dst, `},"ref":`...)
	dst = appendToken(dst, r.Ref)
	return append(dst, '}')
}

// AppendPush appends any frame that is not a reply to dst and returns the
// extended slice. The join ref is not written, so a push and a broadcast are the
// same bytes. It does not look inside the raw tokens and keeps none.
func (V1) AppendPush(dst []byte, p *Push) []byte {
	dst = append(dst, `{"topic":`...)
	dst = appendToken(dst, p.Topic)
	dst = append(dst, `,"event":`...)
	dst = AppendQuoted(dst, p.Event)
	dst = append(dst, `,"payload":`...)
	dst = appendPayload(dst, p.Payload)
	dst = append(dst, `,"ref":`...)
	dst = appendToken(dst, p.Ref)
	return append(dst, '}')
}

// splitObject stores the values of the keys it knows. It walks the other
// members as well: sonic left their strings unchecked.
func splitObject(frame []byte, elems *[elemCount][]byte) Reason {
	i := spaceEnd(frame, 0)
	if i >= len(frame) || frame[i] != '{' {
		return otherType(frame, i, ReasonNotObject)
	}
	for i = spaceEnd(frame, i+1); i < len(frame) && frame[i] != '}'; {
		key, start, reason := memberKey(frame, i)
		if reason != reasonNone {
			return reason
		}
		end, reason := valueEnd(frame, start, 1)
		if reason != reasonNone {
			return reason
		}
		if e := elementOf(key); e < elemCount && elems[e] == nil {
			elems[e] = frame[start:end:end]
		}
		i = spaceEnd(frame, end)
		if i < len(frame) && frame[i] == ',' {
			i = spaceEnd(frame, i+1)
		}
	}
	for e, value := range elems {
		if value == nil && e != elemJoinRef {
			return ReasonMissingKey
		}
	}
	return reasonNone
}

// memberKey returns the inside of the key that starts at frame[i], and the
// index at which its value starts.
func memberKey(frame []byte, i int) (key []byte, value int, reason Reason) {
	if frame[i] != '"' {
		return nil, 0, ReasonNotJSON
	}
	end, reason := stringEnd(frame, i)
	if reason != reasonNone {
		return nil, 0, reason
	}
	colon := spaceEnd(frame, end)
	if colon >= len(frame) || frame[colon] != ':' {
		return nil, 0, ReasonNotJSON
	}
	return frame[i+1 : end-1], spaceEnd(frame, colon+1), reasonNone
}

// elementOf returns the element that a key names, elemCount for an unknown one.
// Keys may hold escapes, which are undone in a buffer on the stack.
func elementOf(key []byte) int {
	var plain [longestKey]byte
	if bytes.IndexByte(key, '\\') >= 0 {
		if len(key) > len(plain) {
			return elemCount
		}
		key = appendUnescaped(plain[:0], key)
	}
	switch string(key) {
	case "join_ref":
		return elemJoinRef
	case "ref":
		return elemRef
	case "topic":
		return elemTopic
	case "event":
		return elemEvent
	case "payload":
		return elemPayload
	default:
		return elemCount
	}
}
