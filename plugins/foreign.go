package plugins

import (
	"encoding/binary"
	"errors"
)

// foreign is an import that is no function.
type foreign struct {
	module, name string
	kind         string // table, memory, global, tag
}

var errImportSection = errors.New("malformed import section")

// Numbers of the binary format (WebAssembly core specification, section 5).
const (
	sectionImport = 2
	sectionMemory = 5

	externFunc   = 0
	externTable  = 1
	externMemory = 2
	externGlobal = 3
)

// foreignImport finds the first import of a module that is no function, which
// wazero's API does not show. It only finds the words for a refusal: a module
// whose imports are not all defined cannot be instantiated anyhow.
func foreignImport(wasm []byte) (foreign, bool, error) {
	r := reader{rest: wasm[min(len(wasm), 8):]}
	for len(r.rest) > 0 && !r.bad {
		id := r.byte()
		section := reader{rest: r.bytes(r.u32())}
		if id == sectionImport && !r.bad {
			return section.foreign()
		}
	}
	if r.bad {
		return foreign{}, false, errImportSection
	}
	return foreign{}, false, nil
}

// declaredMemory returns how many bytes of memory a module begins with, 0 if it
// has none of its own or cannot be read.
func declaredMemory(wasm []byte) uint64 {
	r := reader{rest: wasm[min(len(wasm), 8):]}
	for len(r.rest) > 0 && !r.bad {
		id := r.byte()
		section := reader{rest: r.bytes(r.u32())}
		if id != sectionMemory || r.bad {
			continue
		}
		count, flags, pages := section.u32(), section.byte(), section.u32()
		if section.bad || count == 0 || flags > 1 { // 1: there is a maximum
			return 0
		}
		return uint64(pages) * pageSize
	}
	return 0
}

// foreign reads an import section up to the first entry that is no function.
func (r *reader) foreign() (foreign, bool, error) {
	for n := r.u32(); n > 0 && !r.bad; n-- {
		f := foreign{module: string(r.bytes(r.u32())), name: string(r.bytes(r.u32()))}
		kind := r.byte()
		if r.bad {
			break
		}
		switch kind {
		case externFunc:
			r.u32() // index of its type
			continue
		case externTable:
			f.kind = "table"
		case externMemory:
			f.kind = "memory"
		case externGlobal:
			f.kind = "global"
		default:
			f.kind = "tag"
		}
		return f, true, nil
	}
	if r.bad {
		return foreign{}, false, errImportSection
	}
	return foreign{}, false, nil
}

// reader reads the binary format. Bad is set by the first read that fails, and
// by all after it.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) bytes(n uint32) []byte {
	if r.bad || uint64(n) > uint64(len(r.rest)) {
		r.bad, r.rest = true, nil
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) byte() byte {
	b := r.bytes(1)
	if r.bad {
		return 0
	}
	return b[0]
}

// u32 reads an unsigned LEB128 number of 32 bits.
func (r *reader) u32() uint32 {
	v, n := binary.Uvarint(r.rest[:min(len(r.rest), 5)])
	if n <= 0 || v > 1<<32-1 {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[n:]
	return uint32(v)
}
