package image

import (
	"errors"
	"fmt"
	"os"
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
	None                  // does not: there are no images
)

// Methods lists those that put memories back, in the order in which they are tried.
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
	case None:
		return "none"
	}
	return "method?"
}

// MaxCopied is the most pages that a Memory keeps as copies of its own. A Reset that
// finds more drops them all.
const MaxCopied = 128

// Check tells whether there can be images by a method: nil, or an error that wraps
// [ErrUnsupported].
func Check(method Method) error {
	i, err := New(make([]byte, 8*os.Getpagesize()), method)
	if err != nil {
		return err
	}
	return i.Close()
}

// errSize refuses a memory that no mapping could have.
func errSize(n, page int) error {
	return fmt.Errorf("memory of %d bytes, which is no multiple of the page of %d", n, page)
}
