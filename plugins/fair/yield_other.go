//go:build !linux

package fair

import "runtime"

// yield lets others by.
func yield() { runtime.Gosched() }
