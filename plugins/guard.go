package plugins

import (
	"errors"
	"fmt"

	"github.com/aviary-host/aviary/abi"
)

// handle runs a callback that the module has, if the breaker lets it through and the
// tenant has the fuel for it.
func (p *Plugin) handle(req *abi.Request, buf []byte, resp *abi.Response) ([]byte, error) {
	probe, after := p.breaker.let()
	if after > 0 {
		resp.Reset()
		why := &UnavailableError{Err: fmt.Errorf("%w: it failed too often (plugin.breaker)", ErrUnavailable), RetryAfter: after}
		return buf, p.callError(req.Callback, failure{kind: KindUnavailable, message: why.Error()}, why)
	}
	buf, err := p.run(req, buf, resp)
	if err != nil || probe {
		p.breaker.ended(outcomeOf(err), probe)
	}
	if err != nil {
		p.record(req, err)
	}
	return buf, err
}

// run runs a callback if the tenant has the fuel for it.
func (p *Plugin) run(req *abi.Request, buf []byte, resp *abi.Response) ([]byte, error) {
	prepaid, err := p.tenant.Admit()
	if err != nil {
		resp.Reset()
		return buf, p.overQuota(req.Callback, err)
	}
	if l, closed := p.place(); closed != nil {
		resp.Reset()
		err = fmt.Errorf("plugin %s: %w", p.name, closed)
	} else {
		buf, err = p.serve(l, req, buf, resp)
	}
	p.tenant.Refund(prepaid)
	return buf, err
}

// outcomeOf tells whose fault the error of a callback is.
func outcomeOf(err error) outcome {
	var call *CallError
	switch {
	case err == nil:
		return outcomeGood
	case !errors.As(err, &call): // closed
		return outcomeUnsaid
	}
	switch call.Kind {
	case KindTrap, KindPanic, KindExit, KindBadPointer, KindBadResponse, KindBadAlloc, KindInstantiate,
		KindFuel, KindDeadline, KindStack:
		return outcomeFailed
	}
	return outcomeUnsaid
}
