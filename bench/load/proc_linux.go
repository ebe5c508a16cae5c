package load

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// processCPU returns the CPU time of a process, user and system, all threads
// that it has and had. The id of its clock is made as clock_getcpuclockid(3)
// does: the complement of the pid, and CPUCLOCK_SCHED (linux posix-timers.h).
func processCPU(pid int) (time.Duration, error) {
	const cpuclockSched = 2
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|cpuclockSched), &ts); err != nil {
		return 0, fmt.Errorf("CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}

// residentBytes returns how much memory of a process is resident.
func residentBytes(pid int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	kib, err := statusNumber(status, "VmRSS:")
	return kib << 10, err
}

// statusNumber returns a number of /proc/PID/status, in the unit that it has there.
func statusNumber(status []byte, name string) (int64, error) {
	for line := range bytes.Lines(status) {
		if rest, ok := bytes.CutPrefix(line, []byte(name)); ok {
			return strconv.ParseInt(string(bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(rest), []byte("kB")))), 10, 64)
		}
	}
	return 0, errors.New("no " + name + " in /proc/PID/status")
}

// usage is the CPU time of both sides at one moment.
type usage struct{ server, client time.Duration }

func readUsage(pid int) (u usage, err error) {
	if u.client, err = processCPU(os.Getpid()); err != nil || pid == 0 {
		return u, err
	}
	u.server, err = processCPU(pid)
	return u, err
}

// RaiseFileLimit makes room for n connections of this process, and of the servers
// that it starts, as far as the hard limit goes. It is an error if that is too low.
func RaiseFileLimit(n int) error {
	const spare = 64
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		return err
	}
	want := uint64(n + spare)
	if lim.Cur < want {
		lim.Cur = max(lim.Max, lim.Cur)
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
			return fmt.Errorf("raise the limit of open files: %w", err)
		}
	}
	if lim.Cur < want {
		return fmt.Errorf("%d connections need a limit of open files of %d and it is %d: see `ulimit -Hn`", n, want, lim.Cur)
	}
	return nil
}

// Kernel names the operating system.
func Kernel() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "Linux"
	}
	release, _, _ := strings.Cut(unix.ByteSliceToString(u.Release[:]), "-") // what comes behind is the distributor's
	return "Linux " + release
}

// Processor names the model of the CPU, "" if it is not known.
func Processor() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(info)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
