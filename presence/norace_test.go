//go:build !race

package presence

// raceEnabled: the race detector allocates, which makes counts meaningless.
const raceEnabled = false
