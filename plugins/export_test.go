package plugins

import (
	"bytes"
	"context"
	"fmt"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/plugins/meter"
)

// endless is a counter that never runs out.
type endless struct{}

func (endless) Get() uint64 { return 1 << 40 }
func (endless) Set(uint64)  {}

// LoadPlain loads a module without its meters, with one instance that is never put back:
// what a benchmark compares with.
func LoadPlain(wasm []byte) (*Plugin, error) {
	ctx := context.Background()
	p, err := newPlugin(wasm, Config{Instances: 1, Isolation: IsolateInstance})
	if err != nil {
		return nil, err
	}
	m, err := p.read(wasm)
	if err != nil {
		return nil, err
	}
	p.whyNot = "it is plain"
	p.runtime = wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCoreFeatures(api.CoreFeaturesV2))
	if p.compiled, err = p.runtime.CompileModule(ctx, m.Encode()); err != nil {
		return nil, err
	}
	if err := p.admit(m); err != nil {
		return nil, err
	}
	if err := p.offerImports(ctx); err != nil {
		return nil, err
	}
	in := &instance{plugin: p, tally: p.newTally()}
	in.call = guestCall{Context: ctx, plugin: p, log: guestLog{logger: p.guestLogger(), tenant: p.tenant}}
	in.call.budget.fuelGlobal, in.call.budget.stackGlobal = endless{}, endless{}
	mod, err := p.runtime.InstantiateModule(ctx, p.compiled, wazero.NewModuleConfig().WithName("").WithStartFunctions())
	if err != nil {
		return nil, err
	}
	in.mod, in.mem = mod, mod.ExportedMemory(abi.ExportMemory)
	p.live.Add(1)
	if err := in.initialise(); err != nil {
		return nil, err
	}
	in.call.ready = true
	p.accept(in.marker)
	l, err := p.firstPlace()
	if err != nil {
		return nil, err
	}
	l.in = in
	p.pool.put(l)
	return p, nil
}

// Differs tells how the idle instances of a plugin differ from its picture, "" if they
// do not.
func (p *Plugin) Differs() string {
	for range p.pool.slots {
		l, err := p.pool.take(nil)
		if err != nil {
			return err.Error()
		}
		defer p.pool.put(l)
		if l.in == nil {
			continue
		}
		blank, err := p.newInstance() // as the picture is
		if err != nil {
			return err.Error()
		}
		defer func() { _ = blank.close() }()
		if !bytes.Equal(l.in.memory.Bytes(), blank.memory.Bytes()) {
			return "memory is another"
		}
		for i, g := range l.in.globals {
			if g.Get() != p.picture.globals[i] {
				return fmt.Sprintf("global %d is %#x, not %#x", i, g.Get(), p.picture.globals[i])
			}
		}
		if l.in.bufPtr != p.picture.bufPtr || l.in.bufCap != p.picture.bufCap {
			return "the request buffer is another"
		}
	}
	return ""
}

// GuestPages returns the pages of memory that the guests of the idle instances have.
func (p *Plugin) GuestPages() (pages uint64, err error) {
	for range p.pool.slots {
		l, err := p.pool.take(nil)
		if err != nil {
			return 0, err
		}
		defer p.pool.put(l)
		switch {
		case l.in == nil:
		case p.resettable(): // the engine's memory has its full size from the beginning
			pages += l.in.mod.ExportedGlobal(meter.PagesExport).Get()
		default:
			pages += uint64(l.in.mem.Size()) / pageSize
		}
	}
	return pages, nil
}

// Wary tells whether the next callback gets short slices of fuel.
func (p *Plugin) Wary() bool { return p.wary.Load() > 0 }

// OpenBreaker opens the breaker, for a pause that is over: the next callback is a probe.
func (p *Plugin) OpenBreaker() {
	p.breaker.open()
	p.breaker.until = 0
}
