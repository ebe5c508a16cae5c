package host

import (
	"hash/fnv"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// OnUpdate says what becomes of the channels of a generation when there is a newer
// one.
type OnUpdate uint8

const (
	// UpdateMigrate has each move before its next callback.
	UpdateMigrate OnUpdate = iota
	// UpdateKeep has them stay until they end, or their generation is too old.
	UpdateKeep
	// UpdateRejoin ends them with phx_error, after which clients join again.
	UpdateRejoin
)

// String returns the word for it in a configuration.
func (u OnUpdate) String() string { return [...]string{"migrate", "keep", "rejoin"}[u] }

// DefaultMaxOldAge is how long a generation may be used after there is a newer one.
const DefaultMaxOldAge = 5 * time.Minute

// GenerationsConfig says how a handler is replaced.
type GenerationsConfig struct {
	OnUpdate OnUpdate

	// MaxOldAge is how long channels may stay on a generation after there is a newer
	// one; 0 means DefaultMaxOldAge. Then those that can, move, and the others are
	// ended as with UpdateRejoin.
	MaxOldAge time.Duration

	// Retired is told of a generation that nobody uses any more, and nobody will. It is
	// called once for each, from any goroutine, and must not block. May be nil.
	Retired func(number int)
}

// Generations is a handler that is replaced while its channels are joined. One
// generation, the current one, is that of new channels; the others have those that
// have not moved yet. To replace it is to swap a pointer: a channel finds out before
// its next callback, and until then costs nothing. Methods may be called from any
// goroutine.
type Generations struct {
	cfg GenerationsConfig

	current atomic.Pointer[Generation]
	trial   atomic.Pointer[trial] // nil unless there is one

	mu      sync.Mutex    // guards the following
	live    []*Generation // that are not retired, oldest first
	tenants []*Tenant     // whose channels it has
}

// Generation is one of the handlers of a Generations.
type Generation struct {
	// Constant.
	line    *Generations
	version Version

	// users are its channels, and connects under way, and one that stands for those to
	// come. A generation without users is retired.
	users users

	channels atomic.Int64
	moved    atomic.Int64 // channels that came from another, ever
	declined atomic.Int64 // that could not, ever

	order atomic.Pointer[order] // what its channels are to do; nil: nothing

	expiry *time.Timer // guarded by the mutex of line
}

// Version is a handler as one of several.
type Version struct {
	Number  int    // of the generation; greater than those of all before it
	Module  string // SHA-256 in hexadecimal digits: the same code has the same; empty for a handler in Go
	Handler Handler
}

// order is what the channels of a generation are to do.
type order struct {
	to      *Generation // move there; nil: stay
	expired bool        // who does not move has to end
}

// trial is a generation that some of the new channels begin with.
type trial struct {
	*Generation
	share float64
}

// NewGenerations returns a handler of one generation.
func NewGenerations(first Version, cfg GenerationsConfig) *Generations {
	if cfg.MaxOldAge == 0 {
		cfg.MaxOldAge = DefaultMaxOldAge
	}
	g := &Generations{cfg: cfg}
	g.current.Store(g.addLocked(first))
	return g
}

// only returns the generations of a handler that is never replaced.
func only(h Handler) *Generations {
	return NewGenerations(Version{Handler: h}, GenerationsConfig{})
}

func (g *Generations) addLocked(v Version) *Generation {
	gen := &Generation{line: g, version: v}
	gen.users.Store(1)
	g.live = append(g.live, gen)
	return gen
}

// usedBy takes note of a tenant whose channels the handler has.
func (g *Generations) usedBy(t *Tenant) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !slices.Contains(g.tenants, t) {
		g.tenants = append(g.tenants, t)
	}
}

// Swap makes v the current generation. A trial that is on ends: its channels are to
// move as well. It returns when all channels are told, which is before they have moved.
func (g *Generations) Swap(v Version) {
	g.mu.Lock()
	over := g.replaceLocked(g.addLocked(v))
	g.mu.Unlock()
	releaseAll(over)
}

// Try has a share of the channels that are joined from now on, 0 to 1, begin with v,
// as the hash of their socket's id has it. A trial that is on ends, and its channels
// are to move back.
func (g *Generations) Try(v Version, share float64) {
	g.mu.Lock()
	over := g.withdrawLocked()
	g.trial.Store(&trial{g.addLocked(v), share})
	g.mu.Unlock()
	releaseAll(over)
}

// Promote makes the generation on trial the current one; false if there is none of
// that number.
func (g *Generations) Promote(number int) bool {
	return g.endTrial(number, func(t *trial) []*Generation { return g.replaceLocked(t.Generation) })
}

// Withdraw ends the trial of a generation, whose channels are to move back; false if
// there is none of that number.
func (g *Generations) Withdraw(number int) bool {
	return g.endTrial(number, func(*trial) []*Generation { return g.withdrawLocked() })
}

// endTrial calls endLocked with the trial if it is that of a generation.
func (g *Generations) endTrial(number int, endLocked func(*trial) []*Generation) bool {
	g.mu.Lock()
	t := g.trial.Load()
	ok := t != nil && t.version.Number == number
	var over []*Generation
	if ok {
		over = endLocked(t)
	}
	g.mu.Unlock()
	releaseAll(over)
	return ok
}

// releaseAll releases generations with which no new channels begin any more. No mutex
// is held: it may retire them.
func releaseAll(over []*Generation) {
	for _, gen := range over {
		gen.release()
	}
}

// replaceLocked makes next the current generation, and returns those that are to be
// released.
func (g *Generations) replaceLocked(next *Generation) (over []*Generation) {
	last, tried := g.current.Swap(next), g.trial.Swap(nil)
	for _, gen := range g.live {
		if gen != next {
			gen.supersedeLocked(next)
		}
	}
	over = append(over, last)
	if tried != nil && tried.Generation != next {
		over = append(over, tried.Generation)
	}
	return over
}

// withdrawLocked ends the trial that is on, likewise.
func (g *Generations) withdrawLocked() (over []*Generation) {
	t := g.trial.Swap(nil)
	if t == nil {
		return nil
	}
	t.supersedeLocked(g.current.Load())
	return append(over, t.Generation)
}

// supersedeLocked tells the channels of a generation that there is another.
func (gen *Generation) supersedeLocked(next *Generation) {
	last := gen.order.Load()
	o := &order{expired: last != nil && last.expired || gen.line.cfg.OnUpdate == UpdateRejoin}
	if gen.line.cfg.OnUpdate == UpdateMigrate {
		o.to = next
	}
	gen.order.Store(o)
	switch {
	case gen.expiry != nil:
	case o.expired:
		gen.expiry = time.AfterFunc(0, gen.expire)
	default:
		gen.expiry = time.AfterFunc(gen.line.cfg.MaxOldAge, gen.expire)
	}
}

// Expire has all channels of an old generation move, or end, before it is too old; false if
// there is none of that number.
func (g *Generations) Expire(number int) bool {
	g.mu.Lock()
	at := slices.IndexFunc(g.live, func(gen *Generation) bool { return gen.version.Number == number && gen.order.Load() != nil })
	var gen *Generation
	if at >= 0 {
		gen = g.live[at]
	}
	g.mu.Unlock()
	if gen == nil {
		return false
	}
	gen.expire()
	return true
}

// expire has all channels of a generation move or end.
func (gen *Generation) expire() {
	g := gen.line
	g.mu.Lock()
	tenants := slices.Clone(g.tenants)
	gen.order.Store(&order{to: gen.order.Load().to, expired: true})
	g.mu.Unlock()
	for _, t := range tenants {
		for _, sock := range t.allSockets() {
			for _, c := range sock.unfinished() {
				if c.gen.Load() == gen {
					c.post(mail{kind: mailRenew}, false)
				}
			}
		}
	}
}

// enter returns the generation that a channel of the socket begins with. Who calls it
// is a user, who has to call leave.
func (g *Generations) enter(socketID string) *Generation {
	for {
		gen := g.current.Load()
		if t := g.trial.Load(); t != nil && inShare(socketID, t.share) {
			gen = t.Generation
		}
		if gen.acquire() {
			return gen
		}
	}
}

// connecting returns the generation that is asked about a client, likewise.
func (g *Generations) connecting() *Generation {
	for {
		if gen := g.current.Load(); gen.acquire() {
			return gen
		}
	}
}

// inShare tells whether a socket is one of a share of all.
func inShare(socketID string, share float64) bool {
	h := fnv.New32a()
	_, _ = h.Write([]byte(socketID)) // never fails
	return float64(h.Sum32()) < share*(1<<32)
}

// acquire makes the caller a user, unless the generation is retired.
func (gen *Generation) acquire() bool { return gen.users.acquire() }

// release tells that a user is none any more. The last one retires the generation.
func (gen *Generation) release() {
	if gen.users.release() {
		gen.retire()
	}
}

func (gen *Generation) retire() {
	g := gen.line
	g.mu.Lock()
	if gen.expiry != nil {
		gen.expiry.Stop()
	}
	g.live = slices.DeleteFunc(g.live, func(other *Generation) bool { return other == gen })
	g.mu.Unlock()
	if g.cfg.Retired != nil {
		g.cfg.Retired(gen.version.Number)
	}
}

// attrs are what log lines say of a generation, with the name of the plugin. A handler
// in Go has none.
func (gen *Generation) attrs(plugin string) []any {
	attrs := []any{slog.String("plugin", plugin)}
	if v := &gen.version; v.Module != "" {
		attrs = append(attrs, slog.Int("generation", v.Number), slog.String("sha", v.Module[:min(len(v.Module), shortHash)]))
	}
	return attrs
}

// shortHash is how many digits of a module's hash a log line has.
const shortHash = 12

// GenerationInfo counts what a generation has.
type GenerationInfo struct {
	Number   int
	Current  bool    // new channels begin with it
	Share    float64 // of them, on trial; 0 if it is not
	Channels int64   // joined, or with a join under way
	Moved    int64   // that came from another generation, ever
	Declined int64   // that could not, as code_change failed, ever
}

// Info counts, oldest generation first.
func (g *Generations) Info() []GenerationInfo {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := make([]GenerationInfo, len(g.live))
	for i, gen := range g.live {
		all[i] = GenerationInfo{
			Number: gen.version.Number, Current: gen == g.current.Load(), Channels: gen.channels.Load(),
			Moved: gen.moved.Load(), Declined: gen.declined.Load(),
		}
		if t := g.trial.Load(); t != nil && t.Generation == gen {
			all[i].Share = t.share
		}
	}
	return all
}
