package image

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Image is a picture of a memory.
type Image struct {
	file    *os.File // as long as the memory, with holes where that is zero
	view    []byte   // the file, to read; empty for one of no length
	pagemap *os.File // of this process; nil where the method needs none
	method  Method
	kept    int  // bytes that are not holes
	used    int  // see Expect
	counted bool // page faults are, as Watch needs it
}

// New takes a picture of a memory, whose length is a multiple of the system's page and
// may be 0. The error wraps [ErrUnsupported] where the method, or none, works here.
func New(memory []byte, method Method) (*Image, error) {
	if page := os.Getpagesize(); len(memory)%page != 0 {
		return nil, errSize(len(memory), page)
	}
	i := &Image{method: method}
	if err := i.write(memory); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrUnsupported, err), i.Close())
	}
	if err := i.choose(method); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrUnsupported, err), i.Close())
	}
	return i, nil
}

// write makes the file and seals it.
func (i *Image) write(memory []byte) error {
	fd, err := unix.MemfdCreate("aviary-image", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return fmt.Errorf("memfd_create: %w", err)
	}
	i.file = os.NewFile(uintptr(fd), "aviary-image")
	if err := i.file.Truncate(int64(len(memory))); err != nil {
		return err
	}
	zero := make([]byte, os.Getpagesize())
	for at := 0; at < len(memory); at += len(zero) {
		page := memory[at : at+len(zero)]
		if bytes.Equal(page, zero) {
			continue
		}
		if _, err := i.file.WriteAt(page, int64(at)); err != nil {
			return err
		}
		i.kept += len(page)
	}
	const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(i.file.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		return fmt.Errorf("sealing: %w", err)
	}
	if len(memory) > 0 {
		i.view, err = unix.Mmap(fd, 0, len(memory), unix.PROT_READ, unix.MAP_SHARED|unix.MAP_NORESERVE)
	}
	return err
}

// choose finds the method to use, or tries the one that is asked for.
func (i *Image) choose(method Method) error {
	candidates := Methods()
	switch method {
	case Auto:
	case None:
		return errors.New("none are wanted")
	default:
		candidates = []Method{method}
	}
	var all error
	for _, m := range candidates {
		err := i.try(m)
		if err == nil {
			return nil
		}
		all = errors.Join(all, fmt.Errorf("%s: %w", m, err))
	}
	return all
}

// try makes m the method, if a memory that was written is put back by it.
func (i *Image) try(m Method) error {
	if m > Drop {
		return errors.New("no such method")
	}
	i.method = m
	if m != Drop && i.pagemap == nil {
		f, err := os.Open("/proc/self/pagemap")
		if err != nil {
			return err
		}
		i.pagemap = f
	}
	if len(i.view) == 0 {
		return nil
	}
	mem, err := i.Map()
	if err != nil {
		return err
	}
	for _, at := range []int{0, len(mem.data) / 2, len(mem.data) - 1} {
		mem.data[at]++
	}
	err = mem.Reset()
	for _, at := range []int{0, len(mem.data) / 2, len(mem.data) - 1} {
		if err == nil && mem.data[at] != i.view[at] {
			err = errors.New("does not find what was written")
		}
	}
	if err == nil && m == Scan {
		i.tryCounts(mem)
	}
	return errors.Join(err, mem.Close())
}

// tryCounts finds out whether page faults are counted: if a memory that was put back
// already is put back by their count when another page of it is written. A system
// without does not get less, but later.
func (i *Image) tryCounts(mem *Memory) {
	at := len(mem.data) / 4
	if at < os.Getpagesize() {
		return // that page was written before
	}
	mem.known = true
	mem.Watch()
	mem.data[at]++
	i.counted = mem.Reset() == nil && mem.data[at] == i.view[at]
	mem.known = i.counted
}

// Method returns the method that is used, never Auto.
func (i *Image) Method() Method { return i.method }

// Kept returns the bytes that the picture takes; what was zero takes none.
func (i *Image) Kept() int { return i.kept }

// Expect says that memories will hardly be written behind their first n bytes, a multiple
// of the system's page. Those that are mapped from then on lie so that the rest of them is
// cheap to look at while that is so. Where it is not they are put back all the same. It
// must not be called together with Map.
func (i *Image) Expect(n int) { i.used = min(max(n, 0), len(i.view)) }

// Close gives the picture up. Its memories stay as they are, but must not be reset any
// more. Idempotent.
func (i *Image) Close() error {
	var err error
	if i.view != nil {
		err = unix.Munmap(i.view)
		i.view = nil
	}
	for _, f := range []**os.File{&i.file, &i.pagemap} {
		if *f != nil {
			err = errors.Join(err, (*f).Close())
			*f = nil
		}
	}
	return err
}

// Memory is a private copy of an image.
type Memory struct {
	image    *Image
	reserved []byte // what data lies in
	data     []byte
	pages    finder
	dropped  int // pages, by the last Reset

	known   bool // pages has all that are copies
	watched bool // and nobody but who called Watch has written since
	faults  int64
	usage   unix.Rusage
}

// Blank returns a memory of n bytes, all zero, a multiple of the system's page. It has
// no image, and cannot be reset.
func Blank(n int) (*Memory, error) {
	if page := os.Getpagesize(); n%page != 0 {
		return nil, errSize(n, page)
	}
	return mapped(nil, -1, n, unix.MAP_ANON)
}

// Map returns a memory that is as the image.
func (i *Image) Map() (*Memory, error) {
	return mapped(i, int(i.file.Fd()), len(i.view), 0)
}

// tableSpan is what one page of a page table covers, of which a scan passes each entry
// or, where nobody has touched any of them, none; blockSpan is the same a level above.
const (
	tableSpan = 2 << 20
	blockSpan = 1 << 30
)

// mapped places a memory so that what is likely written of it ends where a page of a page
// table does: what is not lies behind pages of its own, which are not there. Nor are any
// shared with neighbours, whose entries a scan would have to pass.
func mapped(i *Image, fd, n, flags int) (*Memory, error) {
	m := &Memory{image: i}
	if n == 0 {
		return m, nil
	}
	used := 0
	if i != nil {
		used = i.used
	}
	at, err := m.reserve(n, used, blockSpan)
	if err != nil { // addresses may be limited (RLIMIT_AS)
		at, err = m.reserve(n, used, tableSpan)
	}
	if err != nil {
		return nil, err
	}
	m.data = m.reserved[at : at+n : at+n]
	_, err = unix.MmapPtr(fd, 0, unsafe.Pointer(&m.data[0]), uintptr(n),
		unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_FIXED|unix.MAP_NORESERVE|flags)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("mmap of %d bytes: %w", n, err), m.Close())
	}
	// A huge page would be copied whole for a byte that is written.
	if err := unix.Madvise(m.data, unix.MADV_NOHUGEPAGE); err != nil && !errors.Is(err, unix.EINVAL) { // a kernel without any
		return nil, errors.Join(fmt.Errorf("madvise: %w", err), m.Close())
	}
	return m, nil
}

// reserve takes addresses for n bytes, of which the first used end at a multiple of span,
// and tells where in them to begin.
func (m *Memory) reserve(n, used, span int) (at int, err error) {
	size := n + span + 2*tableSpan
	m.reserved, err = unix.Mmap(-1, 0, size, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		return 0, fmt.Errorf("mmap of %d bytes: %w", size, err)
	}
	base := uintptr(unsafe.Pointer(&m.reserved[0])) + tableSpan
	return tableSpan + int(-(base+uintptr(used))&uintptr(span-1)), nil
}

// Bytes returns the memory. It stays where it is until Close.
func (m *Memory) Bytes() []byte { return m.data }

// Reset makes the memory as the image again. After an error it is in no known state,
// and must be closed.
func (m *Memory) Reset() error {
	m.dropped = 0
	switch {
	case m.image == nil:
		return ErrUnsupported
	case len(m.data) == 0:
		return nil
	case m.image.method == Drop:
		return m.drop()
	}
	if !m.unfaulted() {
		n, err := m.find()
		if err != nil {
			return err
		}
		if n > MaxCopied {
			m.dropped = n
			return m.drop()
		}
		m.known = m.image.counted
	}
	for _, r := range m.pages.found() {
		copy(m.data[r.start:r.end], m.image.view[r.start:r.end])
	}
	return nil
}

// Dropped returns how many written pages the last Reset let go of, since there were too
// many to copy: each had to be faulted in, and has to be again. By the method Drop nobody
// knows, and it is 0.
func (m *Memory) Dropped() int { return m.dropped }

// drop lets go of all pages that were written.
func (m *Memory) drop() error {
	m.known = false
	if err := unix.Madvise(m.data, unix.MADV_DONTNEED); err != nil {
		return fmt.Errorf("madvise: %w", err)
	}
	return nil
}

// Close gives the memory back to the system: nothing may use its bytes any more.
// Idempotent.
func (m *Memory) Close() error {
	if m.reserved == nil {
		return nil
	}
	reserved := m.reserved
	m.reserved, m.data = nil, nil
	return unix.Munmap(reserved)
}
