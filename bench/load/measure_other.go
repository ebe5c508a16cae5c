//go:build !linux

package load

import (
	"context"
	"errors"
	"runtime"
)

var errLinuxOnly = errors.New("the load generator needs Linux (epoll, process CPU clocks, /proc), and this is " + runtime.GOOS)

// Run does the workload of cfg. It needs Linux.
func Run(context.Context, Config) (Result, error) { return Result{}, errLinuxOnly }

// RaiseFileLimit makes room for so many open files. It needs Linux.
func RaiseFileLimit(int) error { return errLinuxOnly }

// Processor names the model of the CPU, "" if it is not known.
func Processor() string { return "" }

// Kernel names the operating system.
func Kernel() string { return runtime.GOOS }
