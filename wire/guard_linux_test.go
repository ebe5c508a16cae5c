package wire

import (
	"syscall"
	"testing"
)

// Payloads may lie at the very end of a mapping (guest memory does), where one
// byte read too many kills the process. sonic's validators are native code with
// wide loads, so run them against a page that must not be touched.
func TestValidatorsDoNotReadPastTheEnd(t *testing.T) {
	page := syscall.Getpagesize()
	mem, err := syscall.Mmap(-1, 0, 3*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Skip("no mapping: ", err)
	}
	t.Cleanup(func() {
		if err := syscall.Munmap(mem); err != nil {
			t.Error(err)
		}
	})
	for _, guard := range [][]byte{mem[:page], mem[2*page:]} {
		if err := syscall.Mprotect(guard, syscall.PROT_NONE); err != nil {
			t.Skip("no guard page: ", err)
		}
	}
	texts := make([]string, 0, 128)
	for text := range judgements() {
		texts = append(texts, text)
	}
	for _, c := range decodeCases() {
		texts = append(texts, c.frame)
	}
	for _, c := range decodeV1Cases() {
		texts = append(texts, c.frame)
	}
	for _, c := range decodeBinaryCases() {
		texts = append(texts, c.frame)
	}
	for kind, frame := range benchFrames(300) {
		t.Logf("%s: %d bytes", kind, len(frame))
		texts = append(texts, string(frame))
	}
	var m Message
	for _, text := range texts {
		// Every cut of it too: unfinished strings, numbers and literals.
		for n := range len(text) + 1 {
			b := mem[2*page-n : 2*page : 2*page]
			copy(b, text)
			Valid(b)
			_ = V1{}.Decode(b, &m) // only the memory access is under test
			_ = V2{}.Decode(b, &m)
			_ = V2{}.DecodeBinary(b, &m)
		}
	}
}
