package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"
)

// TestOtherClients runs the suite again with the other kinds of clients, each in
// a process of its own, since a kind holds for all tests of a process. The
// binary is the same one, so what it was built with, such as -race, is too, and so is
// the module once it is compiled. They run beside each other, since they wait for the
// most part. Under the race detector they do not: a slow client that polls loses its
// session. There only one of them runs, by itself; what the others say is said without it.
func TestOtherClients(t *testing.T) {
	if *clientKind != "v2" {
		t.Skip("this is one of them")
	}
	if !raceEnabled {
		t.Parallel()
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	fixtureOf(t) // has compiled the module
	args := []string{"-cache=" + *cacheDir}
	flag.Visit(func(f *flag.Flag) {
		if slices.Contains([]string{"test.short", "test.shuffle"}, f.Name) {
			args = append(args, fmt.Sprintf("-%s=%s", f.Name, f.Value))
		}
	})
	if end, ok := t.Deadline(); ok {
		args = append(args, "-test.timeout="+time.Until(end).String())
	}
	kinds := []string{"v1", "poll-v2", "poll-v1"}
	if raceEnabled {
		kinds = kinds[2:] // which differs from the first in both
	}
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), exe, append([]string{"-client=" + kind}, args...)...)
			out, err := cmd.CombinedOutput()
			t.Logf("%s", out)
			if err != nil {
				t.Errorf("%v: %v", cmd.Args, err)
			}
		})
	}
}
