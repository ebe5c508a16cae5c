package plugins

import (
	"errors"
	"time"

	"github.com/aviary-host/aviary/abi"
)

// Trap is all that is known of a callback that failed by the plugin's fault, or by a
// bug of ours: enough to run it again.
type Trap struct {
	Plugin     string // the plugin's name
	Module     string // SHA-256 of the module, in hexadecimal digits
	Generation int    // of the plugin

	Time     time.Time
	Callback abi.Callback
	Kind     Kind
	Message  string // as in CallError
	Stack    string
	Stderr   string

	Seed    [16]byte
	Request []byte // what the guest was given, encoded (SPEC.md section 3)
	Limits  TrapLimits

	// File is where Config.OnTrap keeps the record, which sets it for the
	// CallError; empty if nowhere.
	File string
}

// TrapLimits are the limits under which a callback has run.
type TrapLimits struct {
	Fuel      uint64
	FuelSlice uint64
	Deadline  time.Duration
	Stack     uint32 // bytes
	Memory    uint64 // bytes
	Response  abi.Limits
}

// record tells Config.OnTrap of a callback that failed. It is off the path of those
// that do not.
func (p *Plugin) record(req *abi.Request, err error) {
	var call *CallError
	if p.onTrap == nil || !errors.As(err, &call) || call.Kind != KindHost && outcomeOf(err) != outcomeFailed {
		return
	}
	sent := *req
	if wantsSettings(req) {
		sent.Config = p.rawSettings
	}
	trap := &Trap{
		Plugin: p.name, Module: p.hash, Generation: p.number, Time: time.Now(), Callback: req.Callback,
		Kind: call.Kind, Message: call.Message, Stack: call.Stack, Stderr: call.Stderr,
		Seed: req.Seed, Request: abi.AppendRequest(nil, &sent),
		Limits: TrapLimits{
			Fuel: uint64(p.granted.fuel), FuelSlice: uint64(p.granted.slice), Deadline: p.granted.deadline,
			Stack: p.granted.stack, Memory: p.memoryLimit, Response: p.limits,
		},
	}
	p.onTrap(trap)
	call.Record = trap.File
}

// wantsSettings tells whether a request is sent with the plugin's settings: where
// SPEC.md section 3.1 wants some and the caller gave none.
func wantsSettings(req *abi.Request) bool {
	switch req.Callback {
	case abi.CallbackConnect, abi.CallbackJoin, abi.CallbackCodeChange:
		return len(req.Config) == 0
	}
	return false
}
