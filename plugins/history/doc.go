// Package history keeps the last modules of a plugin on the disk, and which of them serves,
// so that a server that is started again, after whatever has ended it, comes back with a
// whole module: that which served, or that which was to.
//
//	DIR/HASH.wasm    a module, by its SHA-256
//	DIR/live.json    the modules in their order, and which one is live
//
// A file is written beside its place, synced, renamed into it, and the directory synced; the
// module first, the list behind it. So the list is never about a module that is not there.
// What a crash leaves beside, nobody looks at, and the next [Store.Keep] removes.
//
// The verbs are [Open], [Store.Keep], [Store.Go] and [Store.Module]. A Store serves one
// goroutine at a time. Two servers must not share a directory.
package history
