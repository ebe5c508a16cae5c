package wire

import "bytes"

// V2 is the serializer for vsn ~> 2.0.0. It has no state; use the zero value.
// Source: phoenix v2_json_serializer.ex.
type V2 struct{}

// elements of a client frame, by their position in V2. V1 names them instead.
const (
	elemJoinRef = iota
	elemRef
	elemTopic
	elemEvent
	elemPayload
	elemCount
)

// Decode overwrites *m with the message in a text frame, an array of at least
// five JSON values; extra ones are ignored. On failure it returns a
// [*DecodeError] and *m is the zero Message.
//
// The frame must stay unchanged as long as *m is used. Nothing is allocated
// unless the topic or event holds an escape. The time is linear in the frame
// and most of it is spent in native code that the Go scheduler cannot preempt,
// about 1 ms for each 500 KB: bound the frame size.
func (V2) Decode(frame []byte, m *Message) error {
	*m = Message{}
	if reason := checkText(frame); reason != reasonNone {
		return &DecodeError{Reason: reason}
	}
	var elems [elemCount][]byte
	if reason := splitArray(frame, &elems); reason != reasonNone {
		return &DecodeError{Reason: reason}
	}
	m.set(&elems)
	return nil
}

// AppendReply appends a phx_reply frame to dst and returns the extended slice.
// It does not look inside the raw tokens and keeps none of them.
func (V2) AppendReply(dst []byte, r *Reply) []byte {
	dst = appendHead(dst, r.JoinRef, r.Ref, r.Topic)
	dst = append(dst, `"`+EventReply+`",{"status":`...)
	dst = AppendQuoted(dst, r.Status)
	dst = append(dst, `,"response":`...)
	dst = appendPayload(dst, r.Response)
	return append(dst, '}', ']')
}

// AppendPush appends any frame that is not a reply to dst and returns the
// extended slice. It does not look inside the raw tokens and keeps none.
func (V2) AppendPush(dst []byte, p *Push) []byte {
	dst = appendHead(dst, p.JoinRef, p.Ref, p.Topic)
	dst = AppendQuoted(dst, p.Event)
	dst = append(dst, ',')
	dst = appendPayload(dst, p.Payload)
	return append(dst, ']')
}

// splitArray stores the first elements of the array in frame. It walks the rest
// of them as well: sonic left their strings unchecked.
func splitArray(frame []byte, elems *[elemCount][]byte) Reason {
	i := spaceEnd(frame, 0)
	if i >= len(frame) || frame[i] != '[' {
		return otherType(frame, i, ReasonNotArray)
	}
	n := 0
	for i = spaceEnd(frame, i+1); i < len(frame) && frame[i] != ']'; n++ {
		end, reason := valueEnd(frame, i, 1)
		if reason != reasonNone {
			return reason
		}
		if n < elemCount {
			elems[n] = frame[i:end:end]
		}
		i = spaceEnd(frame, end)
		if i < len(frame) && frame[i] == ',' {
			i = spaceEnd(frame, i+1)
		}
	}
	if n < elemCount {
		return ReasonTooFewElements
	}
	return reasonNone
}

// otherType returns other for a JSON value of the wrong type, and what is wrong
// with text that only sonic takes for a value.
func otherType(frame []byte, i int, other Reason) Reason {
	if _, reason := valueEnd(frame, i, 0); reason != reasonNone {
		return reason
	}
	return other
}

// set fills m, so far zero, with the elements of a text frame. Only the join
// ref may be missing.
func (m *Message) set(elems *[elemCount][]byte) {
	m.JoinRef = refToken(elems[elemJoinRef])
	m.Ref = refToken(elems[elemRef])
	m.TopicJSON = elems[elemTopic]
	m.Topic, m.TopicIsString = stringText(m.TopicJSON)
	m.Event, m.EventIsString = stringText(elems[elemEvent])
	if !m.EventIsString {
		m.Event = elems[elemEvent]
	}
	m.Payload = elems[elemPayload]
}

// refToken maps null to nil: to Phoenix a null ref is an absent one.
func refToken(token []byte) []byte {
	if isNull(token) {
		return nil
	}
	return token
}

// stringText returns the text of a string token, or nil and false for a token
// of another type.
func stringText(token []byte) (text []byte, ok bool) {
	if token[0] != '"' {
		return nil, false
	}
	text = token[1 : len(token)-1 : len(token)-1]
	if bytes.IndexByte(text, '\\') < 0 {
		return text, true
	}
	// No escape is shorter than what it stands for, so this is the only growth.
	return appendUnescaped(make([]byte, 0, len(text)), text), true
}

func appendHead(dst, joinRef, ref, topic []byte) []byte {
	dst = append(dst, '[')
	dst = appendToken(dst, joinRef)
	dst = append(dst, ',')
	dst = appendToken(dst, ref)
	dst = append(dst, ',')
	dst = appendToken(dst, topic)
	return append(dst, ',')
}

func isNull(token []byte) bool {
	return len(token) == 0 || token[0] == 'n'
}

func appendToken(dst, token []byte) []byte {
	if token == nil {
		return append(dst, "null"...)
	}
	return append(dst, token...)
}

func appendPayload(dst, payload []byte) []byte {
	if len(payload) == 0 {
		return append(dst, '{', '}')
	}
	return append(dst, payload...)
}
