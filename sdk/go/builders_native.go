//go:build !wasip1

package aviary

// Outside of a module builders are not reused: tests make payloads also outside of
// callbacks, and in parallel.

func newObj() *Obj       { return new(Obj) }
func newArr() *Arr       { return new(Arr) }
func newFields() *Fields { return new(Fields) }
