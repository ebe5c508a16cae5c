package plugins

import (
	"bytes"
	"fmt"
)

// Differs tells how the idle instances of a plugin differ from its picture, "" if they
// do not.
func (p *Plugin) Differs() string {
	for range p.pool.slots {
		l, err := p.pool.take()
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
