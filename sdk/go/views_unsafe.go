//go:build !purego

package aviary

import "unsafe"

// Strings and byte slices of one request name the same memory, which nobody
// writes until the callback is over.

// bytesOf returns the bytes of s, not to be written to.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// stringOf returns b as a string; b must not change while it is in use.
func stringOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
