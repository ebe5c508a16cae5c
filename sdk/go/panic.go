package aviary

import (
	"runtime"
	"strconv"
)

// PanicError is a panic of a handler: what the host reports of it.
type PanicError struct {
	Message string
	File    string // of the function that panicked
	Line    int
}

// Error returns the message, followed by its place in brackets.
func (e *PanicError) Error() string {
	return e.Message + " (" + e.File + ":" + strconv.Itoa(e.Line) + ")"
}

// caught describes a recovered panic. It is called by the deferred function that
// recovered it, while the frames of the panic are still there.
func caught(v any) *PanicError {
	e := &PanicError{Message: panicMessage(v)}
	var pcs [32]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(0, pcs[:])])
	panicking := false
	for {
		frame, more := frames.Next()
		inRuntime := hasPrefix(frame.Function, "runtime.")
		if panicking && !inRuntime {
			e.File, e.Line = frame.File, frame.Line
			return e
		}
		panicking = panicking || frame.Function == "runtime.gopanic"
		if !more {
			return e
		}
	}
}

func hasPrefix(s, prefix string) bool { return len(s) >= len(prefix) && s[:len(prefix)] == prefix }

func panicMessage(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case error:
		return v.Error()
	case interface{ String() string }:
		return v.String()
	case int:
		return strconv.Itoa(v)
	case bool:
		return strconv.FormatBool(v)
	}
	return "panic with a value that is neither text nor an error"
}
