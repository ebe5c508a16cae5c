// Package play runs callbacks of a module without a server: the cases of `aviary test`, one
// callback for `aviary call`, the record of a failure for `aviary replay`.
//
// [Load] loads a module as a server does, [Module.Run] runs one callback, [Module.Play] the
// steps of a [Case], each on the state that the one before has left. What a callback
// answers is an [Answer], in the words of abi/SPEC.md; [Diff] compares two of them.
//
//	Case: topic, settings, time, seed, state
//	  └─ Step: callback, event, payload ──> Answer: result, payload, effects, state
//
// Every callback finds the memory of the module as initialisation left it, and what it
// answers is held to the rules as by a server, but for those that need one: what other
// channels have, and what a manifest allows. Cases are files (docs/testing.md), read
// strictly.
//
// A Module may be used from one goroutine at a time.
package play
