package module_test

import (
	"encoding/binary"
	"strings"
)

// Modules are built of strings: what is in a section, written by hand.

const header = "\x00asm\x01\x00\x00\x00"

// number is an unsigned LEB128 number.
func number(n int) string { return string(binary.AppendUvarint(nil, uint64(n))) }

// sized puts the size of s before it.
func sized(s string) string { return number(len(s)) + s }

// section is a section of any contents.
func section(id byte, contents string) string { return string([]byte{id}) + sized(contents) }

// vector is a section of entries.
func vector(id byte, entries ...string) string {
	return section(id, number(len(entries))+strings.Join(entries, ""))
}

// times is an entry, n times.
func times(n int, entry string) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = entry
	}
	return all
}

// The sections' numbers.
const (
	custom = iota
	typeSec
	importSec
	funcSec
	tableSec
	memorySec
	globalSec
	exportSec
	startSec
	elemSec
	codeSec
	dataSec
	countSec
)

const (
	unit   = "\x60\x00\x00" // the type () -> ()
	noLoc  = "\x00"         // no locals
	end    = "\x0b"
	void   = "\x40"         // the type of a block
	zero   = "\x41\x00\x0b" // the constant expression 0
	aTable = "\x70\x00\x00" // of functions, empty
	aMem   = "\x00\x01"     // of one page
	anInt  = "\x7f\x01" + zero
)

// body is a module of one function of type () -> () with these locals and this code.
func body(locals, code string) string {
	return header + vector(typeSec, unit) + vector(funcSec, "\x00") + vector(codeSec, sized(locals+code))
}

// rich is a module with one of everything, whose only function has one local, of
// type i32, and this code.
func rich(code string) string {
	return header + vector(typeSec, unit) + vector(funcSec, "\x00") + vector(tableSec, aTable) + vector(memorySec, aMem) +
		vector(globalSec, anInt) + vector(exportSec, sized("f")+"\x00\x00") + vector(elemSec, "\x01\x00\x00") +
		section(countSec, "\x01") + vector(codeSec, sized("\x01\x01\x7f"+code)) + vector(dataSec, "\x01\x00")
}
