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
// the guest, calls one export, copies the response out and checks it, and puts
// the instance back. That path does not allocate. Whatever goes wrong in it
// costs this one callback and this one instance, which is closed; the next
// caller makes another. Nothing that a guest does reaches another plugin: each
// has a wazero runtime of its own, with no imports but those of SPEC.md
// section 6.
//
// Every method of a Plugin may be called from any goroutine. An instance
// serves one call at a time; callers beyond Config.Instances wait in the order
// in which they came. The package starts no goroutines.
//
// A callback runs for as long as the guest likes: nothing here interrupts a
// guest that loops. The seam for that is arm and settle in instance.go.
package plugins
