package plugins

import "testing"

func TestSizeText(t *testing.T) {
	for pages, want := range map[uint64][2]string{
		1: {"64 KiB", "64 KiB"}, 16: {"1 MiB", "1 MiB"}, 32: {"2 MiB", "2 MiB"}, 34: {"2.2 MiB", "2.1 MiB"}, 40: {"2.5 MiB", "2.5 MiB"},
		300: {"18.8 MiB", "18.7 MiB"}, 65536: {"4096 MiB", "4096 MiB"},
	} {
		if up, down := sizeText(pages*pageSize, true), sizeText(pages*pageSize, false); up != want[0] || down != want[1] {
			t.Errorf("%d pages: %s, %s", pages, up, down)
		}
	}
}
