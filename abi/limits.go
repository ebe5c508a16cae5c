package abi

// RequestBuffer is the size in bytes of the request buffer that the host asks
// of a module once, after initialisation (SPEC.md section 2.2).
const RequestBuffer = 64 << 10

// Limits bounds what one callback may hand to the host. A response over a
// limit is refused whole: none of it is committed.
type Limits struct {
	Response int // bytes of a whole response
	State    int // bytes of a channel's state
	Effects  int // effects in one response
	Output   int // bytes of all payloads, texts and names of a response together
}

// DefaultLimits returns the limits of SPEC.md section 8.
func DefaultLimits() Limits {
	return Limits{Response: 1 << 20, State: 64 << 10, Effects: 64, Output: 256 << 10}
}
