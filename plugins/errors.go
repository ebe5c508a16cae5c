package plugins

import (
	"errors"
	"log/slog"
	"strings"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/plugins/lines"
	"github.com/aviary-host/aviary/plugins/meter"
)

// ErrClosed is returned by [Plugin.Handle] after [Plugin.Close] was called.
var ErrClosed = errors.New("plugin is closed")

// LoadError says why a module was refused, or why an instance of it could not
// be made.
type LoadError struct {
	Plugin  string // the plugin's name
	Problem string // the cause in plain words, one line
	Stack   string // stack trace of a trap, a frame per line, innermost first; else empty
	Err     error  // what is behind it, may be nil
}

// Error describes the refusal in one line, such as
// "plugin chat: module speaks ABI version 2, this host speaks version 1".
func (e *LoadError) Error() string { return "plugin " + e.Plugin + ": " + e.Problem }

// Unwrap returns what is behind the refusal, or nil.
func (e *LoadError) Unwrap() error { return e.Err }

// Kind says in which way a call failed. The set is closed.
type Kind uint8

// The kinds of failed calls. All but [KindTooLarge], [KindNoCallback],
// [KindQuota] and [KindUnavailable] cost the instance, if there was one.
const (
	KindTrap        Kind = iota + 1 // the WebAssembly code trapped, or gave a host function bytes past its memory
	KindPanic                       // the guest called the panic import
	KindExit                        // the guest called proc_exit
	KindBadPointer                  // the response ends past the memory
	KindBadResponse                 // the response breaks SPEC.md or is over a limit; Err is an *abi.FormatError
	KindBadAlloc                    // aviary_alloc gave no usable buffer for a long request
	KindInstantiate                 // a new instance was needed and could not be made; Err is a *LoadError
	KindTooLarge                    // the request does not fit the memory that the guest may have
	KindNoCallback                  // the module does not export the callback
	KindHost                        // a bug on our side: a Go panic in a host function or in this package
	KindFuel                        // the callback was over its fuel; Err wraps ErrFuel
	KindDeadline                    // it took too long; Err wraps ErrDeadline
	KindStack                       // its calls were nested too deeply; Err wraps ErrStack
	KindDenied                      // it called an import for what it may not have; Err wraps what the Config says of that
	KindBusy                        // it waited too long for its turn; Err wraps ErrBusy
	KindQuota                       // its tenant is over its fuel per second; Err wraps ErrQuota
	KindUnavailable                 // the breaker is open; Err wraps ErrUnavailable
	numKinds
)

// Kinds returns all kinds.
func Kinds() []Kind {
	all := make([]Kind, 0, numKinds)
	for k := KindTrap; k < numKinds; k++ {
		all = append(all, k)
	}
	return all
}

// Fault tells whether a callback that fails so is the plugin's fault: not that of others
// who compute, of its tenant's quota, or of ours.
func (k Kind) Fault() bool {
	switch k {
	case KindTrap, KindPanic, KindExit, KindBadPointer, KindBadResponse, KindBadAlloc, KindInstantiate,
		KindFuel, KindDeadline, KindStack, KindDenied:
		return true
	}
	return false
}

// String returns the kind as errors and metrics spell it.
func (k Kind) String() string {
	names := [...]string{
		"error?", "trap", "panic", "exit", "bad_pointer", "bad_response",
		"bad_alloc", "instantiate", "too_large", "no_callback", "host",
		"fuel", "deadline", "stack", "denied", "busy", "quota", "unavailable",
	}
	if int(k) < len(names) {
		return names[k]
	}
	return names[0]
}

// CallError says why a callback failed. Nothing of the callback may be
// committed (SPEC.md section 7).
type CallError struct {
	Plugin   string // the plugin's name
	Callback abi.Callback
	Kind     Kind
	Message  string // what happened, one line, partly in the guest's words
	File     string // where it happened: the last parts of the path, empty if the module does not say
	Line     int    // from 1, if there is a File
	Stack    string // stack trace, a frame per line, innermost first; empty if there is none
	Stderr   string // the last lines that the guest wrote to its standard error in this call
	Record   string // the file where the record of the failure is, empty if it is nowhere
	Err      error  // what is behind it, may be nil
}

// Error describes the failure in one line, such as
// "plugin chat: handle_in: trap: unreachable (main.boom at src/main.c:42)".
func (e *CallError) Error() string {
	return "plugin " + e.Plugin + ": " + e.Callback.String() + ": " + e.Kind.String() + ": " + e.Message
}

// Denied tells whether the callback failed for want of a capability.
func (e *CallError) Denied() bool { return e.Kind == KindDenied }

// Unwrap returns what is behind the failure, or nil.
func (e *CallError) Unwrap() error { return e.Err }

// LogValue is the error as a log shows it: the line, and where there are some the
// guest's stack trace, which is too long for a line, and the file of the record.
func (e *CallError) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("message", e.Error())}
	if e.Stack != "" {
		attrs = append(attrs, slog.String("stack", e.Stack))
	}
	if e.Record != "" {
		attrs = append(attrs, slog.String("trap", e.Record))
	}
	if len(attrs) == 1 {
		return attrs[0].Value
	}
	return slog.GroupValue(attrs...)
}

// fault ends a callback: host functions panic with it, and wazero hands it
// back inside the error of the call.
type fault struct {
	kind    Kind
	message string
	cause   error // what it wraps, may be nil
}

func (f *fault) Error() string { return f.message }

func (f *fault) Unwrap() error { return f.cause }

// wazero puts the stack trace behind the message of an error, and names
// neither part in its API.
const (
	traceMark    = "\nwasm stack trace:"
	trapPrefix   = "wasm error: "
	overflowText = "stack overflow"
)

// failure is the error of a call into a guest, taken apart.
type failure struct {
	kind    Kind
	message string
	place   lines.Place // of the innermost frame that has one
	stack   string
}

// explain takes the error of a call into a guest apart. Places come from the guest's
// table, which may be nil.
func explain(err error, table *lines.Table) failure {
	text, trace, _ := strings.Cut(err.Error(), traceMark)
	out := failure{kind: KindHost, message: oneLine(firstLine(text))}
	if trace = strings.TrimSpace(trace); trace != "" {
		out.stack, out.place = withPlaces(trace[:min(len(trace), maxStack)], table)
	}
	var f *fault
	if errors.As(err, &f) {
		out.kind, out.message = f.kind, oneLine(f.message)
		out.locate()
		return out
	}
	before, after, isTrap := strings.Cut(text, trapPrefix)
	if start, rest, found := strings.Cut(before, "start function["); found {
		_, rest, _ = strings.Cut(rest, "]") // the index in what was compiled
		before = start + "start function" + rest
	}
	if isTrap || strings.HasSuffix(text, overflowText) {
		out.kind, out.message = KindTrap, oneLine(before+after)
		if frame := innermost(out.stack); frame != "" {
			out.message += " (" + frame + ")"
		}
	}
	return out
}

// locate says where in the guest a budget ran out: below our own frame, if it was
// the guest that noticed.
func (f *failure) locate() {
	switch f.kind {
	case KindFuel, KindDeadline, KindStack:
	default:
		return
	}
	if strings.HasPrefix(f.stack, meter.HostModule+".") {
		_, f.stack, _ = strings.Cut(f.stack, "\n")
	}
	if frame := innermost(f.stack); frame != "" {
		f.message += ", in " + frame
	}
}

// innermost returns the first function of a stack trace and its place, such as
// "boom at src/cup.c:42"; "" if there is none.
func innermost(stack string) string {
	frame := firstLine(stack)
	name, _, _ := strings.Cut(frame, "(")
	if i := strings.LastIndex(frame, placeMark); i >= len(name) {
		name += frame[i:]
	}
	return oneLine(strings.TrimPrefix(name, "."))
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// maxText is the longest text of a guest in an error or a log line, in bytes
// (SPEC.md section 8).
const maxText = 1 << 10

// maxStack is the longest stack trace in an error, in bytes: the names in it
// are the guest's.
const maxStack = 16 << 10

// oneLine makes a text of a guest fit for one line of an error: valid UTF-8
// without control characters, of at most maxText bytes.
func oneLine(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}
