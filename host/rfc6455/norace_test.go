//go:build !race

package rfc6455_test

// raceEnabled: the race detector makes deflate ten times as slow.
const raceEnabled = false
