package image_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"

	"github.com/aviary-host/aviary/plugins/image"
)

const testPages = 512 // of the system

// eachMethod runs a test with every method, and fails where one does not work here.
// The kernel may be older than one of them, and then says so.
func eachMethod(t *testing.T, run func(t *testing.T, method image.Method)) {
	t.Helper()
	for _, m := range image.Methods() {
		t.Run(m.String(), func(t *testing.T) { run(t, m) })
	}
}

// picture returns a memory with some pages of bytes, and holes between them.
func picture(pages int) []byte {
	page := os.Getpagesize()
	memory := make([]byte, pages*page)
	for i := 0; i < pages; i += 3 {
		for j := range page {
			memory[i*page+j] = byte(i + j)
		}
	}
	return memory
}

func newImage(t testing.TB, memory []byte, m image.Method) *image.Image {
	t.Helper()
	i, err := image.New(memory, m)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(i.Close(), i.Close()); err != nil {
			t.Error(err)
		}
	})
	return i
}

func newMemory(t testing.TB, i *image.Image) *image.Memory {
	t.Helper()
	m, err := i.Map()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(m.Close(), m.Close()); err != nil {
			t.Error(err)
		}
	})
	return m
}

// TestResetPutsEveryByteBack writes in all kinds of ways, again and again on the same
// memory.
func TestResetPutsEveryByteBack(t *testing.T) {
	page := os.Getpagesize()
	rng := rand.New(rand.NewPCG(1, 2))
	write := func(pages ...int) func([]byte) {
		return func(b []byte) {
			for _, p := range pages {
				b[p*page+rng.IntN(page)] ^= 0xff
			}
		}
	}
	first := func(n int) (pages []int) {
		for i := range n {
			pages = append(pages, i)
		}
		return pages
	}
	everyOther := func(n int) (pages []int) {
		for i := range n {
			pages = append(pages, 2*i)
		}
		return pages
	}
	all := func(b []byte) {
		for i := range b {
			b[i] ^= 0x5a
		}
	}
	steps := []struct {
		name  string
		write func([]byte)
	}{
		{"nothing", func([]byte) {}},
		{"the first page", write(0)},
		{"the last page", write(testPages - 1)},
		{"a hole and a full page", write(1, 3)},
		{"as many as are kept, in one piece", write(first(image.MaxCopied)...)},
		{"one more", write(first(image.MaxCopied + 1)...)},
		{"as many as are kept, in pieces", write(everyOther(image.MaxCopied)...)},
		{"one more piece", write(everyOther(image.MaxCopied + 1)...)},
		{"every byte", all},
		{"zeroes over what was none", func(b []byte) { clear(b) }},
		{"a few at random", func(b []byte) {
			for range 20 {
				b[rng.IntN(len(b))]++
			}
		}},
	}
	eachMethod(t, func(t *testing.T, method image.Method) {
		want := picture(testPages)
		i := newImage(t, want, method)
		if i.Method() != method || i.Kept() != (testPages+2)/3*page {
			t.Errorf("method %s keeps %d bytes", i.Method(), i.Kept())
		}
		m := newMemory(t, i)
		for range 3 {
			rng.Shuffle(len(steps), func(a, b int) { steps[a], steps[b] = steps[b], steps[a] })
			for _, s := range steps {
				s.write(m.Bytes())
				if err := m.Reset(); err != nil {
					t.Fatalf("%s: %v", s.name, err)
				}
				if !bytes.Equal(m.Bytes(), want) {
					t.Fatalf("%s: is not as the image", s.name)
				}
			}
		}
	})
}

// TestMemoriesAreApart: what is written to one is in no other, nor in the image.
func TestMemoriesAreApart(t *testing.T) {
	eachMethod(t, func(t *testing.T, method image.Method) {
		want := picture(testPages)
		i := newImage(t, want, method)
		var work sync.WaitGroup
		for n := range 4 {
			m := newMemory(t, i)
			work.Go(func() {
				rng := rand.New(rand.NewPCG(uint64(n), 0))
				for range 200 {
					for range 1 + rng.IntN(200) {
						m.Bytes()[rng.IntN(len(want))] = byte(n)
					}
					if err := m.Reset(); err != nil {
						t.Error(err)
						return
					}
					if !bytes.Equal(m.Bytes(), want) {
						t.Errorf("memory %d is not as the image", n)
						return
					}
				}
			})
		}
		work.Wait()
	})
}

// TestExpectation: where memories are expected to be written is about their place alone. What
// is written elsewhere is put back too.
func TestExpectation(t *testing.T) {
	page, want := os.Getpagesize(), picture(2*testPages)
	eachMethod(t, func(t *testing.T, method image.Method) {
		for _, expected := range []int{-1, 0, 1, 3, testPages - 1, testPages, testPages + 1, 2 * testPages, 9 * testPages} {
			i := newImage(t, want, method)
			i.Expect(expected * page)
			m, beside := newMemory(t, i), newMemory(t, i)
			for _, at := range []int{0, expected - 1, expected, expected + 1, testPages, 2*testPages - 1} {
				at = min(max(at, 0), 2*testPages-1) * page
				m.Bytes()[at]++
				beside.Bytes()[at]++
				if err := m.Reset(); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(m.Bytes(), want) || beside.Bytes()[at] == want[at] {
					t.Errorf("%d pages expected, byte %d written: not put back, or that of another", expected, at)
				}
			}
		}
	})
}

// TestImageOutlivesItsSource: it is a copy.
func TestImageOutlivesItsSource(t *testing.T) {
	blank, err := image.Blank(testPages * os.Getpagesize())
	if err != nil {
		t.Fatal(err)
	}
	copy(blank.Bytes(), "before")
	i := newImage(t, blank.Bytes(), image.Auto)
	copy(blank.Bytes(), "after.")
	if err := blank.Close(); err != nil {
		t.Fatal(err)
	}
	if got := newMemory(t, i).Bytes()[:6]; string(got) != "before" {
		t.Errorf("begins with %q", got)
	}
}

func TestEmpty(t *testing.T) {
	eachMethod(t, func(t *testing.T, method image.Method) {
		m := newMemory(t, newImage(t, nil, method))
		if err := m.Reset(); err != nil || len(m.Bytes()) != 0 {
			t.Errorf("%d bytes: %v", len(m.Bytes()), err)
		}
	})
}

func TestRefusals(t *testing.T) {
	odd := fmt.Sprintf("memory of 100 bytes, which is no multiple of the page of %d", os.Getpagesize())
	if _, err := image.New(make([]byte, 100), image.Auto); err == nil || err.Error() != odd {
		t.Errorf("odd size: %v", err)
	}
	if _, err := image.Blank(100); err == nil || err.Error() != odd {
		t.Errorf("odd size: %v", err)
	}
	if _, err := image.New(nil, 77); !errors.Is(err, image.ErrUnsupported) {
		t.Errorf("method 77: %v", err)
	}
	m, err := image.Blank(os.Getpagesize())
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Reset(); !errors.Is(err, image.ErrUnsupported) {
		t.Errorf("reset without an image: %v", err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}

// TestNothingIsLeft: files and mappings are given back.
func TestNothingIsLeft(t *testing.T) {
	count := func() (files, mappings int) {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		maps, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries), bytes.Count(maps, []byte("aviary-image"))
	}
	files, mappings := count()
	eachMethod(t, func(t *testing.T, method image.Method) {
		for range 10 {
			m := newMemory(t, newImage(t, picture(testPages), method))
			m.Bytes()[0]++
		}
	})
	if f, m := count(); f > files+2 || m != mappings { // the runtime may open one or two
		t.Errorf("%d files and %d mappings, before %d and %d", f, m, files, mappings)
	}
}

func TestResetDoesNotAllocate(t *testing.T) {
	eachMethod(t, func(t *testing.T, method image.Method) {
		m := newMemory(t, newImage(t, picture(testPages), method))
		if n := testing.AllocsPerRun(100, func() {
			m.Bytes()[0]++
			if err := m.Reset(); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}

// BenchmarkReset puts back a memory of 16 MiB of which a few pages are written.
func BenchmarkReset(b *testing.B) {
	memory := make([]byte, 16<<20)
	copy(memory, picture(64))
	for _, method := range image.Methods() {
		for _, pages := range []int{5, 20} {
			b.Run(fmt.Sprintf("%s/%d", method, pages), func(b *testing.B) {
				m := newMemory(b, newImage(b, memory, method))
				page := os.Getpagesize()
				b.ReportAllocs()
				for b.Loop() {
					for i := range pages {
						m.Bytes()[2*i*page]++
					}
					if err := m.Reset(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// TestDropped: how many pages are let go of is exact where somebody looks, however they lie,
// and where few were written they are kept.
func TestDropped(t *testing.T) {
	page := os.Getpagesize()
	eachMethod(t, func(t *testing.T, method image.Method) {
		i, before := newImage(t, picture(testPages), method), picture(testPages)
		for _, tt := range []struct{ pages, step, want int }{
			{image.MaxCopied, 1, 0},
			{image.MaxCopied, 2, 0},
			{image.MaxCopied + 1, 1, image.MaxCopied + 1},
			{image.MaxCopied + 1, 2, image.MaxCopied + 1},
			{testPages / 2, 2, testPages / 2},
			{testPages, 1, testPages},
			{0, 1, 0},
		} {
			m := newMemory(t, i)
			for i := range tt.pages {
				m.Bytes()[i*tt.step*page]++
			}
			if err := m.Reset(); err != nil {
				t.Fatal(err)
			}
			if method == image.Drop {
				tt.want = 0
			}
			if got := m.Dropped(); got != tt.want {
				t.Errorf("%d pages, each %d: %d were dropped, want %d", tt.pages, tt.step, got, tt.want)
			}
			if !bytes.Equal(m.Bytes(), before) {
				t.Errorf("%d pages, each %d: not put back", tt.pages, tt.step)
			}
		}
	})
}
