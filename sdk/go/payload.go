package aviary

// Payload is what goes out: a *[Obj], an *[Arr], or a [Value], which is a part of
// what came in, [Bytes], [Text] or [JSON]. Nil is {}. What is pushed or broadcast
// has to be an object or bytes; a reply may be anything.
type Payload interface{ isPayload() }

var (
	_ Payload = Value{}
	_ Payload = (*Obj)(nil)
	_ Payload = (*Arr)(nil)
)

func (Value) isPayload() {}
func (*Obj) isPayload()  {}
func (*Arr) isPayload()  {}

// valueFrom returns what p says. A type switch, not a method of Payload: that way
// the compiler sees that p is not kept, and a Value becomes a Payload without an
// allocation.
func valueFrom(p Payload) Value {
	switch p := p.(type) {
	case Value:
		return p
	case *Obj:
		return Value{text: p.String(), kind: KindObject}
	case *Arr:
		return Value{text: p.String(), kind: KindArray}
	}
	return Value{}
}

// pool hands out things whose buffers last from one callback to the next.
type pool[T any] struct {
	items []*T
	used  int
}

func (p *pool[T]) next() *T {
	if p.used == len(p.items) {
		p.items = append(p.items, new(T))
	}
	p.used++
	return p.items[p.used-1]
}
