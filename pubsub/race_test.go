//go:build race

package pubsub

// raceEnabled: see norace_test.go.
const raceEnabled = true
