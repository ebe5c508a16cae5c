package main

import aviary "github.com/aviary-host/aviary/sdk/go"

func declareCustom(r *aviary.Route[aviary.None]) {
	type context = aviary.Context[aviary.None]
	r.Join(func(c *context, p aviary.Value) aviary.JoinResult {
		action := p.Get("action").String()
		answer := aviary.Object().Str("action", action)
		switch action {
		case "ok":
			return c.Accept(answer)
		case "ignore":
			return c.Refuse(answer)
		}
		panic("custom join: " + action)
	})
	r.On("close", func(c *context, _ aviary.Value) aviary.Result {
		return c.Stop(aviary.ReasonNormal, "close")
	})
}

// declareNamed answers a join with the pattern that its topic fitted.
func declareNamed(r *aviary.Route[aviary.None], pattern string) {
	r.Join(func(c *aviary.Context[aviary.None], _ aviary.Value) aviary.JoinResult {
		return c.Accept(aviary.Object().Str("pattern", pattern))
	})
}
