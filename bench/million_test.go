package main

import (
	"fmt"
	"strings"
	"testing"
)

// TestMillion: the table of the section adds up, and nothing was left out.
func TestMillion(t *testing.T) {
	var b strings.Builder
	million(&b)
	total := 0
	for _, n := range needs() {
		if n.bytes <= 0 || !strings.Contains(b.String(), fmt.Sprintf("| %s | %d | %s |\n", n.what, n.bytes, n.from)) {
			t.Errorf("%+v is not in the table", n)
		}
		total += n.bytes
	}
	if live := socketBytes + channelBytes + loopedBytes; live > 1536 {
		t.Errorf("an idle socket takes %d bytes, more than 1.5 KiB", live)
	}
	want := []string{
		fmt.Sprintf("| together | %d | |\n", total),
		fmt.Sprintf("24 GiB hold %.1f million", 25769.803776/float64(total)),
		"\none topic        1000000   1000000 ",
		"\none topic         100000    100000 ",
	}
	for _, text := range want {
		if !strings.Contains(b.String(), text) {
			t.Errorf("%q is not in the section:\n%s", text, &b)
		}
	}
	if strings.Contains(b.String(), "%!") {
		t.Errorf("a verb has no value:\n%s", &b)
	}
}
