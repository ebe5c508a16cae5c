package plugins

import (
	"context"
	"fmt"
	"math"

	"github.com/tetratelabs/wazero/api"

	"github.com/aviary-host/aviary/abi"
)

// guestCall is the context of every call into an instance, and so what host
// functions find out about it: wazero hands them the context of the call
// unchanged, and one type assertion is all it costs them. It belongs to its
// instance.
type guestCall struct {
	context.Context // never ends: wazero only asks it for values

	plugin  *Plugin
	log     guestLog
	budget  budget
	ready   bool   // initialisation is over
	scratch []byte // for presence lists
}

// hostFunc is one function that a guest may import.
type hostFunc struct {
	module, name    string
	params, results []api.ValueType
	run             func(c *guestCall, mem api.Memory, stack []uint64)
}

// call adapts the function to wazero.
func (f *hostFunc) call(ctx context.Context, mod api.Module, stack []uint64) {
	c := ctx.(*guestCall)
	c.budget.burn(burnCall)
	f.run(c, mod.Memory(), stack)
}

// hostFuncs lists all imports of SPEC.md section 6.
func hostFuncs() []hostFunc {
	return append(wasiFuncs(),
		hostFunc{abi.ImportModule, abi.ImportLog, i32s(3), nil, hostLog},
		hostFunc{abi.ImportModule, abi.ImportPresenceList, i32s(4), i32s(1), hostPresenceList},
		hostFunc{abi.ImportModule, abi.ImportConfig, i32s(4), i32s(1), hostConfig},
		hostFunc{abi.ImportModule, abi.ImportPanic, i32s(5), nil, hostPanic},
	)
}

func i32s(n int) []api.ValueType {
	types := make([]api.ValueType, n)
	for i := range types {
		types[i] = api.ValueTypeI32
	}
	return types
}

// bytesAt returns the n bytes at ptr of the guest's memory, unless they end
// past it. No bytes may be anywhere: compilers leave the pointer of an empty
// slice undefined.
func bytesAt(mem api.Memory, ptr, n uint64) (b []byte, ok bool) {
	if uint32(n) == 0 {
		return nil, true
	}
	return mem.Read(uint32(ptr), uint32(n))
}

// view is bytesAt for the aviary imports: it ends the callback where that
// fails.
func view(mem api.Memory, what string, ptr, n uint64) []byte {
	b, ok := bytesAt(mem, ptr, n)
	if !ok {
		panic(&fault{kind: KindTrap, message: fmt.Sprintf("%s: %d bytes at %d end past the memory of %d bytes",
			what, uint32(n), uint32(ptr), mem.Size())})
	}
	return b
}

// answer writes data into the room that the guest gave at ptr, if it fits, and
// returns the length of data.
func answer(room, data []byte) uint64 {
	if len(data) <= len(room) {
		copy(room, data)
	}
	return uint64(min(len(data), math.MaxInt32))
}

func hostLog(c *guestCall, mem api.Memory, stack []uint64) {
	text := view(mem, abi.ImportLog, stack[1], stack[2])
	c.budget.burnBytes(len(text))
	c.plugin.rights.checkLog()
	c.log.line(slogLevel(abi.Level(uint32(stack[0]))), text)
}

// keptScratch is how much of scratch an instance keeps between callbacks, in bytes: nobody
// counts it as memory of the tenant.
const keptScratch = 64 << 10

// maxTopic is the longest topic that there can be, in bytes (SPEC.md section 8). A copy
// of a longer one would hold up the collector.
const maxTopic = 255

func hostPresenceList(c *guestCall, mem api.Memory, stack []uint64) {
	if !c.ready {
		panic(&fault{kind: KindTrap, message: "presence_list: not available during initialisation"})
	}
	topic := view(mem, "presence_list: topic", stack[0], stack[1])
	room := view(mem, "presence_list: out", stack[2], stack[3])
	if len(topic) > maxTopic {
		stack[0] = answer(room, []byte("{}"))
		return
	}
	c.plugin.rights.checkPresence(topic)
	if c.plugin.presence == nil {
		stack[0] = answer(room, []byte("{}"))
		return
	}
	c.scratch = c.plugin.presence(c.scratch[:0], string(topic))
	c.budget.burnBytes(len(c.scratch))
	stack[0] = answer(room, c.scratch)
}

func hostConfig(c *guestCall, mem api.Memory, stack []uint64) {
	key := view(mem, "config: key", stack[0], stack[1])
	room := view(mem, "config: out", stack[2], stack[3])
	c.budget.burnBytes(len(key)) // all of it is looked at, also where there is no such key
	value, ok := c.plugin.settings[string(key)]
	if !ok {
		value, ok = c.plugin.rights.secrets[string(key)]
	}
	if len(key) == 0 {
		value, ok = c.plugin.rawSettings, true
	}
	if !ok {
		stack[0] = api.EncodeI32(-1)
		return
	}
	c.budget.burnBytes(len(value))
	stack[0] = answer(room, value)
}

func hostPanic(_ *guestCall, mem api.Memory, stack []uint64) {
	message := text(view(mem, "panic: message", stack[0], stack[1]))
	file := text(view(mem, "panic: file", stack[2], stack[3]))
	if message == "" {
		message = "no message"
	}
	if file != "" {
		message = fmt.Sprintf("%s (%s:%d)", message, file, uint32(stack[4]))
	}
	panic(&fault{kind: KindPanic, message: message})
}

// text copies a text of a guest, cut to maxText.
func text(b []byte) string { return string(b[:min(len(b), maxText)]) }
