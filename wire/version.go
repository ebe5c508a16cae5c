package wire

import (
	"strconv"
	"strings"
)

// Version names a serializer.
type Version uint8

const (
	// Version1 is that of [V1].
	Version1 Version = iota + 1
	// Version2 is that of [V2].
	Version2
)

// maxPatchDigits keeps a patch number within 32 bits. No client is anywhere
// near; Phoenix has no bound.
const maxPatchDigits = 9

// String returns the lowest vsn that selects the version.
func (v Version) String() string {
	switch v {
	case Version1:
		return "1.0.0"
	case Version2:
		return "2.0.0"
	default:
		return "version " + strconv.Itoa(int(v))
	}
}

// ParseVersion returns the serializer that a client's vsn selects: [Version1] for
// 1.0.x, [Version2] for 2.0.x, where x is a number without leading zeros, as in
// Phoenix's requirements ~> 1.0.0 and ~> 2.0.0 (socket.ex). All else is refused,
// pre-releases and build metadata too.
//
// The empty text is refused as well: a client that sends no vsn at all means
// 1.0.0, one that sends an empty one does not, and only the caller can tell.
func ParseVersion(vsn string) (Version, bool) {
	v, patch := Version1, ""
	switch {
	case strings.HasPrefix(vsn, "1.0."):
		patch = vsn[len("1.0."):]
	case strings.HasPrefix(vsn, "2.0."):
		v, patch = Version2, vsn[len("2.0."):]
	}
	if !isNumber(patch) {
		return 0, false
	}
	return v, true
}

// isNumber reports whether s is a number as semver writes it, and not absurdly
// large.
func isNumber(s string) bool {
	if s == "" || len(s) > maxPatchDigits || s[0] == '0' && len(s) > 1 {
		return false
	}
	return strings.Trim(s, "0123456789") == ""
}
