// Package lines finds the source line of an instruction, for the traces of guests that
// were compiled with debug information (DWARF 2 to 5, .debug_line).
//
// The one verb is [Read], which makes a [Table] of a module that was metered and of
// what became of it once it was written.
//
//	guest's .debug_line ──> lines by old offset ─┐
//	old offset of each instruction  ─────────────┼─> Read ──> Table ── At(new offset) ──> Place
//	new offset of each instruction  ─────────────┘
//
// # Hostile input
//
// A line table is the guest's word on itself: it may be wrong or made to harm. It is
// read here rather than by debug/dwarf, which makes room for whatever number of files
// a header names, and asks for terabytes. Reading takes time in proportion to the
// section's bytes and the module's code, and memory within fixed caps. What is
// malformed ends its part of the table, what is over a cap all of it; a module is
// never refused for its lines. Names of files are cleaned and cut.
//
// # What it says
//
// A line of an inlined function is that of the inlined code, while the function's name
// in a trace is of the one around it. Code that a compiler made of no line has no
// place.
//
// # Concurrency and ownership
//
// Nothing here blocks, starts goroutines or keeps its arguments. A Table is never
// changed, and may be used by any number of goroutines.
package lines
