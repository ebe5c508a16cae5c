//go:build race

package limit

// raceEnabled: see norace_test.go.
const raceEnabled = true
