package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/aviary-host/aviary/bench/load"
)

// The handlers that others are compared with, the second being a server of its
// own, and the name of a server that is not ours.
const (
	baseline = "native"
	floor    = "floor"
	external = "url"
)

// plan is all that is to be run.
type plan struct {
	serverPath string
	floorPath  string
	external   *target // instead of our servers
	handlers   []string
	scenarios  []scenario
	rounds     int
	window     time.Duration
	progress   func(text string)
}

// result is the samples of one scenario, by handler, in the order of rounds.
type result struct {
	scenario scenario
	samples  map[string][]load.Result
}

// run runs the plan: handlers alternate within a round.
func (p *plan) run(ctx context.Context) ([]result, error) {
	results := make([]result, len(p.scenarios))
	most := 0
	for i, s := range p.scenarios {
		results[i] = result{s, map[string][]load.Result{}}
		most = max(most, s.Connections)
	}
	if err := load.RaiseFileLimit(most); err != nil {
		return nil, err
	}
	for round := range p.rounds {
		for _, r := range results {
			for _, h := range p.handlers {
				p.progress(fmt.Sprintf("round %d of %d: %s, %s", round+1, p.rounds, r.scenario, h))
				m, err := p.one(ctx, h, r.scenario)
				if err != nil {
					return nil, fmt.Errorf("%s, handler %s, round %d: %w", r.scenario, h, round+1, err)
				}
				r.samples[h] = append(r.samples[h], m)
			}
		}
	}
	return results, nil
}

// one runs a scenario on a fresh server.
func (p *plan) one(ctx context.Context, handler string, s scenario) (m load.Result, err error) {
	if p.external != nil {
		return load.Run(ctx, s.load(*p.external, p.window))
	}
	path := p.serverPath
	if handler == floor {
		path = p.floorPath
	}
	srv, err := startServer(ctx, path, handler)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, srv.stop()) }()
	return load.Run(ctx, s.load(srv.target, p.window))
}

// choose returns the scenarios whose name matches a regular expression.
func choose(all []scenario, expr string) ([]scenario, error) {
	re, err := regexp.Compile(expr)
	if err != nil {
		return nil, err
	}
	var chosen []scenario
	for _, s := range all {
		if re.MatchString(s.String()) {
			chosen = append(chosen, s)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("no scenario matches %q; there are %v", expr, all)
	}
	return chosen, nil
}
