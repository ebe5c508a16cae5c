package lines_test

import (
	"testing"
	"unicode"
	"unicode/utf8"
)

// FuzzRead: whatever a line table says, places are fit for a line of a log.
func FuzzRead(f *testing.F) {
	f.Add([]byte(unit(4, files4, all)), []byte{}, []byte{})
	f.Add([]byte(unit(2, files4, all)), []byte{}, []byte{})
	f.Add([]byte(unit(5, files5, all)), []byte(lineStr5), []byte(str5))
	f.Add([]byte(wide4), []byte{}, []byte{})
	for _, m := range modules(f) {
		if d := &m.Debug; len(d.Line) < 10_000 {
			f.Add(d.Line, d.LineStr, d.Str)
		}
	}
	f.Fuzz(func(t *testing.T, line, lineStr, str []byte) {
		table := read(string(line), string(lineStr), string(str), 200)
		for offset := range uint64(202) {
			p, ok := table.At(offset)
			if !ok {
				continue
			}
			if p.File == "" || p.Line == 0 || len(p.File) > 100 || !utf8.ValidString(p.File) {
				t.Fatalf("place is %+q", p.File)
			}
			for _, r := range p.File {
				if !unicode.IsPrint(r) || r == '\\' {
					t.Fatalf("place is %+q", p.File)
				}
			}
		}
	})
}
