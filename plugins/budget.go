package plugins

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tetratelabs/wazero/api"

	"github.com/aviary-host/aviary/plugins/fair"
	"github.com/aviary-host/aviary/plugins/image"
	"github.com/aviary-host/aviary/plugins/meter"
)

// What a callback may run out of. A [*CallError] or [*LoadError] wraps one of them.
var (
	ErrFuel     = errors.New("out of fuel")
	ErrDeadline = errors.New("deadline exceeded")
	ErrStack    = errors.New("out of stack")
)

// Defaults of Config.
const (
	defaultFuel     = 10_000_000
	defaultDeadline = 50 * time.Millisecond
	defaultSlice    = 150_000
	defaultStack    = 1 << 20
)

// The most that a Config may grant.
const (
	MaxFuel  = 1 << 48 // leaves room for what is spent at once, and what initialisation gets
	MaxStack = meter.MaxStack
)

// Initialisation gets so many times the fuel of a callback, and at least so long a
// time.
const (
	initFuel     = 100
	initDeadline = 5 * time.Second
)

// How long a callback, and an initialisation, may wait for turns in all: 40 times
// their default deadlines, and longer than clients have patience.
const (
	maxWait     = 2 * time.Second
	maxInitWait = 20 * time.Second
)

// Fuel that host functions take for their work, in units of the guest's own
// instructions: a call out is some 30 of them, what most functions do as much again.
const (
	burnCall  = 100
	burnShift = 3 // 8 bytes cost 1
)

// Fuel for an instance that is made for one callback, which initialisation pays: for
// itself, and for each page of 64 KiB that its memory begins with, whose 16 pages of the
// system are allocated, cleared and collected.
const (
	burnInstance = 20_000
	burnPage     = 16_000
)

// burnFault is the fuel for a page of the system's that a callback had to be given, where
// there were so many that none is kept. The callback is over by then, so that it is the
// tenant's, not taken from what the callback may use.
const burnFault = 1000

// A plugin that has written to many pages in a callback gets short slices in its next ones:
// a page that is new is some microseconds in the kernel, and a handful of instructions to the
// meter. So those who wait for it, and Go's collector, wait a millisecond, not twenty.
const (
	waryCalls = 1000
	warySlice = 3000 // of fuel: some 250 pages
)

// allowance is what a call into a guest may use.
type allowance struct {
	fuel     int64
	deadline time.Duration // after the first slice of fuel
	slice    int64         // of fuel, at most all of it: how far a guest runs without a look at the clock
	stack    uint32        // bytes

	initial bool // it is for initialisation

	tenant   *fair.Tenant  // who pays
	patience time.Duration // how long it may wait for turns, in all
}

// counter is a mutable global of an instance.
type counter interface {
	Get() uint64
	Set(v uint64)
}

// budget is what is left of an allowance. It belongs to an instance.
type budget struct {
	allowance

	// The guest's own globals, which its code counts down.
	fuelGlobal, stackGlobal counter

	left    int64         // fuel that was not handed out yet
	charged int64         // fuel that the tenant has been told of
	ran     time.Duration // after the first slice, without the waits between slices
	resumed time.Time     // when the slice at hand was handed out; zero in the first
	first   bool          // the first slice was not handed out yet
	turn    fair.Turn
	detach  func()        // to be called when the guest gets another slice, or waits for one; may be nil
	memory  *image.Memory // that the guest writes, nil if it is not put back
}

// bind finds the globals of an instance.
func (b *budget) bind(mod api.Module) {
	b.fuelGlobal = mod.ExportedGlobal(meter.FuelExport).(api.MutableGlobal)
	b.stackGlobal = mod.ExportedGlobal(meter.StackExport).(api.MutableGlobal)
}

// grant begins a call with an allowance.
func (b *budget) grant(a allowance) {
	b.allowance, b.left, b.charged = a, a.fuel, 0
	b.ran, b.resumed = 0, time.Time{}
	b.turn.Begin(a.tenant, a.patience)
	next := a.slice
	b.first = a.tenant.Heavy()
	if b.first {
		next = 0 // it comes for its turn at once
	}
	b.left -= next
	b.fuelGlobal.Set(uint64(next))
	b.stackGlobal.Set(uint64(a.stack))
}

// burn spends fuel on behalf of the guest.
func (b *budget) burn(units int) {
	left := int64(b.fuelGlobal.Get()) - int64(units)
	b.fuelGlobal.Set(uint64(left))
	if left < 0 {
		b.refill()
	}
}

// instantiated spends the fuel for an instance that was made before the guest ran. What
// is not there the guest finds missing when it next looks.
func (b *budget) instantiated(pages uint32) {
	b.left -= burnInstance + burnPage*int64(pages)
}

// faulted spends the fuel for pages that the guest was given, behind the end of its call.
func (b *budget) faulted(pages int) { b.left -= burnFault * int64(pages) }

// burnBytes spends the fuel for handling so many bytes.
func (b *budget) burnBytes(n int) { b.burn(n >> burnShift) }

// refill hands out the next slice, less what was spent too much, when the turn of
// the callback has come. It ends the callback if there is none, or no time.
func (b *budget) refill() {
	b.left += int64(b.fuelGlobal.Get())
	b.fuelGlobal.Set(0)
	if b.left < 0 {
		panic(b.outOfFuel())
	}
	if b.detach != nil {
		b.detach()
		b.detach = nil
	}
	b.memory.Unwatch() // it keeps the thread, which others may need while this one waits
	switch {
	case !b.first:
		b.endSlice()
	case b.tenant.Heavy():
		b.await(b.turn.Enter())
	}
	b.first = false
	next := min(b.slice, b.left)
	b.left -= next
	b.fuelGlobal.Set(uint64(next))
}

// endSlice looks at the deadline and lets others by. What it waits for them is not
// the guest's time.
func (b *budget) endSlice() {
	if !b.resumed.IsZero() {
		b.ran += time.Since(b.resumed)
	}
	if b.ran > b.deadline {
		panic(b.outOfTime())
	}
	b.await(b.turn.Slice(b.uncharged()))
	b.resumed = time.Now()
}

// await ends the callback if its turn did not come.
func (b *budget) await(err error) {
	if err != nil {
		panic(busy(err))
	}
}

// uncharged returns what the guest has spent since the last call. What it has been
// handed out and not spent yet is in its global.
func (b *budget) uncharged() int64 {
	spent := b.fuel - b.left
	if b.fuelGlobal != nil {
		spent -= int64(b.fuelGlobal.Get())
	}
	more := spent - b.charged
	b.charged = spent
	return more
}

func (b *budget) outOfFuel() *fault {
	key := "plugin.fuel"
	if b.initial {
		key = fmt.Sprintf("%d times plugin.fuel", initFuel)
	}
	return &fault{kind: KindFuel, cause: ErrFuel, message: fmt.Sprintf("over its fuel of %d (%s)", b.fuel, key)}
}

func (b *budget) outOfTime() *fault {
	key := "plugin.deadline"
	if b.initial {
		key = "of initialisation"
	}
	return &fault{kind: KindDeadline, cause: ErrDeadline, message: fmt.Sprintf("over its deadline of %v (%s)", b.deadline, key)}
}

func (b *budget) outOfStack() *fault {
	return &fault{kind: KindStack, cause: ErrStack, message: fmt.Sprintf("over its stack of %d bytes (plugin.stack)", b.stack)}
}

// hostMeter is the function that guests call when something has run out.
func hostMeter(ctx context.Context, _ api.Module, stack []uint64) {
	b := &ctx.(*guestCall).budget
	if meter.Reason(uint32(stack[0])) == meter.OutOfStack {
		panic(b.outOfStack())
	}
	b.refill()
}

// checkAllowance fills in the defaults of a configuration and says what is wrong
// with it.
func checkAllowance(cfg *Config) (problem string) {
	if cfg.Fuel == 0 {
		cfg.Fuel = defaultFuel
	}
	if cfg.Deadline == 0 {
		cfg.Deadline = defaultDeadline
	}
	if cfg.FuelSlice == 0 {
		cfg.FuelSlice = defaultSlice
	}
	if cfg.Stack == 0 {
		cfg.Stack = defaultStack
	}
	switch {
	case cfg.Fuel > MaxFuel:
		return fmt.Sprintf("configured for fuel of %d, but there is at most %d (plugin.fuel)", cfg.Fuel, int64(MaxFuel))
	case cfg.Deadline < 0:
		return fmt.Sprintf("configured for a deadline of %v, which is negative (plugin.deadline)", cfg.Deadline)
	case cfg.Breaker.check() != nil:
		return cfg.Breaker.check().Error()
	case cfg.Stack > MaxStack:
		return fmt.Sprintf("configured for a stack of %d bytes, but there are at most %d (plugin.stack)", cfg.Stack, MaxStack)
	}
	return ""
}

// allowances returns what a callback gets, and what initialisation gets.
func allowances(cfg *Config) (callback, initialise allowance) {
	callback = allowance{
		fuel: int64(cfg.Fuel), deadline: cfg.Deadline, stack: cfg.Stack,
		slice: int64(min(cfg.FuelSlice, cfg.Fuel)), tenant: cfg.Tenant, patience: maxWait,
	}
	initialise = callback
	initialise.initial = true
	initialise.fuel *= initFuel
	initialise.deadline = max(initDeadline, cfg.Deadline)
	initialise.patience = maxInitWait
	return callback, initialise
}
