package plugins

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/plugins/image"
	"github.com/aviary-host/aviary/plugins/meter"
)

// instance is one running copy of a module. It is used by one goroutine at a
// time: whoever holds its place in the pool.
type instance struct {
	plugin *Plugin
	tally  *tally
	mod    api.Module
	mem    api.Memory
	marker abi.Marker

	// funcs caches the entry points, made at their first use: a look-up costs
	// a microsecond or two and a call stack of 10 KiB, which the function keeps.
	funcs [abi.NumCallbacks]api.Function

	bufPtr, bufCap uint32 // request buffer, in the guest's memory

	// Of instances that can be put back: what mem reads and writes, and the globals that
	// a callback may change.
	memory  *image.Memory
	globals []counter

	stack   [2]uint64   // parameters and result of a call
	call    guestCall   // what host functions see of it
	request abi.Request // see withSettings; empty between calls
}

// newInstance makes an instance: from the picture if there is one, else as SPEC.md
// sections 2.1 and 2.2 say. The error is a *LoadError.
func (p *Plugin) newInstance() (*instance, error) {
	in := &instance{plugin: p, tally: p.newTally()}
	in.call = guestCall{Context: context.Background(), plugin: p, log: guestLog{logger: p.guestLogger(), tenant: p.tenant}}
	if err := in.instantiate(); err != nil {
		return nil, err
	}
	p.live.Add(1)
	var err error
	if p.picture != nil {
		in.adopt()
	} else {
		err = in.initialise()
		in.pay()
		in.call.log.end()
	}
	if err != nil {
		return nil, in.abandon(err)
	}
	in.call.ready = true
	return in, nil
}

// instantiate has wazero make the module. No code of the guest's runs.
func (in *instance) instantiate() error {
	p := in.plugin
	ctx := context.Background()
	if p.resettable() {
		var err error
		if in.memory, err = p.newMemory(); err != nil {
			return p.refuseFor("no memory for an instance", err)
		}
		ctx = fixedMemory{in.memory}.allocator(ctx)
	}
	// No name, so that any number of instances can exist side by side; no start
	// functions, since wazero's default is _start, which is never called.
	config := wazero.NewModuleConfig().WithName("").WithStartFunctions()
	mod, err := p.runtime.InstantiateModule(ctx, p.compiled, config)
	if err != nil {
		if in.memory != nil {
			err = errors.Join(err, in.memory.Close())
		}
		return in.loadError("module cannot be instantiated", err)
	}
	in.mod, in.mem = mod, mod.ExportedMemory(abi.ExportMemory)
	in.call.budget.bind(mod)
	in.call.budget.memory = in.memory
	if p.resettable() {
		in.globals = changing(mod, p.numGlobals)
	}
	return nil
}

// abandon closes an instance that could not be made, and returns why.
func (in *instance) abandon(why error) error {
	if err := in.close(); err != nil {
		in.plugin.logger.Warn("closing an instance failed", "error", err)
	}
	return why
}

// initialise runs the exports that come before any callback.
func (in *instance) initialise() error {
	in.call.budget.grant(in.plugin.initial)
	if !in.plugin.resettable() && in.mem != nil {
		in.call.budget.instantiated(in.mem.Size() / pageSize)
	}
	if err := in.fill(); err != nil {
		return err
	}
	if _, ok := in.plugin.exports[meter.StartExport]; ok {
		if _, err := in.callOnce(meter.StartExport, 0); err != nil {
			return in.loadError("start function failed", err)
		}
	}
	if _, ok := in.plugin.exports[abi.ExportInit]; ok {
		if _, err := in.callOnce(abi.ExportInit, 0); err != nil {
			return in.loadError("_initialize failed", err)
		}
	}
	marker, err := in.callOnce(abi.ExportMarker, 0)
	if err != nil {
		return in.loadError(abi.ExportMarker+" failed", err)
	}
	in.marker = abi.Marker(marker)
	if err := in.plugin.checkMarker(in.marker); err != nil {
		return err
	}
	problem, err := in.alloc(abi.RequestBuffer)
	if err != nil {
		return in.loadError("aviary_alloc failed", err)
	}
	if problem != "" {
		return in.plugin.refuse("%s", problem)
	}
	return nil
}

// loadError describes an error of the guest's initialisation.
func (in *instance) loadError(problem string, err error) error {
	f := explain(err, in.plugin.lines)
	f.message = in.lastWords() + f.message
	if f.kind != KindHost {
		f.message = f.kind.String() + ": " + f.message
	}
	return &LoadError{Plugin: in.plugin.name, Problem: problem + ": " + f.message, Stack: f.stack, Err: err}
}

// callOnce calls an export that is not worth caching.
func (in *instance) callOnce(name string, param uint64) (uint64, error) {
	in.stack[0] = param
	err := in.mod.ExportedFunction(name).CallWithStack(&in.call, in.stack[:])
	return in.stack[0], err
}

// alloc asks the guest for a request buffer of size bytes. The problem is
// empty when the guest gave one.
func (in *instance) alloc(size uint32) (problem string, err error) {
	in.bufCap = 0
	result, err := in.callOnce(abi.ExportAlloc, uint64(size))
	if err != nil {
		return "", err
	}
	ptr := uint32(result)
	switch _, ok := in.mem.Read(ptr, size); {
	case ptr == 0:
		return fmt.Sprintf("aviary_alloc(%d) returned 0: no memory left", size), nil
	case !ok:
		return fmt.Sprintf("aviary_alloc(%d) returned %d, which ends past the memory of %d bytes",
			size, ptr, in.mem.Size()), nil
	case ptr%8 != 0:
		return fmt.Sprintf("aviary_alloc(%d) returned %d, which is not aligned to 8", size, ptr), nil
	}
	in.bufPtr, in.bufCap = ptr, size
	return "", nil
}

// arm readies the instance for a callback, directly before it: the log starts
// anew, and fuel, time and stack are granted.
func (in *instance) arm(req *abi.Request) {
	in.call.log.begin(req)
	allowed := in.plugin.granted
	if in.plugin.wary.Load() > 0 {
		in.plugin.wary.Add(-1)
		allowed.slice = min(allowed.slice, warySlice)
	}
	in.call.budget.grant(allowed)
}

// settle clears up after a callback, directly behind it, and tells whether the instance
// may serve another. Whatever a callback must not leave behind is put back here, so that
// nothing of it waits for the next one.
func (in *instance) settle(c abi.Callback, err error) (reusable bool) {
	defer in.pay() // for what putting it back takes, too
	in.call.log.end()
	if cap(in.call.scratch) > keptScratch {
		in.call.scratch = nil
	}
	if in.request.Config != nil {
		in.request = abi.Request{} // lets go of the caller's bytes
	}
	switch keeps := in.plugin.isolation == IsolateInstance; {
	case err == nil && keeps:
		return true
	case in.plugin.picture == nil:
		return false // memory and globals of a guest that was stopped midway mean nothing
	case isAny(err, ErrFuel, ErrDeadline, ErrStack):
		in.funcs[c] = nil // its call stack may have grown far, and it would keep that
	}
	if err := in.reset(); err != nil {
		in.plugin.logger.Error("an instance is thrown away", "code", "RESET_FAILED", "err", err)
		return false
	}
	return true
}

// isAny tells whether err is one of the targets, nil being none.
func isAny(err error, targets ...error) bool {
	return err != nil && slices.ContainsFunc(targets, func(t error) bool { return errors.Is(err, t) })
}

// withSettings returns req, with the plugin's settings where SPEC.md section
// 3.1 wants them and the caller gave none.
func (in *instance) withSettings(req *abi.Request) *abi.Request {
	if !wantsSettings(req) {
		return req
	}
	in.request = *req
	in.request.Config = in.plugin.rawSettings
	return &in.request
}

// invoke runs the callback of req and appends the encoded response to dst. Its
// error is one that [instance.describe] understands.
func (in *instance) invoke(req *abi.Request, dst []byte) ([]byte, error) {
	req = in.withSettings(req)
	size := req.Size()
	if size > int(in.bufCap) {
		if err := in.grow(size); err != nil {
			return dst, err
		}
	}
	// The guest may have grown its memory since, which moves it.
	room, ok := in.mem.Read(in.bufPtr, in.bufCap)
	if !ok {
		return dst, &fault{kind: KindBadAlloc, message: "the request buffer is no longer within the memory"}
	}
	abi.AppendRequest(room[:0], req)
	in.stack[0], in.stack[1] = uint64(in.bufPtr), uint64(size)
	if err := in.function(req.Callback).CallWithStack(&in.call, in.stack[:]); err != nil {
		return dst, err
	}
	ptr, n := uint32(in.stack[0]>>32), uint32(in.stack[0])
	block, ok := in.mem.Read(ptr, n)
	if !ok {
		return dst, &fault{kind: KindBadPointer, message: fmt.Sprintf("response of %d bytes at %d ends past the memory of %d bytes",
			n, ptr, in.mem.Size())}
	}
	// A longer one will be refused; its length is all that is still of use.
	return append(dst, block[:min(len(block), in.plugin.limits.Response+1)]...), nil
}

// grow asks for a larger request buffer. Sizes are powers of two, so that a
// guest which does not reuse the memory of the old one loses little.
func (in *instance) grow(size int) error {
	want := uint64(1) << bits.Len(uint(size-1))
	want = min(want, in.plugin.memoryLimit)
	problem, err := in.alloc(uint32(max(want, uint64(size))))
	if err != nil {
		return fmt.Errorf("aviary_alloc: %w", err)
	}
	if problem != "" {
		return &fault{kind: KindBadAlloc, message: problem}
	}
	return nil
}

// function returns the entry point of a callback that the module exports.
func (in *instance) function(c abi.Callback) api.Function {
	fn := in.funcs[c]
	if fn == nil {
		fn = in.mod.ExportedFunction(c.String())
		in.funcs[c] = fn
	}
	return fn
}

// close frees the instance. It must not be running.
func (in *instance) close() error {
	in.pay()
	in.plugin.live.Add(-1)
	err := in.mod.Close(context.Background())
	if in.memory != nil {
		err = errors.Join(err, in.memory.Close())
	}
	return err
}
