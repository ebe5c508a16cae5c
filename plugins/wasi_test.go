package plugins

import (
	"bytes"
	"encoding/binary"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/tetratelabs/wazero/experimental/wazerotest"
)

const past = wazerotest.PageSize - 1 // where nothing longer than a byte fits

// word is a global of a guest.
type word uint64

func (w *word) Get() uint64  { return uint64(*w) }
func (w *word) Set(v uint64) { *w = word(v) }

// wasiGuest is a guest's memory, without a guest.
type wasiGuest struct {
	call guestCall
	mem  *wazerotest.Memory
}

func newWASIGuest() *wasiGuest {
	var cfg Config
	if err := withTenant(&cfg); err != nil {
		panic(err)
	}
	p := &Plugin{started: time.Now()}
	g := &wasiGuest{mem: wazerotest.NewFixedMemory(wazerotest.PageSize)}
	g.call = guestCall{plugin: p, log: guestLog{logger: slog.New(slog.DiscardHandler), tenant: cfg.Tenant}}
	g.call.budget = budget{fuelGlobal: new(word), stackGlobal: new(word)}
	g.call.budget.grant(allowance{fuel: defaultFuel, slice: defaultSlice, stack: defaultStack, tenant: cfg.Tenant})
	return g
}

// run calls a WASI function and returns its error number.
func (g *wasiGuest) run(t *testing.T, name string, args ...uint64) uint64 {
	t.Helper()
	funcs := wasiFuncs()
	i := slices.IndexFunc(funcs, func(f hostFunc) bool { return f.name == name })
	if i < 0 || len(args) != len(funcs[i].params) {
		t.Fatalf("%s is not a function of %d parameters", name, len(args))
	}
	stack := append(make([]uint64, 0, 8), args...)
	if len(stack) == 0 {
		stack = stack[:1]
	}
	funcs[i].run(&g.call, g.mem, stack)
	return stack[0]
}

func (g *wasiGuest) u32(at int) uint32 { return binary.LittleEndian.Uint32(g.mem.Bytes[at:]) }
func (g *wasiGuest) u64(at int) uint64 { return binary.LittleEndian.Uint64(g.mem.Bytes[at:]) }

func TestWASIErrorNumbers(t *testing.T) {
	for _, tt := range []struct {
		name  string
		args  []uint64
		errno uint64
	}{
		{"args_get", []uint64{0, 0}, errnoSuccess},
		{"environ_get", []uint64{0, 0}, errnoSuccess},
		{"args_sizes_get", []uint64{8, 16}, errnoSuccess},
		{"environ_sizes_get", []uint64{8, past}, errnoFault},
		{"sched_yield", nil, errnoSuccess},
		{"clock_res_get", []uint64{2, 8}, errnoInval},
		{"clock_res_get", []uint64{1, past}, errnoFault},
		{"clock_time_get", []uint64{3, 0, 8}, errnoInval},
		{"clock_time_get", []uint64{0, 0, past}, errnoFault},
		{"random_get", []uint64{past, 2}, errnoFault},
		{"random_get", []uint64{0xaaaaaaaa, 0}, errnoSuccess},
		{"fd_close", []uint64{2}, errnoSuccess},
		{"fd_close", []uint64{3}, errnoBadf},
		{"fd_fdstat_get", []uint64{3, 8}, errnoBadf},
		{"fd_fdstat_get", []uint64{1, past}, errnoFault},
		{"fd_fdstat_set_flags", []uint64{0, 4}, errnoSuccess},
		{"fd_fdstat_set_flags", []uint64{0xffffffff, 4}, errnoBadf},
		{"fd_prestat_get", []uint64{3, 8}, errnoBadf},
		{"fd_prestat_dir_name", []uint64{3, 8, 8}, errnoBadf},
		{"fd_read", []uint64{0, 8, 1, past}, errnoFault},
		{"fd_read", []uint64{1, 8, 1, 16}, errnoBadf},
		{"fd_seek", []uint64{0, 0, 0, 8}, errnoSpipe},
		{"fd_seek", []uint64{5, 0, 0, 8}, errnoBadf},
		{"fd_write", []uint64{0, 8, 1, 16}, errnoBadf},
		{"fd_write", []uint64{1, past, 1, 16}, errnoFault},
		{"fd_write", []uint64{1, 8, 1, past}, errnoFault},
		{"fd_write", []uint64{1, 8, maxIovecs + 1, 16}, errnoInval},
		{"fd_write", []uint64{1, 8, 0xffffffff, 16}, errnoInval},
		{"poll_oneoff", []uint64{0, 0, 0, 16}, errnoInval},
		{"poll_oneoff", []uint64{0, 0, 0xffffffff, 16}, errnoFault},
		{"poll_oneoff", []uint64{past, 0, 1, 16}, errnoFault},
		{"poll_oneoff", []uint64{0, past, 1, 16}, errnoFault},
		{"poll_oneoff", []uint64{0, 64, 1, past}, errnoFault},
	} {
		if got := newWASIGuest().run(t, tt.name, tt.args...); got != tt.errno {
			t.Errorf("%s%v = %d, want %d", tt.name, tt.args, got, tt.errno)
		}
	}
}

func TestWASINothingToSee(t *testing.T) {
	g := newWASIGuest()
	for _, name := range []string{"args_sizes_get", "environ_sizes_get"} {
		copy(g.mem.Bytes, bytes.Repeat([]byte{0xff}, 8))
		if g.run(t, name, 0, 4); g.u64(0) != 0 {
			t.Errorf("%s: %x", name, g.mem.Bytes[:8])
		}
	}
	g.mem.Bytes[16] = 9
	if g.run(t, "fd_read", 0, 0, 0, 16); g.u32(16) != 0 {
		t.Error("there is something to read")
	}
}

func TestWASIClocks(t *testing.T) {
	g := newWASIGuest()
	g.call.plugin.started = time.Now().Add(-time.Minute)
	if g.run(t, "clock_res_get", 0, 0); g.u64(0) != uint64(time.Millisecond) {
		t.Errorf("resolution is %d", g.u64(0))
	}
	before := time.Now()
	g.run(t, "clock_time_get", clockRealtime, 0, 0)
	got := time.Unix(0, int64(g.u64(0)))
	if got.Before(before.Add(-time.Millisecond)) || got.After(time.Now()) || g.u64(0)%1e6 != 0 {
		t.Errorf("wall clock is %v at %v", got, before)
	}
	g.run(t, "clock_time_get", clockMonotonic, 0, 0)
	if d := time.Duration(g.u64(0)); d < time.Minute || d > time.Hour || d%time.Millisecond != 0 {
		t.Errorf("monotonic clock is %v", d)
	}
	fresh := newWASIGuest()
	if fresh.run(t, "clock_time_get", clockMonotonic, 0, 0); fresh.u64(0) == 0 {
		t.Error("monotonic clock begins at 0, which stops Go guests")
	}
}

func TestWASIRandom(t *testing.T) {
	g := newWASIGuest()
	g.run(t, "random_get", 0, 32)
	g.run(t, "random_get", 32, 32)
	if bytes.Equal(g.mem.Bytes[:32], g.mem.Bytes[32:64]) || g.u64(64) != 0 {
		t.Errorf("random bytes are %x", g.mem.Bytes[:72])
	}
}

func TestWASIPollAnswersAtOnce(t *testing.T) {
	g := newWASIGuest()
	const in, out, n = 0, 1024, 2048
	le := binary.LittleEndian
	for i, sub := range []struct {
		tag byte
		fd  uint32
	}{{eventClock, 0}, {2, 1}, {1, 7}} {
		at := g.mem.Bytes[in+i*subscriptionSize:]
		le.PutUint64(at, uint64(100+i))
		at[8] = sub.tag
		le.PutUint32(at[16:], sub.fd)
	}
	if errno := g.run(t, "poll_oneoff", in, out, 3, n); errno != 0 || g.u32(n) != 3 {
		t.Fatalf("errno %d, %d events", errno, g.u32(n))
	}
	for i, want := range []struct{ errno, kind byte }{{0, eventClock}, {0, 2}, {errnoBadf, 1}} {
		at := out + i*eventSize
		if g.u64(at) != uint64(100+i) || g.mem.Bytes[at+8] != want.errno || g.mem.Bytes[at+10] != want.kind {
			t.Errorf("event %d is %x", i, g.mem.Bytes[at:at+eventSize])
		}
	}
}

func TestWASIWriteIsBounded(t *testing.T) {
	g := newWASIGuest()
	// 1024 iovecs, each of nearly the whole memory: 64 MiB if one let them.
	for i := range maxIovecs {
		binary.LittleEndian.PutUint32(g.mem.Bytes[8*i+4:], wazerotest.PageSize-8)
	}
	if errno := g.run(t, "fd_write", 1, 0, maxIovecs, wazerotest.PageSize-4); errno != 0 {
		t.Fatalf("errno %d", errno)
	}
	if n := g.u32(wazerotest.PageSize - 4); n != maxWrite {
		t.Errorf("%d bytes were written, want %d", n, maxWrite)
	}
}

func TestWASIFdstat(t *testing.T) {
	g := newWASIGuest()
	for fd, rights := range []uint64{rightFDRead, rightFDWrite, rightFDWrite} {
		g.run(t, "fd_fdstat_get", uint64(fd), 0)
		if g.mem.Bytes[0] != fileCharacterDevice || g.u64(8) != rights || g.u64(16) != 0 {
			t.Errorf("descriptor %d: %x", fd, g.mem.Bytes[:fdstatSize])
		}
	}
}

func TestWASIExitEndsCallback(t *testing.T) {
	defer func() {
		var f *fault
		if err, ok := recover().(error); !ok || !errors.As(err, &f) || f.kind != KindExit || f.message != "proc_exit(9)" {
			t.Errorf("panic is %v", err)
		}
	}()
	newWASIGuest().run(t, "proc_exit", 9)
}
