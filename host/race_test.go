//go:build race

package host

// raceEnabled: see norace_test.go.
const raceEnabled = true
