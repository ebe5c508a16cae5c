// Command plain is a guest without any library: it echoes like echo.wat, with
// nothing of Go's standard library in it.
package main

import (
	"encoding/binary"
	"unsafe"
)

func main() {}

var request, response []byte

// marker is the last that runs before the host takes a picture of the memory, so it makes
// what would else be made in every callback.
//
//go:wasmexport aviary_abi_v1
func marker() uint64 {
	response = make([]byte, 0, 16<<10)
	for range 3 {
		echo(make([]byte, 136))
	}
	return 0
}

//go:wasmexport aviary_alloc
func alloc(size uint32) uint32 {
	request = make([]byte, size)
	return uint32(uintptr(unsafe.Pointer(&request[0])))
}

//go:wasmexport join
func join(_, n uint32) uint64 { return echo(request[:n]) }

//go:wasmexport handle_in
func handleIn(_, n uint32) uint64 {
	req := request[:n]
	event := field(req, 56)
	switch string(event) {
	case "boom":
		var nothing []int
		println(nothing[len(req)])
	case "recurse":
		println(recurse(n))
	case "hoard":
		for hoard = nil; ; {
			hoard = append(hoard, make([]byte, 1<<20))
		}
	}
	return echo(req)
}

var hoard [][]byte

// recurse never returns.
//
//go:noinline
func recurse(n uint32) uint32 { return recurse(n+1) + n }

// echo replies with the payload of the request and counts in the state.
func echo(req []byte) uint64 {
	le := binary.LittleEndian
	var count uint32
	if state := field(req, 88); len(state) == 4 {
		count = le.Uint32(state)
	}
	payload := field(req, 80)
	var header [64]byte
	le.PutUint16(header[0:], 64)
	header[2] = 1            // reply
	header[3] = 2 | req[3]&1 // state given, payload as it came
	le.PutUint32(header[24:], 68)
	le.PutUint32(header[28:], uint32(len(payload)))
	le.PutUint32(header[40:], 64)
	le.PutUint32(header[44:], 4)
	response = append(response[:0], header[:]...)
	response = le.AppendUint32(response, count+1)
	response = append(response, payload...)
	return uint64(uintptr(unsafe.Pointer(&response[0])))<<32 | uint64(len(response))
}

// field returns what the pair at offset at of the request names.
func field(req []byte, at int) []byte {
	off, n := binary.LittleEndian.Uint32(req[at:]), binary.LittleEndian.Uint32(req[at+4:])
	return req[off : off+n]
}
