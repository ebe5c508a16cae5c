// Package module reads WebAssembly modules that nobody vouches for, and writes
// them again. What a host compiles is what was written, so that no byte of the
// guest's reaches the compiler unread, and two parsers can never take one module
// for two different ones.
//
// The two verbs are [Decode] and [Module.Encode].
//
//	bytes ── Decode, within Caps ──> Module ── Encode ──> bytes, in one spelling
//
// # What is accepted
//
// The binary format of WebAssembly 2.0 (core specification, section 5), with SIMD.
// Refused are threads, tail calls, exceptions, garbage collection, typed
// references, several memories, memories of 64 bits, extended constant
// expressions and relaxed SIMD, and everything that the specification calls
// malformed. Within that:
//
//   - all indices are in range, and labels name a block around them;
//   - blocks are properly nested, and a body ends where its size says;
//   - alignments are at most natural, and lanes exist;
//   - constant expressions are one instruction, of the type that is needed;
//   - memory.init and data.drop come with a data count;
//   - nothing is larger than its cap, see [Caps].
//
// Operands are not checked: the compiler validates what is written here.
//
// # The spelling
//
// Numbers are as short as can be, sections are in the order of the specification
// and absent when empty, runs of equal locals are joined, and an active segment
// for memory or table 0 is of the short kind. Of custom sections only the names of functions
// are kept, and for debug information stands what is the same for every module (see
// [Debug]). Decoding what was encoded gives an equal Module, but for what was dropped.
//
// # Concurrency and ownership
//
// Nothing here blocks, starts goroutines or keeps its arguments, except that the
// contents of a data segment and of a line table are views into the bytes that were
// decoded, which must not change while the Module is in use. A Module may be read by
// any number of goroutines.
package module
