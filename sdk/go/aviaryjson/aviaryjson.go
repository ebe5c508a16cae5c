// Package aviaryjson is the comfortable way for an Aviary guest to deal with JSON:
// encoding/json, with its struct tags. It makes a module 1.4 MB larger, twice as
// slow to compile, and handlers several times slower than package aviary does.
//
// The functions are safe for concurrent use.
package aviaryjson

import (
	"encoding/json"
	"errors"

	aviary "github.com/aviary-host/aviary/sdk/go"
)

var errBytes = errors.New("a payload of bytes is not JSON")

// State returns a codec that keeps S as encoding/json writes it. Load fails, and
// with it the callback, where the bytes do not fit S.
func State[S any]() aviary.Codec[S] {
	return aviary.Codec[S]{
		Load: func(s *S, state []byte) error { return json.Unmarshal(state, s) },
		Append: func(dst []byte, s *S) []byte {
			return append(dst, marshal(s)...)
		},
	}
}

// Payload returns v as a payload. It panics on what JSON cannot express, such as
// a channel, as that is a mistake in the guest.
func Payload(v any) aviary.Value { return aviary.JSON(marshal(v)) }

// Decode stores a payload in the value that v points to, as json.Unmarshal does.
// A missing payload, or one of bytes, is an error.
func Decode(p aviary.Value, v any) error {
	if p.Kind() == aviary.KindBytes {
		return errBytes
	}
	return json.Unmarshal([]byte(p.Raw()), v)
}

func marshal(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic("aviaryjson: " + err.Error())
	}
	return text
}
