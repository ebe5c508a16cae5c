package play

import (
	"fmt"
	"io"
	"strings"
)

// Totals counts what was played.
type Totals struct {
	Quota int64 // of a callback, set before the first report

	Cases, Failed, Steps int
	Fuel                 int64  // the most of a callback
	Dearest              string // which that was
}

// Report writes what came of a case, and counts it.
func (t *Totals) Report(out io.Writer, name string, c *Case, played []Played) error {
	t.Cases++
	var b strings.Builder
	most := int64(0)
	failed := len(played) > 0 && played[len(played)-1].Problem != ""
	for i := range played {
		p := &played[i]
		t.Steps++
		most = max(most, p.Outcome.Fuel)
		if p.Outcome.Fuel > t.Fuel {
			t.Fuel, t.Dearest = p.Outcome.Fuel, p.Step.name()
		}
	}
	verdict := "ok  "
	if failed {
		verdict = "FAIL"
		t.Failed++
	}
	fmt.Fprintf(&b, "%s  %-28s %3d steps %10d fuel at most, %s of its quota\n", verdict, name, len(played), most, Share(most, t.Quota))
	if failed {
		if c.About != "" {
			fmt.Fprintf(&b, "      %s\n", c.About)
		}
		played[len(played)-1].describe(&b)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// name says what a step is about, in some words.
func (s *Step) name() string {
	name := s.Callback
	if s.Event != "" {
		name += " " + s.Event
	}
	return name
}

// describe writes why a step is not as expected.
func (p *Played) describe(b *strings.Builder) {
	fmt.Fprintf(b, "      step %d, %s", p.Number, p.Step.name())
	if len(p.Step.Payload) > 0 {
		b.WriteString(" " + compact(p.Step.Payload))
	}
	fmt.Fprintf(b, ":\n      %s\n", p.Problem)
	for _, line := range p.Diff {
		fmt.Fprintf(b, "      %s\n", line)
	}
	p.Outcome.describe(b, "      ")
}

// describe writes what else is known of a callback: its stack and its log.
func (o *Outcome) describe(b *strings.Builder, indent string) {
	if f := o.Failure(); f != nil && f.Stack != "" {
		for line := range strings.SplitSeq(f.Stack, "\n") {
			fmt.Fprintf(b, "%s  at %s\n", indent, line)
		}
	}
	for _, line := range o.Logs {
		fmt.Fprintf(b, "%slog %s\n", indent, line)
	}
}

// Describe writes what a callback has answered, or how it failed, what it logged, and what
// it cost.
func (o *Outcome) Describe(callback string, quota int64) string {
	var b strings.Builder
	if o.Err != nil {
		fmt.Fprintf(&b, "failed: %v\n", o.Err)
	} else {
		for _, line := range o.Answer.Lines(callback) {
			b.WriteString(line + "\n")
		}
		if len(o.Answer.State) > 0 || o.Answer.StateBytes != nil {
			b.WriteString("state " + o.Answer.stateLine() + "\n")
		}
	}
	o.describe(&b, "")
	fmt.Fprintf(&b, "fuel %d of %d, %s; %d us\n", o.Fuel, quota, Share(o.Fuel, quota), o.Time.Microseconds())
	return b.String()
}

// Share writes a part of the fuel that a callback may spend.
func Share(fuel, quota int64) string { return fmt.Sprintf("%.2f %%", 100*float64(fuel)/float64(quota)) }

// Summary says how it went, in a line.
func (t *Totals) Summary() string {
	verdict := "all pass"
	if t.Failed > 0 {
		verdict = fmt.Sprintf("%d fail", t.Failed)
	}
	return fmt.Sprintf("%d cases, %d steps: %s; the dearest is %s with %d of %d fuel (%s)",
		t.Cases, t.Steps, verdict, t.Dearest, t.Fuel, t.Quota, Share(t.Fuel, t.Quota))
}
