package play

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/abi/tck"
	"github.com/aviary-host/aviary/plugins"
)

// Module is a module that is ready to be run.
type Module struct {
	plugin *plugins.Plugin
	logs   lines
	quota  int64

	presences map[string][]byte // of the case at hand
	resp      abi.Response
	buf       []byte
}

// Outcome is what came of a callback.
type Outcome struct {
	Answer *Answer // nil if it failed
	Err    error   // why: a [*plugins.CallError], or a rule of abi/SPEC.md that the answer breaks
	Fuel   int64
	Time   time.Duration
	Logs   []string // lines that it logged, each behind its level

	state   []byte // that is committed, if given
	version uint32
	given   bool
	idTopic []byte
}

// Load compiles a module. Of the configuration, what bounds callbacks counts, and the
// settings and secrets; a deadline is kept only if it is longer than any module needs, so
// that fuel decides, which is the same on every machine. The error is that of plugins.Load.
func Load(ctx context.Context, wasm []byte, cfg plugins.Config) (*Module, error) {
	m := &Module{}
	cfg.Instances, cfg.Breaker = 1, plugins.Breaker{Failures: -1}
	cfg.Deadline = max(cfg.Deadline, patience)
	cfg.Logger = slog.New(&m.logs)
	cfg.Presence = m.appendPresences
	if cfg.Fuel == 0 {
		cfg.Fuel = plugins.Defaults().Fuel
	}
	m.quota = int64(cfg.Fuel)
	var err error
	if m.plugin, err = plugins.Load(ctx, wasm, cfg); err != nil {
		return nil, err
	}
	m.logs.take() // of the initialisation
	return m, nil
}

// patience is the least deadline of a callback.
const patience = 10 * time.Second

// Quota is the fuel that a callback may spend.
func (m *Module) Quota() int64 { return m.quota }

// Hash is the SHA-256 of the module, in hexadecimal digits.
func (m *Module) Hash() string { return m.plugin.Hash() }

// Implements tells whether the module has a callback.
func (m *Module) Implements(c abi.Callback) bool { return m.plugin.Implements(c) }

// Close frees the module.
func (m *Module) Close() error { return m.plugin.Close() }

func (m *Module) appendPresences(dst []byte, topic string) []byte {
	if list, ok := m.presences[topic]; ok {
		return append(dst, list...)
	}
	return append(dst, "{}"...)
}

// Run runs one callback.
func (m *Module) Run(req *abi.Request) *Outcome {
	m.logs.take()
	before := m.plugin.Stats().Fuel
	began := time.Now()
	var err error
	m.buf, err = m.plugin.Handle(req, m.buf, &m.resp)
	o := &Outcome{Time: time.Since(began), Fuel: m.plugin.Stats().Fuel - before, Logs: m.logs.take(), Err: err}
	if err != nil {
		return o
	}
	if found := tck.CheckAnswer(&m.resp); len(found) > 0 {
		o.Err = fmt.Errorf("%s: a server would refuse the answer: %s", req.Callback, found[0])
		return o
	}
	o.Answer = answerOf(&m.resp)
	o.state, o.version, o.given = slices.Clone(m.resp.State), m.resp.StateVersion, m.resp.HasState
	o.idTopic = slices.Clone(m.resp.IDTopic)
	return o
}

// Played is a step and what came of it.
type Played struct {
	Number  int // from 1
	Step    *Step
	Outcome *Outcome
	Problem string   // why it is not as expected, "" if it is
	Diff    []string // what differs, as Diff has it
}

// Play runs the steps of a case, up to the first that is not as expected.
func (m *Module) Play(c *Case) []Played {
	m.presences = map[string][]byte{}
	for topic, list := range c.Presences {
		m.presences[topic] = list
	}
	now := channel{state: c.StateBytes, version: c.StateVersion, idTopic: []byte(c.IDTopic)}
	if len(c.State) > 0 {
		now.state = []byte(compact(c.State)) // as it would be kept, not as a file shows it
	}
	var played []Played
	for i := range c.Steps {
		req := c.request(i)
		now.fill(req, c)
		p := Played{Number: i + 1, Step: &c.Steps[i]}
		if !m.Implements(req.Callback) {
			p.Outcome = &Outcome{Err: fmt.Errorf("the module has no callback %s", req.Callback)}
		} else {
			p.Outcome = m.Run(req)
		}
		p.compare()
		now.take(req, p.Outcome)
		played = append(played, p)
		if p.Problem != "" {
			break
		}
	}
	return played
}

// channel is what a host keeps from step to step.
type channel struct {
	state   []byte
	version uint32
	idTopic []byte
}

func (ch *channel) fill(req *abi.Request, c *Case) {
	switch req.Callback {
	case abi.CallbackConnect, abi.CallbackJoin, abi.CallbackCodeChange:
		req.Config = orObject(c.Settings)
	}
	if req.Callback != abi.CallbackConnect {
		req.State, req.StateVersion, req.IDTopic = ch.state, ch.version, ch.idTopic
	}
}

// take commits what a callback has answered. What a refused join, or the end of the
// channel, says of the state is dropped.
func (ch *channel) take(req *abi.Request, o *Outcome) {
	if o.Answer == nil || req.Callback == abi.CallbackTerminate || o.Answer.Result == abi.ResultReplyError.String() && req.Callback != abi.CallbackHandleIn {
		return
	}
	if req.Callback == abi.CallbackConnect {
		ch.idTopic = o.idTopic
	}
	if o.given {
		ch.state, ch.version = o.state, o.version
	}
}

// compare sets what is not as expected.
func (p *Played) compare() {
	o, want := p.Outcome, p.Step.Expect
	switch {
	case want == nil && o.Err != nil:
		p.Problem = o.Err.Error()
	case want == nil:
	case want.Fails != "" && o.Err == nil:
		p.Problem = fmt.Sprintf("it was to fail with %q, and went well", want.Fails)
		p.Diff = mark("+ ", o.Answer.Lines(p.Step.Callback))
	case want.Fails != "" && !strings.Contains(o.Err.Error(), want.Fails):
		p.Problem = fmt.Sprintf("it was to fail with %q, and failed with: %v", want.Fails, o.Err)
	case want.Fails != "":
	case o.Err != nil:
		p.Problem = o.Err.Error()
		p.Diff = mark("- ", want.Lines(p.Step.Callback))
	default:
		if p.Diff = Diff(p.Step.Callback, &want.Answer, o.Answer); p.Diff != nil {
			p.Problem = "it answers something else than expected (-: missing, +: not expected)"
		} else if want.Fuel > 0 && o.Fuel > want.Fuel {
			p.Problem = fmt.Sprintf("it took %d fuel, at most %d are expected", o.Fuel, want.Fuel)
		}
	}
}

func mark(with string, lines []string) []string {
	marked := make([]string, len(lines))
	for i, line := range lines {
		marked[i] = with + line
	}
	return marked
}

// Failure returns the details of a callback that failed, nil if it did not, or was
// refused for its answer.
func (o *Outcome) Failure() *plugins.CallError {
	var failed *plugins.CallError
	if errors.As(o.Err, &failed) {
		return failed
	}
	return nil
}

// lines collects what a guest logs.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.all
	l.all = nil
	return all
}

// Enabled implements slog.Handler.
func (*lines) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (l *lines) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, strings.ToLower(r.Level.String())+": "+r.Message)
	return nil
}

// WithAttrs implements slog.Handler. Whose line it is is known.
func (l *lines) WithAttrs([]slog.Attr) slog.Handler { return l }

// WithGroup implements slog.Handler.
func (l *lines) WithGroup(string) slog.Handler { return l }
