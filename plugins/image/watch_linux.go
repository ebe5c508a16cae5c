package image

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// This file saves most looks for written pages. A page becomes a copy of its own by a
// page fault, and the kernel counts those of each thread. Whoever writes a memory on one
// thread, and finds that it had none meanwhile, has written no pages but those that were
// found the last time.

// Watch says that the caller is about to write the memory, and that only it does so until
// Reset or Unwatch, which must be called by the same goroutine. That one stays on its
// thread meanwhile. Between Reset and Watch nobody may write. A nil
// memory is none to watch. To watch is not needed, but Reset much where hardly any
// callback writes pages that none has written before.
func (m *Memory) Watch() {
	if m == nil || !m.known || m.watched {
		return
	}
	runtime.LockOSThread()
	m.watched, m.faults = true, threadFaults(&m.usage)
}

// Unwatch ends what Watch began; nothing is known of the memory then. It does nothing
// where Watch was not called.
func (m *Memory) Unwatch() {
	if m == nil || !m.watched {
		return
	}
	m.watched, m.known = false, false
	runtime.UnlockOSThread()
}

// unfaulted tells that no page has become a copy since Watch, which it ends.
func (m *Memory) unfaulted() bool {
	if !m.watched {
		return false
	}
	same := threadFaults(&m.usage) == m.faults
	m.Unwatch()
	m.known = same
	return same
}

// threadFaults returns how many page faults this thread has had, those that waited for a
// disk among them. A fault is counted when it has been handled (handle_mm_fault in the
// kernel's mm/memory.c), also one of the kernel's own while it writes for the thread.
func threadFaults(usage *unix.Rusage) int64 {
	// It cannot fail. Raw, as it does not block.
	_, _, _ = unix.RawSyscall(unix.SYS_GETRUSAGE, unix.RUSAGE_THREAD, uintptr(unsafe.Pointer(usage)), 0)
	return usage.Minflt + usage.Majflt
}
