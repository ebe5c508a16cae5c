package host

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

// printFrames prints frames for comparison: text as it is, binary as % x.
func printFrames(frames []postFrame) string {
	var all []string
	for _, f := range frames {
		if f.binary {
			all = append(all, fmt.Sprintf("% x", f.data))
		} else {
			all = append(all, string(f.data))
		}
	}
	return strings.Join(all, " | ")
}

func TestSplitBatch(t *testing.T) {
	tests := []struct{ name, body, want, problem string }{
		{"one", `[1]`, `[1]`, ""},
		{"two", "[1]\n[2]", `[1] | [2]`, ""},
		{"carriage returns", "[1]\r\n[2]\r\n", `[1] | [2]`, ""},
		{"nothing", "", "", ""},
		{"empty lines", "\n[1]\n\r\n\n[2]\n\n", `[1] | [2]`, ""},
		{"binary", "AAEC\n[1]\r\n/+8=\r\n", `00 01 02 | [1] | ff ef`, ""},
		{"url alphabet", "[1]\n_-8=", "", "line 2 is neither a JSON array nor base64: illegal base64 data at input byte 0"},
		{"no padding", "/+8", "", "line 1 is neither a JSON array nor base64: illegal base64 data at input byte 0"},
		{"object", "\n" + `{"topic":"t"}`, "", "line 2 is neither a JSON array nor base64: illegal base64 data at input byte 0"},
		{"space before", ` [1]`, "", "line 1 is neither a JSON array nor base64: illegal base64 data at input byte 0"},
		{"no array in the end", "[1", "[1", ""}, // for the codec to refuse
		{"behind the last that counts", strings.Repeat("[1]\n", maxBatch) + "{}", strings.Repeat("[1] | ", maxBatch-1) + "[1]", ""},
	}
	for _, tt := range tests {
		frames, problem := splitBatch([]byte(tt.body))
		if got := printFrames(frames); got != tt.want || problem != tt.problem {
			t.Errorf("%s: got %s, problem %q; want %s, %q", tt.name, got, problem, tt.want, tt.problem)
		}
	}
}

// FuzzSplitBatch: frames are the lines, each as it is or decoded.
func FuzzSplitBatch(f *testing.F) {
	for _, seed := range []string{"", "[1]\n[2]", "AAEC\r\n[1]", "\n\n", "[1]\r\r\n!", strings.Repeat("[]\n", maxBatch+1)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		frames, problem := splitBatch(bytes.Clone(body))
		if problem != "" && frames != nil || len(frames) > maxBatch {
			t.Fatalf("%d frames, problem %q", len(frames), problem)
		}
		lines := strings.FieldsFunc(string(body), func(r rune) bool { return r == '\n' })
		next := 0
		for _, frame := range frames {
			for strings.TrimRight(lines[next], "\r") == "" {
				next++
			}
			line := strings.TrimRight(lines[next], "\r")
			next++
			if !frame.binary && line != string(frame.data) {
				t.Fatalf("frame %q of line %q", frame.data, line)
			}
			if decoded, err := base64.StdEncoding.DecodeString(line); frame.binary && (err != nil || !bytes.Equal(decoded, frame.data)) {
				t.Fatalf("frame % x of line %q: %v", frame.data, line, err)
			}
		}
	})
}
