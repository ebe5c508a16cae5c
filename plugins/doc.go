// Package plugins runs Aviary guests: WebAssembly modules that speak the
// contract of abi/SPEC.md. It reads a module (package module) and compiles what
// it has read, refuses it in plain words when it breaks the contract, keeps a
// bounded set of its instances, and runs callbacks on them.
//
// The verbs are [Load], [Plugin.Handle] and [Plugin.Close].
//
//	wasm ── Load ──> Plugin ── Handle(request) ──> response, or *CallError
//	                   └─ pool of instances: idle | running | not made yet
//
// A call takes an instance, encodes the request straight into the memory of
// the guest, calls one export, copies the response out and checks it, makes the
// instance what it was after its initialisation (package image; see [Isolation]),
// and puts it back. That path does not allocate. Whatever goes wrong in it
// costs this one callback; an instance that cannot be put back is closed, and the
// next caller makes another. Nothing that a guest does reaches another plugin: each
// has a wazero runtime of its own, with no imports but those of SPEC.md
// section 6.
//
// Every method of a Plugin may be called from any goroutine. An instance
// serves one call at a time; callers beyond Config.Instances wait in the order
// in which they came. The package starts no goroutines.
//
// A guest is compiled from what [meter.Instrument] makes of it: it counts its own
// fuel and stack, and calls the host when a slice of fuel is used up. So a callback
// ends after Config.Fuel or Config.Deadline whatever it does, and no guest holds up
// Go's collector, and with it everybody, for longer than a slice.
package plugins
