//go:build !race

package host

// raceEnabled: the race detector allocates, which makes counts meaningless.
const raceEnabled = false
