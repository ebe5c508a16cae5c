package image

import (
	"errors"
	"fmt"
)

// ErrUnsupported tells that this system has no images, or not by that method.
var ErrUnsupported = errors.New("no images on this system")

// Method is a way to put a memory back.
type Method uint8

// The methods, the best first.
const (
	Auto    Method = iota // the first of the others that works
	Scan                  // asks the kernel for the written pages: PAGEMAP_SCAN, since Linux 6.7
	Pagemap               // reads /proc/self/pagemap for them: any Linux with /proc
	Drop                  // drops all pages, so that each is faulted in again: any Linux
)

// Methods lists all but Auto, in the order in which they are tried.
func Methods() []Method { return []Method{Scan, Pagemap, Drop} }

// String returns the method as logs and configuration spell it.
func (m Method) String() string {
	switch m {
	case Auto:
		return "auto"
	case Scan:
		return "scan"
	case Pagemap:
		return "pagemap"
	case Drop:
		return "drop"
	}
	return "method?"
}

// MaxCopied is the most pages that a Memory keeps as copies of its own. A Reset that
// finds more drops them all.
const MaxCopied = 128

// errSize refuses a memory that no mapping could have.
func errSize(n, page int) error {
	return fmt.Errorf("memory of %d bytes, which is no multiple of the page of %d", n, page)
}
