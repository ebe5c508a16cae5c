//go:build !race

package group

// raceEnabled: the race detector allocates, which makes counts meaningless.
const raceEnabled = false
