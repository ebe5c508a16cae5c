//go:build !linux

package main

import (
	"fmt"
	"os"
	"runtime"
)

func main() {
	fmt.Fprintln(os.Stderr, "bench-floor: it needs Linux (epoll), and this is", runtime.GOOS)
	os.Exit(1)
}
