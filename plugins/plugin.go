package plugins

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/plugins/fair"
	"github.com/aviary-host/aviary/plugins/image"
	"github.com/aviary-host/aviary/plugins/lines"
)

const (
	pageSize           = 64 << 10
	defaultMemoryPages = 256     // 16 MiB
	maxMemoryPages     = 1 << 16 // all that 32 bits address

	// shortHash is how many bytes of a module's hash are in log lines.
	shortHash = 6

	// wazero looks at the context while it compiles only when it has more than
	// one worker.
	compileWorkers = 2
)

// Config sets what a plugin gets and may do. The zero value is usable.
type Config struct {
	// Name stands for the plugin in errors and logs; empty means "unnamed".
	Name string

	// Generation tells this one from others of the same name, in logs and records of
	// failures; 0 where there are none.
	Generation int

	// Instances is the most that exist at once, and so the most callbacks that
	// run at once; 0 means GOMAXPROCS. One costs some 30 KiB, one of a Go guest
	// some 3 MiB.
	Instances int

	// MemoryPages is the most memory of an instance, in pages of 64 KiB; 0 means
	// 256, which is 16 MiB.
	MemoryPages uint32

	// Fuel is what a callback may spend, in instructions of the guest, of which a
	// processor runs some 1000 in a microsecond; 0 means 10 000 000. Calls of host
	// functions cost as much as they take. Initialisation gets 100 times as much.
	// It is at most MaxFuel.
	Fuel uint64

	// Deadline is how long a callback may take, measured from the end of its first
	// FuelSlice, so that short ones need no clock, and without what it waits for other
	// guests; 0 means 50 ms. Initialisation gets
	// 5 s, or Deadline if that is more.
	Deadline time.Duration

	// FuelSlice is what a guest may spend before it must look at its deadline and let
	// Go's collector by; 0 means 150 000.
	FuelSlice uint64

	// Stack is the most that the calls within a guest may be nested, in bytes of an
	// estimate of their frames; 0 means 1 MiB. At most MaxStack.
	Stack uint32

	// Isolation says what a callback may find of those before it; 0 means IsolateCall.
	Isolation Isolation

	// Reset is how instances are put back; 0 means the best way that works here.
	Reset image.Method

	// Cache keeps compiled modules between starts; nil for none.
	Cache *CacheDir

	// Tenant pays for what the plugin uses, together with its other plugins, and
	// takes turns with other tenants of its scheduler. Nil means one without limits
	// and with nobody beside it.
	Tenant *fair.Tenant

	// Breaker says when the plugin is not asked any more for a while, as it fails; the
	// zero value means 5 failures in 10 s.
	Breaker Breaker

	// OnTrap is told of each callback that failed by the plugin's fault, before Handle
	// returns. It is called from any goroutine and must not call the plugin. Nil means
	// that nobody is told.
	OnTrap func(*Trap)

	// Limits bounds the responses; a field that is 0 means its default.
	Limits abi.Limits

	// Settings is the JSON object that the config import reads and that requests
	// carry where SPEC.md section 3.1 says so; empty means {}.
	Settings []byte

	// Presence appends the presences of a topic to dst, a JSON object as
	// presence_state has it, for the presence_list import; nil means {}. It is
	// called during callbacks, from any goroutine, and must not call the plugin.
	Presence func(dst []byte, topic string) []byte

	// PresenceDenied says why the guest may not read the presences of a topic, nil
	// if it may; without it, it may read all. It is called as Presence is, and must
	// not keep topic. LogDenied is why the guest may not log, nil if it may. An
	// import that is denied ends the callback with KindDenied; what a guest that may
	// not log writes to its standard output and error is not logged, but for what
	// goes into errors.
	PresenceDenied func(topic []byte) error
	LogDenied      error

	// Secrets are texts, UTF-8, that the config import gives as JSON strings to
	// guests that ask for them by key. They are not sent with requests, and no key is
	// one of Settings.
	Secrets map[string]string

	// Logger gets what the guests log, and what they write to their standard
	// output and error, with the attributes plugin, generation, sha, src=guest and callback, and,
	// where the request has them, topic, socket and event; nil means nobody does.
	// When the run-time of a guest gives up, all but the beginning of the stacks
	// that it dumps is of level debug.
	Logger *slog.Logger
}

// Defaults returns a Config in which what bounds a module has its default.
func Defaults() Config {
	return Config{
		MemoryPages: defaultMemoryPages, Fuel: defaultFuel, Deadline: defaultDeadline, FuelSlice: defaultSlice, Stack: defaultStack,
		Limits: abi.DefaultLimits(),
	}
}

// Plugin is a compiled module and its instances. Its methods may be called from
// any goroutine.
type Plugin struct {
	name    string
	number  int // of the generation
	hash    string
	size    int
	started time.Time // zero of the guests' monotonic clock

	limits      abi.Limits
	memoryLimit uint64    // bytes
	granted     allowance // of a callback
	initial     allowance // of initialisation
	settings    map[string]json.RawMessage
	rawSettings []byte
	presence    func(dst []byte, topic string) []byte
	rights      rights
	logger      *slog.Logger

	isolation Isolation
	whyNot    string       // instances cannot be put back; empty if they can
	picture   *picture     // of an instance; nil until the first was made, or if they cannot be put back
	wary      atomic.Int32 // callbacks that still get short slices

	// Of modules whose instances can be put back.
	memoryPages, firstPages uint32    // of the engine's memory; of the guest's at first
	numGlobals              int       // that the module defines
	segments                []segment // nil once they are in the picture

	runtime  wazero.Runtime
	cache    wazero.CompilationCache // nil without one
	compiled wazero.CompiledModule
	lines    *lines.Table // of a module with debug information
	exports  map[string]api.FunctionDefinition
	marker   abi.Marker             // of the first instance
	accepted bool                   // there was one, and it was good
	callback [abi.NumCallbacks]bool // that the module implements

	pool     *pool
	live     atomic.Int64 // instances that exist
	tenant   *fair.Tenant
	reserved atomic.Int64 // of the tenant's memory, bytes
	made     atomic.Int64 // instances, ever
	tallies  []tally
	failures [numKinds]atomic.Int64
	breaker  *breaker
	onTrap   func(*Trap)

	closing  sync.Once
	closeErr error
}

// Load reads, compiles and checks a module and makes its first instance. What it
// compiles is what it has read, written anew with what counts fuel and stack
// (packages module and meter); [Plugin.Hash] and [Plugin.Size] are those of wasm.
// The ctx ends the compilation only: initialisation of the guest has a budget of its
// own. The error is a [*LoadError]. The caller closes the plugin.
func Load(ctx context.Context, wasm []byte, cfg Config) (*Plugin, error) {
	p, err := newPlugin(wasm, cfg)
	if err != nil {
		return nil, err
	}
	if err := p.start(ctx, wasm, &cfg); err != nil {
		if closeErr := p.Close(); closeErr != nil {
			p.logger.Warn("closing a refused plugin failed", "error", closeErr)
		}
		return nil, err
	}
	return p, nil
}

// newPlugin checks the configuration and makes a plugin without a module.
func newPlugin(wasm []byte, cfg Config) (*Plugin, error) {
	if cfg.Name == "" {
		cfg.Name = "unnamed"
	}
	if cfg.Instances <= 0 {
		cfg.Instances = runtime.GOMAXPROCS(0)
	}
	if cfg.MemoryPages == 0 {
		cfg.MemoryPages = defaultMemoryPages
	}
	if cfg.MemoryPages > maxMemoryPages {
		return nil, &LoadError{Plugin: cfg.Name, Problem: fmt.Sprintf(
			"configured for %d pages of memory, but there are at most %d", cfg.MemoryPages, maxMemoryPages)}
	}
	if problem := checkAllowance(&cfg); problem != "" {
		return nil, &LoadError{Plugin: cfg.Name, Problem: problem}
	}
	if len(cfg.Settings) == 0 {
		cfg.Settings = []byte("{}")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if err := withTenant(&cfg); err != nil {
		return nil, err
	}
	hash := sha256.Sum256(wasm)
	p := &Plugin{
		name: cfg.Name, number: cfg.Generation, hash: hex.EncodeToString(hash[:]), size: len(wasm), started: time.Now(),
		limits: withDefaults(cfg.Limits), memoryLimit: uint64(cfg.MemoryPages) * pageSize,
		rawSettings: append([]byte(nil), cfg.Settings...), presence: cfg.Presence,
		logger: guestLogger(&cfg, hash[:shortHash]),
		pool:   newPool(cfg.Instances), isolation: cfg.Isolation,
		tenant: cfg.Tenant, tallies: make([]tally, cfg.Instances), onTrap: cfg.OnTrap,
	}
	p.granted, p.initial = allowances(&cfg)
	p.breaker = newBreaker(cfg.Breaker, p.calls)
	err := json.Unmarshal(p.rawSettings, &p.settings)
	if err == nil && p.settings == nil {
		err = errors.New("they are null")
	}
	if err != nil {
		return nil, p.refuseFor("settings are not a JSON object", err)
	}
	return p, p.grant(&cfg)
}

// guestLogger returns what writes the lines of the guests. The hash is that of the
// module, cut short.
func guestLogger(cfg *Config, hash []byte) *slog.Logger {
	log := cfg.Logger.With("plugin", cfg.Name)
	if cfg.Generation > 0 {
		log = log.With("generation", cfg.Generation, "sha", hex.EncodeToString(hash))
	}
	return log.With("src", "guest")
}

func withDefaults(l abi.Limits) abi.Limits {
	d := abi.DefaultLimits()
	pick := func(v, otherwise int) int {
		if v == 0 {
			return otherwise
		}
		return v
	}
	return abi.Limits{
		Response: pick(l.Response, d.Response), State: pick(l.State, d.State),
		Effects: pick(l.Effects, d.Effects), Output: pick(l.Output, d.Output),
	}
}

// start compiles and checks the module and makes the first instance.
func (p *Plugin) start(ctx context.Context, wasm []byte, cfg *Config) error {
	m, err := p.read(wasm)
	if err != nil {
		return err
	}
	if err = p.checkReset(m, cfg); err != nil {
		return err
	}
	metered, err := p.write(m)
	if err != nil {
		return err
	}
	config := wazero.NewRuntimeConfig().
		WithCoreFeatures(api.CoreFeaturesV2).
		WithMemoryLimitPages(uint32(p.memoryLimit / pageSize)).
		WithDebugInfoEnabled(p.lines != nil) // offsets in traces; function names are there in any case
	if config, p.cache, err = cfg.Cache.attach(config); err != nil {
		return p.refuseFor("compiled modules cannot be cached", err)
	}
	ctx = experimental.WithCompilationWorkers(ctx, compileWorkers)
	p.runtime = wazero.NewRuntimeWithConfig(ctx, config)
	if p.compiled, err = p.runtime.CompileModule(ctx, metered); err != nil {
		return p.refuseFor("module does not compile", err)
	}
	if err = p.admit(m); err != nil {
		return err
	}
	if err = p.offerImports(ctx); err != nil {
		return p.refuseFor("host functions cannot be made", err)
	}
	l, err := p.firstPlace()
	if err != nil {
		return err
	}
	defer func() { p.pool.put(l) }()
	l.in, err = p.firstInstance(cfg.Reset)
	return err
}

// firstInstance makes an instance by its initialisation, and of it the picture from
// which all others are made.
func (p *Plugin) firstInstance(method image.Method) (*instance, error) {
	in, err := p.newInstance()
	if err != nil {
		return nil, err
	}
	p.accept(in.marker)
	if !p.resettable() {
		return in, nil
	}
	if err := p.takePicture(in, method); err != nil {
		return nil, in.abandon(err)
	}
	if err := in.close(); err != nil {
		return nil, p.refuseFor("closing the first instance", err)
	}
	return p.newInstance()
}

// Name returns the plugin's name.
func (p *Plugin) Name() string { return p.name }

// Hash returns the SHA-256 of the module in hexadecimal digits.
func (p *Plugin) Hash() string { return p.hash }

// Size returns the length of the module in bytes.
func (p *Plugin) Size() int { return p.size }

// Live returns the number of instances that exist now.
func (p *Plugin) Live() int { return int(p.live.Load()) }

// Implements tells whether the module has the callback. The answer never
// changes.
func (p *Plugin) Implements(c abi.Callback) bool {
	return int(c) < abi.NumCallbacks && p.callback[c]
}

// Handle runs a callback and fills resp, which it overwrites. The slices of
// resp are views into the returned buffer: buf, grown if need be. Both belong
// to the caller, who gives the buffer back with the next call.
//
// Handle waits while all instances are busy, while the tenant is out of fuel, and for
// the callback's turn beside other guests, 2 s at most for each of the latter two.
// After an error, a [*CallError] or
// [ErrClosed], nothing has happened, resp is empty, and the buffer may be
// reused; the next call finds the plugin as good as new. It does not allocate
// unless it waits, fails, or makes an instance or a larger buffer.
//
// The request is sent as it is, but for the settings: where it must have them
// and has none, those of the Config are sent.
func (p *Plugin) Handle(req *abi.Request, buf []byte, resp *abi.Response) ([]byte, error) {
	return p.HandleDetaching(req, buf, resp, nil)
}

// HandleDetaching is Handle, but that it calls detach before it waits or makes an
// instance, and at the end of each slice of fuel.
func (p *Plugin) HandleDetaching(req *abi.Request, buf []byte, resp *abi.Response, detach func()) ([]byte, error) {
	var failed failure
	switch size := req.Size(); {
	case !p.Implements(req.Callback):
		failed = failure{kind: KindNoCallback, message: "the module does not export it"}
	case uint64(size) > p.memoryLimit:
		failed = failure{kind: KindTooLarge, message: fmt.Sprintf(
			"request of %d bytes, in a memory of at most %d", size, p.memoryLimit)}
	default:
		return p.handle(call{req, resp, detach}, buf)
	}
	resp.Reset()
	return buf, p.callError(req.Callback, failed, nil)
}

// call is a callback to be run.
type call struct {
	req    *abi.Request
	resp   *abi.Response
	detach func() // to be called before it takes long; nil if it may
}

// serve runs a callback on the instance of l, makes that first if need be, and
// puts l back.
func (p *Plugin) serve(l lease, c call, buf []byte) (out []byte, err error) {
	req, resp := c.req, c.resp
	out = buf
	defer func() {
		if l.in != nil {
			l.in.memory.Unwatch()
		}
		if bug := recover(); bug != nil {
			f := failure{kind: KindHost, message: oneLine(fmt.Sprint(bug)), stack: string(debug.Stack())}
			err = p.callError(req.Callback, f, nil)
			p.discard(&l)
		}
		if err != nil {
			resp.Reset()
		}
		p.pool.put(l)
	}()
	if l.in == nil {
		c.mayTakeLong()
		if l.in, err = p.newInstance(); err != nil {
			return out, p.callError(req.Callback, notMade(err), err)
		}
	}
	l.in.memory.Watch()
	l.in.arm(req)
	l.in.call.budget.detach = c.detach
	out, err = l.in.invoke(req, buf[:0])
	l.in.call.budget.detach = nil
	if err == nil {
		err = p.decode(req.Callback, out, resp)
	}
	reusable := l.in.settle(req.Callback, err)
	if err != nil {
		err = l.in.describe(req.Callback, err)
	}
	if !reusable {
		p.discard(&l)
	}
	return out, err
}

func (c *call) mayTakeLong() {
	if c.detach != nil {
		c.detach()
	}
}

// decode reads the response out of its copy and checks it. The error is an
// *abi.FormatError.
func (p *Plugin) decode(c abi.Callback, block []byte, resp *abi.Response) error {
	if err := abi.DecodeResponse(block, p.limits, resp); err != nil {
		return err
	}
	return resp.Check(c)
}

// discard closes the instance of l, if there is one; its place becomes vacant.
func (p *Plugin) discard(l *lease) {
	if l.in == nil {
		return
	}
	if err := l.in.close(); err != nil {
		p.logger.Warn("closing an instance failed", "error", err)
	}
	l.in = nil
}

// describe makes the error of a failed callback out of what invoke or decode
// returned.
func (in *instance) describe(c abi.Callback, err error) error {
	var format *abi.FormatError
	if errors.As(err, &format) {
		return in.plugin.callError(c, failure{kind: KindBadResponse, message: format.Error()}, err)
	}
	f := explain(err, in.plugin.lines)
	if f.kind == KindTrap || f.kind == KindExit {
		f.message = in.lastWords() + f.message
	}
	e := in.plugin.callError(c, f, err)
	e.Stderr = strings.Join(in.call.log.recent, "\n")
	return e
}

// lastWords returns what the guest said before it gave up, to be put before the
// message of an error.
func (in *instance) lastWords() string {
	words := in.call.log.lastWords()
	switch {
	case words == "":
		return ""
	case outOfMemory(words):
		words += "; the module may have at most " + sizeText(in.plugin.memoryLimit, false) + " (plugin.memory)"
	}
	return words + "; "
}

func (p *Plugin) callError(c abi.Callback, f failure, err error) *CallError {
	p.failures[f.kind].Add(1)
	return &CallError{
		Plugin: p.name, Callback: c, Kind: f.kind, Message: f.message,
		File: f.place.File, Line: int(f.place.Line), Stack: f.stack, Err: err,
	}
}

// Close frees the plugin. It waits for the calls that run, while those that
// wait for an instance and all later ones get [ErrClosed]. Every call of Close
// returns when the first is done, with the same error. It must not be called
// from Config.Presence or Config.Logger.
func (p *Plugin) Close() error {
	p.closing.Do(func() {
		p.pool.drain(func(in *instance) { p.closeErr = errors.Join(p.closeErr, in.close()) })
		if p.picture != nil {
			p.closeErr = errors.Join(p.closeErr, p.picture.image.Close())
		}
		if p.runtime != nil {
			p.closeErr = errors.Join(p.closeErr, p.runtime.Close(context.Background()))
		}
		if p.cache != nil {
			p.closeErr = errors.Join(p.closeErr, p.cache.Close(context.Background()))
		}
		p.tenant.Unreserve(p.reserved.Swap(0))
		if p.closeErr != nil {
			p.closeErr = fmt.Errorf("plugin %s: close: %w", p.name, p.closeErr)
		}
	})
	return p.closeErr
}
