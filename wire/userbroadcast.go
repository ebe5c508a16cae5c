package wire

// encodings of the payload of a user broadcast.
const (
	encodingRaw  = 0
	encodingJSON = 1
)

// userBroadcastHead is the length of a user broadcast's kind, lengths and
// encoding.
const userBroadcastHead = 1 + maxFields + 1

// What a user broadcast is as text: this event, and around its parts this.
const (
	userBroadcastEvent   = "broadcast"
	userBroadcastType    = `{"type":"broadcast","event":`
	userBroadcastPayload = `,"payload":`
	userBroadcastMeta    = `,"meta":`
	userBroadcastTexts   = userBroadcastEvent + userBroadcastType + userBroadcastPayload + userBroadcastMeta + "{}}"
)

// setUserBroadcast is setBinary for a user broadcast. Event and payload are new
// text, in one piece with the tokens.
func (m *Message) setUserBroadcast(frame []byte) Reason {
	var fields [maxFields][]byte
	payload, reason := splitBinary(frame, userBroadcastHead, fields[:])
	if reason != reasonNone {
		return reason
	}
	event, meta := fields[fieldEvent], fields[fieldMetadata]
	if reason := checkUserBroadcast(frame[userBroadcastHead-1], payload, meta); reason != reasonNone {
		return reason
	}
	text := m.setAddress(fields[:], len(userBroadcastTexts)+quotedBound(event)+len(payload)+len(meta))
	start := len(text)
	text = append(text, userBroadcastEvent...)
	m.Event, m.EventIsString = text[start:len(text):len(text)], true
	start = len(text)
	text = append(text, userBroadcastType...)
	text = appendQuotedUTF8(text, event)
	text = append(text, userBroadcastPayload...)
	text = appendPayload(text, payload)
	if len(meta) > 0 {
		text = append(text, userBroadcastMeta...)
		text = append(text, meta...)
	}
	text = append(text, '}')
	m.Payload = text[start:len(text):len(text)]
	return reasonNone
}

// checkUserBroadcast judges what is pasted into the object that a user broadcast
// becomes. Metadata always is an object; a payload is any JSON, as in V1.
func checkUserBroadcast(encoding byte, payload, meta []byte) Reason {
	switch encoding {
	case encodingJSON:
	case encodingRaw:
		return ReasonRawPayload
	default:
		return ReasonUnknownEncoding
	}
	for _, member := range [...][]byte{payload, meta} {
		if len(member) == 0 {
			continue // may be left out
		}
		if reason := checkValue(member, 1); reason != reasonNone {
			return reason
		}
	}
	if len(meta) > 0 && !IsObject(meta) {
		return ReasonNotObject
	}
	return reasonNone
}
