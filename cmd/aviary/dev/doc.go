// Package dev is `aviary dev`: it builds a project, serves it, and does so again whenever a
// file is saved, while clients stay connected.
//
//	look at the sources ─ changed and still ─> build ─> deploy ─> a new generation
//	                                             └─ failed: the old one goes on
//
// [Run] does all of it until its context ends. Beside the project it serves the playground, a
// page that joins a topic, pushes events, and shows frames, presence, the log, fuel, and
// what the compiler says (page/). What the page asks for again and again is
// playground/state.json.
//
// Sources are looked at a few times a second rather than watched: they are few files in
// many directories, some of which come and go, and this works the same on every system, on
// network volumes and in containers.
package dev
