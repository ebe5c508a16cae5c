//go:build !race

package wire

// raceEnabled: the race detector allocates, which makes counts meaningless.
const raceEnabled = false
