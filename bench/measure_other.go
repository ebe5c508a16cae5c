//go:build !linux

package main

import (
	"context"
	"errors"
	"runtime"
)

var errLinuxOnly = errors.New("the load generator needs Linux (epoll, process CPU clocks, /proc), and this is " + runtime.GOOS)

func measure(context.Context, target, scenario, timing) (sample, error) {
	return sample{}, errLinuxOnly
}

func raiseFileLimit(int) error { return errLinuxOnly }

func kernel() string { return runtime.GOOS }
