//go:build race

package presence

// raceEnabled: see norace_test.go.
const raceEnabled = true
