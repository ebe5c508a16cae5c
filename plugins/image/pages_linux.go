package image

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// finder finds the pages of a memory that are copies of its own. It has room for what
// it finds, so that looking does not allocate.
type finder struct {
	arg     scanArg
	regions [MaxCopied]region
	n       int // regions that were found; addresses become offsets
	entries []uint64
}

// scanArg and region are pm_scan_arg and page_region of linux/fs.h.
type scanArg struct {
	size, flags, start, end, walkEnd uint64
	vec, vecLen, maxPages            uint64
	inverted, mask, anyOf, returned  uint64
}

type region struct {
	start, end uint64
	categories uint64
}

// Categories of pages, and the number of the call: _IOWR('f', 16, struct pm_scan_arg).
const (
	isFile    = 1 << 2
	isPresent = 1 << 3
	isSwapped = 1 << 4

	scanCall = 3<<30 | unsafe.Sizeof(scanArg{})<<16 | 'f'<<8 | 16
)

// Bits of an entry of /proc/self/pagemap (admin-guide/mm/pagemap.rst).
const (
	entrySize    = 8
	entryPresent = 1 << 63
	entrySwapped = 1 << 62
	entryFile    = 1 << 61
)

// found returns what the last find found.
func (f *finder) found() []region { return f.regions[:f.n] }

// find looks for written pages, and returns how many there are; if that is more than
// MaxCopied, found has not all of them. Those are pages that are not the file's, also where they are swapped out.
func (m *Memory) find() (pages int, err error) {
	if m.image.method == Scan {
		return m.scan()
	}
	return m.readPagemap()
}

// scan asks the kernel, as often as there is no room for all that it has to tell: then
// there is more than can be copied, and only the count is of use.
func (m *Memory) scan() (int, error) {
	n, next, err := m.scanFrom(0)
	for err == nil && next < uint64(len(m.data)) {
		var more int
		more, next, err = m.scanFrom(next)
		n = max(n+more, MaxCopied+1)
	}
	return n, err
}

// scanFrom scans from an offset on, up to next.
func (m *Memory) scanFrom(at uint64) (pages int, next uint64, err error) {
	f := &m.pages
	base := uint64(uintptr(unsafe.Pointer(&m.data[0])))
	f.arg = scanArg{
		size: uint64(unsafe.Sizeof(f.arg)), start: base + at, end: base + uint64(len(m.data)),
		vec: uint64(uintptr(unsafe.Pointer(&f.regions[0]))), vecLen: uint64(len(f.regions)),
		inverted: isFile, mask: isFile, anyOf: isPresent | isSwapped, returned: isFile,
	}
	// Raw, since to tell Go's scheduler of a call costs a tenth of it, and this one is over
	// in two or three microseconds.
	n, _, errno := unix.RawSyscall(unix.SYS_IOCTL, m.image.pagemap.Fd(), scanCall, uintptr(unsafe.Pointer(&f.arg)))
	if errno != 0 {
		return 0, 0, fmt.Errorf("PAGEMAP_SCAN: %w", errno)
	}
	f.n = int(n)
	bytes := uint64(0)
	for i := range f.regions[:f.n] {
		r := &f.regions[i]
		bytes += r.end - r.start
		r.start -= base
		r.end -= base
	}
	if f.arg.walkEnd <= f.arg.start {
		return 0, 0, errShort
	}
	return int(bytes) / os.Getpagesize(), f.arg.walkEnd - base, nil
}

// readPagemap reads an entry for every page.
func (m *Memory) readPagemap() (int, error) {
	f := &m.pages
	page := uint64(os.Getpagesize())
	if f.entries == nil {
		f.entries = make([]uint64, uint64(len(m.data))/page)
	}
	base := uint64(uintptr(unsafe.Pointer(&m.data[0])))
	raw := unsafe.Slice((*byte)(unsafe.Pointer(&f.entries[0])), len(f.entries)*entrySize)
	n, err := m.image.pagemap.ReadAt(raw, int64(base/page*entrySize))
	if n < len(raw) {
		return 0, fmt.Errorf("/proc/self/pagemap: %w", errors.Join(errShort, err))
	}
	f.n = 0
	written := 0
	for i := range f.entries {
		e := binary.NativeEndian.Uint64(raw[i*entrySize:])
		if e&entryFile != 0 || e&(entryPresent|entrySwapped) == 0 {
			continue
		}
		if written++; f.n == len(f.regions) {
			continue // for the count
		}
		f.regions[f.n] = region{start: uint64(i) * page, end: uint64(i+1) * page}
		f.n++
	}
	return written, nil
}

var errShort = errors.New("ends early")
