//go:build !linux

package image

// Image is a picture of a memory. There are none on this system.
type Image struct{}

// New returns [ErrUnsupported].
func New([]byte, Method) (*Image, error) { return nil, ErrUnsupported }

// Method returns the method that is used.
func (*Image) Method() Method { return Auto }

// Kept returns the bytes that the picture takes.
func (*Image) Kept() int { return 0 }

// Expect does nothing.
func (*Image) Expect(int) {}

// Map returns [ErrUnsupported].
func (*Image) Map() (*Memory, error) { return nil, ErrUnsupported }

// Close does nothing.
func (*Image) Close() error { return nil }

// Memory is a private copy of an image. There are none on this system.
type Memory struct{}

// Blank returns [ErrUnsupported].
func Blank(int) (*Memory, error) { return nil, ErrUnsupported }

// Bytes returns nothing.
func (*Memory) Bytes() []byte { return nil }

// Reset returns [ErrUnsupported].
func (*Memory) Reset() error { return ErrUnsupported }

// Dropped returns 0.
func (*Memory) Dropped() int { return 0 }

// Watch does nothing.
func (*Memory) Watch() {}

// Unwatch does nothing.
func (*Memory) Unwatch() {}

// Close does nothing.
func (*Memory) Close() error { return nil }
