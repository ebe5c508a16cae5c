// Package image keeps a picture of a guest's memory and puts memories back to it.
//
// The verbs are [New], [Image.Map], [Memory.Reset] and Close.
//
//	memory after initialisation ── New ──> Image ── Map ──> Memory ─┐
//	                                                  ▲   a callback writes
//	                                                  └─── Reset ───┘
//
// The picture is a sparse file in memory, which nobody can change any more. A Memory is
// a private mapping of it: pages that were not written are shared by all, and a write
// makes a copy of one page, of 4 KiB on most machines. Reset finds the pages that are
// such copies and writes the picture over them. They stay mapped, so that the next
// callback, which likely writes the same ones, causes no page fault. Where many were
// written it drops them all instead.
//
// # Methods
//
// There are several ways to find the written pages, see [Method]; New takes the first
// that works on this machine, which it tries. Where none does there are no images, and
// whoever wants a pristine memory makes an instance anew.
//
// With Scan, a Memory that is watched while it is written ([Memory.Watch]) is not even
// looked at unless its thread has had a page fault meanwhile.
//
// # Concurrency and ownership
//
// An Image may be mapped from any goroutine; it must outlive none of its Memories. A
// Memory belongs to one goroutine at a time. No method blocks but for the time of a few
// system calls.
package image
