package tck

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/plugins"
	"github.com/aviary-host/aviary/plugins/module"
)

// patience is the deadline of a callback, long enough that fuel decides, which is the same
// on every machine.
const patience = 5 * time.Second

// Intro is the section of the rules at the head of SPEC.md, before its section 1.
const Intro = "intro"

// Finding is a rule that a module breaks.
type Finding struct {
	Section string `json:"section"` // of SPEC.md, such as "2.2", or Intro
	Where   string `json:"where"`   // such as "exports" or "handle_in: bytes"
	Problem string `json:"problem"` // in plain words, one line
	More    int    `json:"more"`    // probes of the same callback with the same problem
}

// String is the finding as a line.
func (f Finding) String() string {
	line := "SPEC " + f.Section + ": " + f.Where + ": " + f.Problem
	if f.More > 0 {
		line += fmt.Sprintf(" (and %d more probes)", f.More)
	}
	return line
}

// Report is what was found out about a module. The names of the JSON are stable.
type Report struct {
	Hash     string   `json:"sha256"`
	Size     int      `json:"size"`     // bytes
	Versions []string `json:"versions"` // of the ABI, by the marker's name

	Exports   []Item   `json:"exports"`
	Imports   []Item   `json:"imports"`
	Callbacks []string `json:"callbacks"` // that it exports and does not mask
	Memory    Pages    `json:"memory"`

	LoadMicros        int64  `json:"load_us"`        // reading, compiling and initialising
	InstantiateMicros int64  `json:"instantiate_us"` // of another instance; 0 if a rule is broken
	InitFuel          int64  `json:"init_fuel"`      // of the first instance
	Reset             string `json:"reset"`          // how its memory is put back, "none" if it cannot be
	WhyNot            string `json:"why_not"`        // it cannot

	Runs     []Run     `json:"runs"`
	Notes    []string  `json:"notes"` // what could not be looked at, and why
	Findings []Finding `json:"findings"`
}

// Item is an export or import.
type Item struct {
	Name string `json:"name"` // of an import MODULE.NAME
	Type string `json:"type"` // such as "(i32) -> (i64)", or "memory"
}

// Pages is the size of a memory, in pages of 64 KiB.
type Pages struct {
	Min uint32 `json:"min"`
	Max uint32 `json:"max"` // 0: none is said
}

// Run is a callback that was run.
type Run struct {
	Probe  string `json:"probe"` // callback, and what about it
	Fuel   int64  `json:"fuel"`
	Micros int64  `json:"us"`
	Answer string `json:"answer"` // result and number of effects, or how it failed
}

// OK tells whether no rule is broken.
func (r *Report) OK() bool { return len(r.Findings) == 0 }

func (r *Report) find(section, where, problem string) {
	callback, _, _ := strings.Cut(where, ":")
	for i := range r.Findings {
		f := &r.Findings[i]
		if of, _, _ := strings.Cut(f.Where, ":"); of == callback && f.Section == section && f.Problem == problem {
			f.More++
			return
		}
	}
	r.Findings = append(r.Findings, Finding{Section: section, Where: where, Problem: problem})
}

// Options say how a module is checked. The zero value is usable.
type Options struct {
	Topic    string // to join; empty means "room:lobby"
	Join     string // payload of the join, JSON; empty means {}
	Settings string // of the plugin, a JSON object; empty means {}
	Plugin   plugins.Config
}

// Check checks a module. The error is not the module's: it is of ctx, which ends the
// compilation, or a bug of the host.
func Check(ctx context.Context, wasm []byte, o Options) (*Report, error) {
	if o.Topic == "" {
		o.Topic = "room:lobby"
	}
	if o.Join == "" {
		o.Join = "{}"
	}
	sum := sha256.Sum256(wasm)
	r := &Report{
		Hash: hex.EncodeToString(sum[:]), Size: len(wasm),
		Versions: []string{}, Exports: []Item{}, Imports: []Item{}, Callbacks: []string{},
		Runs: []Run{}, Notes: []string{}, Findings: []Finding{},
	}
	m, err := module.Decode(wasm, module.DefaultCaps())
	if err != nil {
		r.find(decodeSection(err), "module", err.Error())
		return r, nil
	}
	r.describe(m)
	r.checkStatic(m)
	dir, err := os.MkdirTemp("", "aviary-check-")
	if err != nil {
		return r, err
	}
	p := &prober{report: r, options: &o}
	if p.cache, err = plugins.OpenCacheDir(filepath.Join(dir, "compiled")); err == nil {
		err = p.check(ctx, wasm)
	}
	return r, errors.Join(err, os.RemoveAll(dir))
}

// check loads the module and runs it.
func (p *prober) check(ctx context.Context, wasm []byte) error {
	err := p.load(ctx, wasm)
	if err != nil || p.plugin == nil {
		return err
	}
	p.runAll()
	err = p.plugin.Close()
	if err == nil && p.report.OK() {
		err = p.checkMemory(ctx, wasm)
	}
	return err
}

// load loads the module and measures it. A module that is refused leaves no plugin.
func (p *prober) load(ctx context.Context, wasm []byte) error {
	cfg := p.config()
	began := time.Now()
	loaded, err := plugins.Load(ctx, wasm, cfg)
	r := p.report
	r.LoadMicros = time.Since(began).Microseconds()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		if section := loadSection(err); r.OK() || !staticSection(section) {
			r.find(section, "load", loadProblem(err))
		}
		return nil
	}
	p.plugin = loaded
	r.InitFuel = loaded.Stats().Fuel
	r.Reset, r.WhyNot = loaded.Reset()
	for c := abi.CallbackConnect; int(c) < abi.NumCallbacks; c++ {
		if loaded.Implements(c) {
			r.Callbacks = append(r.Callbacks, c.String())
		}
	}
	return nil
}

// config is how the module is loaded: alone, and without a breaker that would keep it
// from failing as often as it does.
func (p *prober) config() plugins.Config {
	cfg := p.options.Plugin
	cfg.Cache = p.cache // it is loaded more than once
	cfg.Name, cfg.Instances, cfg.Breaker = "module", 1, plugins.Breaker{Failures: -1}
	cfg.Deadline = max(cfg.Deadline, patience)
	cfg.Settings = []byte(p.options.Settings)
	return cfg
}
