//go:build purego

package aviary

// The copying twins of views_unsafe.go.

func bytesOf(s string) []byte { return []byte(s) }

func stringOf(b []byte) string { return string(b) }
