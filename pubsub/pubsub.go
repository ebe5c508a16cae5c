package pubsub

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// shardCount is a power of two, and more than the cores of the machines in
// mind: two busy topics seldom meet on one lock.
const shardCount = 64

// Subscriber receives the messages of the topics it is subscribed to.
//
// Its dynamic type must be comparable, in practice a pointer, because
// BroadcastFrom finds the sender by ==.
type Subscriber[M any] interface {
	// Deliver is called with the topic's lock held, so it must only enqueue: not
	// block, not call back into the PubSub, not change m. It is never called for
	// one topic by two goroutines at once, but for two topics it may be.
	Deliver(topic string, m M)
}

// Adapter carries messages to the other nodes of a cluster. What it receives
// from them it hands to [PubSub.LocalBroadcast].
type Adapter[M any] interface {
	// Publish sends m to every other node with an interest in topic. It is called
	// without locks after the local delivery and must not block: an adapter that
	// cannot keep up drops and counts.
	Publish(topic string, m M)

	// Interest tells that this node got its first subscriber of topic (on), or
	// lost its last (off). For one topic calls alternate, beginning with on, and
	// never overlap. It is called with the topic's lock held, before the first
	// subscriber can receive anything, and must neither block nor call back.
	Interest(topic string, on bool)
}

// Config configures a [PubSub]. The zero value serves a single node.
type Config[M any] struct {
	// Adapter reaches other nodes; nil means there are none.
	Adapter Adapter[M]
}

// PubSub is a registry of topics. Make one with [New]; it needs no closing. One
// that never had a subscriber takes some 50 bytes, so that there may be many.
type PubSub[M any] struct {
	adapter   Adapter[M]
	seed      maphash.Seed
	shards    atomic.Pointer[[shardCount]shard[M]] // nil until the first subscriber comes
	delivered atomic.Int64
}

// shard holds the topics of one hash value. The padding keeps its lock off the
// cache lines (two, for the prefetcher's sake) of the next one's.
type shard[M any] struct {
	mu     sync.RWMutex
	topics map[string]*topic[M] // nil until the first one comes
	_      [128 - 24 - 8]byte
}

// New returns a PubSub without topics.
func New[M any](cfg Config[M]) *PubSub[M] {
	return &PubSub[M]{adapter: cfg.Adapter, seed: maphash.MakeSeed()}
}

// Subscribe adds s to topic and returns the handle that removes it. The same
// subscriber may be added to a topic more than once and then receives each
// message as often (phoenix_pubsub, conformance case 146).
//
// then, if not nil, runs under the topic's lock right after s was added: nothing
// is delivered in between. It is bound by the rules of [Subscriber] and must not
// cancel the subscription. Subscribe waits for a broadcast on topic under way.
func (p *PubSub[M]) Subscribe(topic string, s Subscriber[M], then func()) *Subscription[M] {
	t := p.lockOrCreate(topic)
	defer t.mu.Unlock()
	if len(t.entries) == 0 && p.adapter != nil {
		p.adapter.Interest(topic, true)
	}
	sub := t.addLocked(s)
	if then != nil {
		then()
	}
	return sub
}

// Broadcast hands m to every subscriber of topic on this node, then to the
// adapter. It returns when all have enqueued it; a topic without subscribers
// costs a map lookup.
func (p *PubSub[M]) Broadcast(topic string, m M) {
	p.BroadcastFrom(nil, topic, m)
}

// BroadcastFrom is Broadcast without the subscriptions that from holds on this
// node. On other nodes nobody is skipped (phoenix channel/server.ex).
func (p *PubSub[M]) BroadcastFrom(from Subscriber[M], topic string, m M) {
	p.LocalBroadcastFrom(from, topic, m)
	if p.adapter != nil {
		p.adapter.Publish(topic, m)
	}
}

// LocalBroadcast is Broadcast without the other nodes.
func (p *PubSub[M]) LocalBroadcast(topic string, m M) {
	p.LocalBroadcastFrom(nil, topic, m)
}

// LocalBroadcastFrom is BroadcastFrom without the other nodes.
func (p *PubSub[M]) LocalBroadcastFrom(from Subscriber[M], topic string, m M) {
	t := p.lock(topic)
	if t == nil {
		return
	}
	defer t.mu.Unlock()
	t.deliverLocked(from, m)
}

// Subscribers returns how many subscriptions topic has on this node.
func (p *PubSub[M]) Subscribers(topic string) int {
	t := p.lock(topic)
	if t == nil {
		return 0
	}
	defer t.mu.Unlock()
	return len(t.entries)
}

// Topics returns how many topics have subscribers on this node. It visits every
// shard in turn, so under concurrent change the sum is approximate.
func (p *PubSub[M]) Topics() int {
	shards := p.shards.Load()
	if shards == nil {
		return 0
	}
	n := 0
	for i := range shards {
		sh := &shards[i]
		sh.mu.RLock()
		n += len(sh.topics)
		sh.mu.RUnlock()
	}
	return n
}

// Delivered returns how often Deliver was called, ever. A broadcast under way counts
// as delivered to all.
func (p *PubSub[M]) Delivered() int64 { return p.delivered.Load() }

// shard returns the shard of topic, nil when there has never been any topic.
func (p *PubSub[M]) shard(topic string) *shard[M] {
	shards := p.shards.Load()
	if shards == nil {
		return nil
	}
	return &shards[maphash.String(p.seed, topic)%shardCount]
}

// lock returns the topic, locked, or nil if it has no subscribers.
//
// The shard's lock is released before the topic's is taken, so that a long
// broadcast holds up no other topic. In between the last subscriber may leave
// and the topic may die; it has then left the map, and another look finds its
// successor or none.
func (p *PubSub[M]) lock(name string) *topic[M] {
	sh := p.shard(name)
	if sh == nil {
		return nil
	}
	for {
		sh.mu.RLock()
		t := sh.topics[name]
		sh.mu.RUnlock()
		if t == nil {
			return nil
		}
		t.mu.Lock()
		if !t.dead {
			return t
		}
		t.mu.Unlock()
	}
}

// lockOrCreate returns the topic, locked. It may be empty: the caller has to
// add a subscriber before it unlocks.
func (p *PubSub[M]) lockOrCreate(name string) *topic[M] {
	if p.shards.Load() == nil {
		p.shards.CompareAndSwap(nil, new([shardCount]shard[M])) // or somebody else was as quick
	}
	for {
		if t := p.lock(name); t != nil {
			return t
		}
		sh := p.shard(name)
		sh.mu.Lock()
		if sh.topics == nil {
			sh.topics = make(map[string]*topic[M])
		}
		if sh.topics[name] == nil {
			sh.topics[name] = &topic[M]{name: name, home: p}
		}
		sh.mu.Unlock()
	}
}

// remove takes a topic without subscribers out of the map; its lock is held. The
// adapter hears of it first: afterwards a successor may appear and call Interest
// on its own.
func (p *PubSub[M]) remove(t *topic[M]) {
	t.dead = true
	if p.adapter != nil {
		p.adapter.Interest(t.name, false)
	}
	sh := p.shard(t.name)
	sh.mu.Lock()
	delete(sh.topics, t.name)
	sh.mu.Unlock()
}
