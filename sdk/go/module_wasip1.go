package aviary

import "unsafe"

// The module's side of abi/SPEC.md: exports (section 2) and imports (section 6).

//go:wasmimport aviary log
func importLog(level uint32, line string)

//go:wasmimport aviary presence_list
func importPresenceList(topic string, out unsafe.Pointer, room uint32) int32

//go:wasmimport aviary config
func importConfig(key string, out unsafe.Pointer, room uint32) int32

//go:wasmimport aviary panic
func importPanic(message, file string, line uint32)

//go:wasmexport aviary_abi_v1
func exportMarker() uint64 {
	if problem := guest.undeclared(); problem != "" {
		importPanic(problem, "", 0)
	}
	guest.warmUp()
	return uint64(guest.marker())
}

//go:wasmexport aviary_alloc
func exportAlloc(size uint32) unsafe.Pointer {
	return unsafe.Pointer(unsafe.SliceData(guest.requestBuffer(int(size))))
}

//go:wasmexport connect
func exportConnect(request unsafe.Pointer, size uint32) uint64 { return export(request, size) }

//go:wasmexport join
func exportJoin(request unsafe.Pointer, size uint32) uint64 { return export(request, size) }

//go:wasmexport handle_in
func exportHandleIn(request unsafe.Pointer, size uint32) uint64 { return export(request, size) }

//go:wasmexport handle_info
func exportHandleInfo(request unsafe.Pointer, size uint32) uint64 { return export(request, size) }

//go:wasmexport handle_out
func exportHandleOut(request unsafe.Pointer, size uint32) uint64 { return export(request, size) }

//go:wasmexport terminate
func exportTerminate(request unsafe.Pointer, size uint32) uint64 { return export(request, size) }

//go:wasmexport code_change
func exportCodeChange(request unsafe.Pointer, size uint32) uint64 { return export(request, size) }

//go:wasmexport presence_fetch
func exportPresenceFetch(request unsafe.Pointer, size uint32) uint64 { return export(request, size) }

// export runs a callback and packs where its response lies. A panic ends in the
// host, which gets its text and place; the module is not used again.
func export(request unsafe.Pointer, size uint32) uint64 {
	defer reportPanic()
	guest.host = moduleHost{}
	response := guest.serve(unsafe.Slice((*byte)(request), size))
	at := uintptr(unsafe.Pointer(unsafe.SliceData(response)))
	return uint64(at)<<32 | uint64(len(response))
}

func reportPanic() {
	if v := recover(); v != nil {
		e := caught(v)
		importPanic(e.Message, e.File, uint32(e.Line))
	}
}

// moduleHost asks the host through the imports.
type moduleHost struct{}

// Log implements Host.
func (moduleHost) Log(level Level, line string) { importLog(uint32(level), line) }

// Presences implements Host.
func (moduleHost) Presences(topic string) []byte { return ask(importPresenceList, topic) }

// Config implements Host.
func (moduleHost) Config(key string) []byte { return ask(importConfig, key) }

// ask calls an import that writes its answer to a buffer, again if it was too
// small. The answer is nil if there is none.
func ask(question func(string, unsafe.Pointer, uint32) int32, about string) []byte {
	answer := make([]byte, 1024)
	for {
		n := int(question(about, unsafe.Pointer(unsafe.SliceData(answer)), uint32(len(answer))))
		if n < 0 {
			return nil
		}
		if n <= len(answer) {
			return answer[:n]
		}
		answer = make([]byte, n)
	}
}

// Builders made in a callback last until the next one.

func newObj() *Obj       { return fresh(&guest.objs) }
func newArr() *Arr       { return fresh(&guest.arrs) }
func newFields() *Fields { return fresh(&guest.fields) }

// fresh takes from a pool what lasts until the next callback. What an init
// function makes may be meant for all of them, so it gets its own.
func fresh[T any](p *pool[T]) *T {
	if guest.running {
		return p.next()
	}
	return new(T)
}
