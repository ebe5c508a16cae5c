package wire

import (
	"encoding/json"

	"github.com/bytedance/sonic"
	"github.com/bytedance/sonic/utf8"
)

// MaxDepth is how many arrays and objects may be open at once in accepted text,
// the array of the frame included. It is our own bound, below that of every
// validator sonic may use on this or another machine (4095 native, 10 000 in
// its fallback), so that a frame good on one node is good on all; and it keeps
// recursive parsers in guests within a small stack.
const MaxDepth = 1024

// sonicMinLen is the shortest text sonic 1.15.5 may be shown. Looking for null,
// true or false in a shorter one, its bound underflows and it reads on behind
// the slice: it accepts the first byte of "null", and at the end of a mapping
// the process dies. TestValidatorsDoNotReadPastTheEnd holds this.
const sonicMinLen = 4

// Valid reports whether b is one JSON value as the package comment defines it.
// It allocates nothing. Callers use it on every text that will be pasted into a
// frame and did not come from Decode.
func Valid(b []byte) bool {
	return checkValue(b, 0) == reasonNone
}

// IsObject reports whether b, known to be [Valid], is an object. The payload of
// a push or broadcast has to be one (phoenix v2_json_serializer.ex).
func IsObject(b []byte) bool {
	i := spaceEnd(b, 0)
	return i < len(b) && b[i] == '{'
}

// checkValue judges text that is to be one value with depth containers open
// around it.
func checkValue(b []byte, depth int) Reason {
	if reason := checkText(b); reason != reasonNone {
		return reason
	}
	_, reason := valueEnd(b, spaceEnd(b, 0), depth)
	return reason
}

// checkText judges all but the inside of strings and our own depth bound; those
// are left to the scanner, which is needed afterwards in any case.
func checkText(b []byte) Reason {
	valid := sonic.Valid
	if len(b) < sonicMinLen {
		valid = json.Valid
	}
	if !valid(b) {
		return ReasonNotJSON
	}
	if !utf8.Validate(b) {
		return ReasonNotUTF8
	}
	return reasonNone
}
