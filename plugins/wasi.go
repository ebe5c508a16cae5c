package plugins

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/tetratelabs/wazero/api"

	"github.com/aviary-host/aviary/abi"
)

// Numbers of WASI preview 1 that are used here, after its witx file
// (WebAssembly/WASI, phases/snapshot/docs.md).
const (
	errnoSuccess = 0
	errnoBadf    = 8
	errnoFault   = 21
	errnoInval   = 28
	errnoSpipe   = 70

	clockRealtime  = 0
	clockMonotonic = 1

	fileCharacterDevice = 2
	rightFDRead         = 1 << 1
	rightFDWrite        = 1 << 6

	eventClock = 0 // tag of a subscription and type of an event

	iovecSize        = 8
	fdstatSize       = 24
	subscriptionSize = 48
	eventSize        = 32
)

const (
	clockStep = time.Millisecond

	// A monotonic clock that began at 0 would stop a Go guest, which takes 0
	// for a clock that does not work.
	monotonicStart = time.Second

	// Bounds on the work of one host call. A write may be short, so a guest
	// with more to say calls again.
	maxWrite  = 64 << 10
	maxIovecs = 1024

	// Fuel for what a write costs besides its bytes. A line of standard error is
	// copied and kept.
	burnIovec = 40
	burnLine  = 200
)

// wasiFunc is a function of WASI preview 1: it gets its parameters and returns
// an error number.
type wasiFunc func(c *guestCall, mem api.Memory, args []uint64) (errno uint64)

// wasiFuncs lists the part of WASI preview 1 that lets standard libraries
// start. There are no files, arguments or environment variables behind it.
func wasiFuncs() []hostFunc {
	fn := func(name string, params []api.ValueType, run wasiFunc) hostFunc {
		return hostFunc{abi.WASIModule, name, params, i32s(1), run.run}
	}
	i32, i64 := api.ValueTypeI32, api.ValueTypeI64
	return []hostFunc{
		fn("args_get", i32s(2), wasiNothing),
		fn("args_sizes_get", i32s(2), wasiNoSizes),
		fn("environ_get", i32s(2), wasiNothing),
		fn("environ_sizes_get", i32s(2), wasiNoSizes),
		fn("clock_res_get", i32s(2), wasiClockRes),
		fn("clock_time_get", []api.ValueType{i32, i64, i32}, wasiClockTime),
		fn("random_get", i32s(2), wasiRandom),
		fn("sched_yield", nil, wasiNothing),
		fn("poll_oneoff", i32s(4), wasiPoll),
		fn("fd_write", i32s(4), wasiWrite),
		fn("fd_read", i32s(4), wasiRead),
		fn("fd_close", i32s(1), wasiStandardFD),
		fn("fd_fdstat_get", i32s(2), wasiFdstat),
		fn("fd_fdstat_set_flags", i32s(2), wasiStandardFD),
		fn("fd_prestat_get", i32s(2), wasiNoPreopen),
		fn("fd_prestat_dir_name", i32s(3), wasiNoPreopen),
		fn("fd_seek", []api.ValueType{i32, i64, i32, i32}, wasiSeek),
		{abi.WASIModule, "proc_exit", i32s(1), nil, wasiExit},
	}
}

func (f wasiFunc) run(c *guestCall, mem api.Memory, stack []uint64) {
	errno := f(c, mem, stack)
	stack[0] = errno
}

// wasiNothing is a success without any effect.
func wasiNothing(*guestCall, api.Memory, []uint64) uint64 { return errnoSuccess }

// wasiNoSizes answers that there are no strings, of no bytes in all.
func wasiNoSizes(_ *guestCall, mem api.Memory, args []uint64) uint64 {
	if !put32(mem, args[0], 0) || !put32(mem, args[1], 0) {
		return errnoFault
	}
	return errnoSuccess
}

func wasiClockRes(_ *guestCall, mem api.Memory, args []uint64) uint64 {
	if uint32(args[0]) > clockMonotonic {
		return errnoInval
	}
	if !put64(mem, args[1], uint64(clockStep)) {
		return errnoFault
	}
	return errnoSuccess
}

// wasiClockTime reads a clock in steps of a millisecond: guests that we do not
// trust get no clock by which to measure the processor's caches.
func wasiClockTime(c *guestCall, mem api.Memory, args []uint64) uint64 {
	var now time.Duration
	switch uint32(args[0]) {
	case clockRealtime:
		now = time.Duration(time.Now().UnixNano())
	case clockMonotonic:
		now = monotonicStart + time.Since(c.plugin.started)
	default:
		return errnoInval
	}
	if !put64(mem, args[2], uint64(now.Truncate(clockStep))) {
		return errnoFault
	}
	return errnoSuccess
}

func wasiRandom(c *guestCall, mem api.Memory, args []uint64) uint64 {
	b, ok := bytesAt(mem, args[0], args[1])
	if !ok {
		return errnoFault
	}
	c.budget.burn(len(b)) // a byte takes some nanoseconds
	if _, err := rand.Read(b); err != nil {
		panic(err) // documented never to happen
	}
	return errnoSuccess
}

// wasiPoll answers at once that everything subscribed to has happened: a guest
// must not hold its instance by sleeping.
func wasiPoll(c *guestCall, mem api.Memory, args []uint64) uint64 {
	n := uint64(uint32(args[2]))
	if n == 0 {
		return errnoInval
	}
	if n*subscriptionSize > uint64(mem.Size()) {
		return errnoFault
	}
	in, okIn := mem.Read(uint32(args[0]), uint32(n*subscriptionSize))
	out, okOut := mem.Read(uint32(args[1]), uint32(n*eventSize))
	if !okIn || !okOut || !put32(mem, args[3], uint32(n)) {
		return errnoFault
	}
	c.budget.burnBytes(len(in) + len(out))
	for ; len(in) > 0; in, out = in[subscriptionSize:], out[eventSize:] {
		event := [eventSize]byte{}
		copy(event[:8], in[:8]) // the guest's own mark
		event[10] = in[8]       // its type
		if in[8] != eventClock && !isStandardFD(uint64(binary.LittleEndian.Uint32(in[16:]))) {
			event[8] = errnoBadf
		}
		copy(out, event[:])
	}
	return errnoSuccess
}

// wasiWrite turns what is written to standard output and error into log lines.
func wasiWrite(c *guestCall, mem api.Memory, args []uint64) uint64 {
	var buf *lineBuffer
	var emit func([]byte)
	switch uint32(args[0]) {
	case 1:
		buf, emit = &c.log.stdout, c.log.outLine
	case 2:
		buf, emit = &c.log.stderr, c.log.errLine
	default:
		return errnoBadf
	}
	n := uint32(args[2])
	if n > maxIovecs {
		return errnoInval
	}
	iovecs, ok := bytesAt(mem, args[1], uint64(n*iovecSize))
	if !ok {
		return errnoFault
	}
	written := 0
	for ; len(iovecs) > 0 && written < maxWrite; iovecs = iovecs[iovecSize:] {
		size := min(binary.LittleEndian.Uint32(iovecs[4:]), uint32(maxWrite-written))
		p, ok := bytesAt(mem, uint64(binary.LittleEndian.Uint32(iovecs)), uint64(size))
		if !ok {
			return errnoFault
		}
		c.budget.burn(burnIovec + burnLine*bytes.Count(p, []byte{'\n'}) + len(p)>>burnShift)
		buf.write(p, emit)
		written += len(p)
	}
	if !put32(mem, args[3], uint32(written)) {
		return errnoFault
	}
	return errnoSuccess
}

// wasiRead finds the end of standard input at once.
func wasiRead(_ *guestCall, mem api.Memory, args []uint64) uint64 {
	if uint32(args[0]) != 0 {
		return errnoBadf
	}
	if !put32(mem, args[3], 0) {
		return errnoFault
	}
	return errnoSuccess
}

func wasiFdstat(_ *guestCall, mem api.Memory, args []uint64) uint64 {
	if !isStandardFD(args[0]) {
		return errnoBadf
	}
	b, ok := mem.Read(uint32(args[1]), fdstatSize)
	if !ok {
		return errnoFault
	}
	clear(b)
	b[0] = fileCharacterDevice
	rights := uint64(rightFDWrite)
	if uint32(args[0]) == 0 {
		rights = rightFDRead
	}
	binary.LittleEndian.PutUint64(b[8:], rights)
	return errnoSuccess
}

// wasiStandardFD accepts what changes nothing on the three open descriptors.
func wasiStandardFD(_ *guestCall, _ api.Memory, args []uint64) uint64 {
	if !isStandardFD(args[0]) {
		return errnoBadf
	}
	return errnoSuccess
}

func wasiSeek(_ *guestCall, _ api.Memory, args []uint64) uint64 {
	if !isStandardFD(args[0]) {
		return errnoBadf
	}
	return errnoSpipe
}

// wasiNoPreopen ends a standard library's search for open directories.
func wasiNoPreopen(*guestCall, api.Memory, []uint64) uint64 { return errnoBadf }

// wasiExit ends the callback. wazero's own would close the module, and the
// instance could not be told apart from one that we closed.
func wasiExit(_ *guestCall, _ api.Memory, stack []uint64) {
	panic(&fault{kind: KindExit, message: fmt.Sprintf("proc_exit(%d)", uint32(stack[0]))})
}

func isStandardFD(fd uint64) bool { return uint32(fd) <= 2 }

func put32(mem api.Memory, ptr uint64, v uint32) bool { return mem.WriteUint32Le(uint32(ptr), v) }

func put64(mem api.Memory, ptr, v uint64) bool { return mem.WriteUint64Le(uint32(ptr), v) }
