package aviary

import "github.com/aviary-host/aviary/abi"

// Serve runs one callback outside of a module: it answers an encoded request of
// abi/SPEC.md with a response that the caller owns. The error is a [*PanicError].
// Package aviarytest makes tests of it. It may be called from several goroutines;
// the callbacks run one after the other.
func Serve(host Host, request []byte) ([]byte, error) { return guest.serveCopy(host, request) }

// Marker returns what the module says of itself to the host.
func Marker() abi.Marker { return guest.marker() }

func (m *machine) serveCopy(host Host, request []byte) (response []byte, err error) {
	m.lock.Lock()
	defer m.lock.Unlock()
	defer func() {
		if v := recover(); v != nil {
			m.running = false
			response, err = nil, caught(v)
		}
	}()
	m.host = host
	return append([]byte(nil), m.serve(request)...), nil
}
