package plugins

import (
	"context"
	"fmt"
	"strconv"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/aviary-host/aviary/plugins/image"
	"github.com/aviary-host/aviary/plugins/meter"
	"github.com/aviary-host/aviary/plugins/module"
)

// Isolation says what a callback may find of the callbacks before it in the memory of
// its instance.
type Isolation uint8

const (
	// IsolateCall lets it find nothing: the instance is as it was after its
	// initialisation. Where that cannot be had by putting it back, because of what the
	// module does or where the host runs, each callback gets an instance of its own.
	IsolateCall Isolation = iota

	// IsolateReset is IsolateCall, but refuses a module whose instances cannot be put
	// back.
	IsolateReset

	// IsolateInstance lets it find whatever those that ran on the instance left there.
	// After a callback that failed, the instance is put back, or is no more.
	IsolateInstance
)

// String returns the isolation as the configuration spells it.
func (i Isolation) String() string {
	switch i {
	case IsolateCall:
		return "call"
	case IsolateReset:
		return "reset"
	case IsolateInstance:
		return "instance"
	}
	return "isolation?"
}

// Isolations lists what there is.
func Isolations() []Isolation { return []Isolation{IsolateCall, IsolateReset, IsolateInstance} }

// picture is what every instance of a plugin looks like after its initialisation.
type picture struct {
	image          *image.Image
	globals        []uint64 // as instance.globals
	bufPtr, bufCap uint32
}

// checkReset decides whether instances can be put back: p.whyNot says why they cannot.
func (p *Plugin) checkReset(m *module.Module, cfg *Config) error {
	if err := meter.CheckResettable(m); err != nil {
		p.whyNot = err.Error()
	} else if err := image.Check(cfg.Reset); err != nil {
		p.whyNot = oneLine(err.Error())
	}
	if p.whyNot != "" && p.isolation == IsolateReset {
		return p.refuse("its instances cannot be put back after a callback (%s), which plugin.isolation = %q wants", p.whyNot, IsolateReset)
	}
	return nil
}

// resettable tells whether instances can be put back.
func (p *Plugin) resettable() bool { return p.whyNot == "" }

// Reset says how the memory of an instance is put back after a callback, such as "scan",
// or why each callback gets an instance of its own instead.
func (p *Plugin) Reset() (method, whyNot string) {
	if p.picture == nil {
		return image.None.String(), p.whyNot
	}
	return p.picture.image.Method().String(), ""
}

// takePicture makes the picture from an instance that was just initialised.
func (p *Plugin) takePicture(in *instance, method image.Method) error {
	i, err := image.New(in.memory.Bytes(), method)
	if err != nil {
		return p.refuseFor("no picture of the module's memory could be taken", err)
	}
	if g := in.mod.ExportedGlobal(meter.PagesExport); g != nil {
		i.Expect(int(g.Get()) * pageSize) // it has room to grow, which few callbacks use
	}
	p.picture = &picture{image: i, bufPtr: in.bufPtr, bufCap: in.bufCap}
	for _, g := range in.globals {
		p.picture.globals = append(p.picture.globals, g.Get())
	}
	p.segments = nil // they are in it
	return nil
}

// segment is what an active data segment of the module writes into memory.
type segment struct {
	number int
	offset uint32
	data   []byte
}

// segmentsOf lists the active data segments of a module that imports no globals.
func segmentsOf(m *module.Module) []segment {
	var list []segment
	for i := range m.Datas {
		if d := &m.Datas[i]; d.Mode == module.ModeActive {
			list = append(list, segment{i, uint32(d.Offset.Imm), d.Init})
		}
	}
	return list
}

// newMemory returns the memory of an instance that can be put back: as in the picture, or
// empty before there is one.
func (p *Plugin) newMemory() (*image.Memory, error) {
	if p.picture != nil {
		return p.picture.image.Map()
	}
	return image.Blank(int(p.memoryPages) * pageSize)
}

// fixedMemory hands wazero the memory that was made for an instance.
type fixedMemory struct{ memory *image.Memory }

func (f fixedMemory) allocator(ctx context.Context) context.Context {
	return experimental.WithMemoryAllocator(ctx, experimental.MemoryAllocatorFunc(func(_, _ uint64) experimental.LinearMemory { return f }))
}

// Reallocate is called once: the memory has all that it may have from the beginning.
func (f fixedMemory) Reallocate(size uint64) []byte {
	return f.memory.Bytes()[:size]
}

// Free does nothing: it could not say what went wrong. The instance closes its memory
// behind its module.
func (fixedMemory) Free() {}

// changing returns the globals of an instance that a callback may change.
func changing(mod api.Module, count int) []counter {
	var list []counter
	if g := mod.ExportedGlobal(meter.PagesExport); g != nil {
		list = append(list, g.(api.MutableGlobal))
	}
	for i := range count {
		if g := mod.ExportedGlobal(meter.GlobalExport + strconv.Itoa(i)); g != nil {
			list = append(list, g.(api.MutableGlobal))
		}
	}
	return list
}

// fill writes the data segments into the memory of the first instance.
func (in *instance) fill() error {
	end := uint64(in.plugin.firstPages) * pageSize
	for _, s := range in.plugin.segments {
		if uint64(s.offset)+uint64(len(s.data)) > end {
			return in.plugin.refuse("module cannot be instantiated: data[%d]: out of bounds memory access: %d bytes at %d, in a memory of %d",
				s.number, len(s.data), s.offset, end)
		}
		copy(in.memory.Bytes()[s.offset:], s.data)
	}
	return nil
}

// adopt makes a new instance what the picture shows: its memory is that already.
func (in *instance) adopt() {
	pic := in.plugin.picture
	for i, g := range in.globals {
		g.Set(pic.globals[i])
	}
	in.bufPtr, in.bufCap, in.marker = pic.bufPtr, pic.bufCap, in.plugin.marker
}

// reset puts the instance back to what the picture shows.
func (in *instance) reset() error {
	if err := in.memory.Reset(); err != nil {
		return fmt.Errorf("putting an instance back: %w", err)
	}
	if dropped := in.memory.Dropped(); dropped > 0 {
		in.call.budget.faulted(dropped)
		in.plugin.wary.Store(waryCalls)
	}
	in.adopt()
	in.tally.resets.Add(1)
	return nil
}
