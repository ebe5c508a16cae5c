// Package abi is the contract between the Aviary host and its guests: the
// names, the limits, and the codec of requests and responses. SPEC.md, beside
// this file, is the normative text; this package is its Go form, used by the
// host to write requests and read responses and by the Go SDK for the reverse.
//
// The verbs are [AppendRequest] and [DecodeRequest], [AppendResponse] and
// [DecodeResponse], and [Response.Check], which holds the rules of meaning:
// what is allowed in which callback.
//
// A block is a fixed header of little-endian fields and (offset, length)
// pairs, then the bytes that the pairs name:
//
//	request   | 136 bytes: sizes, callback, time, seed, 12 pairs | bytes ...
//	response  | 64 bytes: result, flags, 5 pairs | effects, 48 bytes each | bytes ...
//
// Decoding trusts nothing: every offset and length is checked against the
// block, and a response against [Limits]. Decoded slices are views into the
// block. Nothing here allocates when its destination has room, keeps state, or
// is tied to a goroutine.
//
// The package imports only the standard library, and of that only what costs a
// guest next to nothing.
package abi
