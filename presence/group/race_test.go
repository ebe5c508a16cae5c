//go:build race

package group

// raceEnabled: see norace_test.go.
const raceEnabled = true
