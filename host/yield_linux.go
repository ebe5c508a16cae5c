package host

import (
	"runtime"
	"syscall"
)

// yield lets others by: those that Go would run next, and those that the kernel would run on
// this processor. A thread that computes is due there for some milliseconds, while what has
// just been woken by a client waits behind it.
func yield() {
	_, _, _ = syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0) // it cannot fail (sched_yield(2))
	runtime.Gosched()
}
