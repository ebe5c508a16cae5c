//go:build race

package rfc6455_test

// raceEnabled: see norace_test.go.
const raceEnabled = true
