package image

import (
	"os"
	"testing"
	"unsafe"
)

// TestReserve: what is used ends where a page of the page table does, with room for one
// on either side, wherever the system puts the addresses.
func TestReserve(t *testing.T) {
	page := os.Getpagesize()
	for _, span := range []int{tableSpan, blockSpan} {
		for _, used := range []int{0, page, 65536, tableSpan, tableSpan + page} {
			m := &Memory{}
			n := used + 4*page
			at, err := m.reserve(n, used, span)
			if err != nil {
				t.Fatal(err)
			}
			end := uintptr(unsafe.Pointer(&m.reserved[at])) + uintptr(used)
			if end%uintptr(span) != 0 || at < tableSpan || at+n+tableSpan > len(m.reserved) {
				t.Errorf("span %d, used %d: at %d of %d, which ends at %#x", span, used, at, len(m.reserved), end)
			}
			if err := m.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
