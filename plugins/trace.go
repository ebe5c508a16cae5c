package plugins

import (
	"strconv"
	"strings"

	"github.com/aviary-host/aviary/plugins/lines"
)

const (
	// sourcePrefix begins the line that wazero puts behind the frame of a module with
	// debug information: the offset of the instruction, and what package module has
	// it say of its place.
	sourcePrefix = "\t0x"

	// placeMark stands before a place.
	placeMark = " at "
)

// withPlaces writes a trace of wazero's, a frame per line, with the places of frames
// that have one, and returns the innermost of these.
func withPlaces(trace string, table *lines.Table) (stack string, innermost lines.Place) {
	var out strings.Builder
	for line := range strings.SplitSeq(trace, "\n") {
		line = strings.TrimPrefix(line, "\t")
		place, ok := lines.Place{}, false
		if digits, isSource := strings.CutPrefix(line, sourcePrefix); isSource && table != nil {
			if place, ok = placeOf(digits, table); !ok {
				continue
			}
			if innermost.File == "" {
				innermost = place
			}
			line = placeMark + place.File + ":" + strconv.FormatUint(uint64(place.Line), 10)
		} else if out.Len() > 0 {
			out.WriteByte('\n')
		}
		out.WriteString(line)
	}
	return strings.ToValidUTF8(out.String(), "\uFFFD"), innermost
}

// placeOf looks up the offset that digits begin with.
func placeOf(digits string, table *lines.Table) (lines.Place, bool) {
	digits, _, _ = strings.Cut(digits, ":")
	offset, err := strconv.ParseUint(digits, 16, 64)
	if err != nil {
		return lines.Place{}, false
	}
	return table.At(offset)
}
