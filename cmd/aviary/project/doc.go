// Package project builds the modules of projects that `aviary new` has made, or that have
// an aviary.json of their own.
//
// [Open] reads a project, [Project.Build] runs its commands, [Project.Sources] lists what
// they depend on.
//
//	aviary.json: setup once ─ build ─> output, a module
//
// A build that fails is a [*BuildError], which has what the compiler said. Commands run in
// the directory of the project with the environment of the process; they end with ctx.
// A Project may be used from one goroutine at a time.
package project
