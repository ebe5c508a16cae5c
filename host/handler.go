package host

import "github.com/aviary-host/aviary/abi"

// Handler decides what happens in channels: a WebAssembly plugin, or native Go.
//
// Both methods are called from many goroutines at once, for different
// channels; Handle may block for as long as the callback takes.
type Handler interface {
	// Implements tells whether the handler has the callback. What its absence
	// means is SPEC.md section 3. The answer never changes.
	Implements(c abi.Callback) bool

	// Handle runs one callback and fills resp, which the caller has emptied.
	// The slices of resp may be views into req or into buf, which is scratch
	// room that Handle may use, grow and return for the next call; both stay
	// as they are until the caller is done with resp. After an error nothing
	// has happened: the channel fails as SPEC.md section 7 says.
	Handle(req *abi.Request, buf []byte, resp *abi.Response) ([]byte, error)
}

// DetachingHandler is a Handler most of whose callbacks are short. The host may run
// them where many connections wait for their end, rather than beside. All callbacks
// of other handlers are taken for long ones.
type DetachingHandler interface {
	Handler

	// HandleDetaching is Handle, but that it calls detach before it blocks and when it
	// computes for longer than about 0.1 ms. detach does not block; after the first
	// call it does nothing.
	HandleDetaching(req *abi.Request, buf []byte, resp *abi.Response, detach func()) ([]byte, error)
}
