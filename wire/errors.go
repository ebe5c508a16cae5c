package wire

import (
	"fmt"
	"strconv"
)

// Reason says why a frame was refused. Its text names no detail of the frame
// and may be logged or counted freely.
type Reason uint8

// Reasons of a [DecodeError].
const (
	// reasonNone is the scanner's "go on"; it never leaves the package.
	reasonNone Reason = iota
	// ReasonNotJSON is text that is no JSON value, an empty frame among them; or
	// such a payload, or such metadata, of a user broadcast.
	ReasonNotJSON
	// ReasonNotUTF8 is text that is no UTF-8, a field of a binary frame included.
	// A WebSocket server answers bad text frames with close code 1007 (RFC 6455
	// section 8.1).
	ReasonNotUTF8
	// ReasonTooDeep is JSON nested deeper than [MaxDepth]. Far deeper text (the
	// validator's own bound lies near 4096) is reported as ReasonNotJSON.
	ReasonTooDeep
	// ReasonNotArray is JSON of another type, such as a V1 frame.
	ReasonNotArray
	// ReasonTooFewElements is an array of fewer than five.
	ReasonTooFewElements
	// ReasonNotObject is JSON of another type where V1 is spoken, such as a V2
	// frame, or as the metadata of a user broadcast.
	ReasonNotObject
	// ReasonMissingKey is a V1 object without topic, event, payload or ref.
	ReasonMissingKey
	// ReasonEmpty is a binary frame of no bytes.
	ReasonEmpty
	// ReasonUnknownKind is a binary frame of another kind than a client's push and
	// a user broadcast.
	ReasonUnknownKind
	// ReasonTruncated is a binary frame that ends before its fields do.
	ReasonTruncated
	// ReasonRawPayload is a user broadcast whose payload is raw bytes. What it would
	// become is JSON, which has no place for them.
	ReasonRawPayload
	// ReasonUnknownEncoding is a user broadcast whose payload is neither raw bytes
	// nor JSON.
	ReasonUnknownEncoding
)

// String returns the reason in a few lower-case words.
func (r Reason) String() string {
	switch r {
	case ReasonNotJSON:
		return "not JSON"
	case ReasonNotUTF8:
		return "not UTF-8"
	case ReasonTooDeep:
		return "nested too deep"
	case ReasonNotArray:
		return "not an array"
	case ReasonTooFewElements:
		return "too few elements"
	case ReasonNotObject:
		return "not an object"
	case ReasonMissingKey:
		return "without topic, event, payload or ref"
	case ReasonEmpty:
		return "empty"
	case ReasonUnknownKind:
		return "unknown kind"
	case ReasonTruncated:
		return "truncated"
	case ReasonRawPayload:
		return "raw payloads in user broadcasts are not supported"
	case ReasonUnknownEncoding:
		return "unknown encoding of a user broadcast's payload"
	default:
		return "reason " + strconv.Itoa(int(r))
	}
}

// DecodeError is the only error that decoding returns. Phoenix closes the socket on
// any of them (code 1011); no error frame exists for it.
type DecodeError struct {
	Reason Reason
}

// Error implements error.
func (e *DecodeError) Error() string {
	return "decode frame: " + e.Reason.String()
}

// EncodeError is the only error of the functions that append a binary frame: a
// field is longer than [MaxBinaryField]. Phoenix lets the channel crash on it.
type EncodeError struct {
	// Field is join_ref, ref, topic, event or status.
	Field string
	// Len is the length of the field's text in bytes.
	Len int
}

// Error implements error.
func (e *EncodeError) Error() string {
	return fmt.Sprintf("encode binary frame: %s has %d bytes, the limit is %d", e.Field, e.Len, MaxBinaryField)
}
