package tck

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aviary-host/aviary/abi"
	"github.com/aviary-host/aviary/plugins"
	"github.com/aviary-host/aviary/plugins/image"
)

const (
	probeTime  = 1_700_000_000_000 // milliseconds
	probeEvent = "aviary_check"
	longText   = 100_000 // bytes: over the request buffer of section 2.2
	deepNest   = 1000    // arrays within each other: a host lets 1024 through
	times      = 3       // that a join is answered, to see whether it is alike
)

// prober runs a module with requests that a server could send.
type prober struct {
	report  *Report
	options *Options
	plugin  *plugins.Plugin
	cache   *plugins.CacheDir // of compiled modules, for as long as the check

	resp         abi.Response
	buf          []byte
	state        []byte // that the join has left
	stateVersion uint32
}

// probe is a request, and what it is about.
type probe struct {
	about string
	req   abi.Request
}

func (p *probe) String() string {
	if p.about == "" {
		return p.req.Callback.String()
	}
	return p.req.Callback.String() + ": " + p.about
}

// request is what all probes of a channel have.
func (p *prober) request(c abi.Callback) abi.Request {
	return abi.Request{
		Callback: c, TimeMS: probeTime, Seed: [16]byte{1, 2, 3}, Transport: abi.TransportWebSocket,
		SocketID: []byte("socket-1"), Topic: []byte(p.options.Topic), JoinRef: []byte(`"1"`), Ref: []byte(`"2"`),
		State: p.state, StateVersion: p.stateVersion,
	}
}

// joinProbe is the join that the options describe.
func (p *prober) joinProbe() probe {
	req := p.request(abi.CallbackJoin)
	req.Payload, req.Ref = []byte(p.options.Join), req.JoinRef
	return probe{req: req}
}

// runAll runs every callback that the module has.
func (p *prober) runAll() {
	if p.plugin.Implements(abi.CallbackConnect) {
		for _, probe := range connectProbes() {
			if p.run(probe) && p.resp.Result == abi.ResultReply && p.resp.HasState {
				p.state, p.stateVersion = slices.Clone(p.resp.State), p.resp.StateVersion
			}
		}
	}
	if !p.run(p.joinProbe()) {
		return
	}
	if p.resp.Result != abi.ResultReply {
		p.report.Notes = append(p.report.Notes, fmt.Sprintf(
			"the join of %s with %s was refused with %s, so that no other callback of a channel was run: name a topic and a payload that it accepts",
			p.options.Topic, p.options.Join, orEmpty(p.resp.Payload)))
		return
	}
	if p.resp.HasState {
		p.state, p.stateVersion = slices.Clone(p.resp.State), p.resp.StateVersion
	}
	for _, probe := range slices.Concat(p.inProbes(), p.infoProbes(), p.endProbes()) {
		if p.plugin.Implements(probe.req.Callback) {
			p.run(probe)
		}
	}
}

func orEmpty(payload []byte) string {
	if len(payload) == 0 {
		return "{}"
	}
	return string(payload)
}

func connectProbes() []probe {
	req := abi.Request{
		Callback: abi.CallbackConnect, TimeMS: probeTime, Seed: [16]byte{1}, Transport: abi.TransportWebSocket,
		SocketID: []byte("socket-1"), Params: []byte(`{}`), Headers: []byte(`{}`),
	}
	params := req
	params.Transport = abi.TransportLongPoll
	params.Params = []byte(`{"token":"\u0000\ud83d\ude00","a":{"b":["c","d"]}}`)
	params.Headers = []byte(`{"user-agent":"tck",":peer":"192.0.2.1:1"}`)
	return []probe{{"", req}, {"parameters", params}}
}

func (p *prober) inProbes() []probe {
	text := func(about, payload string) probe {
		req := p.request(abi.CallbackHandleIn)
		req.Event, req.Payload = []byte(probeEvent), []byte(payload)
		return probe{about, req}
	}
	raw := text("bytes", "\x00\xff\x80")
	raw.req.Binary = true
	nobody := text("no ref", "{}")
	nobody.req.Ref = nil
	long := text("an event of 255 bytes", "{}")
	long.req.Event = []byte(strings.Repeat("\u00e9", maxName/2) + "e")
	return []probe{
		text("an event that it may not know", `{}`),
		text("null", `null`), text("a number", `-1.5e300`), text("a text", `"\ud83d\ude00 \u0000"`), text("an array", `[{},[],"",0]`),
		text("a key twice", `{"a":1,"a":{"a":2}}`),
		text("half a surrogate pair", `{"text":"\ud800"}`),
		text("a number of 400 digits", `{"n":1`+strings.Repeat("0", 400)+`}`),
		text("arrays 1000 deep", strings.Repeat("[", deepNest)+strings.Repeat("]", deepNest)),
		text("over the request buffer", `"`+strings.Repeat("x", longText)+`"`),
		raw, nobody, long,
	}
}

func (p *prober) infoProbes() []probe {
	info := func(kind abi.InfoKind, about, source string) probe {
		req := p.request(abi.CallbackHandleInfo)
		req.Reason, req.Event, req.Payload, req.Source = uint32(kind), []byte(probeEvent), []byte(`{}`), []byte(source)
		req.Ref = nil
		return probe{about, req}
	}
	out := p.request(abi.CallbackHandleOut)
	out.Event, out.Payload, out.Ref = []byte(probeEvent), []byte(`{"from":"tck"}`), nil
	return []probe{
		info(abi.InfoMessage, "a message", ""), info(abi.InfoTimer, "a timer", "key"),
		info(abi.InfoBroadcast, "a broadcast", "other:topic"),
		{"", out},
	}
}

// endProbes come last: code_change, and the end for each reason.
func (p *prober) endProbes() []probe {
	change := p.request(abi.CallbackCodeChange)
	probes := []probe{{"its own state", change}}
	for reason := abi.ReasonNormal; reason <= abi.ReasonDisconnected; reason++ {
		req := p.request(abi.CallbackTerminate)
		req.Reason, req.Source, req.Ref = uint32(reason), []byte("the reason in words"), nil
		probes = append(probes, probe{reason.String(), req})
	}
	return probes
}

// run runs a probe and tells whether p.resp is its answer.
func (p *prober) run(probe probe) bool {
	before := p.plugin.Stats().Fuel
	began := time.Now()
	var err error
	p.buf, err = p.plugin.Handle(&probe.req, p.buf, &p.resp)
	run := Run{Probe: probe.String(), Micros: time.Since(began).Microseconds()}
	run.Fuel = p.plugin.Stats().Fuel - before
	if err != nil {
		section, problem := callProblem(err)
		p.report.find(section, probe.String(), problem)
		run.Answer = problem
		p.report.Runs = append(p.report.Runs, run)
		return false
	}
	run.Answer = fmt.Sprintf("%s, %d effects", p.resp.Result, len(p.resp.Effects))
	p.report.Runs = append(p.report.Runs, run)
	for _, f := range CheckAnswer(&p.resp) {
		p.report.find(f.Section, probe.String()+": "+f.Where, f.Problem)
	}
	return true
}

// callProblem tells which section a callback breaks that failed, and how.
func callProblem(err error) (section, problem string) {
	var call *plugins.CallError
	if !errors.As(err, &call) {
		return "7", err.Error()
	}
	problem = call.Kind.String() + ": " + call.Message
	var format *abi.FormatError
	switch {
	case errors.As(err, &format):
		return format.Section, problem
	case isBudget(err):
		return "8", problem
	}
	switch call.Kind {
	case plugins.KindBadPointer:
		return "3", problem
	case plugins.KindBadAlloc:
		return "2.2", problem
	case plugins.KindTooLarge:
		return "8", problem
	case plugins.KindDenied:
		return "6", problem
	case plugins.KindTrap:
		switch before, _, _ := strings.Cut(call.Message, ":"); before {
		case abi.ImportLog, abi.ImportConfig, abi.ImportPresenceList, abi.ImportPanic:
			return "6", problem
		case abi.ExportAlloc:
			return "2.2", problem
		}
	}
	return "7", problem
}

// checkMemory holds the module to the rule that nothing is kept in memory from one callback
// to the next, where breaking it would be seen: the join is answered alike whatever ran
// before it on the instance. A module that answers differently in fresh instances too,
// out of random_get, cannot be told apart.
func (p *prober) checkMemory(ctx context.Context, wasm []byte) error {
	cfg := p.config()
	cfg.Reset = image.None
	fresh, err := p.joins(ctx, wasm, cfg)
	if err != nil {
		return err
	}
	join := slices.IndexFunc(p.report.Runs, func(r Run) bool { return r.Probe == abi.CallbackJoin.String() })
	p.report.InstantiateMicros = max(fresh[1].micros-p.report.Runs[join].Micros, 1)
	if fresh[0].bytes != fresh[1].bytes {
		return nil
	}
	cfg = p.config()
	cfg.Isolation = plugins.IsolateInstance
	kept, err := p.joins(ctx, wasm, cfg)
	if err != nil {
		return err
	}
	for i := range kept {
		if kept[i].bytes != fresh[0].bytes {
			p.report.find(Intro, "join", fmt.Sprintf("time %d on one instance is answered differently: something is kept in memory from one callback to the next", i+1))
			return nil
		}
	}
	return nil
}

// answer is how a join was answered, and how long that took.
type answer struct {
	bytes  string
	micros int64
}

// joins returns how the module answers the same join, time after time.
func (p *prober) joins(ctx context.Context, wasm []byte, cfg plugins.Config) (all []answer, err error) {
	loaded, err := plugins.Load(ctx, wasm, cfg)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, loaded.Close()) }()
	p.state, p.stateVersion = nil, 0
	join := p.joinProbe()
	for range times {
		began := time.Now()
		p.buf, err = loaded.Handle(&join.req, p.buf, &p.resp)
		if err != nil {
			return nil, err
		}
		all = append(all, answer{string(abi.AppendResponse(nil, &p.resp)), time.Since(began).Microseconds()})
	}
	return all, nil
}
