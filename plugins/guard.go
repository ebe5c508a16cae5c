package plugins

import (
	"errors"
	"fmt"

	"github.com/aviary-host/aviary/abi"
)

// handle runs a callback that the module has, if the breaker lets it through and the
// tenant has the fuel for it.
func (p *Plugin) handle(c call, buf []byte) ([]byte, error) {
	probe, after := p.breaker.let()
	if after > 0 {
		c.resp.Reset()
		why := &UnavailableError{Err: fmt.Errorf("%w: it failed too often (plugin.breaker)", ErrUnavailable), RetryAfter: after}
		return buf, p.callError(c.req.Callback, failure{kind: KindUnavailable, message: why.Error()}, why)
	}
	buf, err := p.run(c, buf)
	if err != nil || probe {
		p.breaker.ended(counts(c.req.Callback, outcomeOf(err)), probe)
	}
	if err != nil {
		p.record(c.req, err)
	}
	return buf, err
}

// counts returns what the end of a callback says to the breaker. A code_change that
// fails leaves its channel with another module, which goes on: that is no reason to
// refuse this one to the channels that it has.
func counts(c abi.Callback, how outcome) outcome {
	if c == abi.CallbackCodeChange && how == outcomeFailed {
		return outcomeUnsaid
	}
	return how
}

// run runs a callback if the tenant has the fuel for it.
func (p *Plugin) run(c call, buf []byte) ([]byte, error) {
	prepaid, err := p.tenant.Admit(c.detach)
	if err != nil {
		c.resp.Reset()
		return buf, p.overQuota(c.req.Callback, err)
	}
	if l, closed := p.place(c.detach); closed != nil {
		c.resp.Reset()
		err = fmt.Errorf("plugin %s: %w", p.name, closed)
	} else {
		buf, err = p.serve(l, c, buf)
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
	switch {
	case call.Kind == KindDenied:
		// The module is well, and may not do what it tried. A probe that said nothing would
		// be followed by the next, one at a time, as long as clients have it try that.
		return outcomeGood
	case call.Kind.Fault():
		return outcomeFailed
	}
	return outcomeUnsaid
}
