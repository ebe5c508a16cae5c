//go:build !race

package limit

// raceEnabled: the race detector allocates, which makes counts meaningless.
const raceEnabled = false
