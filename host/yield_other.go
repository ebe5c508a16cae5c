//go:build !linux

package host

import "runtime"

// yield lets others by.
func yield() { runtime.Gosched() }
