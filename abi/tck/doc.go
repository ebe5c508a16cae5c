// Package tck tells whether a module keeps to abi/SPEC.md, whoever made it and in whatever
// language: a kit for those who write an SDK, or a module by hand.
//
// [Check] reads a module, loads it as a server does, runs each callback that it has with
// requests that a server could send, and returns a [Report]: what the module is, what its
// callbacks cost, and each rule that it breaks as a [Finding] with the section of
// SPEC.md. [CheckAnswer] holds one answer to the rules alone.
//
//	module ── static: 1, 2, 6 ── load: 2.1, 2.2, 8 ── probes: 3, 4, 5, 7, 8 ──> Report
//
// Not everything can be found out from outside. What a module does with events that no
// probe sends is not seen; a join that is refused ends the probes of its channel, and
// the report says so: [Options] have a topic and a payload for it.
//
// All functions may be called from any goroutine. They block while the module compiles,
// which for one of Go takes a second.
package tck
