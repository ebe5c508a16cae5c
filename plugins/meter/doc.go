// Package meter rewrites WebAssembly modules so that a guest can neither run for
// ever nor fill the stack of its host, on any engine and without a clock.
//
// The one verb is [Instrument]: between module.Decode and Module.Encode.
//
//	Decode ──> Module ── Instrument ──> Module ── Encode
//
// # Fuel
//
// A global, exported as [FuelExport], is what the guest may still spend. Code
// subtracts its price before it runs: an instruction costs 1, those that compile to
// nothing 0, a bulk operation also what its length says. Where the global is below
// zero at the entry of a function, at the head of a loop or before a bulk operation,
// the guest calls [HostFunc] with [OutOfFuel]. The host sets the global again, or
// ends the call. Between two such places there is no more code than the module has
// bytes, so every loop and every recursion comes by. A memory.fill or memory.copy that
// is long is done in pieces, with a call of the host after each.
//
// Prices are upper bounds. A stretch of straight code is charged where it begins, but
// for short ones, which are charged with what runs before them whenever they run, as
// long as that is charged no more than 4 for others. The same input costs the same on
// every machine.
//
// # Stack
//
// A second global, exported as [StackExport], is the stack that is left, in bytes.
// A function that calls others takes an estimate of its frame at its entry and
// gives it back at its only exit; below zero it calls HostFunc with [OutOfStack].
// After a trap the global is wrong: who goes on with the instance sets it again.
//
// # Reset
//
// With Config.Resettable all that a call can change is where the host can put it back:
// in the memory, which the engine gives its full size at once, and in globals, which are
// exported. The size that the guest sees is a global too ([PagesExport]), so that
// memory.grow is arithmetic, moves nothing, and is undone by setting that global. Active
// data segments are left out: who makes the first instance writes them into it, checking
// that they end within the pages that the module begins with, and others start from a
// picture of that.
//
// # What a guest sees
//
// Nothing, but for tables whose growth is bounded (see [Config]), and, where it is
// resettable and grows its memory, that there is memory behind the end of what it has
// asked for: zeroes, up to the most that it could ask for, in place of a trap. The globals and
// the function come behind the guest's own, so its code cannot name them; a module
// that imports from [HostModule], or exports a name that begins with [Prefix], is
// refused. Functions keep their names in traces.
//
// # Concurrency and ownership
//
// Nothing here blocks, starts goroutines or keeps its arguments. The new Module
// shares with the old what is the same in both; neither may be changed in place.
package meter
